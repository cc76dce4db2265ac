// Comments that take a finding away: `# fathom: ignore[power.supply] the supplies are rated at 40 C`, on the line of the
// finding or on one of its own above it. docs/check.md#suppressions
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "check/findings.h"

namespace fathom {

struct Suppression {
  Spot spot;                       // of the comment
  int line = 0;                    // whose findings it takes away
  std::vector<std::string> rules;  // ids or families
  std::string reason;              // empty: it takes nothing away
};

struct SuppressionComments {
  std::vector<Suppression> ignores;
  struct Misread {  // meant for us, but not to be read
    Spot spot;
    std::string message, help;
  };
  std::vector<Misread> misread;
};

SuppressionComments read_suppressions(std::string_view text, const RuleBook& book);

// Takes out of `found` what the comments of `text` ignore, and puts in what is wrong with the comments themselves: one
// that ignores nothing, one without a reason, one that cannot be read. Returns how many findings went.
int suppress(std::string_view text, const RuleBook& book, const RuleLevels& levels, const std::string& file,
             std::vector<Finding>& found);

}  // namespace fathom
