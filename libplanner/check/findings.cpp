#include "check/findings.h"

#include <algorithm>
#include <stdexcept>
#include <tuple>

namespace fathom {

Findings::Findings(const RuleBook& book, RuleLevels levels, std::string file)
    : book_(book), levels_(std::move(levels)), file_(std::move(file)) {}

void Findings::add(const std::string& rule, Spot spot, Said said) {
  const Rule* known = book_.find(rule);
  if (known == nullptr) throw std::logic_error("rule " + rule + " is not in catalogs/rules.yaml");
  add(rule, known->level, spot, std::move(said));
}

void Findings::add(const std::string& rule, Severity severity, Spot spot, Said said) {
  const Rule* known = book_.find(rule);
  if (known == nullptr) throw std::logic_error("rule " + rule + " is not in catalogs/rules.yaml");
  severity = given_level(levels_, *known).value_or(severity);
  if (severity == Severity::kOff) return;
  found_.push_back({.rule = rule,
                    .severity = severity,
                    .file = file_,
                    .spot = spot,
                    .message = std::move(said.message),
                    .terms = std::move(said.terms),
                    .help = std::move(said.help),
                    .mend = std::move(said.mend)});
}

std::vector<Finding> Findings::sorted() const {
  std::vector<Finding> out = found_;
  sort_by_place(out);
  return out;
}

void sort_by_place(std::vector<Finding>& findings) {
  std::stable_sort(findings.begin(), findings.end(), [](const Finding& a, const Finding& b) {
    return std::tuple(a.spot.at.line, a.spot.at.column, -static_cast<int>(a.severity)) <
           std::tuple(b.spot.at.line, b.spot.at.column, -static_cast<int>(b.severity));
  });
}

std::optional<Severity> given_level(const RuleLevels& levels, const Rule& rule) {
  for (const std::string& name : {rule.id, rule.family()}) {
    if (const auto level = levels.find(name); level != levels.end()) return level->second;
  }
  return std::nullopt;
}

}  // namespace fathom
