#include "validate/step_shape.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "host/team.h"

namespace fathom {

StepShape planned_shape(const SavedPool& pool) {
  if (pool.decode.empty()) return {.sequences = 0, .prompt = std::max(1, static_cast<int>(pool.prefill_tokens))};
  return {.sequences = std::max(1, static_cast<int>(std::lround(pool.decode_sequences))),
          .context = std::max<std::int64_t>(1, std::llround(pool.decode_context))};
}

std::vector<int> made_up_tokens(std::int64_t count, int vocabulary, int request) {
  std::vector<int> tokens(static_cast<std::size_t>(count));
  std::uint64_t state = 0x9e3779b97f4a7c15u * static_cast<std::uint64_t>(request + 1);
  for (int& token : tokens) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;  // xorshift64 (Marsaglia)
    token = static_cast<int>(state % static_cast<std::uint64_t>(vocabulary));
  }
  return tokens;
}

namespace {

// Decoding: the measured steps lie around the shape's context. Prompts: one after another, the first to warm up.
Request request_of(const StepShape& shape, int steps) {
  const int all = kWarmUpSteps + steps;
  Request r;
  r.prompt.resize(
      static_cast<std::size_t>(shape.decodes() ? std::max<std::int64_t>(1, shape.context - all / 2) : shape.prompt));
  r.output_tokens = shape.decodes() ? all : 1;
  r.cached = shape.decodes();
  return r;
}

}  // namespace

std::vector<Request> requests_of(const EngineModel& model, const StepShape& shape, int steps) {
  std::vector<Request> requests;
  const int at_once = model.layout.attention_dp * model.layout.pp;
  const int count = shape.decodes() ? shape.sequences : at_once * (kWarmUpSteps + steps);
  for (int i = 0; i < count; ++i) {
    Request r = request_of(shape, steps);
    r.id = i;
    r.prompt = made_up_tokens(std::ssize(r.prompt), model.architecture.vocab_size, i);
    // Made-up weights soon say the same to every sequence, and then all choose the same experts. A draft, though, is held against
    // what is said.
    if (!model.layout.mtp) r.forced = made_up_tokens(r.output_tokens, model.architecture.vocab_size, count + i);
    r.arrival = shape.decodes() ? 0 : i / at_once;
    requests.push_back(std::move(r));
  }
  return requests;
}

std::int64_t cache_tokens(const EngineModel& model, const StepShape& shape, int steps) {
  const int shares = model.layout.attention_dp * model.layout.pp;
  return (shape.decodes() ? (shape.sequences + shares - 1) / shares : 1) * cache_tokens(request_of(shape, steps));
}

int ranks_here(const EngineModel& model) { return mpi_ranks() > 0 ? mpi_ranks_here() : model.ranks(); }

RunOptions run_options(const EngineModel& model, const SavedPool& pool, const StepShape& shape,
                       const ValidationOptions& options) {
  RunOptions run;
  const int threads = options.threads > 0 ? options.threads : host::hardware_threads();
  run.threads = std::max(1, threads / ranks_here(model));
  const int shares = model.layout.attention_dp * model.layout.pp;
  run.max_sequences = !shape.decodes() ? 1 : (shape.sequences + shares - 1) / shares;
  run.chunk_tokens = std::max(1, shape.prompt);
  run.cache = pool.layout.kv == KvFormat::kFp8 ? CacheFormat::kFp8 : CacheFormat::kBf16;
  run.make_executor = options.backend.make_executor;
  run.communicator = options.communicator;
  run.fault = options.fault;
  run.progress = options.progress;
  return run;
}

namespace {

Seconds work(const std::vector<MeasuredOperator>& operators) {
  Seconds sum{};
  for (const MeasuredOperator& op : operators) {
    const bool waits = op.kind == to_string(OperatorKind::kAllReduce) ||
                       op.kind == to_string(OperatorKind::kAllGather) ||
                       op.kind == to_string(OperatorKind::kAllToAll) || op.kind == to_string(OperatorKind::kSendRecv);
    if (!waits) sum += op.time;
  }
  return sum;
}

}  // namespace

namespace {

// Collectives of a tensor-parallel group, and those of a whole stage.
void take_least(RankTrace& trace, const RankTrace& other) {
  if (trace.stage != other.stage || trace.steps.size() != other.steps.size()) return;
  const bool same_group = trace.group == other.group;
  for (std::size_t i = 0; i < trace.steps.size(); ++i) {
    StepRecord& step = trace.steps[i];
    const StepRecord& theirs = other.steps[i];
    if (same_group) step.seconds = std::min(step.seconds, theirs.seconds);
    const std::vector<TraceRow>& names = trace.row_names[static_cast<std::size_t>(kind_of(step))];
    for (std::size_t row = 0; row < std::min(step.rows.size(), names.size()); ++row) {
      const bool shared = names[row].kind == OperatorKind::kAllToAll || (same_group && is_collective(names[row].kind));
      if (!shared || row >= theirs.rows.size()) continue;
      step.rows[row].seconds = std::min(step.rows[row].seconds, theirs.rows[row].seconds);
    }
  }
}

RowTime* row_of(StepRecord& step, const std::vector<TraceRow>& names, std::string_view name) {
  for (std::size_t row = 0; row < std::min(step.rows.size(), names.size()); ++row) {
    if (names[row].name == name && step.rows[row].executions > 0) return &step.rows[row];
  }
  return nullptr;
}

void give_experts_their_wait(StepRecord& step, const std::vector<TraceRow>& names) {
  RowTime* after_experts = row_of(step, names, "moe.all_reduce");
  const RowTime* after_attention = row_of(step, names, "attention.all_reduce");
  RowTime* up = row_of(step, names, "moe.experts.gate_up");
  RowTime* down = row_of(step, names, "moe.experts.down");
  if (after_experts == nullptr || after_attention == nullptr || up == nullptr || down == nullptr) return;
  const double sums = after_attention->seconds / after_attention->executions * after_experts->executions;
  const double wait = after_experts->seconds - sums, work = up->seconds + down->seconds;  // a wait may scatter below 0
  if (!(work > 0)) return;
  after_experts->seconds = sums;
  up->seconds *= 1 + wait / work;
  down->seconds *= 1 + wait / work;
}

}  // namespace

RunResult without_waits(RunResult run, const Layout& layout) {
  const std::vector<RankTrace> as_measured = run.traces;
  for (RankTrace& trace : run.traces) {
    for (const RankTrace& other : as_measured) {
      take_least(trace, other);
    }
    if (layout.ep == 1) continue;
    for (StepRecord& step : trace.steps) {
      give_experts_their_wait(step, trace.row_names[static_cast<std::size_t>(kind_of(step))]);
    }
  }
  return run;
}

bool counts(const StepRecord& step, const StepShape& shape) {
  return step.round >= kWarmUpSteps && kind_of(step) == (shape.decodes() ? 0 : 1);
}

namespace {

std::vector<MeasuredOperator> as_timed(const RankTrace& trace, const StepShape& shape) {
  const std::vector<TraceRow>& names = trace.row_names[shape.decodes() ? 0 : 1];
  std::vector<MeasuredOperator> operators;
  for (std::size_t row = 0; row < names.size(); ++row) {
    std::vector<double> times, executions;
    for (const StepRecord& step : trace.steps) {
      if (!counts(step, shape) || !step.timed) continue;
      times.push_back(step.rows[row].seconds);
      executions.push_back(step.rows[row].executions);
    }
    operators.push_back({.name = names[row].name,
                         .kind = std::string(to_string(names[row].kind)),
                         .count = median(executions),
                         .time = Seconds(median(times))});
  }
  return operators;
}

// Of steps that were not timed by operator; 0 of none.
Seconds plain_step(const RankTrace& trace, const StepShape& shape) {
  std::vector<double> seconds;
  for (const StepRecord& step : trace.steps) {
    if (counts(step, shape) && !step.timed) seconds.push_back(step.seconds);
  }
  return Seconds(median(seconds));
}

bool took_time(const MeasuredOperator& op) { return op.count > 0 && op.time > Seconds(0); }

TimingCost timing_cost(const std::vector<MeasuredOperator>& operators, Seconds plain) {
  Seconds sum{}, shortest{};
  double executions = 0;
  for (const MeasuredOperator& op : operators) {
    if (!took_time(op)) continue;
    const Seconds one = op.time / op.count;
    shortest = executions > 0 ? std::min(shortest, one) : one;
    executions += op.count;
    sum += op.time;
  }
  if (executions == 0 || plain == Seconds(0)) return {};
  // Of the shortest, a norm of one row, so much is launch and event: with it `share` is 0.87 to 1.07 on an H200.
  constexpr double kLaunch = 0.75;
  const Seconds each = shortest * kLaunch;
  return {.each = each, .share = plain / (sum - each * executions)};
}

}  // namespace

double measured_imbalance(const RunResult& run, const StepShape& shape) {
  const auto experts = [&](const RankTrace& trace) {
    Seconds time{};
    for (const MeasuredOperator& op : as_timed(trace, shape)) {
      if (op.name == "moe.experts.gate_up" || op.name == "moe.experts.down") time += op.time;
    }
    return time;
  };
  Layout dealt;
  dealt.ep = 2;  // any number: ranks wait for each other
  const RunResult with_waits = without_waits(run, dealt);
  Seconds sum{}, most{};
  for (std::size_t r = 0; r < run.traces.size(); ++r) {
    sum += experts(run.traces[r]);
    most = std::max(most, experts(with_waits.traces[r]));
  }
  return sum > Seconds(0) ? most / (sum / static_cast<double>(run.traces.size())) : 0;
}

TimingCost timing_cost(const RankTrace& trace, const StepShape& shape) {
  return timing_cost(as_timed(trace, shape), plain_step(trace, shape));
}

std::vector<MeasuredOperator> operators_of(const RankTrace& trace, const StepShape& shape) {
  std::vector<MeasuredOperator> operators = as_timed(trace, shape);
  const TimingCost cost = timing_cost(operators, plain_step(trace, shape));
  for (MeasuredOperator& op : operators) {
    if (took_time(op)) op.time = (op.time - cost.each * op.count) * cost.share;
  }
  return operators;
}

std::vector<Seconds> step_overheads(const RankTrace& trace, const StepShape& shape) {
  const bool some_plain = plain_step(trace, shape) > Seconds(0);
  std::vector<Seconds> overheads;
  for (const StepRecord& step : trace.steps) {
    if (!counts(step, shape) || step.timed == some_plain) continue;
    double inside = some_plain ? step.seconds : 0;
    for (const RowTime& row : step.rows) inside += row.seconds;
    overheads.push_back(Seconds(std::max(0.0, trace.rounds[static_cast<std::size_t>(step.round)] - inside)));
  }
  return overheads;
}

namespace {

// Rounds in which a step was timed by operator, or in which none was.
std::vector<double> rounds_of(const RankTrace& trace, bool timed) {
  std::set<int> with_timed;
  for (const StepRecord& step : trace.steps) {
    if (step.timed) with_timed.insert(step.round);
  }
  std::vector<double> rounds;
  for (int round = kWarmUpSteps; round < static_cast<int>(trace.rounds.size()); ++round) {
    if (with_timed.contains(round) == timed) rounds.push_back(trace.rounds[static_cast<std::size_t>(round)]);
  }
  return rounds;
}

}  // namespace

std::vector<double> plain_rounds(const RankTrace& trace) {
  std::vector<double> plain = rounds_of(trace, false);
  return plain.empty() ? rounds_of(trace, true) : plain;
}

double timing_overhead(const RankTrace& trace) {
  const double plain = median(rounds_of(trace, false)), timed = median(rounds_of(trace, true));
  return plain > 0 && timed > 0 ? timed / plain - 1 : 0;
}

const RankTrace& busiest(const RunResult& run, const std::vector<PlanOperator>& planned, const StepShape& shape) {
  std::set<std::string> names;
  for (const PlanOperator& op : planned) names.insert(op.name);
  const auto same_operators = [&](const RankTrace& trace) {
    std::set<std::string> own;
    for (const TraceRow& row : trace.row_names[shape.decodes() ? 0 : 1]) own.insert(row.name);
    return own == names;
  };
  const RankTrace* best = nullptr;
  for (bool alike : {true, false}) {
    for (const RankTrace& trace : run.traces) {
      if (alike && !same_operators(trace)) continue;
      if (best == nullptr || work(operators_of(trace, shape)) > work(operators_of(*best, shape))) best = &trace;
    }
    if (best != nullptr) break;
  }
  return *best;
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const std::size_t middle = values.size() / 2;
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(middle), values.end());
  return values[middle];
}

}  // namespace fathom
