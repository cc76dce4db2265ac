// Watts at rest, reading memory and multiplying matrices, by the device's energy counter over whole seconds: the power that NVML
// tells is a mean of the last second and sees a quarter of the time (arXiv 2312.02741).
#include <fmt/format.h>

#include <stdexcept>
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
  std::function<void()> put_in;  // some of it into the stream
  double work = 0;               // of one, in bytes or FLOP
  const char* unit = "";         // of 1e9 of it
};

class Power {
 public:
  Power(Card& card, const GpuRules& rules)
      : card_(card),
        windows_(rules.detail == Detail::kFew    ? 3
                 : rules.detail == Detail::kMany ? 5
                                                 : 20) {}

  std::optional<double> energy() const { return card_.nvml() ? card_.nvml()->energy_j() : std::nullopt; }

  Result measure(const Load& load) {
    Result r = card_result("gpu.power", card_, Unit::kWatts, {{"load", load.name}});
    const Span settled = run(load, kSettle, 1).front();  // clocks
    card_.watch();
    const std::vector<Span> spans = run(load, kWindow, windows_);
    const std::optional<DeviceWatch> seen = card_.watched();
    std::vector<double> watts;
    double joules = 0, work = 0;
    for (const Span& span : spans) {
      watts.push_back(span.joules / span.seconds);
      joules += span.joules;
      work += span.work;
    }
    sum_up(r, watts);
    r.protocol.engine = "NVML";
    r.protocol.kernel = "energy counter, over seconds";
    r.protocol.pattern = load.pattern;
    r.protocol.warm_up = Seconds(settled.seconds);
    if (seen) {
      r.protocol.temperature = seen->most_celsius;
      r.protocol.throttle_reasons = seen->event_reasons;
    }
    if (work > 0) r.notes.push_back(fmt::format("{}: {:.3g} J/{}", load.name, joules / work * 1e9, load.unit));
    return r;
  }

 private:
  static constexpr double kSettle = 1.5, kWindow = 1;  // seconds

  struct Span {
    double seconds = 0, joules = 0, work = 0;
  };

  // The counter moves some ten times a second: a span is from one of its steps to another.
  std::vector<Span> run(const Load& load, double least, int spans) {
    std::vector<Span> done;
    CudaEvent before;
    const double deadline = now_() + 10 * least * (spans + 1);
    double counter = energy().value_or(0), first = 0, begin = 0, work = 0;
    while (std::ssize(done) < spans) {
      load.put_in();
      work += load.work;
      cuda_ok(cudaEventSynchronize(before), "the device");  // one is under way while the next is put in
      cuda_ok(cudaEventRecord(before, card_.stream()), "cudaEventRecord");
      const double now = energy().value_or(0), time = now_();
      if (time > deadline) throw std::runtime_error("NVML's energy counter stands still");
      if (now == counter) continue;
      counter = now;
      if (begin > 0 && time - begin < least) continue;
      if (begin > 0) done.push_back({time - begin, now - first, work});
      begin = time;
      first = now;
      work = 0;
    }
    card_.stream().wait();
    return done;
  }

  Card& card_;
  int windows_;
  Now now_ = steady_clock();
};

std::vector<Result> measure(Card& card, const GpuRules& rules) {
  constexpr std::size_t kBytes = std::size_t{1} << 30;
  constexpr std::int64_t kSize = 8192;
  constexpr int kReads = 200, kProducts = 30;  // 50 ms: asking NVML takes some of the while
  Power power(card, rules);
  if (!power.energy()) {
    return {without_figure("gpu.power", card.device(), Status::kNotSupported, "NVML has no energy counter for it")};
  }
  std::vector<Result> results = {power.measure({.name = "idle, with a context", .pattern = "", .put_in = [] {
                                                  std::this_thread::sleep_for(std::chrono::milliseconds(50));
                                                }})};
  const cuda::Launch how{.stream = card.stream()};
  {
    const CardMemory memory(kBytes), sum(sizeof(unsigned long long));
    cuda::fill_random(how, memory.as<void>(), kBytes);
    results.push_back(power.measure({.name = "memory",
                                     .pattern = "random",
                                     .put_in =
                                         [&] {
                                           for (int i = 0; i < kReads; ++i) {
                                             cuda::read_memory(how, {}, memory.as<void>(), kBytes, 1,
                                                               sum.as<unsigned long long>());
                                           }
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
                                   .put_in =
                                       [&] {
                                         for (int i = 0; i < kProducts; ++i) {
                                           product.run(0, w.as<void>(), x.as<void>(), y.as<void>(), card.stream());
                                         }
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
