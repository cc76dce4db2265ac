#include "report/simulate_json.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace fathom {

namespace {

using Json = nlohmann::ordered_json;

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

// What was never measured has no times.
Json spread(const Spread& s) {
  const auto time = [&](Seconds value) { return s.count > 0 ? number(value.value) : Json(nullptr); };
  return {{"count", s.count},   {"mean", time(s.mean)}, {"p50", time(s.p50)}, {"p90", time(s.p90)},
          {"p95", time(s.p95)}, {"p99", time(s.p99)},   {"max", time(s.max)}, {"at_slo_percentile", time(s.named)}};
}

Json slo(const ServingLimits& limits) {
  Json json{{"percentile", limits.percentile}};
  if (limits.ttft) json["ttft_s"] = limits.ttft->value;
  if (limits.tpot) json["tpot_s"] = limits.tpot->value;
  if (limits.e2e) json["e2e_s"] = limits.e2e->value;
  return json;
}

Json pool(const PoolUse& p) {
  Json json{{"group", p.name},
            {"role", p.part},
            {"replicas", p.replicas},
            {"utilisation", number(p.utilisation)},
            {"running", number(p.mean_running)},
            {"kv_use", number(p.kv_use)},
            {"preemptions", p.preemptions}};
  if (p.energy) json["energy_j"] = number(p.energy->value);
  return json;
}

Json result_json(const SimulationResult& r) {
  Json json{{"arrivals", r.arrivals},
            {"slo", slo(r.limits)},
            {"verdict", {{"meets", r.meets}, {"reasons", r.reasons}, {"overloaded", r.overloaded}}},
            {"requests",
             {{"arrived", r.requests},
              {"finished", r.finished},
              {"measured", r.measured},
              {"rejected", r.rejected},
              {"restarted", r.restarted}}},
            {"ttft_s", spread(r.ttft)},
            {"tpot_s", spread(r.tpot)},
            {"inter_token_s", spread(r.inter_token)},
            {"e2e_s", spread(r.e2e)},
            {"offered_requests_per_s", number(r.offered_per_s)},
            {"requests_per_s", number(r.requests_per_s)},
            {"goodput_requests_per_s", number(r.goodput_per_s)},
            {"good_share", number(r.good_share)},
            {"output_tok_per_s", number(r.output_tok_per_s)},
            {"prompt_tok_per_s", number(r.prompt_tok_per_s)},
            {"waiting", {{"mean", number(r.mean_waiting)}, {"max", r.most_waiting}}},
            {"running", number(r.mean_running)},
            {"utilisation", number(r.utilisation)},
            {"kv_use", {{"mean", number(r.kv_use)}, {"max", number(r.kv_peak)}}},
            {"prefix_cache_hit", number(r.prefix_found)},
            {"preemptions", r.preemptions},
            {"failures", r.failures}};
  if (r.energy) json["energy_j"] = number(r.energy->value);
  if (r.energy_per_token) json["energy_per_output_token_j"] = number(r.energy_per_token->value);
  json["simulated_s"] = number(r.simulated.value);
  json["window_s"] = number(r.window.value);
  json["pools"] = Json::array();
  for (const PoolUse& p : r.pools) json["pools"].push_back(pool(p));
  return json;
}

Json head_json(const SimulationHead& head) {
  return {{"format_version", "1.0"}, {"title", head.title}, {"layouts", head.pools},
          {"load", head.requests},   {"notes", head.notes}, {"seed", head.seed}};
}

std::string dump(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

}  // namespace

std::string simulate_json(const SimulationHead& head, const SimulationResult& result) {
  Json json = head_json(head);
  json.update(result_json(result));
  return dump(json);
}

std::string sweep_json(const SimulationHead& head, const SweepResult& sweep) {
  Json json = head_json(head);
  const bool rate = sweep.over == SweepOver::kRate;
  const char* key = rate ? "requests_per_s" : "concurrency";
  Json found{{"over", key}, {"bounded", sweep.bounded}};
  if (sweep.highest) found[std::string("highest_") + key] = number(*sweep.highest);
  json["sweep"] = std::move(found);
  json["points"] = Json::array();
  for (const SweepPoint& point : sweep.points) {
    Json row{{"load", number(point.load)}};
    row.update(result_json(point.result));
    json["points"].push_back(std::move(row));
  }
  return dump(json);
}

std::string series_csv(const SimulationResult& result) {
  std::string text = "begin_s,width_s,arrived,finished,output_tokens,waiting,running,busy_replicas,kv_use\n";
  for (const SeriesRow& r : result.series) {
    text += fmt::format("{:.9g},{:.9g},{:g},{:g},{:.9g},{:.6g},{:.6g},{:.6g},{:.6g}\n", r.begin.value, r.width.value,
                        r.arrived, r.finished, r.output_tokens, r.waiting, r.running, r.busy, r.kv_use);
  }
  return text;
}

}  // namespace fathom
