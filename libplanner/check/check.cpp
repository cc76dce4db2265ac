#include "check/check.h"

#include "check/design_rules.h"

namespace fathom {

namespace {

void check_cluster(const Document& text, const std::filesystem::path& path, const Catalog& catalog,
                   const CheckOptions& options, Findings& findings, CheckedFile& out) {
  const Cluster cluster = read_cluster(path, catalog);
  const Design design{cluster, text, catalog};
  for (const auto rule : {check_power, check_network, check_compatibility, check_storage, check_cost,
                          check_availability, check_serving}) {
    rule(design, findings);
  }
  if (!options.claims) return;
  const std::vector<ClaimVerdict> verdicts = audit_claims(design);
  report_claims(verdicts, findings);
  for (const ClaimVerdict& v : verdicts) {
    out.claims_held += v.verdict == Verdict::kHolds ? 1 : 0;
    out.claims_misleading += v.verdict == Verdict::kMisleading ? 1 : 0;
    out.claims_contradicted += v.verdict == Verdict::kContradicted ? 1 : 0;
    out.claims_unchecked += v.verdict == Verdict::kCannotBeChecked ? 1 : 0;
  }
}

}  // namespace

CheckedFile check_file(const std::filesystem::path& path, const Catalog& catalog, const RuleBook& book,
                       const CheckOptions& options) {
  CheckedFile out{.file = path.string(), .kind = "cluster", .findings = {}};
  Findings findings(book, options.levels, out.file);
  try {
    const Document text = read_yaml(path);
    check_cluster(text, path, catalog, options, findings, out);
  } catch (const InputError& error) {
    out.unreadable = true;
    findings.add("schema.input", {error.at(), 0}, {.message = error.message(), .help = error.hint()});
  }
  out.findings = findings.sorted();
  return out;
}

}  // namespace fathom
