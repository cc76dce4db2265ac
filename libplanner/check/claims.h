// Claims of a design about itself, held against what can be computed. docs/check.md#claims
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "check/design.h"
#include "check/findings.h"

namespace fathom {

enum class Verdict {
  kHolds,
  kMisleading,       // true in part, or said so that it cannot be held to anything: a warning
  kContradicted,     // arithmetic, a data sheet or another line of the design says otherwise: an error
  kCannotBeChecked,  // no measurement, no baseline, no date: a note
};

struct ClaimVerdict {
  const Claim* claim = nullptr;
  Verdict verdict = Verdict::kCannotBeChecked;
  std::string computation;  // one line: "16 x 1 = 16, not 48"
  Spot spot = {};           // of the claim's value, else of the claim
};

// Every claim of the file, in its order. Throws InputError for a claim whose terms cannot be read, std::logic_error never.
std::vector<ClaimVerdict> audit_claims(const Design& design);

// The same for those who go on: a claim that cannot be read has no verdict, and `refused` is told why.
std::vector<ClaimVerdict> audit_claims(const Design& design, const std::function<void(const InputError&)>& refused);

// One of them, for those who want to go on after one that cannot be read. Throws InputError.
ClaimVerdict audit_claim(const Design& design, std::size_t index);

// Those that do not hold, as findings of the rule that the claim is about.
void report_claims(const std::vector<ClaimVerdict>& verdicts, Findings& findings);

// What a claim may be about: families of rules, then keys of the plan.
std::vector<std::string> claim_subjects();

}  // namespace fathom
