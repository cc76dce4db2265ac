#include "simulate/tally.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "simulate/arrivals.h"
#include "units/text.h"

namespace fathom {

namespace {

std::int64_t unmeasured(const Scenario& s, std::int64_t requests) {
  const ArrivalPlan& a = s.arrivals;
  auto first = static_cast<std::int64_t>(s.warm_up * static_cast<double>(requests));
  if (a.kind == Arrivals::kClosed && !a.in_step)
    first = std::max(first, std::min(requests / 2, static_cast<std::int64_t>(a.concurrency)));
  return std::min(first, requests - 1);
}

// Sums of floats may end beyond the whole.
double share(double part, double whole) { return whole > 0 ? std::clamp(part / whole, 0.0, 1.0) : 0; }

const char* name_of(PoolPart part) {
  return part == PoolPart::kServe ? "serve" : part == PoolPart::kPrefill ? "prefill" : "decode";
}

}  // namespace

Tally::Tally(const Scenario& scenario, std::int64_t requests)
    : s_(scenario),
      unmeasured_(unmeasured(scenario, requests)),
      waiting_(requests - unmeasured_),
      in_flight_(requests - unmeasured_),
      pools_(scenario.pools.size()) {
  for (Totals* t : {&totals_, &warm_, &last_arrival_}) t->pools.resize(pools_.size());
}

// ---------------------------------------------------------------------------------------------------------------------
// While it runs

void Tally::advance(double now) {
  const double passed = now - now_;
  if (passed <= 0) return;
  const std::array<double, 4> levels = {static_cast<double>(levels_.waiting), static_cast<double>(levels_.running),
                                        static_cast<double>(levels_.busy), static_cast<double>(levels_.blocks)};
  totals_.waiting += levels[0] * passed;
  totals_.running += levels[1] * passed;
  totals_.busy += levels[2] * passed;
  totals_.blocks += levels[3] * passed;
  for (std::size_t i = 0; i < pools_.size(); ++i) {
    totals_.pools[i].busy += static_cast<double>(pools_[i].busy) * passed;
    totals_.pools[i].running += static_cast<double>(pools_[i].running) * passed;
    totals_.pools[i].blocks += static_cast<double>(pools_[i].blocks) * passed;
    totals_.pools[i].watts += pools_[i].watts * passed;
  }
  series_.hold(now_, now, levels, kWaiting);
  now_ = now;
  totals_.time = now;
}

void Tally::change(std::size_t pool, const Levels& by) {
  for (Levels* levels : {&levels_, &pools_[pool]}) {
    levels->waiting += by.waiting;
    levels->running += by.running;
    levels->busy += by.busy;
    levels->blocks += by.blocks;
    levels->watts += by.watts;
  }
  peak_blocks_ = std::max(peak_blocks_, levels_.blocks);
}

bool Tally::came(double now, double asked) {
  if (totals_.arrived == 0) first_arrival_ = asked;
  const bool measured = totals_.arrived >= unmeasured_;
  if (measured && !is_warm_) {
    is_warm_ = true;
    warm_ = totals_;
  }
  if (measured) {
    waiting_.watch(levels_.waiting);
    in_flight_.watch(totals_.arrived - totals_.finished - rejected_);
  }
  ++totals_.arrived;
  series_.add(now, kArrived, 1);
  return measured;
}

void Tally::stepped(double now, double seconds, const Replica::Outcome& outcome) {
  totals_.output_tokens += outcome.tokens;
  totals_.prompt_tokens += outcome.prompt_tokens;
  if (outcome.tokens > 0) series_.add(now, kTokens, outcome.tokens);
  if (!is_warm_) return;
  if (outcome.gaps > 0) gaps_.add(seconds, static_cast<std::uint64_t>(outcome.gaps));
  for (const double gap : outcome.other_gaps) gaps_.add(gap);
}

void Tally::finished(const Job& j, double now) {
  ++totals_.finished;
  last_finish_ = now;
  series_.add(now, kFinished, 1);
  const double ttft = j.first_token - j.arrival, e2e = now - j.arrival;
  const double tpot = j.output > 1 ? (now - j.first_token) / (j.output - 1) : 0;
  const auto within = [](const std::optional<Seconds>& limit, double value) { return !limit || value <= limit->value; };
  const bool good =
      within(s_.limits.ttft, ttft) && within(s_.limits.e2e, e2e) && (j.output < 2 || within(s_.limits.tpot, tpot));
  totals_.good += good ? 1 : 0;
  if (!j.measured) return;
  ttft_.add(ttft);
  e2e_.add(e2e);
  if (j.output > 1) tpot_.add(tpot);
}

// ---------------------------------------------------------------------------------------------------------------------
// The result

SimulationResult Tally::result(const std::vector<PoolCounts>& pools) const {
  SimulationResult r;
  r.arrivals = describe(s_.arrivals);
  r.requests = totals_.arrived;
  r.finished = totals_.finished;
  r.rejected = rejected_;
  r.restarted = restarted_;
  r.failures = failures_;
  r.simulated = Seconds(last_finish_ - first_arrival_);
  r.ttft = spread(ttft_);
  r.tpot = spread(tpot_);
  r.inter_token = spread(gaps_);
  r.e2e = spread(e2e_);
  r.measured = r.e2e.count;
  r.warm_up = unmeasured_;
  add_flow(r);
  add_pools(r, pools);
  r.overloaded = overloaded(r);
  judge(r);
  return r;
}

// Until the last request came; a burst that was over before half of it was answered counts until its last answer.
Tally::Window Tally::window() const {
  const Totals& end = coming() >= 0.5 * (totals_.time - warm_.time) ? last_arrival_ : totals_;
  return {.begin = warm_, .end = end, .seconds = std::max(1e-12, end.time - warm_.time)};
}

Spread Tally::spread(const Histogram& times) const {
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

void Tally::add_flow(SimulationResult& r) const {
  const Window w = window();
  const auto counted = [&](std::int64_t Totals::*count) {
    return w.rate(static_cast<double>(w.end.*count), static_cast<double>(w.begin.*count));
  };
  const auto mean = [&](double Totals::*integral) { return w.rate(w.end.*integral, w.begin.*integral); };
  r.window = Seconds(w.seconds);
  r.offered_per_s = static_cast<double>(last_arrival_.arrived - warm_.arrived) / std::max(coming(), 1e-12);
  r.requests_per_s = counted(&Totals::finished);
  r.goodput_per_s = counted(&Totals::good);
  r.good_share = share(r.goodput_per_s, r.requests_per_s);
  r.output_tok_per_s = mean(&Totals::output_tokens);
  r.prompt_tok_per_s = mean(&Totals::prompt_tokens);
  r.mean_waiting = mean(&Totals::waiting);
  r.mean_running = mean(&Totals::running);
  r.most_waiting = most_waiting_;
}

void Tally::add_pools(SimulationResult& r, const std::vector<PoolCounts>& counts) const {
  const Window w = window();
  double replicas = 0, blocks = 0, found = 0;
  r.energy = Joules(0);
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const ServingPool& pool = s_.pools[i];
    const PoolTotals &begin = w.begin.pools[i], &end = w.end.pools[i];
    const double busy = end.busy - begin.busy;
    PoolUse use{.name = pool.name, .part = name_of(pool.part), .replicas = pool.replicas};
    use.preemptions = counts[i].preemptions;
    use.utilisation = share(busy / w.seconds, pool.replicas);
    use.mean_running = w.rate(end.running, begin.running);
    use.kv_use = share(w.rate(end.blocks, begin.blocks), counts[i].blocks);
    if (pool.idle && pool.busy)
      use.energy = Joules(end.watts - begin.watts) + *pool.idle * Seconds(w.seconds * pool.replicas - busy);
    if (r.energy && use.energy) {
      *r.energy += *use.energy;
    } else {
      r.energy = std::nullopt;
    }
    r.preemptions += use.preemptions;
    r.pools.push_back(use);
    replicas += pool.replicas;
    blocks += counts[i].blocks;
    found += static_cast<double>(counts[i].found);
  }
  r.utilisation = share(w.rate(w.end.busy, w.begin.busy), replicas);
  r.kv_use = share(w.rate(w.end.blocks, w.begin.blocks), blocks);
  r.kv_peak = share(static_cast<double>(peak_blocks_), blocks);
  if (const double tokens = w.end.output_tokens - w.begin.output_tokens; r.energy && tokens > 0)
    r.energy_per_token = *r.energy / tokens;
  r.prefix_found = share(found, totals_.prompt_tokens + found);
  r.series = series_rows(blocks);
}

// A queue that grows tells at once, and also where caches fill before anybody waits; but a burst that is over within a few
// answers only fills them, and a recorded load may rise without being too high.
bool Tally::overloaded(const SimulationResult& r) const {
  constexpr double kAnswers = 10;
  const bool at_random = s_.arrivals.kind == Arrivals::kPoisson || s_.arrivals.kind == Arrivals::kGamma;
  const bool lasts = coming() > kAnswers * (r.e2e.p50 - r.ttft.p50).value;
  if (at_random) return waiting_.grows() || (lasts && in_flight_.grows());
  return s_.arrivals.kind == Arrivals::kTrace && lasts && waiting_.grows();
}

std::vector<SeriesRow> Tally::series_rows(double blocks) const {
  std::vector<SeriesRow> rows;
  const double width = series_.width();
  for (const std::array<double, kColumns>& sums : series_.slices()) {
    rows.push_back({.begin = Seconds(width * static_cast<double>(rows.size())),
                    .width = Seconds(width),
                    .arrived = sums[kArrived],
                    .finished = sums[kFinished],
                    .output_tokens = sums[kTokens],
                    .waiting = sums[kWaiting] / width,
                    .running = sums[kRunning] / width,
                    .busy = sums[kBusy] / width,
                    .kv_use = share(sums[kBlocks] / width, blocks)});
  }
  return rows;
}

void Tally::judge(SimulationResult& r) const {
  r.limits = s_.limits;
  const std::string what = s_.limits.percentile == 50 ? "mean" : fmt::format("P{:g}", s_.limits.percentile);
  const auto compare = [&](const char* name, const std::optional<Seconds>& limit, const Spread& value) {
    if (limit && value.named > *limit)
      r.reasons.push_back(fmt::format("{} {} {}, {} wanted", what, name, to_string(value.named), to_string(*limit)));
  };
  compare("TTFT", r.limits.ttft, r.ttft);
  compare("TPOT", r.limits.tpot, r.tpot);
  compare("end to end", r.limits.e2e, r.e2e);
  if (r.limits.any() && r.overloaded) {
    r.reasons.push_back(fmt::format("{:.3g} requests/s came and {:.3g} were answered: the queue grew", r.offered_per_s,
                                    r.requests_per_s));
  }
  if (r.limits.any() && r.rejected > 0)
    r.reasons.push_back(r.rejected == 1
                            ? "1 request is longer than the cache of a replica"
                            : fmt::format("{} requests are longer than the cache of a replica", r.rejected));
  r.meets = r.reasons.empty();
}

}  // namespace fathom
