#include "validate/validation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "device/sampler.h"
#include "host/team.h"
#include "operators/operator.h"
#include "units/text.h"
#include "validate/host_machine.h"
#include "validate/step_shape.h"

namespace fathom {

namespace {

Architecture cut(const Architecture& a, int layers, Part part) {
  Architecture some = a;
  some.num_layers = layers;
  if (some.moe) some.moe->first_k_dense = std::min(a.moe->first_k_dense, part == Part::kMixed ? layers / 2 : layers);
  if (a.sliding_layers > 0) {
    some.sliding_layers = static_cast<int>(std::lround(static_cast<double>(a.sliding_layers) * layers / a.num_layers));
  }
  return some;
}

StepShape shape_of(const SavedPool& pool, const ValidationOptions& options) {
  if (options.prompt > 0) return {.sequences = 0, .prompt = options.prompt};
  StepShape shape = planned_shape(pool);
  if (options.sequences == 0 && options.context == 0) return shape;
  if (!shape.decodes()) shape = {};
  if (options.sequences > 0) shape.sequences = options.sequences;
  if (options.context > 0) shape.context = options.context;
  return shape;
}

void add_imbalance(Trace& trace, const EngineModel& model, const StepShape& shape, double measured) {
  if (measured == 0) return;
  const double tokens =
      shape.decodes() ? shape.sequences : static_cast<double>(shape.prompt) * model.layout.attention_dp;
  trace.notes.push_back(
      fmt::format("experts: the busiest rank of each layer takes {:.2f}x the mean of the ranks; by chance it gets "
                  "{:.2f}x the tokens",
                  measured, expert_imbalance(*model.architecture.moe, model.layout.ep, tokens)));
}

void add_device_notes(Trace& trace, double timing_overhead, const TimingCost& cost) {
  if (timing_overhead != 0) {
    trace.notes.push_back(fmt::format(
        "operators were timed in steps of their own, which took {:.3f}x the others; so that they add up to the others, "
        "{} is taken from every execution and the rest is {:.3f}x what it was",
        1 + timing_overhead, to_string(cost.each), cost.share));
  }
  if (!trace.device) return;
  const DeviceState& d = *trace.device;
  trace.notes.push_back(
      fmt::format("while steps ran: {:.0f} W on average, {:.0f} W at most; multiprocessors at {:.0f} MHz, {:.0f} at "
                  "least; memory at {:.0f} MHz ({} samples)",
                  d.mean_watts, d.most_watts, d.mean_clock_mhz, d.least_clock_mhz, d.memory_clock_mhz, d.samples));
}

}  // namespace

EngineModel planned_model(const SavedPlan& plan, const SavedPool& pool, int layers, Part part) {
  if (layers > plan.architecture.num_layers) {
    throw std::invalid_argument(fmt::format("--layers {}: the model has {}", layers, plan.architecture.num_layers));
  }
  if (layers > 0 && layers < pool.layout.pp) {
    throw std::invalid_argument(fmt::format("--layers {}: the plan has {} pipeline stages", layers, pool.layout.pp));
  }
  Layout one = pool.layout;
  one.replicas = 1;
  const Architecture& whole = plan.architecture;
  if (layers == 0 || layers == whole.num_layers) return EngineModel(whole, one);
  EngineModel model(cut(whole, layers, part), one);
  const int dense = whole.moe ? model.architecture.moe->first_k_dense : layers;
  for (int l = 0; l < layers; ++l) {
    model.checkpoint_layers.push_back(l < dense ? l : whole.moe->first_k_dense + l - dense);
  }
  for (int m = 0; m < whole.mtp_modules; ++m) model.checkpoint_layers.push_back(whole.num_layers + m);
  return model;
}

std::optional<DeviceState> device_state(const std::optional<DeviceWatch>& seen) {
  if (!seen || !seen->mean_watts) return std::nullopt;
  return DeviceState{.samples = seen->samples,
                     .mean_watts = *seen->mean_watts,
                     .most_watts = *seen->most_watts,
                     .mean_clock_mhz = seen->mean_clock_hz.value_or(0) * 1e-6,
                     .least_clock_mhz = seen->least_clock_hz.value_or(0) * 1e-6,
                     .memory_clock_mhz = seen->memory_clock_hz.value_or(0) * 1e-6};
}

Trace run_decode(const SavedPlan& plan, const SavedPool& pool, const WeightSource& source,
                 const ValidationOptions& options) {
  const EngineModel model = planned_model(plan, pool, options.layers, Part::kMixed);
  const StepShape shape = shape_of(pool, options);
  const bool decoding = shape.decodes();
  check_memory(model, shape, options.steps, options.backend);
  NvmlSampler sampler(Nvml().device(options.backend.device));
  RunOptions how = run_options(model, pool, shape, options);
  how.progress = [&sampler, say = how.progress](const std::string& text) {  // first when the first step is done
    sampler.start();
    if (say) say(text);
  };
  const RunResult as_measured = run_engine(model, source, requests_of(model, shape, options.steps), how);
  const RunResult run = without_waits(as_measured, model.layout);
  Trace trace;
  trace.device = device_state(sampler.stop());
  trace.backend = options.backend.name;
  trace.machine = options.backend.machine;
  trace.accelerator = options.backend.accelerator;
  trace.date = today();
  trace.ranks = model.ranks();
  trace.layers_run = model.architecture.num_layers;
  trace.layers_of_model = plan.architecture.num_layers;
  if (run.traces.empty()) return trace;  // another process reports

  const RankTrace& rank = busiest(run, decoding ? pool.decode : pool.prefill, shape);
  trace.operators = operators_of(rank, shape);
  trace.sequences = decoding ? shape.sequences : 0;
  trace.context = decoding ? static_cast<double>(shape.context) : 0;
  trace.prompt = shape.prompt;
  const std::vector<double> rounds = plain_rounds(run.traces.back());
  for (double seconds : rounds) trace.steps.push_back(Seconds(seconds));
  trace.step = Seconds(median(rounds));
  const double tokens = decoding ? shape.sequences : static_cast<double>(shape.prompt) * model.layout.attention_dp;
  if (trace.step > Seconds(0)) trace.tokens_per_s = tokens / trace.step.value;
  trace.logits_hash = fmt::format("{:016x}", run.logits_hash);

  const RankMemory predicted = predicted_memory(model, model.stages[static_cast<std::size_t>(rank.stage)], shape,
                                                options.steps, options.backend);
  trace.predicted = {
      {"weights", predicted.weights}, {"KV cache", predicted.cache}, {"activations", predicted.activations}};
  const auto held = [&](const char* purpose) { return Bytes(static_cast<double>(rank.memory.at(purpose))); };
  trace.allocated = {{"weights", held("weights")},
                     {"KV cache", held("kv_cache")},
                     {"activations", held("activations") + held("communication")}};
  trace.notes.push_back(fmt::format(
      "weights: {}; median of {} steps after {} to warm up; {}", source.describe(), rounds.size(), kWarmUpSteps,
      decoding ? "cache filled with made-up rows" : "one prompt per step and attention group"));
  if (model.layout.ep > 1 && model.layout.pp == 1 && model.layout.attention_dp == 1)
    add_imbalance(trace, model, shape, measured_imbalance(as_measured, shape));
  add_device_notes(trace, timing_overhead(run.traces.back()), timing_cost(rank, shape));
  const int here = ranks_here(model);
  if (here > host::hardware_threads()) {
    trace.notes.push_back(fmt::format("{} ranks share {} hardware threads: they wait for each other's time slices",
                                      here, host::hardware_threads()));
  }
  return trace;
}

PromptLogits run_prompt(const SavedPlan& plan, const SavedPool& pool, const WeightSource& source,
                        const std::vector<int>& tokens, const ValidationOptions& options) {
  const EngineModel model = planned_model(plan, pool, options.layers, Part::kFirst);
  const StepShape shape{.sequences = 0, .prompt = static_cast<int>(tokens.size())};
  // Rows of logits pass through half a dozen copies on their way from the last stage to the file.
  const Bytes logits(6.0 * sizeof(float) * static_cast<double>(tokens.size()) * model.architecture.vocab_size);
  check_memory(model, shape, 0, options.backend, logits);
  RunOptions run = run_options(model, pool, shape, options);
  run.cache = options.backend.exact_cache;
  run.all_logits = run.keep_logits = run.check_agreement = true;
  Request request;
  request.prompt = tokens;
  const RunResult result = run_engine(model, source, {request}, run);
  PromptLogits out{.tokens = tokens, .logits = {}, .draft = {}};
  if (result.traces.empty()) return out;
  out.logits = result.logits.at(0);
  if (model.layout.mtp) out.draft = result.draft_logits.at(0);
  out.next = result.answers.at(0).front();
  out.hash = result.logits_hash;
  return out;
}

}  // namespace fathom
