#include "check/claims.h"

namespace fathom {

std::vector<ClaimVerdict> audit_claims(const Design& design) {
  std::vector<ClaimVerdict> out;
  for (const Claim& claim : design.cluster.claims) out.push_back({.claim = &claim});
  return out;
}

void report_claims(const std::vector<ClaimVerdict>& verdicts, Findings& findings) {
  for (const ClaimVerdict& v : verdicts) {
    if (v.verdict == Verdict::kHolds) continue;
    const Severity severity = v.verdict == Verdict::kContradicted ? Severity::kError
                              : v.verdict == Verdict::kMisleading ? Severity::kWarning
                                                                  : Severity::kNote;
    findings.add(v.claim->about, severity, {v.claim->at, 0},
                 {.message = "claim " + v.claim->id + ": " + v.claim->quote, .terms = {v.computation}});
  }
}

}  // namespace fathom
