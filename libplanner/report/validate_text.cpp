#include "report/validate_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "report/page.h"
#include "units/text.h"

namespace fathom {

namespace {

constexpr std::size_t kShownOperators = 15;

template <class T>
std::string text_of(const std::optional<T>& quantity) {
  return quantity ? to_string(*quantity) : "";
}

std::string error_text(const std::optional<double>& error) {
  return error ? fmt::format("{:+.0f} %", *error * 100) : "";
}

class ComparisonWriter : private Page {
 public:
  ComparisonWriter(const Comparison& comparison, const ValidateTextOptions& options)
      : Page(options.style, options.colour), c_(comparison), every_operator_(options.every_operator) {}

  std::string run() {
    title(c_.title);
    line(fmt::format("{} on {}, as planned and as measured", c_.layout, c_.accelerator));
    verdict(c_.passed       ? "YES: the plan holds"
            : c_.comparable ? "NO: the plan does not hold"
                            : "NO: not run on what was planned",
            c_.passed);
    for (const std::string& reason : c_.reasons) item(reason);
    item(fmt::format("{}: {} predicted ({} to {}), {} measured, {}", c_.decodes ? "a decode step" : "a prefill chunk",
                     to_string(c_.predicted_step.likely), to_string(c_.predicted_step.min),
                     to_string(c_.predicted_step.max), to_string(c_.measured_step), error_text(c_.step_error)));
    if (c_.tokens_per_s > 0) item(fmt::format("{} tok/s measured", figure_text(c_.tokens_per_s)));
    how();
    operators();
    kinds();
    memory();
    if (!c_.logits_hash.empty()) {
      section("What came out");
      item("hash of the logits: " + c_.logits_hash);
    }
    return take();
  }

 private:
  void how() {
    const Trace& run = c_.run;
    section("How it was measured");
    item(fmt::format("{} engine on {}{}", run.backend, run.machine, run.date.empty() ? "" : ", " + run.date));
    const std::string shape =
        run.prompt > 0 ? fmt::format("prompts of {} tokens", whole_text(run.prompt))
                       : fmt::format("{} of {} tokens", counted(run.sequences, "sequence"), whole_text(run.context));
    item(fmt::format("{}, {}, {} of {} layers, {}", counted(run.ranks, "rank"), shape, run.layers_run,
                     run.layers_of_model, counted(static_cast<double>(run.steps.size()), "step")));
    for (const std::string& note : c_.notes) item("note: " + note);
  }

  static TextTable time_table(const std::string& first) {
    return TextTable({{first, Align::kLeft},
                      {"count", Align::kRight},
                      {"predicted", Align::kRight},
                      {"measured", Align::kRight},
                      {"error", Align::kRight},
                      {"share", Align::kRight}});
  }

  static void add(TextTable& t, const std::string& name, const ComparedOperator& row) {
    t.row({name, figure_text(row.count), text_of(row.predicted), text_of(row.measured), error_text(row.error),
           row.measured ? percent_text(row.share, 1) : ""});
  }

  void operators() {
    section("Operators of one step, all executions");
    std::vector<ComparedOperator> rows = c_.operators;
    const auto longest = [](const ComparedOperator& row) {
      return std::max(row.measured.value_or(Seconds(0)), row.predicted.value_or(Seconds(0)));
    };
    std::stable_sort(rows.begin(), rows.end(),
                     [&](const ComparedOperator& a, const ComparedOperator& b) { return longest(a) > longest(b); });
    const std::size_t shown = every_operator_ ? rows.size() : std::min(kShownOperators, rows.size());
    TextTable t = time_table("operator");
    for (std::size_t i = 0; i < shown; ++i) add(t, rows[i].name, rows[i]);
    table(t);
    if (shown == rows.size()) return;
    gap();
    item(fmt::format("{} more operators: --operators lists them", rows.size() - shown));
  }

  void kinds() {
    section("By kind");
    TextTable t = time_table("kind");
    for (const ComparedOperator& row : c_.kinds) add(t, row.kind, row);
    add(t, c_.between.name, c_.between);
    table(t);
  }

  void memory() {
    if (c_.memory.empty()) return;
    section("Memory of the fullest rank");
    const auto gib = [](const std::optional<Bytes>& b) {
      return b ? fmt::format("{:.3f}", b->value / 1073741824.0) : std::string();
    };
    TextTable t({{"GiB", Align::kLeft}, {"predicted", Align::kRight}, {"allocated", Align::kRight}});
    for (const ComparedMemory& row : c_.memory) t.row({row.name, gib(row.predicted), gib(row.allocated)});
    t.row({"sum", gib(c_.predicted_memory), gib(c_.allocated_memory)});
    table(t);
  }

  const Comparison& c_;
  const bool every_operator_;
};

}  // namespace

std::string validate_text(const Comparison& comparison, const ValidateTextOptions& options) {
  return ComparisonWriter(comparison, options).run();
}

}  // namespace fathom
