#include "serving/offline.h"

#include <algorithm>
#include <cmath>

namespace fathom {

namespace {

// Answers of a trace are roughly exponential in length: of n, the longest is ln n + 0.58 means long, and engines' limits cut
// it near five.
double longest_over_mean(double requests) {
  return std::min(5.0, std::max(1.0, std::log(std::max(1.0, requests)) + 0.58));
}

// Time for `output` mean tokens of `n` sequences that start together. Unequal answers: the batch shrinks as they end, and
// with step time linear between one and n sequences only the longest answer and the total matter.
Seconds decode_time(const ReplicaTimer& timer, const OfflineLoad& load, double n) {
  const double context = load.input + load.output / 2;
  const Seconds full = timer.decode_step(n, context);
  if (!load.ragged || n <= 1) return full * load.output;
  const Seconds alone = timer.decode_step(1, context);
  const Seconds each = (full - alone) / (n - 1);
  return (alone - each) * (load.output * longest_over_mean(n)) + each * (n * load.output);
}

// Step time by batch at one mean context, from a few points: linear between them.
class StepCurve {
 public:
  StepCurve(const ReplicaTimer& timer, double most, double context) {
    for (double b = 1; b < most; b *= 1.7) add(timer, b, context);
    add(timer, std::max(1.0, most), context);
  }
  double operator()(double b) const {
    std::size_t i = 1;
    while (i + 1 < batch_.size() && batch_[i] < b) ++i;
    if (batch_.size() == 1 || b <= batch_.front()) return time_.front();
    const double share = std::min(1.0, (b - batch_[i - 1]) / (batch_[i] - batch_[i - 1]));
    return time_[i - 1] + share * (time_[i] - time_[i - 1]);
  }

 private:
  void add(const ReplicaTimer& timer, double b, double context) {
    batch_.push_back(b);
    time_.push_back(timer.decode_step(b, context).value);
  }
  std::vector<double> batch_, time_;
};

}  // namespace

double places(const ReplicaMemory& memory, const EngineProfile& engine, const Layout& layout, double input,
              double output) {
  const double held = engine.admission == Admission::kReserved ? input + output : input + output / 2;
  const double fit = sequences_that_fit(memory, layout, std::max(1.0, held)) * engine.cache_use.value;
  return std::max(1.0, std::min(fit, engine.most_sequences * layout.attention_dp));
}

OfflineRun static_batch(const ReplicaTimer& timer, const EngineProfile& engine, const Layout& layout,
                        const OfflineLoad& load) {
  const double n = std::max(1.0, load.requests / layout.replicas);
  OfflineRun run;
  run.prompts = run.sequences = n;
  // The prompts of the batch are read together, chunk by chunk.
  const double fresh = std::max(1.0, load.input - load.cached);
  const ReplicaTimer::Prefill one = timer.prefill(fresh, load.cached, engine.chunk_tokens);
  const double together = timer.prefill_together(n, fresh, load.cached, engine.chunk_tokens).value;
  run.prefill = run.ttft = n <= 1 ? one.latency : Seconds(together);
  run.tpot = timer.decode_step(n, load.input + load.output / 2);
  run.wall = run.prefill + run.tpot * std::max(0.0, load.output - 1) + engine.request_overhead.value;
  run.output_tok_per_s = n * load.output / run.wall.value * layout.replicas;
  run.total_tok_per_s = run.output_tok_per_s * (load.input + load.output) / std::max(1.0, load.output);
  return run;
}

OfflineRun burst(const ReplicaTimer& timer, const EngineProfile& engine, const Layout& layout, const OfflineLoad& load,
                 double most) {
  const double fresh = std::max(1.0, load.input - load.cached), output = std::max(1.0, load.output);
  const bool endless = load.requests <= 0;
  const double requests = endless ? 0 : std::max(1.0, load.requests / layout.replicas);
  const double b = endless ? most : std::min(most, requests);
  const Seconds each =
      timer.prefill_together(std::max(1.0, b), fresh, load.cached, engine.chunk_tokens) / std::max(1.0, b);
  const double context = load.input + output / 2;
  OfflineRun run;
  run.sequences = b;
  run.prompts = endless ? b : requests;
  const Seconds step = timer.decode_step(b, context);
  // A request costs its prompt and its share of the steps.
  const Seconds cycle = each * b + step * output;
  if (endless || requests > 1.02 * most) {
    const Seconds tail = (endless ? Seconds(0) : decode_time(timer, load, b) - step * output / 2);
    run.wall = endless ? Seconds(0) : cycle * (requests / b) + tail * (load.ragged ? 1.0 : 0.5);
    run.prefill = each * run.prompts;
    run.tpot = (cycle - each) / output;
    run.ttft = endless ? each : run.wall / 2 - cycle / 2 + each;
  } else {
    run.prefill = each * requests;
    const Seconds decode = decode_time(timer, load, requests);
    run.wall = run.prefill + decode;
    run.ttft = run.prefill / 2 + each;
    // While the rest is read, those that have started decode on: each waits for half of the prompts on average.
    run.tpot =
        (run.prefill / 2 +
         (load.ragged ? decode_time(timer, {.requests = load.requests, .input = load.input, .output = output}, requests)
                      : decode)) /
        output;
  }
  const double rate = endless ? b / cycle.value : requests / run.wall.value;
  run.output_tok_per_s = rate * output * layout.replicas;
  run.total_tok_per_s = rate * (load.input + output) * layout.replicas;
  return run;
}

OfflineRun open_run(const ReplicaTimer& timer, const EngineProfile& engine, const Layout& layout,
                    const OfflineLoad& load, double rate, double most) {
  const double requests = std::max(1.0, load.requests / layout.replicas), arrivals = rate / layout.replicas;
  const double output = std::max(1.0, load.output), fresh = std::max(1.0, load.input - load.cached);
  const ReplicaTimer::Prefill one = timer.prefill(fresh, load.cached, engine.chunk_tokens);
  const double each = fresh / one.tokens_per_second;
  const StepCurve step(timer, std::min(most, requests), load.input + output / 2);
  // Progress of a sequence that started at time zero, in tokens; one that starts later lags by what it missed, so a request
  // ends when progress has risen by its length. `started` and `ended` count requests; the device reads prompts first.
  const double longest = load.ragged ? longest_over_mean(requests) * output : output;
  const double dt = std::max(1e-4, (requests / arrivals + output * step(1)) / 800);
  std::vector<double> start_progress, start_time;  // of request number i
  double now = 0, progress = 0, started = 0, waiting_time = 0, decode_time_sum = 0, ended = 0;
  std::size_t first = 0;
  while (ended < requests) {
    const double arrived = std::min(requests, arrivals * now);
    const double running = started - ended;
    // Prompts take the device while they are read; the rest of the time decodes.
    const double can = std::min({arrived - started, dt / each, std::max(0.0, most - running)});
    const double reading = std::max(0.0, can) * each;
    for (double k = std::floor(started) + 1; k <= started + can; ++k) {
      start_progress.push_back(progress);
      start_time.push_back(now);
      waiting_time += std::max(0.0, now - dt - k / arrivals);
    }
    started += std::max(0.0, can);
    const double b = std::max(1.0, started - ended);
    progress += std::max(0.0, dt - reading) / step(b);
    // Ragged answers end at a steady trickle: on average after `output` tokens.
    while (first < start_progress.size() && progress - start_progress[first] >= output) {
      decode_time_sum += now - start_time[first];
      ++first;
      ended = std::max(ended + 1, static_cast<double>(first));
    }
    if (started >= requests - 1e-6 && first >= start_progress.size()) break;
    now += dt;
  }
  OfflineRun run;
  const double counted = std::max(1.0, static_cast<double>(first));
  const double tail = load.ragged ? (longest - output) * step(std::max(1.0, 0.1 * requests)) : 0;
  run.wall = Seconds(now + tail);
  run.sequences = std::min(requests, most);
  run.prompts = 1;
  run.prefill = one.latency;
  run.tpot = Seconds(std::max(step(1), decode_time_sum / counted / output));
  const double busy = std::min(0.98, arrivals * each);
  run.ttft = engine.request_overhead.value + one.latency + run.tpot / 2 + Seconds(waiting_time / counted) +
             Seconds(each * busy / (2 * (1 - busy)));
  run.output_tok_per_s = requests * output / run.wall.value * layout.replicas;
  run.total_tok_per_s = run.output_tok_per_s * (load.input + output) / output;
  return run;
}

}  // namespace fathom
