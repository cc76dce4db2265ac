#include <algorithm>
#include <cmath>

#include "gpu/time_on_card.h"
#include "harness/statistics.h"

namespace fathom::probe {

namespace {

constexpr int kMostGraphRuns = 2000, kMostEagerRuns = 500;  // a queue takes about a thousand launches
constexpr double kBeyondCache = 3;                          // times the cache (CUTLASS' profiler takes as much)
constexpr int kMostCopies = 200;
constexpr double kWindow = 0.2, kSteady = 0.01;

// Samples of `runs` launches each.
class Sampled {
 public:
  Sampled(Card& card, int runs, Launches launches, const CardBody& body)
      : card_(card), runs_(runs), body_(body), begin_(), end_() {
    if (launches == Launches::kGraph) {
      graph_.emplace(card.stream(), [this] { put_in(); });
    }
  }

  // Seconds of one run.
  double take() {
    const std::uint32_t number = card_.hold();
    cuda_ok(cudaEventRecord(begin_, card_.stream()), "cudaEventRecord");
    graph_ ? graph_->launch(card_.stream()) : put_in();
    cuda_ok(cudaEventRecord(end_, card_.stream()), "cudaEventRecord");
    card_.open(number);
    cuda_ok(cudaEventSynchronize(end_), "the device");
    float milliseconds = 0;
    cuda_ok(cudaEventElapsedTime(&milliseconds, begin_, end_), "cudaEventElapsedTime");
    return static_cast<double>(milliseconds) * 1e-3 / runs_;
  }

  int runs() const { return runs_; }

 private:
  void put_in() const {
    for (int run = 0; run < runs_; ++run) body_({.stream = card_.stream()}, run);
  }

  Card& card_;
  int runs_;
  const CardBody& body_;
  CudaEvent begin_, end_;
  std::optional<CudaGraph> graph_;
};

double one_run(Card& card, const CardBody& body) {
  body({.stream = card.stream()}, 0);
  card.stream().wait();
  Sampled one(card, 1, Launches::kEager, body);
  return std::min(one.take(), one.take());
}

int runs_of(const CardRules& rules, double once) {
  const double wanted = std::ceil(rules.repeat.least_sample.value / std::max(once, 1e-7));
  const int most = rules.launches == Launches::kGraph ? kMostGraphRuns : kMostEagerRuns;
  return std::clamp(static_cast<int>(std::min(wanted, 1e6)), std::min(rules.least_runs, most), most);
}

}  // namespace

TimedOnCard time_on_card(Card& card, const CardRules& rules, const CardBody& body) {
  Sampled samples(card, runs_of(rules, one_run(card, body)), rules.launches, body);
  RepeatRules repeat_rules = rules.repeat;
  repeat_rules.least_sample = Seconds(0);  // a sample is long enough as it is
  TimedOnCard timed;
  timed.launches = rules.launches;
  card.watch();
  timed.repeated = repeat_samples(repeat_rules, steady_clock(), [&] { return samples.take(); });
  timed.repeated.warm_up_runs *= samples.runs();
  timed.seen = card.watched();
  return timed;
}

void warm_up(Card& card, Seconds least, Seconds most, const CardBody& body) {
  const double once = one_run(card, body);
  Sampled samples(card, std::clamp(static_cast<int>(0.01 / std::max(once, 1e-7)), 1, kMostEagerRuns), Launches::kEager,
                  body);
  const Now now = steady_clock();
  const double begin = now();
  double before = 0;
  while (now() - begin < most.value) {
    std::vector<double> window;
    for (const double start = now(); window.empty() || now() - start < kWindow;) window.push_back(samples.take());
    const double time = median_of(window);
    if (std::abs(time / before - 1) < kSteady && now() - begin >= least.value) return;
    before = time;
  }
}

void fill(Result& result, const Work& work, const TimedOnCard& timed) {
  std::vector<double> figures;
  for (double seconds : timed.repeated.seconds) {
    figures.push_back(result.unit == Unit::kTime ? seconds : seconds > 0 ? work.amount / seconds : 0);
  }
  sum_up(result, figures);
  Protocol& p = result.protocol;
  p.engine = work.engine;
  p.kernel = work.kernel;
  p.pattern = work.pattern;
  p.cache = work.cache;
  p.launch = to_string(timed.launches);
  p.warm_up_runs = timed.repeated.warm_up_runs;
  p.warm_up = timed.repeated.warm_up;
  if (!timed.seen) return;
  if (timed.seen->least_clock_hz) p.clock_low = Hertz(*timed.seen->least_clock_hz);
  if (timed.seen->most_clock_hz) p.clock_high = Hertz(*timed.seen->most_clock_hz);
  if (timed.seen->mean_watts) p.power = Watts(*timed.seen->mean_watts);
  p.temperature = timed.seen->most_celsius;
  p.throttle_reasons = timed.seen->event_reasons;
}

int copies_beyond_cache(const Card& card, std::size_t bytes) {
  const double cache = kBeyondCache * static_cast<double>(card.second_level_cache());
  return std::clamp(static_cast<int>(std::ceil(cache / static_cast<double>(bytes))) + 1, 2, kMostCopies);
}

std::string cache_of(const Card& card, std::size_t bytes, int copies) {
  const double all = static_cast<double>(bytes) * copies;
  return all >= kBeyondCache * static_cast<double>(card.second_level_cache()) ? "beyond L2" : "partly in L2";
}

}  // namespace fathom::probe
