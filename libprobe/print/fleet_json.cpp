#include <nlohmann/json.hpp>

#include "print/fleet_report.h"
#include "print/probe_report.h"

namespace fathom::probe {

namespace {

using Json = nlohmann::ordered_json;

Json node_json(const FleetNode& node) {
  Json json{{"name", node.name}, {"health", to_string(node.health.health)}};
  if (!node.trouble.empty()) json["trouble"] = node.trouble;
  json["findings"] = Json::parse(findings_json(node.health.findings));
  json["notes"] = node.health.notes;
  return json;
}

}  // namespace

std::string fleet_json(const FleetReport& report) {
  Json json{{"format_version", "1.1"},
            {"tool", {{"name", "fathom"}, {"version", report.version}}},
            {"fleet", report.file},
            {"passed", report.passed()},
            {"health", to_string(report.health())},
            {"counts", Json::object()},
            {"nodes", Json::array()}};
  for (const auto& [health, count] : report.counts()) json["counts"][to_string(health)] = count;
  for (const FleetNode& node : report.nodes) json["nodes"].push_back(node_json(node));
  json["network"] = {{"links", report.links}};
  if (report.links > 0) json["network"]["typical_bytes_per_s"] = report.typical;
  json["network"]["findings"] = Json::parse(findings_json(report.network));
  json["network"]["not_measured"] = report.not_measured;
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace fathom::probe
