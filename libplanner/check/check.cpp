#include "check/check.h"

#include <algorithm>

#include "check/baseline.h"
#include "check/bill_rules.h"
#include "check/check_files.h"
#include "check/design_rules.h"
#include "check/mend.h"
#include "check/plan_rules.h"
#include "check/suppressions.h"
#include "input/content.h"
#include "input/excerpt.h"
#include "input/utf8.h"
#include "manifests/judge.h"
#include "units/money.h"

namespace fathom {

namespace {

// The word or quoted text at a place that a reader complained of, so that it can be underlined.
int word_width(std::string_view text, Position at) {
  const auto line = line_of(text, at.line);
  if (!line) return 0;
  const std::string_view rest = line->substr(offset_of_column(*line, at.column));
  const bool quoted = rest.starts_with('"') || rest.starts_with('\'');
  const std::size_t end = quoted ? rest.find(rest[0], 1) + 1 : rest.find_first_of(" \t,:[]{}#");
  return std::max(1, code_points(rest.substr(0, end == 0 ? rest.size() : end)));
}

Findings::Said what(const InputError& error, const std::string& text) {
  return {.message = error.message(), .help = error.hint(), .mend = spelling_mend(error, text)};
}

void check_cluster(const Document& text, const Catalog& catalog, const CheckOptions& options, Findings& findings,
                   CheckedFile& out) {
  const Cluster cluster = read_cluster(text, catalog);
  const Design design{cluster, text, catalog};
  for (const auto rule : {check_power, check_network, check_fabric, check_compatibility, check_storage, check_cost,
                          check_availability, check_workload, check_layout, check_serving}) {
    rule(design, findings);
  }
  if (!options.claims) return;
  const std::vector<ClaimVerdict> verdicts = audit_claims(design, [&](const InputError& error) {
    if (error.file() != out.file) throw error;  // about a file that the design names
    out.unreadable = true;
    findings.add("schema.input", {error.at(), word_width(out.text, error.at())}, what(error, out.text));
  });
  report_claims(verdicts, findings);
  for (const ClaimVerdict& v : verdicts) {
    out.claims_held += v.verdict == Verdict::kHolds ? 1 : 0;
    out.claims_misleading += v.verdict == Verdict::kMisleading ? 1 : 0;
    out.claims_contradicted += v.verdict == Verdict::kContradicted ? 1 : 0;
    out.claims_unchecked += v.verdict == Verdict::kCannotBeChecked ? 1 : 0;
  }
}

void check_operations(manifests::FileKind kind, const Catalog& catalog, Findings& findings, const CheckedFile& file) {
  for (const manifests::Remark& r : manifests::judge(kind, file.file, file.text, catalog)) {
    findings.add(r.rule, {r.mark.at, r.mark.width}, {.message = r.message, .terms = r.terms, .help = r.help});
  }
}

std::string text_if_readable(const std::string& file) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file, ignored)) return {};
  try {
    return text_of_file(file);
  } catch (const InputError&) {
    return {};
  }
}

// "To the end of the line" in figures, for those who do not have the line.
void measure(std::string_view text, Spot& spot) {
  const auto line = line_of(text, spot.at.line);
  if (!line || spot.width > 0) return;
  const std::size_t end = line->find_last_not_of(" \t") + 1;  // npos + 1 is 0
  spot.width = std::max(1, code_points(line->substr(0, end)) - spot.at.column + 1);
}

}  // namespace

void finish(CheckedFile& file) {
  sort_by_place(file.findings);
  add_fingerprints(file.text, file.findings);
  for (Finding& finding : file.findings) {
    measure(file.text, finding.spot);
    if (finding.mend) measure(file.text, finding.mend->spot);
  }
}

void refuse(CheckedFile& file, const InputError& error, const RuleBook& book) {
  static const RuleLevels kNone;
  Findings findings(book, kNone, error.file());
  if (error.file() != file.file) file.text = text_if_readable(error.file());
  findings.add("schema.input", {error.at(), word_width(file.text, error.at())}, what(error, file.text));
  file.findings = findings.sorted();
  file.unreadable = true;
  finish(file);
}

CheckedFile check_file(const std::filesystem::path& path, const Catalog& catalog, const RuleBook& book,
                       const CheckOptions& options) {
  const bool piped = path == "-";
  CheckedFile out{.file = piped ? "<stdin>" : path.string(), .kind = "cluster", .findings = {}, .text = {}};
  Findings findings(book, options.levels, out.file);
  try {
    out.text = text_of_file(piped ? "/dev/stdin" : path);
    out.kind = kind_of_file(path, out.text);
    if (out.kind == "bill") {
      check_bill(bill::read_bill(out.text, out.file, options.bill), catalog, findings);
    } else if (out.kind == "plan") {
      check_saved_plan(parse_yaml(out.text, out.file), options.version, findings);
    } else if (const auto operations = manifests::kind_of_file(out.file, out.text)) {
      check_operations(*operations, catalog, findings, out);
    } else {
      check_cluster(parse_yaml(out.text, out.file), catalog, options, findings, out);
    }
    out.findings = findings.sorted();
    out.suppressed = suppress(out.text, book, options.levels, out.file, out.findings);
  } catch (const InputError& error) {
    refuse(out, error, book);
  } catch (const MoneyError& error) {  // a sum of what is legal one by one
    refuse(out, InputError(out.file, {}, error.what()), book);
  }
  finish(out);
  return out;
}

}  // namespace fathom
