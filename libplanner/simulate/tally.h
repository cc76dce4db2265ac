// What a simulation counts while it runs, and the result that it comes to. docs/formulas/simulate.md#what-is-measured
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "simulate/histogram.h"
#include "simulate/queue_growth.h"
#include "simulate/replica.h"
#include "simulate/result.h"
#include "simulate/scenario.h"
#include "simulate/series.h"

namespace fathom {

// What changes at events and holds between them: requests, replicas with a step, pages of the cache, power of steps.
struct Levels {
  std::int64_t waiting = 0, running = 0, busy = 0, blocks = 0;
  double watts = 0;
};

// What the replicas of one pool counted themselves.
struct PoolCounts {
  std::int64_t preemptions = 0;
  std::int64_t found = 0;  // prompt tokens in the cache
  double blocks = 0;       // of all caches
};

class Tally {
 public:
  Tally(const Scenario& scenario, std::int64_t requests);  // `requests` come in all

  void advance(double now);  // the levels have held until now
  void change(std::size_t pool, const Levels& by);
  void change_stranded(std::int64_t by) { levels_.waiting += by; }  // they wait for a replica that is up
  void queued() { most_waiting_ = std::max(most_waiting_, levels_.waiting); }

  bool came(double now, double asked);                                             // true: it counts among the measured
  double tokens() const { return totals_.output_tokens + totals_.prompt_tokens; }  // made and read, lost ones too
  void last_came() { last_arrival_ = totals_; }
  void stepped(double now, double seconds, const Replica::Outcome& outcome);
  void finished(const Job& job, double now);
  void rejected() { ++rejected_; }
  void restarted() { ++restarted_; }
  void failed() { ++failures_; }

  SimulationResult result(const std::vector<PoolCounts>& pools) const;

 private:
  struct PoolTotals {
    double busy = 0, running = 0, blocks = 0, watts = 0;  // integrals
  };
  struct Totals {
    double time = 0;
    double waiting = 0, running = 0, busy = 0, blocks = 0;  // integrals
    double output_tokens = 0, prompt_tokens = 0;
    std::int64_t finished = 0, good = 0, arrived = 0;
    std::vector<PoolTotals> pools;
  };
  enum SeriesColumn { kArrived, kFinished, kTokens, kWaiting, kRunning, kBusy, kBlocks, kColumns };

  // In which throughput, queues and energy are measured.
  struct Window {
    const Totals &begin, &end;
    double seconds;
    double rate(double at_end, double at_begin) const { return (at_end - at_begin) / seconds; }
  };
  Window window() const;
  double coming() const { return last_arrival_.time - warm_.time; }
  Spread spread(const Histogram& times) const;
  void add_flow(SimulationResult& r) const;
  void add_pools(SimulationResult& r, const std::vector<PoolCounts>& counts) const;
  bool overloaded(const SimulationResult& r) const;
  std::vector<SeriesRow> series_rows(double blocks) const;
  void judge(SimulationResult& r) const;

  const Scenario& s_;
  std::int64_t unmeasured_;          // come first
  QueueGrowth waiting_, in_flight_;  // of those after them
  bool is_warm_ = false;
  double now_ = 0;
  Levels levels_;
  std::vector<Levels> pools_;
  Totals totals_, warm_, last_arrival_;
  double first_arrival_ = 0, last_finish_ = 0;
  std::int64_t most_waiting_ = 0, peak_blocks_ = 0;
  std::int64_t rejected_ = 0, restarted_ = 0, failures_ = 0;
  Histogram ttft_, tpot_, gaps_, e2e_;
  Series<kColumns> series_;
};

}  // namespace fathom
