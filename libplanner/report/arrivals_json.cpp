#include "report/arrivals_json.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace fathom {

namespace {

using Json = nlohmann::ordered_json;

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json spread(const Spread& s) {
  return {{"count", s.count},           {"mean", number(s.mean.value)}, {"p50", number(s.p50.value)},
          {"p90", number(s.p90.value)}, {"p95", number(s.p95.value)},   {"p99", number(s.p99.value)},
          {"max", number(s.max.value)}};
}

Json times(const ComparedTimes& t) {
  const Spread &p = t.predicted, &m = t.measured;
  return {{"predicted", spread(p)},
          {"measured", spread(m)},
          {"error",
           {{"mean", number(error_of(p.mean, m.mean))},
            {"p50", number(error_of(p.p50, m.p50))},
            {"p90", number(error_of(p.p90, m.p90))},
            {"p95", number(error_of(p.p95, m.p95))},
            {"p99", number(error_of(p.p99, m.p99))}}}};
}

Json steps(const ArrivalComparison& c) {
  Json rows = Json::array();
  for (const ComparedSteps& s : c.steps) {
    rows.push_back({{"kind", s.kind},
                    {s.kind == "decode" ? "sequences_from" : "prompt_tokens_from", s.least},
                    {"count", s.count},
                    {"predicted_s", number(s.predicted.value)},
                    {"measured_s", number(s.measured.value)},
                    {"error", number(s.error)},
                    {"typical_error", number(s.typical_error)}});
  }
  return rows;
}

}  // namespace

std::string arrivals_json(const ArrivalComparison& c) {
  Json json{{"format_version", "1.0"}, {"title", c.title},       {"layout", c.layout}, {"accelerator", c.accelerator},
            {"load", c.requests},      {"arrivals", c.arrivals}, {"seed", c.seed}};
  if (c.tolerance) {
    json["tolerance"] = {{"p50", c.tolerance->p50}, {"p99", c.tolerance->p99}};
    json["verdict"] = {{"passed", c.passed}, {"reasons", c.reasons}};
  }
  for (const ComparedTimes& t : c.times) {
    if (t.measured.count > 0) json[t.key + "_s"] = times(t);
  }
  json["duration_s"] = {{"predicted", number(c.predicted.simulated.value)},
                        {"measured", number(c.measured_duration.value)}};
  json["output_tok_per_s"] = {{"predicted", number(c.predicted_output_tok_per_s)},
                              {"measured", number(c.measured_output_tok_per_s)}};
  json["utilisation"] = {{"predicted", number(c.predicted.utilisation)}};
  json["overloaded"] = c.predicted.overloaded;
  json["steps"] = steps(c);
  json["run"] = {{"backend", c.run.backend},
                 {"machine", c.run.machine},
                 {"accelerator", c.run.accelerator},
                 {"date", c.run.date},
                 {"ranks", c.run.ranks},
                 {"threads", c.run.threads},
                 {"requests", c.run.requests.size()},
                 {"measured", c.predicted.measured},
                 {"notes", c.notes}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace fathom
