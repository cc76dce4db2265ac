// All rules on one file. docs/check.md
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "check/claims.h"
#include "check/findings.h"
#include "check/rule_book.h"

namespace fathom {

struct CheckOptions {
  RuleLevels levels;
  bool claims = true;
};

struct CheckedFile {
  std::string file;  // as the user named it
  std::string kind;  // "cluster", "bill", "plan", "manifest", "rules", "script"
  std::vector<Finding> findings;
  int claims_held = 0, claims_contradicted = 0, claims_misleading = 0, claims_unchecked = 0;
  bool unreadable = false;  // its only finding is schema.input
};

// Never throws for what is in the file: a file that cannot be read has one finding, schema.input.
CheckedFile check_file(const std::filesystem::path& path, const Catalog& catalog, const RuleBook& book,
                       const CheckOptions& options);

}  // namespace fathom
