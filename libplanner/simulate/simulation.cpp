#include "simulate/simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <queue>
#include <stdexcept>
#include <utility>

#include "simulate/arrivals.h"
#include "simulate/routing.h"
#include "simulate/tally.h"
#include "units/text.h"

namespace fathom {

namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();
constexpr std::uint64_t kFailureStream = 5;  // of the seed's random numbers
constexpr double kMostWaste = 20;            // tokens made for each that was asked for, when failures lose them again
constexpr double kNoWaste = 1e6;             // tokens: too few to tell

enum class EventKind { kStep, kTransfer, kFailure, kRepair };

struct Event {
  double time;
  std::uint64_t number;  // ties are broken by the order in which events were planned
  EventKind kind;
  int id;               // replica, or job of a transfer
  std::uint32_t stamp;  // stale when the replica has failed since, or the job has left it
  bool operator>(const Event& other) const { return time != other.time ? time > other.time : number > other.number; }
};

class Simulator {
 public:
  explicit Simulator(const Scenario& scenario);
  SimulationResult run();

 private:
  struct ReplicaState {
    std::size_t pool = 0;
    bool up = true, stepping = false;
    std::uint32_t stamp = 0;
    double link_free = 0;  // when the link to the decode pool is
  };

  void plan(double time, EventKind kind, int id, std::uint32_t stamp) {
    events_.push({.time = time, .number = planned_++, .kind = kind, .id = id, .stamp = stamp});
  }
  double next_arrival() const { return arrivals_.next() + overhead_; }
  double next_event() const { return events_.empty() ? kNever : events_.top().time; }
  void handle(const Event& event);
  void arrive();
  void send(int job, double now);
  void leave(int job, double now);
  void wake(int replica, double now);
  void steps(int replica, double now);
  void after_step(int replica, double now);
  void idle(int replica);
  void finish(int job, double now);
  void transferred(int job, double now);
  void start_again(int job, double now);
  void fail(int replica, double now);
  void repair(int replica, double now);
  template <class Change>
  void changing(int replica, Change change);  // keeps the levels true while something happens to a replica
  int new_job();
  SimulationResult result() const;
  Replica& at(int replica) { return replicas_[static_cast<std::size_t>(replica)]; }
  ReplicaState& state(int replica) { return states_[static_cast<std::size_t>(replica)]; }
  Job& job(int index) { return jobs_[static_cast<std::size_t>(index)]; }

  const Scenario& s_;
  std::vector<EngineOptions> options_;  // of each pool
  std::vector<Job> jobs_;               // in flight; places are used again
  std::vector<int> free_jobs_;
  std::vector<ReplicaState> states_;
  std::vector<Replica> replicas_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::uint64_t planned_ = 0;
  std::vector<int> stranded_;  // no replica was up
  std::int64_t in_flight_ = 0;
  double asked_tokens_ = 0;  // of all requests that came
  double overhead_;          // until a request is in the queue
  ArrivalStream arrivals_;
  Router router_;
  Random failures_;
  Tally tally_;
  Replica::Outcome outcome_;
};

Simulator::Simulator(const Scenario& scenario)
    : s_(scenario),
      overhead_(scenario.pools.front().request_overhead.value),
      arrivals_(scenario.arrivals, scenario.load, longest_request(scenario.pools), scenario.seed),
      router_(scenario),
      failures_(scenario.seed, kFailureStream),
      tally_(scenario, arrivals_.planned()) {
  options_.reserve(s_.pools.size());
  replicas_.reserve(router_.replicas());
  for (std::size_t i = 0; i < s_.pools.size(); ++i) {
    const ServingPool& pool = s_.pools[i];
    options_.push_back({.preemption = s_.preemption,
                        .swap_seconds_per_token = pool.kv_bytes_per_token.value / s_.swap_bytes_per_s,
                        .prefix_hit = s_.load.prefix_hit,
                        .trace = s_.arrivals.trace});
    for (int k = 0; k < pool.replicas; ++k) {
      replicas_.emplace_back(pool, options_[i], jobs_);
      states_.push_back({.pool = i});
    }
  }
}

SimulationResult Simulator::run() {
  if (s_.mtbf && s_.mttr) {
    for (std::size_t i = 0; i < replicas_.size(); ++i)
      plan(failures_.exponential(s_.mtbf->value), EventKind::kFailure, static_cast<int>(i), 0);
  }
  while (in_flight_ > 0 || arrivals_.next() < kNever) {
    if (events_.empty() && next_arrival() == kNever)
      throw std::logic_error("requests are in flight and nothing will happen");
    if (next_arrival() <= next_event()) {
      arrive();
      continue;
    }
    const Event event = events_.top();
    events_.pop();
    handle(event);
  }
  return result();
}

void Simulator::handle(const Event& e) {
  if (e.kind == EventKind::kStep) {
    if (e.stamp == state(e.id).stamp) steps(e.id, e.time);
    return;
  }
  tally_.advance(e.time);
  if (e.kind == EventKind::kTransfer) {
    if (e.stamp == job(e.id).stay) transferred(e.id, e.time);
  } else if (e.stamp == state(e.id).stamp) {
    e.kind == EventKind::kFailure ? fail(e.id, e.time) : repair(e.id, e.time);
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// A request comes and goes

int Simulator::new_job() {
  if (free_jobs_.empty()) {
    jobs_.emplace_back();
    return static_cast<int>(jobs_.size()) - 1;
  }
  const int index = free_jobs_.back();
  free_jobs_.pop_back();
  const std::uint32_t stay = job(index).stay;
  job(index) = Job{};
  job(index).stay = stay + 1;
  return index;
}

void Simulator::arrive() {
  const double now = next_arrival();
  tally_.advance(now);
  const SimulatedRequest request = arrivals_.take();
  const int index = new_job();
  Job& j = job(index);
  j.arrival = request.arrival;
  j.input = request.input;
  j.output = request.output;
  j.priority = request.priority;
  j.in_trace = request.in_trace;
  j.prompt = j.left = j.input;
  asked_tokens_ += j.input + j.output;
  j.measured = tally_.came(now, request.arrival);
  if (arrivals_.exhausted()) tally_.last_came();
  ++in_flight_;
  send(index, now);
}

// To a replica that reads prompts, or, when the cache is there already, to one that decodes.
void Simulator::send(int index, double now) {
  const int replica = router_.route(job(index).cached, replicas_);
  if (replica < 0) {
    stranded_.push_back(index);
    tally_.change_stranded(1);
    return;
  }
  if (!at(replica).fits(job(index))) {
    tally_.rejected();
    leave(index, now);
    return;
  }
  job(index).replica = replica;
  changing(replica, [&] { at(replica).add(index); });
  tally_.queued();
  wake(replica, now);
}

void Simulator::finish(int index, double now) {
  tally_.finished(job(index), now);
  leave(index, now);
}

void Simulator::leave(int index, double now) {
  --in_flight_;
  free_jobs_.push_back(index);
  arrivals_.answered(now);
}

// ---------------------------------------------------------------------------------------------------------------------
// Steps

template <class Change>
void Simulator::changing(int replica, Change change) {
  const Replica& r = at(replica);
  const int waiting = r.waiting(), running = r.running();
  const std::int64_t blocks = r.blocks_used();
  const double watts = r.step_watts();
  change();
  tally_.change(state(replica).pool, {.waiting = r.waiting() - waiting,
                                      .running = r.running() - running,
                                      .blocks = r.blocks_used() - blocks,
                                      .watts = r.step_watts() - watts});
}

void Simulator::wake(int replica, double now) {
  if (state(replica).stepping || !state(replica).up) return;
  bool begun = false;
  changing(replica, [&] { begun = at(replica).begin(now); });
  if (!begun) return;
  state(replica).stepping = true;
  tally_.change(state(replica).pool, {.busy = 1});
  plan(at(replica).step_end(), EventKind::kStep, replica, state(replica).stamp);
}

void Simulator::idle(int replica) {
  state(replica).stepping = false;
  tally_.change(state(replica).pool, {.busy = -1});
}

// Step after step, until something else happens first.
void Simulator::steps(int replica, double now) {
  Replica& r = at(replica);
  for (;;) {
    tally_.advance(now);
    after_step(replica, now);
    bool begun = false;
    changing(replica, [&] { begun = r.begin(now); });
    if (!begun) return idle(replica);
    now = r.step_end();
    if (now < std::min(next_arrival(), next_event())) continue;
    plan(now, EventKind::kStep, replica, state(replica).stamp);
    return;
  }
}

void Simulator::after_step(int replica, double now) {
  Replica& r = at(replica);
  changing(replica, [&] { r.end(outcome_); });
  tally_.stepped(now, r.step_seconds(), outcome_);
  for (const int index : outcome_.passed_on) {
    const ServingPool& pool = s_.pools[state(replica).pool];
    ReplicaState& from = state(replica);
    from.link_free = std::max(from.link_free, now) + pool.transfer_per_token.value * job(index).input;
    plan(from.link_free + pool.transfer_base.value, EventKind::kTransfer, index, job(index).stay);
  }
  for (const int index : outcome_.finished) finish(index, now);
}

// ---------------------------------------------------------------------------------------------------------------------
// Two pools, and failures

void Simulator::transferred(int index, double now) {
  const int from = job(index).replica;
  changing(from, [&] { at(from).release(index); });
  Job& j = job(index);
  j.first_token = j.last_token = now;
  if (j.output <= 1) {
    finish(index, now);
  } else {
    j.cached = true;
    send(index, now);
  }
  wake(from, now);
}

// Its client asks again, from the beginning.
void Simulator::start_again(int index, double now) {
  Job& j = job(index);
  tally_.restarted();
  j.produced = 0;
  j.prompt = j.left = j.input;
  j.cached = j.swapped = false;
  send(index, now);
}

void Simulator::fail(int replica, double now) {
  if (tally_.tokens() > kMostWaste * asked_tokens_ + kNoWaste) {
    throw std::invalid_argument(
        fmt::format("a replica fails every {} on average, too often: of {:.2g} tokens, fewer than "
                    "one in {:.0f} was of use when the simulation was stopped",
                    to_string(*s_.mtbf), tally_.tokens(), kMostWaste));
  }
  tally_.failed();
  ReplicaState& r = state(replica);
  r.up = false;
  router_.set_up(replica, false);
  ++r.stamp;
  if (r.stepping) idle(replica);
  std::vector<int> lost;
  changing(replica, [&] { lost = at(replica).take_all(); });
  plan(now + failures_.exponential(s_.mttr->value), EventKind::kRepair, replica, r.stamp);
  for (const int index : lost) start_again(index, now);
}

void Simulator::repair(int replica, double now) {
  state(replica).up = true;
  router_.set_up(replica, true);
  plan(now + failures_.exponential(s_.mtbf->value), EventKind::kFailure, replica, state(replica).stamp);
  for (const int index : std::exchange(stranded_, {})) {
    tally_.change_stranded(-1);
    send(index, now);
  }
}

SimulationResult Simulator::result() const {
  std::vector<PoolCounts> counts(s_.pools.size());
  for (std::size_t i = 0; i < replicas_.size(); ++i) {
    PoolCounts& of = counts[states_[i].pool];
    of.preemptions += replicas_[i].preemptions();
    of.found += replicas_[i].prompt_tokens_cached();
    of.blocks += static_cast<double>(replicas_[i].blocks());
  }
  return tally_.result(counts);
}

}  // namespace

// The first answers meet an empty cluster: what is in flight has to be a small part of all.
SimulationResult simulate(const Scenario& scenario) {
  constexpr double kTimesInFlight = 20, kMostOfThem = 200'000;
  check(scenario);
  SimulationResult result = Simulator(scenario).run();
  const bool open = scenario.arrivals.kind == Arrivals::kPoisson || scenario.arrivals.kind == Arrivals::kGamma;
  if (!open || !scenario.arrivals.until_steady) return result;
  Scenario longer = scenario;
  for (;;) {
    const double wanted = kTimesInFlight * result.offered_per_s * result.e2e.mean.value;
    const auto now = static_cast<double>(longer.arrivals.requests);
    if (result.overloaded || wanted <= 1.1 * now || now >= kMostOfThem) return result;
    longer.arrivals.requests = static_cast<std::int64_t>(std::min(kMostOfThem, std::max(2 * now, wanted)));
    result = Simulator(longer).run();
  }
}

}  // namespace fathom
