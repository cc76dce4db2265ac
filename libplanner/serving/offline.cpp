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

// Between two tokens of a sequence when `n` decode together.
Seconds token_time(const ReplicaTimer& timer, const OfflineLoad& load, double n) {
  return timer.decode_step(n, load.context) / load.tokens_per_step;
}

// Time for `output` mean tokens of `n` sequences that start together. Unequal answers: the batch shrinks as they end, and
// with step time linear between one and n sequences only the longest answer and the total matter.
Seconds decode_time(const ReplicaTimer& timer, const OfflineLoad& load, double n) {
  const Seconds full = token_time(timer, load, n);
  if (!load.ragged || n <= 1) return full * load.output;
  const Seconds alone = token_time(timer, load, 1);
  const Seconds each = (full - alone) / (n - 1);
  return (alone - each) * (load.output * longest_over_mean(n)) + each * (n * load.output);
}

}  // namespace

double places(const ReplicaMemory& memory, const EngineProfile& engine, const Layout& layout, double input,
              double output) {
  const double held = engine.admission == Admission::kReserved ? input + output : input + output / 2;
  const double fit = sequences_that_fit(memory, layout, std::max(1.0, held)) * engine.cache_use.value;
  return std::max(1.0, std::min(fit, engine.most_sequences * layout.attention_dp));
}

OfflineRun single_stream(const ReplicaTimer& timer, const EngineProfile& engine, const OfflineLoad& load) {
  OfflineRun run;
  run.prompts = run.sequences = 1;
  run.prefill = timer.prefill(load.input - load.cached, load.cached, engine.chunk_tokens).latency;
  run.ttft = engine.request_overhead.value + run.prefill;
  run.tpot = token_time(timer, load, 1);
  run.wall = run.ttft + run.tpot * std::max(0.0, load.output - 1);
  run.output_tok_per_s = load.output / run.wall.value;
  run.total_tok_per_s = (load.input + load.output) / run.wall.value;
  return run;
}

OfflineRun static_batch(const ReplicaTimer& timer, const EngineProfile& engine, const Layout& layout,
                        const OfflineLoad& load) {
  const double n = std::max(1.0, load.requests / layout.replicas);
  OfflineRun run;
  run.prompts = run.sequences = n;
  // The prompts of the batch are read together, chunk by chunk.
  run.prefill = timer.prefill_together(n, load.input - load.cached, load.cached, engine.chunk_tokens);
  run.ttft = engine.request_overhead.value + run.prefill;
  run.tpot = token_time(timer, load, n);
  run.wall = run.ttft + run.tpot * std::max(0.0, load.output - 1);
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
  const Seconds overhead = engine.request_overhead.value;
  OfflineRun run;
  run.sequences = b;
  run.prompts = endless ? b : requests;
  const Seconds step = token_time(timer, load, b);
  // A request costs its prompt and its share of the steps.
  const Seconds cycle = each * b + step * output;
  if (endless || requests > 1.02 * most) {
    const Seconds tail = (endless ? Seconds(0) : decode_time(timer, load, b) - step * output / 2);
    run.wall = endless ? Seconds(0) : overhead + cycle * (requests / b) + tail * (load.ragged ? 1.0 : 0.5);
    run.prefill = each * run.prompts;
    run.tpot = (cycle - each) / output;
    run.ttft = overhead + each + (endless ? Seconds(0) : (run.wall - overhead - cycle) / 2);
  } else {
    run.prefill = each * requests;
    const Seconds decode = decode_time(timer, load, requests);
    run.wall = overhead + run.prefill + decode;
    // The mean request is read after half of the others, and once it decodes waits while the other half is read.
    const Seconds others = (run.prefill - each) / 2;
    run.ttft = overhead + others + each;
    run.tpot = others / output + token_time(timer, load, requests);
  }
  const double rate = endless ? b / cycle.value : requests / run.wall.value;
  run.output_tok_per_s = rate * output * layout.replicas;
  run.total_tok_per_s = rate * (load.input + output) * layout.replicas;
  return run;
}

}  // namespace fathom
