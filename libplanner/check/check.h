// All rules on one file. docs/check.md
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "bill/bill.h"
#include "check/claims.h"
#include "check/findings.h"
#include "check/rule_book.h"

namespace fathom {

struct CheckOptions {
  RuleLevels levels;
  bool claims = true;
  std::string version = {};     // of this program, for plans that another one made
  bill::ReadOptions bill = {};  // columns and rates that the user named
};

struct CheckedFile {
  std::string file;  // as the user named it
  std::string kind;  // "cluster", "bill", "plan", "manifest", "rules", "script"
  std::vector<Finding> findings;
  int claims_held = 0, claims_contradicted = 0, claims_misleading = 0, claims_unchecked = 0;
  bool unreadable = false;  // as a whole or in one of its claims: it has a finding of schema.input
  int suppressed = 0;       // findings that a comment in the file ignores
  int known = 0;            // findings that the baseline has; they are not among `findings`
  std::string text;         // of the file that the findings stand in
};

// "-" is standard input. Never throws for what is in the file: a file that cannot be read has one finding, schema.input,
// which no level and no comment takes away. So has each claim that cannot be read, beside the findings of all others.
CheckedFile check_file(const std::filesystem::path& path, const Catalog& catalog, const RuleBook& book,
                       const CheckOptions& options);

// The file turned out to be wrong: `error` takes the place of all its findings. It may be about another file, which the
// design names.
void refuse(CheckedFile& file, const InputError& error, const RuleBook& book);

// Findings by place, with width and fingerprint: after some have been added.
void finish(CheckedFile& file);

}  // namespace fathom
