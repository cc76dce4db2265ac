#include "check/fail_if.h"

#include <fmt/format.h>

namespace fathom {

namespace {

constexpr const char* kRule = "policy.fail-if";
constexpr std::size_t kMostParts = 5;

// "switches, spares and 3 more"
std::string unpriced_parts(const PlanValues& plan) {
  std::vector<std::string> names;
  const auto count = plan.find("cost.missing");
  const std::size_t all = count && std::holds_alternative<std::size_t>(*count) ? std::get<std::size_t>(*count) : 0;
  for (std::size_t i = 0; i < std::min(all, kMostParts); ++i) {
    const auto name = plan.find(fmt::format("cost.missing[{}]", i));
    if (name && std::holds_alternative<std::string>(*name)) names.push_back(std::get<std::string>(*name));
  }
  return fmt::format("{}{}", fmt::join(names, ", "),
                     all > kMostParts ? fmt::format(" and {} more", all - kMostParts) : "");
}

bool is_incomplete(const PlanValues& plan) {
  const auto complete = plan.find("cost.complete");
  return complete && std::holds_alternative<bool>(*complete) && !std::get<bool>(*complete);
}

}  // namespace

void check_conditions(const std::vector<Expression>& conditions, const PlanValues& plan,
                      const std::vector<ExchangeRate>& rates, const RuleBook& book, const RuleLevels& levels,
                      CheckedFile& file) {
  Findings findings(book, levels, file.file);
  for (const Expression& condition : conditions) {
    ExpressionAnswer answer = condition.on(plan, rates);
    if (answer.result == ExpressionAnswer::Result::kTrue) {
      findings.add(kRule, {}, {.message = condition.text() + " is true of the plan", .terms = std::move(answer.terms)});
    } else if (answer.result == ExpressionAnswer::Result::kUndecided) {
      findings.add(kRule, {},
                   {.message = fmt::format("{} cannot be decided: {}", condition.text(), answer.why),
                    .terms = std::move(answer.terms),
                    .help = "known(KEY) asks whether the plan has a key: known(KEY) and KEY > …"});
    } else if (answer.reads_cost && is_incomplete(plan)) {
      answer.terms.push_back("without a price: " + unpriced_parts(plan));
      findings.add(kRule, Severity::kWarning, {},
                   {.message = condition.text() + " is false, but the cost leaves out what has no price",
                    .terms = std::move(answer.terms),
                    .help = "price the parts, so that the sum is one"});
    }
  }
  for (Finding& finding : findings.sorted()) file.findings.push_back(std::move(finding));
  finish(file);
}

}  // namespace fathom
