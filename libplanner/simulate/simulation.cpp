#include "simulate/simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <deque>
#include <limits>
#include <queue>
#include <stdexcept>

#include "simulate/histogram.h"
#include "simulate/series.h"
#include "units/text.h"

namespace fathom {

namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();
constexpr double kMostRequests = 1e9;

enum class EventKind { kStep, kTransfer, kFailure, kRepair };

struct Event {
  double time;
  std::uint64_t number;  // ties are broken by the order in which events were planned
  EventKind kind;
  int id;               // replica, or job of a transfer
  std::uint32_t stamp;  // stale when the replica has failed since, or the job has left it
  bool operator>(const Event& other) const { return time != other.time ? time > other.time : number > other.number; }
};

// What is summed over time. Levels change at events and hold between them.
struct Levels {
  std::int64_t waiting = 0, running = 0, busy = 0, blocks = 0;
};
struct Totals {
  double time = 0;
  double waiting = 0, running = 0, busy = 0, blocks = 0;  // integrals
  double output_tokens = 0, prompt_tokens = 0;
  std::int64_t finished = 0, good = 0, arrived = 0;
  std::vector<double> pool_busy, pool_running, pool_blocks;  // integrals
};

enum SeriesColumn { kArrived, kFinished, kTokens, kWaiting, kRunning, kBusy, kBlocks, kColumns };

class Simulator {
 public:
  explicit Simulator(const Scenario& scenario);
  SimulationResult run();

 private:
  struct PoolState {
    int first = 0;  // replica
    int up = 0;     // replicas
    Levels levels;
    std::int64_t sent = 0;
    int next = 0;  // round robin
  };
  struct ReplicaState {
    int pool = 0;
    bool up = true, stepping = false;
    std::uint32_t stamp = 0;
    double link_free = 0;
  };

  void check() const;
  double longest_request() const;
  void plan(double time, EventKind kind, int id, std::uint32_t stamp) {
    events_.push({.time = time, .number = planned_++, .kind = kind, .id = id, .stamp = stamp});
  }
  bool draw_next();
  double next_arrival() const { return has_next_ ? next_.arrival + overhead_ : kNever; }
  void arrive();
  bool more_to_come() const;
  void handle(const Event& event);
  void send(int job, double now);
  int route(int job);
  int choose_pool(PoolPart first, PoolPart second);
  int choose_replica(PoolState& pool, int count);
  void wake(int replica, double now);
  void steps(int replica, double now);
  void after_step(int replica, double now);
  void finish(int job, double now);
  void count_gap(double gap, int times, double now);
  void transferred(int job, double now);
  void start_again(int job, double now);
  void fail(int replica, double now);
  void repair(int replica, double now);
  void advance(double now);
  template <class Change>
  void changing(int replica, Change change);  // keeps the levels true while something happens to a replica
  int new_job();
  Spread spread(const Histogram& times) const;
  SimulationResult result();
  void judge(SimulationResult& r) const;
  Replica& at(int replica) { return replicas_[static_cast<std::size_t>(replica)]; }
  ReplicaState& state(int replica) { return states_[static_cast<std::size_t>(replica)]; }
  PoolState& pool_of(int replica) { return pools_[static_cast<std::size_t>(state(replica).pool)]; }
  const ServingPool& model_of(int replica) { return s_.pools[static_cast<std::size_t>(state(replica).pool)]; }
  Job& job(int index) { return jobs_[static_cast<std::size_t>(index)]; }

  const Scenario& s_;
  std::vector<EngineOptions> options_;  // of each pool
  std::vector<Job> jobs_;               // in flight; places are used again
  std::vector<int> free_jobs_;
  std::vector<PoolState> pools_;
  std::vector<ReplicaState> states_;
  std::vector<Replica> replicas_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::uint64_t planned_ = 0;
  std::vector<int> stranded_;  // no replica was up

  Random arrivals_, routes_, failures_;
  LengthSource lengths_;
  double overhead_;
  SimulatedRequest next_;
  bool has_next_ = false;
  std::int64_t drawn_ = 0, to_draw_ = 0, unmeasured_ = 0;
  double clock_of_arrivals_ = 0;
  std::deque<double> again_;  // closed loop: when a client may ask next
  std::int64_t in_flight_ = 0;

  double now_ = 0;
  Levels levels_;
  Totals totals_, warm_, last_arrival_;
  bool is_warm_ = false;
  double first_arrival_ = 0, last_finish_ = 0;
  std::int64_t most_waiting_ = 0, peak_blocks_ = 0, all_blocks_ = 0;
  std::int64_t rejected_ = 0, restarted_ = 0, failures_seen_ = 0, prompt_tokens_ = 0;
  Histogram ttft_, tpot_, gaps_, e2e_;
  Series<kColumns> series_;
  Replica::Outcome outcome_;
};

Simulator::Simulator(const Scenario& scenario)
    : s_(scenario),
      arrivals_(scenario.seed, 3),
      routes_(scenario.seed, 4),
      failures_(scenario.seed, 5),
      lengths_(scenario.load, scenario.arrivals.trace, longest_request(), scenario.seed),
      overhead_(scenario.pools.empty() ? 0 : scenario.pools.front().request_overhead.value) {
  check();
  options_.reserve(s_.pools.size());
  int count = 0;
  for (const ServingPool& pool : s_.pools) {
    options_.push_back({.preemption = s_.preemption,
                        .swap_seconds_per_token = pool.kv_bytes_per_token.value / s_.swap_bytes_per_s,
                        .prefix_hit = s_.load.prefix_hit,
                        .trace = s_.arrivals.trace});
    pools_.push_back({.first = count, .up = pool.replicas, .levels = {}});
    count += pool.replicas;
  }
  replicas_.reserve(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < s_.pools.size(); ++i) {
    for (int k = 0; k < s_.pools[i].replicas; ++k) {
      replicas_.emplace_back(s_.pools[i], options_[i], jobs_);
      states_.push_back({.pool = static_cast<int>(i)});
      all_blocks_ += replicas_.back().blocks();
    }
  }
  for (Totals* t : {&totals_, &warm_, &last_arrival_}) {
    t->pool_busy.resize(s_.pools.size());
    t->pool_running.resize(s_.pools.size());
    t->pool_blocks.resize(s_.pools.size());
  }
  const ArrivalPlan& a = s_.arrivals;
  to_draw_ = a.requests;
  if (a.kind == Arrivals::kTrace) {
    const auto recorded = static_cast<std::int64_t>(a.trace->requests.size());
    to_draw_ = a.requests > 0 ? std::min(a.requests, recorded) : recorded;
  }
  unmeasured_ = static_cast<std::int64_t>(s_.warm_up * static_cast<double>(to_draw_));
  if (a.kind == Arrivals::kClosed && !a.in_step)
    unmeasured_ = std::max(unmeasured_, std::min(to_draw_ / 2, static_cast<std::int64_t>(a.concurrency)));
  unmeasured_ = std::min(unmeasured_, to_draw_ - 1);
}

void Simulator::check() const {
  const ArrivalPlan& a = s_.arrivals;
  const auto refuse = [](const char* why) { throw std::invalid_argument(why); };
  if (s_.pools.empty()) refuse("there is no pool to simulate");
  if (a.kind == Arrivals::kTrace) {
    if (a.trace == nullptr || a.trace->requests.empty()) refuse("the trace holds no request");
    if (!a.trace->timed) refuse("the trace has no times: it needs a rate or a concurrency");
    return;
  }
  if (a.trace != nullptr && a.trace->requests.empty()) refuse("the trace holds no request");
  if (a.requests < 1) refuse("there are no requests to simulate");
  if (static_cast<double>(a.requests) > kMostRequests) refuse("more than a thousand million requests");
  if (a.kind == Arrivals::kClosed && a.concurrency < 1) refuse("a closed loop needs at least one request in flight");
  if (a.kind != Arrivals::kClosed && !(a.requests_per_s > 0)) refuse("arrivals need a rate above zero");
}

// Drawn lengths end where the model or a cache ends.
double Simulator::longest_request() const {
  double longest = 1e8;
  for (const ServingPool& pool : s_.pools) {
    if (pool.max_context > 0) longest = std::min(longest, pool.max_context);
    longest = std::min(longest, std::floor(pool.kv_tokens / 16) * 16);
  }
  return longest;
}

// ---------------------------------------------------------------------------------------------------------------------
// Arrivals

bool Simulator::draw_next() {
  has_next_ = false;
  const ArrivalPlan& a = s_.arrivals;
  if (drawn_ >= to_draw_) return false;
  next_ = {};
  switch (a.kind) {
    case Arrivals::kPoisson:
      clock_of_arrivals_ += arrivals_.exponential(1 / a.requests_per_s);
      break;
    case Arrivals::kGamma: {
      const double shape = 1 / std::max(1e-12, a.variation * a.variation);
      clock_of_arrivals_ +=
          a.variation < 1e-3 ? 1 / a.requests_per_s : arrivals_.gamma(shape, 1 / (shape * a.requests_per_s));
      break;
    }
    case Arrivals::kClosed:
      if (drawn_ >= static_cast<std::int64_t>(a.concurrency)) {
        if (again_.empty()) return false;
        clock_of_arrivals_ = again_.front();
        again_.pop_front();
      }
      break;
    case Arrivals::kTrace: {
      const auto index = static_cast<std::size_t>(drawn_);
      next_ = a.trace->requests[index];
      clock_of_arrivals_ = (next_.arrival - a.trace->requests.front().arrival) * a.time_scale;
      break;
    }
  }
  if (a.kind != Arrivals::kTrace) lengths_.fill(next_);
  // Clients of a closed loop are anywhere in their answers when the clock starts.
  if (a.kind == Arrivals::kClosed && !a.in_step && drawn_ < static_cast<std::int64_t>(a.concurrency))
    next_.output = 1 + static_cast<int>(arrivals_.uniform() * next_.output);
  next_.arrival = clock_of_arrivals_;
  ++drawn_;
  has_next_ = true;
  return true;
}

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
  advance(now);
  if (totals_.arrived == 0) first_arrival_ = next_.arrival;
  if (!is_warm_ && totals_.arrived >= unmeasured_) {
    is_warm_ = true;
    warm_ = totals_;
    warm_.time = now;
  }
  const int index = new_job();
  Job& j = job(index);
  j.arrival = next_.arrival;
  j.input = next_.input;
  j.output = next_.output;
  j.priority = next_.priority;
  j.in_trace = next_.in_trace;
  j.prompt = j.left = j.input;
  j.measured = totals_.arrived >= unmeasured_;
  ++totals_.arrived;
  series_.add(now, kArrived, 1);
  ++in_flight_;
  draw_next();
  if (!has_next_ && drawn_ >= to_draw_) {
    last_arrival_ = totals_;
    last_arrival_.time = now;
  }
  send(index, now);
}

// ---------------------------------------------------------------------------------------------------------------------
// Routing

int Simulator::choose_pool(PoolPart first, PoolPart second) {
  int best = -1;
  double most = -kNever;
  for (std::size_t i = 0; i < pools_.size(); ++i) {
    const ServingPool& pool = s_.pools[i];
    if ((pool.part != first && pool.part != second) || pools_[i].up == 0) continue;
    // The pool that is farthest behind its share.
    const double behind = -static_cast<double>(pools_[i].sent + 1) / std::max(pool.share, 1e-12);
    if (behind > most) {
      most = behind;
      best = static_cast<int>(i);
    }
  }
  return best;
}

int Simulator::choose_replica(PoolState& pool, int count) {
  const auto up = [&](int k) { return state(pool.first + k).up; };
  if (s_.routing == Routing::kLeastLoaded) {
    int best = -1, least = 0;
    for (int i = 0; i < count; ++i) {
      const int k = (pool.next + i) % count;  // equals take turns
      if (!up(k)) continue;
      const int load = at(pool.first + k).load();
      if (best < 0 || load < least) {
        best = k;
        least = load;
        if (load == 0) break;
      }
    }
    if (best >= 0) pool.next = (best + 1) % count;
    return best < 0 ? -1 : pool.first + best;
  }
  const int start =
      s_.routing == Routing::kRandom ? static_cast<int>(routes_.below(static_cast<std::uint64_t>(count))) : pool.next;
  for (int i = 0; i < count; ++i) {
    const int k = (start + i) % count;
    if (!up(k)) continue;
    pool.next = (k + 1) % count;
    return pool.first + k;
  }
  return -1;
}

// To a pool that reads prompts, or, when the cache is there already, to one that decodes. -1: none is up.
int Simulator::route(int index) {
  const bool decode = job(index).cached;
  const int pool =
      decode ? choose_pool(PoolPart::kDecode, PoolPart::kDecode) : choose_pool(PoolPart::kServe, PoolPart::kPrefill);
  if (pool < 0) return -1;
  PoolState& p = pools_[static_cast<std::size_t>(pool)];
  const int replica = choose_replica(p, s_.pools[static_cast<std::size_t>(pool)].replicas);
  if (replica >= 0) ++p.sent;
  return replica;
}

void Simulator::send(int index, double now) {
  const int replica = route(index);
  if (replica < 0) {
    stranded_.push_back(index);
    ++levels_.waiting;
    return;
  }
  if (!at(replica).fits(job(index))) {
    ++rejected_;
    --in_flight_;
    free_jobs_.push_back(index);
    if (s_.arrivals.kind == Arrivals::kClosed) {
      again_.push_back(now);
      if (!has_next_) draw_next();
    }
    return;
  }
  job(index).replica = replica;
  changing(replica, [&] { at(replica).add(index); });
  most_waiting_ = std::max(most_waiting_, levels_.waiting);
  wake(replica, now);
}

// ---------------------------------------------------------------------------------------------------------------------
// Steps

template <class Change>
void Simulator::changing(int replica, Change change) {
  Replica& r = at(replica);
  const int waiting = r.waiting(), running = r.running();
  const std::int64_t blocks = r.blocks_used();
  change();
  Levels& of_pool = pool_of(replica).levels;
  const int more_running = r.running() - running;
  const std::int64_t more_blocks = r.blocks_used() - blocks;
  levels_.waiting += r.waiting() - waiting;
  levels_.running += more_running;
  levels_.blocks += more_blocks;
  of_pool.running += more_running;
  of_pool.blocks += more_blocks;
  peak_blocks_ = std::max(peak_blocks_, levels_.blocks);
}

void Simulator::wake(int replica, double now) {
  if (state(replica).stepping || !state(replica).up) return;
  bool begun = false;
  changing(replica, [&] { begun = at(replica).begin(now); });
  if (!begun) return;
  state(replica).stepping = true;
  ++levels_.busy;
  ++pool_of(replica).levels.busy;
  plan(at(replica).step_end(), EventKind::kStep, replica, state(replica).stamp);
}

// Step after step, until something else happens first.
void Simulator::steps(int replica, double now) {
  Replica& r = at(replica);
  for (;;) {
    advance(now);
    after_step(replica, now);
    bool begun = false;
    changing(replica, [&] { begun = r.begin(now); });
    if (!begun) {
      state(replica).stepping = false;
      --levels_.busy;
      --pool_of(replica).levels.busy;
      return;
    }
    now = r.step_end();
    const double horizon = std::min(next_arrival(), events_.empty() ? kNever : events_.top().time);
    if (now < horizon) continue;
    plan(now, EventKind::kStep, replica, state(replica).stamp);
    return;
  }
}

void Simulator::after_step(int replica, double now) {
  Replica& r = at(replica);
  changing(replica, [&] { r.end(outcome_); });
  totals_.output_tokens += outcome_.tokens;
  totals_.prompt_tokens += outcome_.prompt_tokens;
  if (outcome_.tokens > 0) series_.add(now, kTokens, outcome_.tokens);
  if (is_warm_) {
    if (outcome_.gaps > 0) gaps_.add(r.step_seconds(), static_cast<std::uint64_t>(outcome_.gaps));
    for (const double gap : outcome_.other_gaps) gaps_.add(gap);
  }
  for (const int index : outcome_.passed_on) {
    const ServingPool& pool = model_of(replica);
    ReplicaState& from = state(replica);
    const double sending = pool.transfer_per_token.value * job(index).input;
    from.link_free = std::max(from.link_free, now) + sending;
    plan(from.link_free + pool.transfer_base.value, EventKind::kTransfer, index, job(index).stay);
  }
  for (const int index : outcome_.finished) finish(index, now);
}

void Simulator::finish(int index, double now) {
  const Job& j = job(index);
  ++totals_.finished;
  last_finish_ = now;
  series_.add(now, kFinished, 1);
  const double ttft = j.first_token - j.arrival, e2e = now - j.arrival;
  const double tpot = j.output > 1 ? (now - j.first_token) / (j.output - 1) : 0;
  const auto within = [](const std::optional<Seconds>& limit, double value) { return !limit || value <= limit->value; };
  const bool good =
      within(s_.limits.ttft, ttft) && within(s_.limits.e2e, e2e) && (j.output < 2 || within(s_.limits.tpot, tpot));
  totals_.good += good ? 1 : 0;
  if (j.measured) {
    ttft_.add(ttft);
    e2e_.add(e2e);
    if (j.output > 1) tpot_.add(tpot);
    prompt_tokens_ += j.input;
  }
  --in_flight_;
  free_jobs_.push_back(index);
  if (s_.arrivals.kind == Arrivals::kClosed) {
    again_.push_back(now);
    if (!has_next_) draw_next();
  }
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
  ++restarted_;
  j.produced = 0;
  j.prompt = j.left = j.input;
  j.cached = j.swapped = false;
  send(index, now);
}

void Simulator::fail(int replica, double now) {
  ++failures_seen_;
  ReplicaState& r = state(replica);
  r.up = false;
  --pool_of(replica).up;
  ++r.stamp;
  if (r.stepping) {
    r.stepping = false;
    --levels_.busy;
    --pool_of(replica).levels.busy;
  }
  std::vector<int> lost;
  changing(replica, [&] { lost = at(replica).take_all(); });
  plan(now + failures_.exponential(s_.mttr->value), EventKind::kRepair, replica, r.stamp);
  for (const int index : lost) start_again(index, now);
}

void Simulator::repair(int replica, double now) {
  state(replica).up = true;
  ++pool_of(replica).up;
  plan(now + failures_.exponential(s_.mtbf->value), EventKind::kFailure, replica, state(replica).stamp);
  const std::vector<int> waiting = std::exchange(stranded_, {});
  for (const int index : waiting) {
    --levels_.waiting;
    send(index, now);
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// The clock

void Simulator::advance(double now) {
  const double passed = now - now_;
  if (passed <= 0) return;
  const std::array<double, 4> levels = {static_cast<double>(levels_.waiting), static_cast<double>(levels_.running),
                                        static_cast<double>(levels_.busy), static_cast<double>(levels_.blocks)};
  totals_.waiting += levels[0] * passed;
  totals_.running += levels[1] * passed;
  totals_.busy += levels[2] * passed;
  totals_.blocks += levels[3] * passed;
  for (std::size_t i = 0; i < pools_.size(); ++i) {
    totals_.pool_busy[i] += static_cast<double>(pools_[i].levels.busy) * passed;
    totals_.pool_running[i] += static_cast<double>(pools_[i].levels.running) * passed;
    totals_.pool_blocks[i] += static_cast<double>(pools_[i].levels.blocks) * passed;
  }
  series_.hold(now_, now, levels, kWaiting);
  now_ = now;
  totals_.time = now;
}

bool Simulator::more_to_come() const { return has_next_ || in_flight_ > 0; }

void Simulator::handle(const Event& e) {
  switch (e.kind) {
    case EventKind::kStep:
      if (e.stamp == state(e.id).stamp) steps(e.id, e.time);
      return;
    case EventKind::kTransfer:
      advance(e.time);
      if (e.stamp == job(e.id).stay) transferred(e.id, e.time);
      return;
    case EventKind::kFailure:
      advance(e.time);
      if (e.stamp == state(e.id).stamp) fail(e.id, e.time);
      return;
    case EventKind::kRepair:
      advance(e.time);
      if (e.stamp == state(e.id).stamp) repair(e.id, e.time);
      return;
  }
}

SimulationResult Simulator::run() {
  if (s_.mtbf && s_.mttr) {
    for (std::size_t i = 0; i < replicas_.size(); ++i)
      plan(failures_.exponential(s_.mtbf->value), EventKind::kFailure, static_cast<int>(i), 0);
  }
  draw_next();
  while (more_to_come()) {
    const double arrival = next_arrival();
    if (events_.empty() && arrival == kNever) throw std::logic_error("requests are in flight and nothing will happen");
    if (events_.empty() || arrival <= events_.top().time) {
      arrive();
      continue;
    }
    const Event event = events_.top();
    events_.pop();
    handle(event);
  }
  return result();
}

// ---------------------------------------------------------------------------------------------------------------------
// Results

Spread Simulator::spread(const Histogram& times) const {
  const auto at = [&](double percent) { return Seconds(times.percentile(percent)); };
  return {.count = static_cast<std::int64_t>(times.count()),
          .mean = Seconds(times.mean()),
          .p50 = at(50),
          .p90 = at(90),
          .p95 = at(95),
          .p99 = at(99),
          .max = Seconds(times.max()),
          .named = s_.limits.percentile == 50 ? Seconds(times.mean()) : at(s_.limits.percentile)};
}

std::string describe(const ArrivalPlan& a, double time_scale) {
  switch (a.kind) {
    case Arrivals::kPoisson:
      return fmt::format("Poisson, {:.4g} requests/s", a.requests_per_s);
    case Arrivals::kGamma:
      return fmt::format("gamma, {:.4g} requests/s, coefficient of variation {:g}", a.requests_per_s, a.variation);
    case Arrivals::kClosed:
      return fmt::format("closed loop, {:g} in flight{}", a.concurrency, a.in_step ? ", started in step" : "");
    case Arrivals::kTrace:
      return time_scale == 1 ? "trace" : fmt::format("trace, its times x {:g}", time_scale);
  }
  return {};
}

std::string to_string(PoolPart part) {
  return part == PoolPart::kServe ? "serve" : part == PoolPart::kPrefill ? "prefill" : "decode";
}

SimulationResult Simulator::result() {
  // Throughput is that of the time in which requests came; a burst that was over before half of it was answered counts
  // until its last answer.
  const Totals& end = last_arrival_.time - warm_.time >= 0.5 * (totals_.time - warm_.time) ? last_arrival_ : totals_;
  const double window = std::max(1e-12, end.time - warm_.time);
  const auto rate = [&](double at_end, double at_start) { return (at_end - at_start) / window; };

  SimulationResult r;
  r.arrivals = describe(s_.arrivals, s_.arrivals.time_scale);
  r.requests = totals_.arrived;
  r.finished = totals_.finished;
  r.rejected = rejected_;
  r.restarted = restarted_;
  r.failures = failures_seen_;
  r.simulated = Seconds(last_finish_ - first_arrival_);
  r.window = Seconds(window);
  r.ttft = spread(ttft_);
  r.tpot = spread(tpot_);
  r.inter_token = spread(gaps_);
  r.e2e = spread(e2e_);
  r.measured = r.e2e.count;
  const double coming = last_arrival_.time - warm_.time;  // how long requests came
  r.offered_per_s = static_cast<double>(last_arrival_.arrived - warm_.arrived) / std::max(coming, 1e-12);
  r.requests_per_s = rate(static_cast<double>(end.finished), static_cast<double>(warm_.finished));
  r.goodput_per_s = rate(static_cast<double>(end.good), static_cast<double>(warm_.good));
  r.good_share = r.requests_per_s > 0 ? r.goodput_per_s / r.requests_per_s : 0;
  r.output_tok_per_s = rate(end.output_tokens, warm_.output_tokens);
  r.prompt_tok_per_s = rate(end.prompt_tokens, warm_.prompt_tokens);
  r.mean_waiting = rate(end.waiting, warm_.waiting);
  r.mean_running = rate(end.running, warm_.running);
  r.most_waiting = most_waiting_;
  r.utilisation = rate(end.busy, warm_.busy) / static_cast<double>(replicas_.size());
  const double blocks = static_cast<double>(std::max<std::int64_t>(1, all_blocks_));
  r.kv_use = rate(end.blocks, warm_.blocks) / blocks;
  r.kv_peak = static_cast<double>(peak_blocks_) / blocks;
  std::int64_t found = 0;
  for (std::size_t i = 0; i < s_.pools.size(); ++i) {
    const ServingPool& pool = s_.pools[i];
    PoolUse use{.name = pool.name, .part = to_string(pool.part), .replicas = pool.replicas};
    double of_pool = 0;
    for (int k = 0; k < pool.replicas; ++k) {
      const Replica& replica = at(pools_[i].first + k);
      use.preemptions += replica.preemptions();
      found += replica.prompt_tokens_cached();
      of_pool += static_cast<double>(replica.blocks());
    }
    const double busy = end.pool_busy[i] - warm_.pool_busy[i];
    use.utilisation = busy / window / pool.replicas;
    use.mean_running = rate(end.pool_running[i], warm_.pool_running[i]);
    use.kv_use = rate(end.pool_blocks[i], warm_.pool_blocks[i]) / std::max(1.0, of_pool);
    if (pool.idle && pool.busy)
      use.energy = *pool.busy * Seconds(busy) + *pool.idle * Seconds(window * pool.replicas - busy);
    r.preemptions += use.preemptions;
    r.pools.push_back(use);
  }
  if (std::all_of(r.pools.begin(), r.pools.end(), [](const PoolUse& use) { return use.energy.has_value(); })) {
    r.energy = Joules(0);
    for (const PoolUse& use : r.pools) *r.energy += *use.energy;
    if (const double tokens = end.output_tokens - warm_.output_tokens; tokens > 0)
      r.energy_per_token = *r.energy / tokens;
  }
  if (const double read = totals_.prompt_tokens + static_cast<double>(found); read > 0)
    r.prefix_found = static_cast<double>(found) / read;
  // More came than left, and not only by what is always under way.
  const double backlog = static_cast<double>(last_arrival_.arrived - last_arrival_.finished - rejected_);
  const double answered = static_cast<double>(last_arrival_.finished - warm_.finished) / std::max(coming, 1e-12);
  const bool tells = coming > 10 * (r.e2e.p50 - r.ttft.p50).value;  // a short burst does not
  // So many came so fast that most of them had to wait at once: nobody could answer that for long.
  const bool flooded = s_.arrivals.kind != Arrivals::kTrace && 2 * most_waiting_ > totals_.arrived;
  r.overloaded =
      s_.arrivals.kind != Arrivals::kClosed && (flooded || (tells && answered < 0.97 * r.offered_per_s &&
                                                            backlog > 0.05 * static_cast<double>(totals_.arrived)));
  for (std::size_t i = 0; i < series_.slices().size(); ++i) {
    const std::array<double, kColumns>& sums = series_.slices()[i];
    const double width = series_.width();
    r.series.push_back({.begin = Seconds(width * static_cast<double>(i)),
                        .width = Seconds(width),
                        .arrived = sums[kArrived],
                        .finished = sums[kFinished],
                        .output_tokens = sums[kTokens],
                        .waiting = sums[kWaiting] / width,
                        .running = sums[kRunning] / width,
                        .busy = sums[kBusy] / width,
                        .kv_use = sums[kBlocks] / width / blocks});
  }
  judge(r);
  return r;
}

void Simulator::judge(SimulationResult& r) const {
  r.limits = s_.limits;
  const std::string what = s_.limits.percentile == 50 ? "mean" : fmt::format("P{:g}", s_.limits.percentile);
  const auto compare = [&](const char* name, const std::optional<Seconds>& limit, const Spread& value) {
    if (limit && value.named > *limit)
      r.reasons.push_back(
          fmt::format("{} {} {}, {} wanted", what, name, fathom::to_string(value.named), fathom::to_string(*limit)));
  };
  compare("TTFT", r.limits.ttft, r.ttft);
  compare("TPOT", r.limits.tpot, r.tpot);
  compare("end to end", r.limits.e2e, r.e2e);
  if (r.limits.any() && r.overloaded) {
    r.reasons.push_back(fmt::format("{:.3g} requests/s came and {:.3g} were answered: the queue grew", r.offered_per_s,
                                    r.requests_per_s));
  }
  if (r.limits.any() && r.rejected > 0)
    r.reasons.push_back(fmt::format("{} requests are longer than the cache of a replica", r.rejected));
  r.meets = r.reasons.empty();
}

}  // namespace

// The first answers meet an empty cluster: what is in flight has to be a small part of all.
SimulationResult simulate(const Scenario& scenario) {
  constexpr double kTimesInFlight = 20, kMostOfThem = 200'000;
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
