#include <fmt/format.h>

#include <algorithm>

#include "validate/host_machine.h"
#include "validate/step_shape.h"
#include "validate/validation.h"

namespace fathom {

ProfileMeasurements measure_profile(const SavedPlan& plan, const SavedPool& pool, const WeightSource& source,
                                    const ValidationOptions& options) {
  const EngineModel model = planned_model(plan, pool, options.layers, Part::kMixed);
  // Three, six and seven besides the powers of two: products go in passes of a few tokens (six with AVX-512), so their time
  // rises in steps that a rate between four and eight does not show. Prompts as closely as sequences, or the fit leans to
  // decoding and the time to the first token is off. All twice, minutes apart, because what else runs on a machine comes
  // and goes.
  std::vector<StepShape> shapes;
  const int groups = model.layout.attention_dp * model.layout.pp;
  for (int sequences : {1, 2, 3, 4, 6, 7, 8}) {
    for (std::int64_t context : {64, 512, 2048})
      shapes.push_back({.sequences = sequences * groups, .context = context});
  }
  for (int prompt : {16, 32, 64, 128, 256}) shapes.push_back({.sequences = 0, .prompt = prompt});

  const std::vector<StepShape> first_pass = shapes;
  shapes.insert(shapes.end(), first_pass.begin(), first_pass.end());

  ProfileMeasurements found;
  const Backend& backend = options.backend;
  found.machine = backend.machine;
  found.backend = backend.name;
  found.date = today();
  found.accelerator = backend.accelerator.empty() ? pool.accelerator_id : backend.accelerator;
  for (const StepShape& shape : shapes) {
    const bool decoding = shape.decodes();
    check_memory(model, shape, options.steps, backend);
    if (options.progress) {
      options.progress(decoding ? fmt::format("{} x {} tokens", shape.sequences, shape.context)
                                : fmt::format("a prompt of {} tokens", shape.prompt));
    }
    RunOptions run = run_options(model, pool, shape, options);
    run.progress = nullptr;
    const RunResult result = run_engine(model, source, requests_of(model, shape, options.steps), run);
    if (result.traces.empty()) continue;
    const RankTrace& rank = busiest(result, {}, shape);
    const StageProgram program(model.architecture, model.tensors, model.layout, model.stages[rank.stage]);
    const double share = model.layout.pp;  // a step is one micro-batch
    const Batch batch = decoding
                            ? Batch{.sequences = shape.sequences / share, .context = static_cast<double>(shape.context)}
                            : Batch{.prefill_tokens = static_cast<double>(shape.prompt) * model.layout.attention_dp,
                                    .prefill_prompts = static_cast<double>(model.layout.attention_dp)};
    const std::vector<MeasuredOperator> measured = operators_of(rank, shape);
    for (const Operator& op : program.operators(batch)) {
      const std::string name = plan_name(op);
      const auto same =
          std::find_if(measured.begin(), measured.end(), [&](const MeasuredOperator& m) { return m.name == name; });
      if (same == measured.end() || same->count <= 0) continue;
      const Seconds once = same->time / same->count;
      is_collective(op.kind) ? found.collectives.push_back(collective_sample_of(op, once))
                             : found.operators.push_back(sample_of(op, once));
    }
    for (const StepRecord& step : rank.steps) {
      if (!counts(step, shape) || !step.timed || model.layout.pp > 1) continue;
      double inside = 0;
      for (const RowTime& row : step.rows) inside += row.seconds;
      const double round = rank.rounds[static_cast<std::size_t>(step.round)];
      found.step_overheads.push_back(Seconds(std::max(0.0, round - inside)));
    }
  }
  return found;
}

}  // namespace fathom
