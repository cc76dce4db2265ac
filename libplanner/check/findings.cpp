#include "check/findings.h"

#include <algorithm>
#include <stdexcept>
#include <tuple>

namespace fathom {

Findings::Findings(const RuleBook& book, const RuleLevels& levels, std::string file)
    : book_(book), levels_(levels), file_(std::move(file)) {}

void Findings::add(const std::string& rule, Spot spot, Said said) {
  const Rule* known = book_.find(rule);
  if (known == nullptr) throw std::logic_error("rule " + rule + " is not in catalogs/rules.yaml");
  add(rule, known->level, spot, std::move(said));
}

void Findings::add(const std::string& rule, Severity severity, Spot spot, Said said) {
  const Rule* known = book_.find(rule);
  if (known == nullptr) throw std::logic_error("rule " + rule + " is not in catalogs/rules.yaml");
  for (const std::string& name : {known->family(), rule}) {  // a rule's own level counts more than its family's
    if (const auto level = levels_.find(name); level != levels_.end()) severity = level->second;
  }
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
  std::stable_sort(out.begin(), out.end(), [](const Finding& a, const Finding& b) {
    return std::tuple(a.spot.at.line, a.spot.at.column, -static_cast<int>(a.severity)) <
           std::tuple(b.spot.at.line, b.spot.at.column, -static_cast<int>(b.severity));
  });
  return out;
}

}  // namespace fathom
