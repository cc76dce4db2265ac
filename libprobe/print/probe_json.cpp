#include <nlohmann/json.hpp>

#include "print/probe_report.h"

namespace fathom::probe {

namespace {

using Json = nlohmann::ordered_json;

Json finding_json(const HealthFinding& f) {
  return {{"rule", f.rule},         {"health", to_string(f.health)}, {"device", f.device}, {"what", f.what},
          {"measured", f.measured}, {"expected", f.expected},        {"source", f.source}, {"next", f.next},
          {"figures", f.figures}};
}

Json line_json(const ChecklistLine& l) {
  Json json{{"id", l.id}, {"item", l.item}, {"required", l.required}, {"status", to_string(l.status)}};
  if (!l.measured.empty()) json["measured"] = l.measured;
  if (!l.why.empty()) json["why"] = l.why;
  if (!l.next.empty()) json["next"] = l.next;
  return json;
}

}  // namespace

std::string findings_json(const std::vector<HealthFinding>& findings) {
  Json list = Json::array();
  for (const HealthFinding& f : findings) list.push_back(finding_json(f));
  return list.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string probe_json(const ProbeReport& report) {
  Json json{{"format_version", "1.0"},
            {"tool", {{"name", "fathom"}, {"version", report.version}}},
            {"node", report.record.node},
            {"date", report.record.date},
            {"passed", report.passed()}};
  if (report.record.duration) json["duration_s"] = report.record.duration->value;
  if (report.health) {
    json["health"] = to_string(report.health->health);
    json["findings"] = Json::parse(findings_json(report.health->findings));
    json["notes"] = report.health->notes;
    json["held_against"] = {{"figures", report.health->figures},
                            {"reference", report.health->held_by_reference},
                            {"peers_alone", report.health->held_by_peers_alone},
                            {"limits_alone", report.health->held_by_limits_alone},
                            {"nothing", report.health->held_by_nothing}};
  }
  if (!report.health && !report.record.notes.empty()) json["notes"] = report.record.notes;
  if (report.checklist) {
    for (const ChecklistLine& l : *report.checklist) json["checklist"].push_back(line_json(l));
  }
  json["machine"] = Json::parse(record_json(report.record));
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace fathom::probe
