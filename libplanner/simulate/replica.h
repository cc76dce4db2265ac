// One replica of a serving engine: a queue, a batch that requests enter and leave between steps, and a paged cache.
// docs/formulas/simulate.md#engine
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <unordered_map>
#include <utility>
#include <vector>

#include "simulate/request.h"
#include "simulate/serving_pool.h"

namespace fathom {

enum class Preemption { kRecompute, kSwap };

struct EngineOptions {
  Preemption preemption = Preemption::kRecompute;
  double swap_seconds_per_token = 0;  // each way
  double prefix_hit = 0;              // of requests without known blocks
  const RequestTrace* trace = nullptr;
};

// A request on its way. Steps are those of the replica it is on.
struct Job {
  double arrival = 0, first_token = 0, last_token = 0;  // s; last_token while it is in no batch
  std::int64_t entered = 0, leaves = 0;                 // steps: decoding begins after, ends with
  int input = 1, output = 1, priority = 0;
  int in_trace = -1;     // as in SimulatedRequest
  int produced = 0;      // tokens of the answer when decoding began
  int prompt = 1;        // tokens to be in the cache before that: the input, and what was answered before a preemption
  int left = 1;          // of them still to be read
  int blocks = 0;        // of the cache, when decoding began
  int first_growth = 1;  // steps after `entered` until one more is needed
  std::uint32_t stay = 0;  // changes when it leaves a batch, so that entries elsewhere are known to be stale
  int replica = -1;
  bool cached = false;   // `prompt` need not be read: it was swapped out, or comes from a prefill pool
  bool swapped = false;  // it comes back from host memory
  bool measured = true;
};

class Replica {
 public:
  Replica(const ServingPool& pool, const EngineOptions& options, std::vector<Job>& jobs);

  void add(int job);                // to the queue
  bool fits(const Job& job) const;  // ever, on an empty replica
  bool begin(double now);           // the next step; false: there is nothing to do
  double step_end() const { return step_end_; }
  double step_seconds() const { return step_end_ - step_begin_; }
  double step_watts() const { return step_watts_; }  // 0 between steps

  // What came of the step.
  struct Outcome {
    std::vector<int> answered;       // first token of the prompt's run is out; still here unless also finished
    std::vector<int> finished;       // left
    std::vector<int> passed_on;      // of a prefill pool: read, the cache is held until release()
    int gaps = 0;                    // sequences that got a token as long after the last as the step took
    std::vector<double> other_gaps;  // and those that waited in between
    double tokens = 0;               // of answers
    int prompt_tokens = 0;
  };
  void end(Outcome& outcome);

  void release(int job);        // of a prefill pool: its cache has been sent
  std::vector<int> take_all();  // the replica failed: everything on it, in the order of the queue
  int waiting() const { return waiting_; }
  int running() const { return decoding_ + static_cast<int>(reading_.size()); }
  // What routing goes by: a request that waits counts as four in the batch, as in vLLM.
  int load() const { return 4 * waiting() + running() + static_cast<int>(held_.size()); }
  std::int64_t blocks_used() const { return used_; }
  std::int64_t blocks() const { return blocks_; }
  std::int64_t preemptions() const { return preemptions_; }
  std::int64_t prompt_tokens_cached() const { return found_; }

 private:
  struct Stay {
    int job;
    std::uint32_t stay;
  };
  struct Level {
    int priority;
    std::deque<int> jobs;
  };
  struct Leaving {
    std::int64_t step;
    Stay who;
    bool operator>(const Leaving& other) const { return step > other.step; }
  };
  // Recently used prefix blocks, as many as the free part of the cache holds.
  struct PrefixBlocks {
    std::list<std::uint64_t> recent;
    std::unordered_map<std::uint64_t, std::list<std::uint64_t>::iterator> at;
  };

  Job& job(int index) { return jobs_[static_cast<std::size_t>(index)]; }
  bool live(const Stay& s) const { return jobs_[static_cast<std::size_t>(s.job)].stay == s.stay; }
  int decoded_steps(const Job& j) const { return static_cast<int>(step_ - j.entered); }
  int blocks_held(const Job& j) const;
  void queue(int index, bool first);
  void grow_caches();
  bool preempt_one();
  int youngest();
  void read_prompts();
  void admit();
  bool admit_next();
  int read(int index);
  int found_in_cache(const Job& j);
  void remember(const Job& j);
  void enter_decode(int index);
  void leave_decode(int index);
  void forget_stale();

  const ServingPool& pool_;
  const EngineOptions& options_;
  std::vector<Job>& jobs_;
  std::int64_t blocks_, used_ = 0;
  int growth_steps_;  // between two new blocks of one sequence

  std::vector<Level> levels_;  // by priority
  int waiting_ = 0;
  std::vector<int> reading_;      // prompts that are partly read, in order
  std::vector<Leaving> leaving_;  // heap of those that decode
  std::vector<Stay> order_;       // of admission, some stale
  std::vector<int> held_;         // sent to a decode pool just now
  std::vector<int> growing_;      // sequences whose next block is due in a step, modulo growth_steps_
  int decoding_ = 0;
  double context_ = 0;  // of the next decode step, summed
  bool priorities_ = false;

  std::int64_t step_ = 0;
  double step_begin_ = 0, step_end_ = 0, step_watts_ = 0;
  std::vector<double> lanes_;                // tokens left in the step, per attention group
  std::vector<std::pair<int, int>> chunks_;  // of this step: job, tokens
  double swap_seconds_ = 0;
  int decoding_now_ = 0;   // in this step
  std::vector<int> late_;  // came back in this step: their gap is longer than it
  bool preempted_ = false;
  std::int64_t preemptions_ = 0, found_ = 0;
  PrefixBlocks prefixes_;
};

}  // namespace fathom
