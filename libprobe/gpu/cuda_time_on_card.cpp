#include <algorithm>
#include <cmath>
#include <exception>
#include <stdexcept>

#include "gpu/time_on_card.h"
#include "harness/statistics.h"

namespace fathom::probe {

namespace {

constexpr int kMostRuns = 2000;
constexpr int kMostHeldRuns = 500;  // a queue takes about a thousand launches
constexpr double kBeyondCache = 3;  // times the cache (CUTLASS' profiler takes as much)
constexpr int kMostCopies = 200;
constexpr double kWindow = 0.2, kSteady = 0.01;
constexpr Seconds kPowerWindow{1};  // NVML tells the mean of a second: of less it would tell what was before

constexpr double kPatience = 60;  // seconds for a sample: a collective that lost a rank waits for ever

// Samples of `runs` launches each.
class Sampled {
 public:
  Sampled(const std::vector<Card*>& cards, int runs, Launches launches, const GroupBody& body)
      : cards_(cards), runs_(runs), launches_(launches), body_(body) {
    for (const Card* card : cards_) {
      card->use();
      begin_.emplace_back();
      end_.emplace_back();
    }
    if (launches == Launches::kGraph) capture();
  }

  // Seconds of one run.
  double take() {
    if (body_.prepare) body_.prepare(runs_);
    const std::vector<std::uint32_t> gates = begin();
    graphs_.empty() ? put_in() : replay();
    for (std::size_t i = 0; i < cards_.size(); ++i) record(end_[i], *cards_[i]);
    for (std::size_t i = 0; i < gates.size(); ++i) cards_[i]->open(gates[i]);
    float longest = 0;
    for (std::size_t i = 0; i < cards_.size(); ++i) {
      wait(end_[i]);
      float milliseconds = 0;
      cuda_ok(cudaEventElapsedTime(&milliseconds, begin_[i], end_[i]), "cudaEventElapsedTime");
      longest = std::max(longest, milliseconds);
    }
    return static_cast<double>(longest) * 1e-3 / runs_;
  }

  int runs() const { return runs_; }

 private:
  void put_in() const {
    for (int run = 0; run < runs_; ++run) body_.launch(run);
  }

  void capture() {
    for (const Card* card : cards_) {
      cuda_ok(cudaStreamBeginCapture(card->stream(), cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
    }
    std::exception_ptr failure;
    try {
      put_in();
    } catch (...) {
      failure = std::current_exception();
    }
    std::vector<cudaGraph_t> captured(cards_.size());
    for (std::size_t i = 0; i < cards_.size(); ++i) cudaStreamEndCapture(cards_[i]->stream(), &captured[i]);
    if (failure) std::rethrow_exception(failure);
    for (std::size_t i = 0; i < cards_.size(); ++i) {
      cards_[i]->use();
      graphs_.emplace_back(cards_[i]->stream(), captured[i]);
      cards_[i]->stream().wait();
    }
  }

  std::vector<std::uint32_t> begin() {
    std::vector<std::uint32_t> gates;
    for (std::size_t i = 0; i < cards_.size(); ++i) {
      cards_[i]->use();
      if (launches_ != Launches::kFree) gates.push_back(cards_[i]->hold());
      record(begin_[i], *cards_[i]);
    }
    return gates;
  }

  void replay() {
    for (std::size_t i = 0; i < cards_.size(); ++i) {
      cards_[i]->use();
      graphs_[i].launch(cards_[i]->stream());
    }
  }

  static void record(cudaEvent_t event, const Card& card) {
    card.use();
    cuda_ok(cudaEventRecord(event, card.stream()), "cudaEventRecord");
  }

  static void wait(cudaEvent_t event) {
    const Now now = steady_clock();
    const double begin = now();
    for (cudaError_t status; (status = cudaEventQuery(event)) != cudaSuccess;) {
      if (status != cudaErrorNotReady) cuda_ok(status, "the device");
      if (now() - begin > kPatience) throw std::runtime_error("the devices did not finish within a minute");
    }
  }

  const std::vector<Card*> cards_;
  int runs_;
  Launches launches_;
  const GroupBody& body_;
  std::vector<CudaEvent> begin_, end_;
  std::vector<CudaGraph> graphs_;
};

double one_run(const std::vector<Card*>& cards, const GroupBody& body) {
  Sampled one(cards, 1, Launches::kFree, body);
  one.take();  // loads modules, which must not wait behind a latch
  return std::min(one.take(), one.take());
}

int runs_of(const CardRules& rules, double once) {
  const double wanted = std::ceil(rules.repeat.least_sample.value / std::max(once, 1e-7));
  const int most = rules.launches == Launches::kEager ? kMostHeldRuns : kMostRuns;
  return std::clamp(static_cast<int>(std::min(wanted, 1e6)), std::min(rules.least_runs, most), most);
}

GroupBody alone(const Card& card, const CardBody& body) {
  return {.launch = [&](int run) { body({.stream = card.stream()}, run); }, .prepare = {}};
}

}  // namespace

void TimedOnCard::add(const TimedOnCard& more) {
  repeated.seconds.insert(repeated.seconds.end(), more.repeated.seconds.begin(), more.repeated.seconds.end());
  repeated.warm_up_runs += more.repeated.warm_up_runs;
  repeated.warm_up += more.repeated.warm_up;
  last_run = more.last_run;
  alike = std::max(alike, more.alike);
  if (!more.seen) return;
  if (!seen) seen.emplace();
  seen->add(*more.seen);
}

TimedOnCard time_on_card(Card& card, const CardRules& rules, const CardBody& body) {
  return time_on_cards({&card}, rules, alone(card, body));
}

TimedOnCard time_on_cards(const std::vector<Card*>& cards, const CardRules& rules, const GroupBody& body) {
  Sampled samples(cards, runs_of(rules, one_run(cards, body)), rules.launches, body);
  RepeatRules repeat_rules = rules.repeat;
  repeat_rules.least_sample = Seconds(0);  // a sample is long enough as it is
  TimedOnCard timed;
  timed.launches = rules.launches;
  timed.last_run = samples.runs() - 1;
  for (Card* card : cards) card->watch();
  const Now now = steady_clock();
  const double begin = now();
  timed.repeated = repeat_samples(repeat_rules, steady_clock(), [&] { return samples.take(); });
  timed.repeated.warm_up_runs *= samples.runs();
  timed.alike = rules.alike_before + Seconds(now() - begin);
  for (Card* card : cards) {
    const std::optional<DeviceWatch> seen = card->watched();
    if (!seen) continue;
    if (!timed.seen) timed.seen.emplace();
    timed.seen->add(*seen);
  }
  return timed;
}

void warm_up(Card& card, Seconds least, Seconds most, const CardBody& body) {
  warm_up({&card}, Launches::kEager, least, most, alone(card, body));
}

void warm_up(const std::vector<Card*>& cards, Launches launches, Seconds least, Seconds most, const GroupBody& body) {
  const double once = one_run(cards, body);
  Sampled samples(cards, std::clamp(static_cast<int>(0.01 / std::max(once, 1e-7)), 1, kMostHeldRuns), launches, body);
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
  if (timed.seen->mean_watts && timed.alike >= kPowerWindow) p.power = Watts(*timed.seen->mean_watts);
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
