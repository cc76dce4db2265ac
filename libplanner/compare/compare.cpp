#include "compare/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "layout/layout.h"
#include "plan/host_device.h"
#include "units/text.h"

namespace fathom {

namespace {

// Memory is counted before it is allocated, so little may go beyond the plan; allocators round.
constexpr double kMemoryShare = 0.02;
constexpr Bytes kMemorySlack = Bytes(500e6);
// A step of nearly the planned shape may be held against its band; sequences are whole in a run and means in a plan.
constexpr double kSameShape = 0.10;
constexpr std::size_t kMostOffenders = 3;
constexpr double kHeavy = 0.10;  // of the step's deviation: what an operator must cause to be named

template <class T>
std::optional<double> error_of(const std::optional<T>& predicted, const std::optional<T>& measured) {
  if (!predicted || !measured || !(*predicted > T{})) return std::nullopt;
  return *measured / *predicted - 1;
}

const std::vector<PlanOperator>& planned_operators(const SavedPool& pool) {
  return pool.decode.empty() ? pool.prefill : pool.decode;
}

// ---------------------------------------------------------------------------------------------------------------------
// Operators

ComparedOperator& row_of(std::vector<ComparedOperator>& rows, const std::string& name, const std::string& kind) {
  const auto same =
      std::find_if(rows.begin(), rows.end(), [&](const ComparedOperator& row) { return row.name == name; });
  if (same != rows.end()) return *same;
  rows.push_back({.name = name, .kind = kind});
  return rows.back();
}

template <class T>
void add(std::optional<T>& sum, const std::optional<T>& term) {
  if (term) sum = sum.value_or(T{}) + *term;
}

// Each operator once: a draft module may bring a name a second time.
std::vector<MeasuredOperator> by_name(const std::vector<MeasuredOperator>& operators) {
  std::vector<MeasuredOperator> sums;
  for (const MeasuredOperator& op : operators) {
    const auto same = std::find_if(sums.begin(), sums.end(), [&](const auto& sum) { return sum.name == op.name; });
    if (same == sums.end()) {
      sums.push_back(op);
    } else {
      same->count += op.count;
      same->time += op.time;
    }
  }
  return sums;
}

// A run of fewer layers executes an operator less often: one execution's time, as often as planned.
std::vector<ComparedOperator> join(const std::vector<PlanOperator>& planned, const Trace& trace) {
  std::vector<ComparedOperator> rows;
  for (const PlanOperator& op : planned) {
    ComparedOperator& row = row_of(rows, op.name, op.kind);
    row.count += op.count;
    add(row.predicted, std::optional(op.time));
  }
  for (const MeasuredOperator& op : by_name(trace.operators)) {
    ComparedOperator& row = row_of(rows, op.name, op.kind);
    const bool fewer = row.predicted && op.count > 0 && trace.layers_run < trace.layers_of_model;
    if (!row.predicted) row.count += op.count;
    row.measured = fewer ? op.time * (row.count / op.count) : op.time;
  }
  return rows;
}

Seconds sum_of(const std::vector<ComparedOperator>& rows, std::optional<Seconds> ComparedOperator::*member) {
  Seconds sum{};
  for (const ComparedOperator& row : rows) sum += (row.*member).value_or(Seconds(0));
  return sum;
}

std::vector<ComparedOperator> by_kind(const std::vector<ComparedOperator>& operators) {
  std::vector<ComparedOperator> kinds;
  for (const ComparedOperator& op : operators) {
    const auto same =
        std::find_if(kinds.begin(), kinds.end(), [&](const ComparedOperator& row) { return row.kind == op.kind; });
    ComparedOperator& row = same != kinds.end() ? *same : kinds.emplace_back(ComparedOperator{.kind = op.kind});
    row.count += op.count;
    add(row.predicted, op.predicted);
    add(row.measured, op.measured);
  }
  std::stable_sort(kinds.begin(), kinds.end(), [](const ComparedOperator& a, const ComparedOperator& b) {
    return a.measured.value_or(Seconds(0)) > b.measured.value_or(Seconds(0));
  });
  return kinds;
}

void finish(ComparedOperator& row, Seconds step) {
  row.error = error_of(row.predicted, row.measured);
  row.share = row.measured && step > Seconds(0) ? *row.measured / step : 0;
}

void compare_operators(Comparison& c, const SavedPool& pool, const Trace& trace) {
  c.operators = join(planned_operators(pool), trace);
  c.decodes = !pool.decode.empty();
  c.predicted_step = pool.step_time;
  Seconds run{};
  for (const MeasuredOperator& op : trace.operators) run += op.time;
  const Seconds measured_sum = sum_of(c.operators, &ComparedOperator::measured);
  // Operators of ranks that run at once may sum to more than the step.
  c.between = {
      .name = "between operators",
      .kind = "between",
      .count = 1,
      .predicted = std::max(Seconds(0), pool.step_time.likely - sum_of(c.operators, &ComparedOperator::predicted)),
      .measured = {}};
  // Medians of parts may sum to more than the median of the whole: then nothing is known of what lies between.
  if (trace.step > run) c.between.measured = trace.step - run;
  const bool fewer = trace.layers_run < trace.layers_of_model;
  c.measured_step = trace.step;
  if (fewer && pool.layout.pp == 1) c.measured_step = measured_sum + c.between.measured.value_or(Seconds(0));
  // With a pipeline the time between a stage's operators is mostly other micro-batches' operators: it grows with them.
  if (fewer && pool.layout.pp > 1 && run > Seconds(0)) c.measured_step = trace.step * (measured_sum / run);
  c.step_error = c.measured_step / c.predicted_step.likely - 1;
  c.kinds = by_kind(c.operators);
  for (std::vector<ComparedOperator>* rows : {&c.operators, &c.kinds}) {
    for (ComparedOperator& row : *rows) finish(row, c.measured_step);
  }
  finish(c.between, c.measured_step);
}

// ---------------------------------------------------------------------------------------------------------------------
// Memory

// What the plan's ledger says of the fullest device, and the cache of the measured steps.
std::vector<MemoryRow> planned_memory(const SavedPool& pool, const Trace& trace) {
  std::vector<MemoryRow> rows;
  for (const PlanMemoryRow& row : pool.memory.rows) rows.push_back({.name = row.name, .bytes = row.bytes});
  const double tokens = trace.sequences / pool.layout.attention_dp * trace.context;
  rows.push_back({.name = "KV cache", .bytes = pool.memory.kv_per_token * tokens});
  return rows;
}

void compare_memory(Comparison& c, const SavedPool& pool, const Trace& trace) {
  const auto row = [&](const std::string& name) -> ComparedMemory& {
    const auto same =
        std::find_if(c.memory.begin(), c.memory.end(), [&](const ComparedMemory& m) { return m.name == name; });
    return same != c.memory.end() ? *same : c.memory.emplace_back(ComparedMemory{.name = name});
  };
  for (const MemoryRow& m : trace.predicted.empty() ? planned_memory(pool, trace) : trace.predicted) {
    add(row(m.name).predicted, std::optional(m.bytes));
    c.predicted_memory += m.bytes;
  }
  for (const MemoryRow& m : trace.allocated) {
    add(row(m.name).allocated, std::optional(m.bytes));
    c.allocated_memory += m.bytes;
  }
  c.memory_error = error_of(std::optional(c.predicted_memory), std::optional(c.allocated_memory)).value_or(0);
}

// ---------------------------------------------------------------------------------------------------------------------
// The verdict

std::string factor_text(double ratio) { return fmt::format("{:.{}f}x", ratio, ratio < 0.1 ? 3 : ratio < 10 ? 1 : 0); }

// Times of one device say nothing about another: then no operator is named as an offender.
std::string other_device(const SavedPool& pool, const Trace& trace) {
  const bool planned_host = pool.accelerator_id == kHostAccelerator;
  if (trace.backend == "host" && !planned_host) {
    return fmt::format("measured on this host's processor ({}); the plan predicts {}: times are not comparable",
                       trace.machine, pool.accelerator);
  }
  if (trace.backend != "host" && planned_host) {
    return fmt::format("measured on {}; the plan predicts the host's processor: times are not comparable",
                       trace.machine);
  }
  if (!trace.accelerator.empty() && trace.accelerator != pool.accelerator_id) {
    return fmt::format("measured on {} ({}); the plan predicts {}: times are not comparable", trace.accelerator,
                       trace.machine, pool.accelerator);
  }
  return {};
}

bool differs(double run, double planned) { return std::abs(run - planned) > kSameShape * planned; }

std::string other_shape(const SavedPool& pool, const Trace& trace) {
  if (trace.ranks != pool.layout.devices_per_replica()) {
    return fmt::format("run on {} rank{}, a replica of the plan has {}", trace.ranks, trace.ranks == 1 ? "" : "s",
                       pool.layout.devices_per_replica());
  }
  if (pool.decode.empty()) return {};
  if (trace.prompt > 0) {
    return fmt::format("measured with prompts of {} tokens; the plan's step decodes", trace.prompt);
  }
  if (differs(trace.sequences, pool.decode_sequences) || differs(trace.context, pool.decode_context)) {
    return fmt::format("measured with {:.4g} x {:.0f} tokens in the cache; the plan's step has {:.4g} x {:.0f}",
                       trace.sequences, trace.context, pool.decode_sequences, pool.decode_context);
  }
  return {};
}

// The operators, and the time between them, that pull the step away from its prediction most.
std::vector<std::string> offenders(const Comparison& c) {
  const double off = c.measured_step.value - c.predicted_step.likely.value;
  std::vector<const ComparedOperator*> rows;
  const auto pull = [off](const ComparedOperator* row) {
    const double more = (row->measured.value_or(Seconds(0)) - row->predicted.value_or(Seconds(0))).value;
    return off > 0 ? more : -more;
  };
  for (const ComparedOperator& row : c.operators) rows.push_back(&row);
  rows.push_back(&c.between);
  std::erase_if(rows, [&](const ComparedOperator* row) { return pull(row) < kHeavy * std::abs(off); });
  std::stable_sort(rows.begin(), rows.end(),
                   [&](const ComparedOperator* a, const ComparedOperator* b) { return pull(a) > pull(b); });
  if (rows.size() > kMostOffenders) rows.resize(kMostOffenders);
  std::vector<std::string> reasons;
  for (const ComparedOperator* row : rows) {
    const std::string share = fmt::format("{:.0f} % of the step", row->share * 100);
    if (!row->measured) {
      reasons.push_back(
          fmt::format("{} was planned with {} and was not measured", row->name, to_string(*row->predicted)));
    } else if (!row->error) {
      reasons.push_back(
          fmt::format("{} took {}, which the plan does not foresee, {}", row->name, to_string(*row->measured), share));
    } else {
      reasons.push_back(
          fmt::format("{} took {} what was predicted, {}", row->name, factor_text(*row->error + 1), share));
    }
  }
  return reasons;
}

void judge_time(Comparison& c, const SavedPool& pool, const Trace& trace) {
  const std::string device = other_device(pool, trace), shape = other_shape(pool, trace);
  c.comparable = device.empty();
  if (!device.empty()) c.reasons.push_back(device);
  if (!shape.empty()) c.reasons.push_back(shape);
  if (!device.empty() || !shape.empty()) return;
  const Estimate<Seconds>& band = c.predicted_step;
  if (c.measured_step >= band.min && c.measured_step <= band.max) return;
  c.reasons.push_back(fmt::format("a step took {}, {} the {} predicted, outside {} to {}", to_string(c.measured_step),
                                  factor_text(c.step_error + 1), to_string(band.likely), to_string(band.min),
                                  to_string(band.max)));
  for (std::string& reason : offenders(c)) c.reasons.push_back(std::move(reason));
}

void judge_memory(Comparison& c) {
  const Bytes limit = c.predicted_memory + std::max(c.predicted_memory * kMemoryShare, kMemorySlack);
  if (c.allocated_memory <= limit) return;
  c.reasons.push_back(fmt::format("{} of memory were allocated, {} predicted", to_string_binary(c.allocated_memory),
                                  to_string_binary(c.predicted_memory)));
}

void add_notes(Comparison& c, const SavedPool& pool, const Trace& trace) {
  c.notes = trace.notes;
  if (trace.layers_run < trace.layers_of_model) {
    c.notes.push_back(fmt::format(
        "{} of {} layers were run in {}: the step is reckoned from the time of one execution of each operator, "
        "as often as planned, {}",
        trace.layers_run, trace.layers_of_model, to_string(trace.step),
        pool.layout.pp > 1 ? "and what lies between grows with them" : "and the time between operators"));
  }
  if (pool.layout.pp > 1)
    c.notes.push_back("operators are those of one pipeline stage; the time between them holds the wait for the others");
}

}  // namespace

Comparison compare(const SavedPlan& plan, const SavedPool& pool, const Trace& trace) {
  Comparison c;
  c.title = plan.title;
  c.layout = short_name(pool.layout);
  c.accelerator = pool.accelerator;
  c.logits_hash = trace.logits_hash;
  c.run = trace;
  compare_operators(c, pool, trace);
  // As if all layers had run.
  c.tokens_per_s = c.measured_step > Seconds(0) ? trace.tokens_per_s * (trace.step / c.measured_step) : 0;
  compare_memory(c, pool, trace);
  judge_time(c, pool, trace);
  judge_memory(c);
  add_notes(c, pool, trace);
  c.passed = c.reasons.empty();
  return c;
}

}  // namespace fathom
