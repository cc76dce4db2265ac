#include "report/check_sarif.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "report/check_place.h"

namespace fathom {

namespace {

using Json = nlohmann::ordered_json;

Json rule(const Rule& r) {
  const bool off = r.level == Severity::kOff;
  Json configuration = {{"level", off ? "none" : name_of(r.level)}};
  if (off) configuration["enabled"] = false;
  return {{"id", r.id},
          {"shortDescription", {{"text", r.title}}},
          {"fullDescription", {{"text", r.explanation}}},
          {"help", {{"text", r.explanation + "\nSource: " + r.source + "\nfathom explain " + r.id}}},
          {"defaultConfiguration", std::move(configuration)},
          {"properties", {{"tags", {r.family()}}}}};
}

// Lines and columns count from 1; the end column is the first behind.
Json region(const Spot& spot) {
  Json json = {{"startLine", std::max(1, spot.at.line)}};  // of the file as a whole, the first
  if (spot.at.line == 0) return json;
  json["startColumn"] = spot.at.column;
  if (spot.width > 0) json["endColumn"] = spot.at.column + spot.width;
  return json;
}

std::string message(const Finding& f) {
  std::string text = f.message;
  for (const std::string& term : f.terms) text += "\n" + term;
  if (!f.help.empty()) text += "\nHelp: " + f.help;
  return text;
}

Json fix(const Finding& f, const Json& artifact) {
  const Json replacement = {{"deletedRegion", region(f.mend->spot)}, {"insertedContent", {{"text", f.mend->text}}}};
  return {{"description", {{"text", "write " + f.mend->text}}},
          {"artifactChanges",
           Json::array({{{"artifactLocation", artifact}, {"replacements", Json::array({replacement})}}})}};
}

Json result(const Finding& f, std::size_t index, const CheckReport& report) {
  const Json artifact = {{"uri", file_uri(f.file, report)}};
  const Json location = {{"physicalLocation", {{"artifactLocation", artifact}, {"region", region(f.spot)}}}};
  Json json = {{"ruleId", f.rule},
               {"ruleIndex", index},
               {"level", name_of(f.severity)},
               {"message", {{"text", message(f)}}},
               {"locations", Json::array({location})},
               {"partialFingerprints", {{"primaryLocationLineHash", f.fingerprint}}}};
  if (f.mend) json["fixes"] = Json::array({fix(f, artifact)});
  return json;
}

}  // namespace

std::string check_sarif(const CheckReport& report) {
  Json rules = Json::array(), results = Json::array();
  std::map<std::string, std::size_t> index;
  for (const Rule& r : report.rules) {
    index[r.id] = rules.size();
    rules.push_back(rule(r));
  }
  for (const CheckedFile& file : report.files) {
    for (const Finding& f : file.findings) results.push_back(result(f, index.at(f.rule), report));
  }
  const Json driver = {{"name", "fathom"}, {"version", report.version}, {"rules", std::move(rules)}};
  const Json run = {{"tool", {{"driver", driver}}},
                    {"invocations", Json::array({{{"executionSuccessful", report.counts.unreadable == 0}}})},
                    {"columnKind", "unicodeCodePoints"},
                    {"results", std::move(results)}};
  const Json log = {
      {"$schema", "https://json.schemastore.org/sarif-2.1.0.json"}, {"version", "2.1.0"}, {"runs", Json::array({run})}};
  return log.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace fathom
