#include "report/check_json.h"

#include <nlohmann/json.hpp>

#include "report/check_place.h"

namespace fathom {

namespace {

using Json = nlohmann::ordered_json;

Json claims(int held, int contradicted, int misleading, int unchecked) {
  return {{"hold", held}, {"contradicted", contradicted}, {"misleading", misleading}, {"cannot_be_checked", unchecked}};
}

// What is not known is absent: a finding on the file as a whole has no line.
void place(Json& json, const Spot& spot) {
  if (spot.at.line == 0) return;
  json["line"] = spot.at.line;
  json["column"] = spot.at.column;
  if (spot.width > 0) json["end_column"] = spot.at.column + spot.width;
}

Json finding(const Finding& f, const CheckReport& report) {
  Json json = {{"rule", f.rule}, {"severity", name_of(f.severity)}, {"file", file_name(f.file, report)}};
  place(json, f.spot);
  json["message"] = f.message;
  json["terms"] = f.terms;
  if (!f.help.empty()) json["help"] = f.help;
  if (f.mend) {
    Json mend = Json::object();
    place(mend, f.mend->spot);
    mend["text"] = f.mend->text;
    json["mend"] = std::move(mend);
  }
  json["fingerprint"] = f.fingerprint;
  return json;
}

Json file(const CheckedFile& f, const CheckReport& report) {
  return {{"path", file_name(f.file, report)},
          {"kind", f.kind},
          {"readable", !f.unreadable},
          {"findings", f.findings.size()},
          {"ignored", f.suppressed},
          {"in_baseline", f.known},
          {"claims", claims(f.claims_held, f.claims_contradicted, f.claims_misleading, f.claims_unchecked)}};
}

}  // namespace

std::string check_json(const CheckReport& report) {
  const CheckCounts& c = report.counts;
  Json json = {{"format_version", "1.0"}, {"tool", {{"name", "fathom"}, {"version", report.version}}}};
  json["files"] = Json::array();
  json["findings"] = Json::array();
  for (const CheckedFile& f : report.files) {
    json["files"].push_back(file(f, report));
    for (const Finding& found : f.findings) json["findings"].push_back(finding(found, report));
  }
  json["summary"] = {{"files", report.files.size()},
                     {"unreadable", c.unreadable},
                     {"errors", c.errors},
                     {"warnings", c.warnings},
                     {"notes", c.notes},
                     {"ignored", c.suppressed},
                     {"in_baseline", c.known},
                     {"fail_on", report.fail_on == Severity::kOff ? "never" : name_of(report.fail_on)},
                     {"passed", report.passed}};
  json["claims"] = claims(c.claims_held, c.claims_contradicted, c.claims_misleading, c.claims_unchecked);
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace fathom
