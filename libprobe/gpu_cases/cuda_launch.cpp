// What launching costs: kernels that do nothing, one after another, put into the queue or captured once.
#include <fmt/format.h>

#include "cuda/start_latch.h"
#include "gpu_cases/gpu_cases.h"

namespace fathom::probe {

namespace {

// Of the host's clock: how fast it fills the queue while the device empties it.
Result eager(Card& card, const GpuRules& rules, const CardMemory& counter) {
  Result r = card_result("gpu.launch.eager", card, Unit::kTime, {});
  constexpr int kLaunches = 4000;  // some ms, in which the host is disturbed as often as in the next
  RepeatRules repeat = rules.repeat();
  const Now now = steady_clock();
  TimedOnCard timed;
  timed.launches = Launches::kFree;
  timed.repeated = repeat_samples(repeat, now, [&] {
    const double before = now();
    for (int i = 0; i < kLaunches; ++i) cuda::do_nothing({.stream = card.stream()}, counter.as<std::uint32_t>());
    card.stream().wait();
    return (now() - before) / kLaunches;
  });
  fill(r, {.engine = "builtin", .kernel = "empty, host clock", .pattern = "", .cache = ""}, timed);
  return r;
}

// From the call to the host's knowledge that it ran.
Result round_trip(Card& card, const GpuRules& rules) {
  constexpr int kTrips = 1000;
  Result r = card_result("gpu.launch.round_trip", card, Unit::kTime, {});
  const Now now = steady_clock();
  TimedOnCard timed;
  timed.launches = Launches::kFree;
  timed.repeated = repeat_samples(rules.repeat(), now, [&] {
    const double before = now();
    for (int i = 0; i < kTrips; ++i) {
      cuda::do_nothing({.stream = card.stream()}, nullptr);
      card.stream().wait();
    }
    return (now() - before) / kTrips;
  });
  fill(r, {.engine = "builtin", .kernel = "empty, host clock", .pattern = "", .cache = ""}, timed);
  return r;
}

// Of one node, on the device; `overlap` with programmatic dependence.
Result captured(Card& card, const GpuRules& rules, bool overlap) {
  Result r = card_result(overlap ? "gpu.launch.overlapping" : "gpu.launch.graph", card, Unit::kTime, {});
  const TimedOnCard timed =
      time_on_card(card, {.repeat = rules.repeat(), .least_runs = 500}, [&](cuda::Launch how, int run) {
        how.overlap = overlap && run > 0;
        cuda::do_nothing(how, nullptr);
      });
  fill(r, {.engine = "builtin", .kernel = "empty", .pattern = "", .cache = ""}, timed);
  return r;
}

double counted_wrongly(Card& card, const CardMemory& counter) {
  constexpr std::uint32_t kLaunches = 1000;
  clear(card, counter, 0);
  for (std::uint32_t i = 0; i < kLaunches; ++i) {
    cuda::do_nothing({.stream = card.stream()}, counter.as<std::uint32_t>());
  }
  card.stream().wait();
  return on_host<std::uint32_t>(counter.as<void>(), 1)[0] == kLaunches ? 0 : 1;
}

std::vector<Result> measure(Card& card, const GpuRules& rules) {
  const CardMemory counter(sizeof(std::uint32_t));
  std::vector<Result> results = {eager(card, rules, counter), captured(card, rules, false), captured(card, rules, true),
                                 round_trip(card, rules)};
  check(results.front(), "launches counted on the device", counted_wrongly(card, counter), 0);
  return results;
}

}  // namespace

// In turn: the host launches.
std::vector<Result> measure_gpu_launch(const Cards& cards, const GpuRules& rules) {
  return in_turn(cards, "gpu.launch", [&](Card& card) { return measure(card, rules); });
}

}  // namespace fathom::probe
