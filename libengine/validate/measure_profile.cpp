// All shapes in one run of the engine, one after another: weights are made once.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "validate/host_machine.h"
#include "validate/step_shape.h"
#include "validate/validation.h"

namespace fathom {

namespace {

std::vector<StepShape> shapes_of(const EngineModel& model, const ProfileShapes& wanted) {
  const int shares = model.layout.attention_dp * model.layout.pp;
  std::vector<StepShape> shapes;
  for (int pass = 0; pass < wanted.passes; ++pass) {
    for (const ProfileShapes::Decode& d : wanted.decodes) {
      shapes.push_back({.sequences = d.sequences * shares, .context = d.context});
    }
    for (int prompt : wanted.prompts) shapes.push_back({.sequences = 0, .prompt = prompt});
  }
  return shapes;
}

std::string text_of(const StepShape& shape) {
  return shape.decodes() ? fmt::format("{} x {} tokens", shape.sequences, shape.context)
                         : fmt::format("a prompt of {} tokens", shape.prompt);
}

void say(const ValidationOptions& options, const std::string& text) {
  if (options.progress) options.progress(text);
}

// The shapes that fit beside what the longest prompt takes. Throws std::invalid_argument when none does.
std::vector<StepShape> that_fit(const std::vector<StepShape>& shapes, const EngineModel& model,
                                const ValidationOptions& options) {
  StepShape longest{.sequences = 0, .prompt = 1};
  for (const StepShape& shape : shapes) longest.prompt = std::max(longest.prompt, shape.prompt);
  Bytes activations{};
  for (const Stage& stage : model.stages) {
    activations += predicted_memory(model, stage, longest, options.steps, options.backend).activations *
                   model.layout.stage_width();
  }
  std::vector<StepShape> fit;
  std::string why;
  for (const StepShape& shape : shapes) {
    try {
      check_memory(model, shape, options.steps, options.backend, activations);
      fit.push_back(shape);
    } catch (const std::invalid_argument& error) {
      if (mpi_ranks() > 0) throw;  // another host may have more memory, and all have to run the same
      why = error.what();
      say(options, fmt::format("{} left out: {}", text_of(shape), why));
    }
  }
  if (fit.empty()) throw std::invalid_argument(why);
  return fit;
}

// Shape after shape by the rounds in which their requests come. Each has one round more than it needs, to end in.
struct Schedule {
  std::vector<Request> requests;
  std::vector<int> first_round;  // of each shape, and the end
};

Schedule schedule_of(const std::vector<StepShape>& shapes, const EngineModel& model, int steps) {
  Schedule all;
  int round = 0;
  for (const StepShape& shape : shapes) {
    all.first_round.push_back(round);
    for (Request& request : requests_of(model, shape, steps)) {
      request.id = static_cast<int>(all.requests.size());
      request.arrival += round;
      all.requests.push_back(std::move(request));
    }
    round += kWarmUpSteps + steps + 1;
  }
  all.first_round.push_back(round);
  return all;
}

RunOptions options_for(const std::vector<StepShape>& shapes, const EngineModel& model, const SavedPool& pool,
                       const ValidationOptions& options) {
  RunOptions run = run_options(model, pool, shapes.front(), options);
  run.time_every = 2;  // a shape has few steps, and what is launched once in each, the embedding, scatters
  for (const StepShape& shape : shapes) {
    const RunOptions one = run_options(model, pool, shape, options);
    run.max_sequences = std::max(run.max_sequences, one.max_sequences);
    run.chunk_tokens = std::max(run.chunk_tokens, one.chunk_tokens);
    run.cache_tokens = std::max(run.cache_tokens, cache_tokens(model, shape, options.steps));
  }
  run.hash_logits = false;
  return run;
}

// What a run did in rounds [first, last), as if that had been all.
RunResult between(const RunResult& run, int first, int last) {
  RunResult part;
  for (const RankTrace& whole : run.traces) {
    RankTrace& trace = part.traces.emplace_back();
    trace.stage = whole.stage;
    trace.row_names = whole.row_names;
    const auto end = std::min<std::ptrdiff_t>(last, std::ssize(whole.rounds));
    trace.rounds.assign(whole.rounds.begin() + std::min<std::ptrdiff_t>(first, end), whole.rounds.begin() + end);
    for (StepRecord step : whole.steps) {
      if (step.round < first || step.round >= end) continue;
      step.round -= first;
      trace.steps.push_back(std::move(step));
    }
  }
  return part;
}

// A step that was filled up is what it takes at its full size, but for attention, which reads the caches that there are, and for
// experts, which rows of padding do not choose.
void add_samples(ProfileMeasurements& found, const EngineModel& model, const Backend& backend, const RankTrace& rank,
                 const StepShape& shape, int most) {
  const StageProgram program(model.architecture, model.tensors, model.layout, model.stages[rank.stage]);
  const double share = model.layout.pp;  // a step is one micro-batch
  const Batch batch = shape.decodes()
                          ? Batch{.sequences = shape.sequences / share, .context = static_cast<double>(shape.context)}
                          : Batch{.prefill_tokens = static_cast<double>(shape.prompt) * model.layout.attention_dp,
                                  .prefill_prompts = static_cast<double>(model.layout.attention_dp)};
  Batch full = batch;
  if (shape.decodes())
    full.sequences = std::min(backend.rows_run(static_cast<int>(std::lround(batch.sequences))), most);
  const std::vector<MeasuredOperator> measured = operators_of(rank, shape);
  const std::vector<Operator> real = program.operators(batch), run = program.operators(full);
  for (std::size_t i = 0; i < run.size(); ++i) {
    const OperatorKind kind = run[i].kind;
    const bool leaves_padding =
        kind == OperatorKind::kAttention || kind == OperatorKind::kMlaAttention || kind == OperatorKind::kGroupedLinear;
    const Operator& op = leaves_padding ? real[i] : run[i];
    const std::string name = plan_name(op);
    const auto same =
        std::find_if(measured.begin(), measured.end(), [&](const MeasuredOperator& m) { return m.name == name; });
    if (same == measured.end() || same->count <= 0) continue;
    const Seconds once = same->time / same->count;
    is_collective(op.kind) ? found.collectives.push_back(collective_sample_of(op, once))
                           : found.operators.push_back(sample_of(op, once));
  }
  if (model.layout.pp > 1) return;
  const std::vector<Seconds> overheads = step_overheads(rank, shape);
  found.step_overheads.insert(found.step_overheads.end(), overheads.begin(), overheads.end());
}

}  // namespace

ProfileMeasurements measure_profile(const SavedPlan& plan, const SavedPool& pool, const WeightSource& source,
                                    const ValidationOptions& options) {
  const EngineModel model = planned_model(plan, pool, options.layers, Part::kMixed);
  const Backend& backend = options.backend;
  const std::vector<StepShape> shapes = that_fit(shapes_of(model, backend.profile), model, options);
  const Schedule schedule = schedule_of(shapes, model, options.steps);
  RunOptions how = options_for(shapes, model, pool, options);
  how.progress = [&, round = 0](const std::string&) mutable {
    const auto next = std::upper_bound(schedule.first_round.begin(), schedule.first_round.end(), round++);
    if (next != schedule.first_round.end()) say(options, text_of(shapes[next - schedule.first_round.begin() - 1]));
  };
  const RunResult run = without_waits(run_engine(model, source, schedule.requests, how), model.layout);

  ProfileMeasurements found;
  found.machine = backend.machine;
  found.backend = backend.name;
  found.date = today();
  found.accelerator = backend.accelerator.empty() ? pool.accelerator_id : backend.accelerator;
  if (run.traces.empty()) return found;  // another process reports
  for (std::size_t s = 0; s < shapes.size(); ++s) {
    const RunResult part = between(run, schedule.first_round[s], schedule.first_round[s + 1]);
    add_samples(found, model, backend, busiest(part, {}, shapes[s]), shapes[s], how.max_sequences);
  }
  return found;
}

}  // namespace fathom
