#include "check/claims.h"

#include <fmt/format.h>

#include <algorithm>

#include "check/claims_terms.h"
#include "input/value.h"
#include "units/number.h"

namespace fathom {

namespace {

using claims::Audit;
using claims::Judgement;
using claims::Subject;
using claims::Terms;

const std::vector<Subject>& subjects() {
  static const std::vector<Subject> kAll = [] {
    std::vector<Subject> all;
    for (const auto family :
         {claims::arithmetic_claims, claims::bill_claims, claims::money_claims, claims::power_claims,
          claims::memory_claims, claims::model_claims, claims::part_claims, claims::part_figure_claims,
          claims::link_claims, claims::fabric_claims, claims::latency_claims, claims::queueing_claims,
          claims::serving_claims, claims::layout_claims, claims::storage_claims, claims::software_claims,
          claims::evidence_claims, claims::operation_claims, claims::plan_claims}) {
      const std::vector<Subject> some = family();
      all.insert(all.end(), some.begin(), some.end());
    }
    return all;
  }();
  return kAll;
}

const Subject& subject_of(const Design& design, std::size_t index) {
  const std::string& about = design.cluster.claims[index].about;
  for (const Subject& subject : subjects()) {
    if (subject.about == about) return subject;
  }
  const Spot spot = design.at({"claims", index, "about"});
  const std::string close = did_you_mean(about, claim_subjects());
  const std::string family = about.substr(0, about.find('.'));
  std::vector<std::string> relatives;
  for (const std::string& known : claim_subjects()) {
    if (known.starts_with(family + ".")) relatives.push_back(known);
  }
  throw InputError(design.text.file, spot.at, fmt::format("nothing is known about {}", in_quotes(about)),
                   !close.empty()       ? fmt::format("did you mean {}?", in_quotes(close))
                   : !relatives.empty() ? fmt::format("claims of that family: {}", listed(relatives, ", "))
                                        : "docs/cluster-yaml.md lists what a claim may be about");
}

ClaimVerdict audit_one(Audit& audit, std::size_t index) {
  const Subject& subject = subject_of(audit.design, index);
  Terms terms(audit, index);
  try {
    Judgement judged = subject.judge(terms);
    terms.finish();
    return {.claim = &terms.claim(),
            .verdict = judged.verdict,
            .computation = std::move(judged.computation),
            .spot = terms.spot()};
  } catch (const MoneyError& error) {  // currencies without an exchange rate
    const std::string what = error.what();
    throw InputError(audit.design.text.file, terms.spot().at, what,
                     what.find("rate") == std::string::npos ? "" : "add it to finance.exchange");
  }
}

}  // namespace

std::vector<std::string> claim_subjects() {
  std::vector<std::string> out;
  for (const Subject& subject : subjects()) out.emplace_back(subject.about);
  return out;
}

ClaimVerdict audit_claim(const Design& design, std::size_t index) {
  Audit audit{.design = design};
  return audit_one(audit, index);
}

std::vector<ClaimVerdict> audit_claims(const Design& design) {
  return audit_claims(design, [](const InputError& error) { throw error; });
}

std::vector<ClaimVerdict> audit_claims(const Design& design, const std::function<void(const InputError&)>& refused) {
  Audit audit{.design = design};
  std::vector<ClaimVerdict> out;
  for (std::size_t i = 0; i < design.cluster.claims.size(); ++i) {
    try {
      out.push_back(audit_one(audit, i));
    } catch (const InputError& error) {
      refused(error);
    }
  }
  return out;
}

void report_claims(const std::vector<ClaimVerdict>& verdicts, Findings& findings) {
  for (const ClaimVerdict& v : verdicts) {
    if (v.verdict == Verdict::kHolds) continue;
    const Severity severity = v.verdict == Verdict::kContradicted ? Severity::kError
                              : v.verdict == Verdict::kMisleading ? Severity::kWarning
                                                                  : Severity::kNote;
    const Claim& claim = *v.claim;
    findings.add(claim.about, severity, v.spot,
                 {.message = fmt::format("claim {}: {}", claim.id, v.computation),
                  .terms = {fmt::format("line {} of the document: \"{}\"", claim.line, claim.quote)}});
  }
}

}  // namespace fathom
