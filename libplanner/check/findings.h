// Collects what the rules of one file find, at the level that the rule book or the user gives each rule.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "check/rule_book.h"

namespace fathom {

using RuleLevels = std::map<std::string, Severity>;  // by rule id or family, over those of the book

class Findings {
 public:
  Findings(const RuleBook& book, RuleLevels levels, std::string file);  // the book must outlive it

  // What a rule says about one place. Throws std::logic_error for a rule that the book does not have.
  struct Said {
    std::string message;
    std::vector<std::string> terms = {};
    std::string help = {};
    std::optional<Mend> mend = {};
  };
  void add(const std::string& rule, Spot spot, Said said);
  // At another level than the rule's own: a claim that is misleading is less grave than one that is wrong.
  void add(const std::string& rule, Severity severity, Spot spot, Said said);

  // By place; the graver first where two stand at one place.
  std::vector<Finding> sorted() const;

 private:
  const RuleBook& book_;
  RuleLevels levels_;
  std::string file_;
  std::vector<Finding> found_;
};

void sort_by_place(std::vector<Finding>& findings);

// The level that the user gave a rule or its family, where there is one; a rule's own counts more.
std::optional<Severity> given_level(const RuleLevels& levels, const Rule& rule);

}  // namespace fathom
