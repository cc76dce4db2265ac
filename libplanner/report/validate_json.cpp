#include "report/validate_json.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace fathom {

namespace {

using Json = nlohmann::ordered_json;

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }
Json whole(Bytes bytes) { return std::abs(bytes.value) < 9e18 ? Json(std::llround(bytes.value)) : Json(nullptr); }

// What was not predicted, or not measured, is absent.
Json times(const ComparedOperator& row) {
  Json json = Json::object();
  if (!row.name.empty()) json["name"] = row.name;
  json["kind"] = row.kind;
  json["count"] = number(row.count);
  if (row.predicted) json["predicted_s"] = number(row.predicted->value);
  if (row.measured) json["measured_s"] = number(row.measured->value);
  if (row.error) json["error"] = number(*row.error);
  json["share"] = number(row.share);
  return json;
}

Json times(const std::vector<ComparedOperator>& list) {
  Json rows = Json::array();
  for (const ComparedOperator& row : list) rows.push_back(times(row));
  return rows;
}

Json step(const Comparison& c) {
  return {{"predicted_s", number(c.predicted_step.likely.value)},
          {"measured_s", number(c.measured_step.value)},
          {"error", number(c.step_error)},
          {"band_s",
           {{"min", number(c.predicted_step.min.value)},
            {"likely", number(c.predicted_step.likely.value)},
            {"max", number(c.predicted_step.max.value)},
            {"confidence", to_string(c.predicted_step.confidence)}}},
          {"between_operators", times(c.between)}};
}

Json memory(const Comparison& c) {
  Json rows = Json::array();
  for (const ComparedMemory& m : c.memory) {
    Json row{{"name", m.name}};
    if (m.predicted) row["predicted_bytes"] = whole(*m.predicted);
    if (m.allocated) row["allocated_bytes"] = whole(*m.allocated);
    rows.push_back(std::move(row));
  }
  return {{"predicted_bytes", whole(c.predicted_memory)},
          {"allocated_bytes", whole(c.allocated_memory)},
          {"error", number(c.memory_error)},
          {"rows", rows}};
}

Json device(const DeviceState& d) {
  return {{"samples", d.samples},
          {"mean_w", number(d.mean_watts)},
          {"most_w", number(d.most_watts)},
          {"mean_clock_mhz", number(d.mean_clock_mhz)},
          {"least_clock_mhz", number(d.least_clock_mhz)},
          {"memory_clock_mhz", number(d.memory_clock_mhz)}};
}

Json run(const Comparison& c) {
  Json steps = Json::array();
  for (const Seconds step : c.run.steps) steps.push_back(number(step.value));
  Json json{{"backend", c.run.backend},
            {"machine", c.run.machine},
            {"accelerator", c.run.accelerator},
            {"date", c.run.date},
            {"ranks", c.run.ranks},
            {"sequences", number(c.run.sequences)},
            {"context", number(c.run.context)},
            {"prompt", c.run.prompt},
            {"steps", c.run.steps.size()},
            {"step_s", steps},
            {"layers_run", c.run.layers_run},
            {"layers_of_model", c.run.layers_of_model},
            {"notes", c.notes}};
  if (c.run.device) json["device"] = device(*c.run.device);
  return json;
}

}  // namespace

std::string validate_json(const Comparison& c) {
  const Json json{{"format_version", "1.0"},
                  {"title", c.title},
                  {"layout", c.layout},
                  {"accelerator", c.accelerator},
                  {"verdict", {{"passed", c.passed}, {"reasons", c.reasons}}},
                  {"step", step(c)},
                  {"operators", times(c.operators)},
                  {"kinds", times(c.kinds)},
                  {"memory", memory(c)},
                  {"tokens_per_s", number(c.tokens_per_s)},
                  {"logits_hash", c.logits_hash},
                  {"run", run(c)}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace fathom
