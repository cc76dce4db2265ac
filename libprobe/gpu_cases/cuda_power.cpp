// Watts at rest, reading memory and multiplying matrices, by the device's energy counter over whole seconds: the power that NVML
// tells is a mean of the last second and sees a quarter of the time (arXiv 2312.02741).
#include <fmt/format.h>

#include <thread>

#include "cuda/gemm_proposals.h"
#include "cuda/memory_loops.h"
#include "cuda/random_numbers.h"
#include "gpu_cases/gpu_cases.h"

namespace fathom::probe {

namespace {

struct Load {
  const char* name;
  const char* pattern;
  std::function<void()> one;  // some milliseconds of it
  double work = 0;            // of one, in bytes or FLOP
  const char* unit = "";      // of 1e9 of it
};

class Power {
 public:
  Power(Card& card, const GpuRules& rules) : card_(card), seconds_(rules.detail == Detail::kFew ? 3 : 10) {}

  Result measure(const Load& load) {
    Result r = card_result("gpu.power", card_, Unit::kWatts, {{"load", load.name}});
    run_for(1, load);  // the clocks settle
    TimedOnCard timed;
    timed.launches = Launches::kFree;
    std::vector<double> watts;
    double joules = 0, work = 0;
    card_.watch();
    for (int i = 0; i < seconds_; ++i) {
      const double before = energy(), begin = now_();
      work += run_for(1, load);
      const double spent = energy() - before;
      joules += spent;
      watts.push_back(spent / (now_() - begin));
    }
    timed.seen = card_.watched();
    sum_up(r, watts);
    r.protocol.engine = "NVML";
    r.protocol.kernel = "energy counter, over seconds";
    r.protocol.pattern = load.pattern;
    r.protocol.warm_up = Seconds(1);
    if (timed.seen) {
      r.protocol.temperature = timed.seen->most_celsius;
      r.protocol.throttle_reasons = timed.seen->event_reasons;
    }
    if (work > 0) r.notes.push_back(fmt::format("{}: {:.3g} J/{}", load.name, joules / work * 1e9, load.unit));
    return r;
  }

  std::optional<double> energy_if_told() const { return card_.nvml() ? card_.nvml()->energy_j() : std::nullopt; }

 private:
  double energy() const { return energy_if_told().value_or(0); }

  // Returns the work done.
  double run_for(double seconds, const Load& load) const {
    double work = 0;
    for (const double begin = now_(); now_() - begin < seconds;) {
      load.one();
      work += load.work;
    }
    return work;
  }

  Card& card_;
  int seconds_;
  Now now_ = steady_clock();
};

std::vector<Result> measure(Card& card, const GpuRules& rules) {
  constexpr std::size_t kBytes = std::size_t{1} << 30;
  constexpr std::int64_t kSize = 8192;
  constexpr int kReads = 20, kProducts = 10;
  Power power(card, rules);
  if (!power.energy_if_told()) {
    return {without_figure("gpu.power", card.device(), Status::kNotSupported, "NVML has no energy counter for it")};
  }
  std::vector<Result> results = {power.measure({.name = "idle, with a context", .pattern = "", .one = [] {
                                                  std::this_thread::sleep_for(std::chrono::milliseconds(20));
                                                }})};
  const cuda::Launch how{.stream = card.stream()};
  {
    const CardMemory memory(kBytes), sum(sizeof(unsigned long long));
    cuda::fill_random(how, memory.as<void>(), kBytes);
    results.push_back(power.measure({.name = "memory",
                                     .pattern = "random",
                                     .one =
                                         [&] {
                                           for (int i = 0; i < kReads; ++i) {
                                             cuda::read_memory(how, {}, memory.as<void>(), kBytes, 1,
                                                               sum.as<unsigned long long>());
                                           }
                                           card.stream().wait();
                                         },
                                     .work = static_cast<double>(kBytes) * kReads,
                                     .unit = "GB"}));
  }
  const CardMemory w(kSize * kSize * 2), x(kSize * kSize * 2), y(kSize * kSize * 2);
  cuda::fill_normal(how, w.as<void>(), kSize * kSize, cuda::NumberType::kBf16, 1);
  cuda::fill_normal(how, x.as<void>(), kSize * kSize, cuda::NumberType::kBf16, 2);
  const cuda::GemmProposals product(cuda::NumberType::kBf16, kSize, kSize, kSize, card.workspace().data,
                                    card.workspace().bytes, 1);
  if (product.count() == 0) return results;
  results.push_back(power.measure({.name = "arithmetic",
                                   .pattern = "normal",
                                   .one =
                                       [&] {
                                         for (int i = 0; i < kProducts; ++i) {
                                           product.run(0, w.as<void>(), x.as<void>(), y.as<void>(), card.stream());
                                         }
                                         card.stream().wait();
                                       },
                                   .work = 2.0 * kProducts * kSize * kSize * kSize,
                                   .unit = "GFLOP"}));
  return results;
}

}  // namespace

std::vector<Result> measure_gpu_power(const Cards& cards, const GpuRules& rules) {
  return on_every_card(cards, "gpu.power", [&](Card& card) { return measure(card, rules); });
}

}  // namespace fathom::probe
