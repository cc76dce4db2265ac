#include "report/plan_json.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace fathom {

namespace {

using Json = nlohmann::ordered_json;

// JSON knows no NaN and no infinity; what is not a number is absent.
Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

// Bytes are whole in files, fractions of expected values aside.
Json whole(Bytes bytes) {
  return std::isfinite(bytes.value) && std::abs(bytes.value) < 9e18 ? Json(std::llround(bytes.value)) : Json(nullptr);
}

Json tokens(double count) {
  return std::isfinite(count) && std::abs(count) < 9e18 ? Json(std::llround(std::floor(count))) : Json(nullptr);
}

template <class T>
double si(const T& quantity) {
  if constexpr (std::is_same_v<T, double>) {
    return quantity;
  } else {
    return quantity.value;
  }
}

template <class T>
Json estimate(const Estimate<T>& e) {
  return {{"min", number(si(e.min))},
          {"likely", number(si(e.likely))},
          {"max", number(si(e.max))},
          {"confidence", to_string(e.confidence)}};
}

Json predictions(const PlanPredictions& p) {
  return {{"ttft_s", estimate(p.ttft)},
          {"tpot_s", estimate(p.tpot)},
          {"e2e_s", estimate(p.e2e)},
          {"step_time_s", estimate(p.step_time)},
          {"output_tok_per_s", estimate(p.output_tok_per_s)},
          {"prefill_tok_per_s", estimate(p.prefill_tok_per_s)},
          {"requests_per_s", estimate(p.requests_per_s)}};
}

Json operators(const std::vector<PlanOperator>& list) {
  Json rows = Json::array();
  for (const PlanOperator& op : list) {
    rows.push_back({{"name", op.name},
                    {"kind", op.kind},
                    {"count", number(op.count)},
                    {"time_s", number(op.time.value)},
                    {"share", number(op.share)},
                    {"flops", number(op.flops.value)},
                    {"bytes", whole(op.bytes)},
                    {"wire_bytes", whole(op.wire_bytes)},
                    {"bound", op.bound},
                    {"source", op.source}});
  }
  return rows;
}

Json memory(const PlanMemory& m) {
  Json rows = Json::array();
  for (const PlanMemoryRow& row : m.rows) {
    rows.push_back({{"name", row.name}, {"bytes", whole(row.bytes)}, {"copied_bytes", whole(row.copied)}});
  }
  return {{"stage", m.stage},
          {"rows", rows},
          {"used_bytes", whole(m.used)},
          {"capacity_bytes", whole(m.capacity)},
          {"withheld_bytes", whole(m.withheld)},
          {"kv_room_bytes", whole(m.kv_room)},
          {"kv_bytes_per_token", whole(m.kv_per_token)},
          {"kv_tokens_capacity", tokens(m.kv_tokens_capacity)},
          {"max_context_tokens", tokens(m.max_context)},
          {"max_sequences", tokens(m.max_sequences)},
          {"weights_one_copy_bytes", whole(m.weights_one_copy)},
          {"replica_capacity_bytes", whole(m.devices_capacity)},
          {"host_bytes_per_node", whole(m.host_per_node)}};
}

Json fields(const std::vector<PlanField>& list);

struct FieldPrinter {
  Json operator()(const std::vector<PlanField>& list) const { return fields(list); }
  Json operator()(double value) const { return number(value); }
  template <class T>
  Json operator()(const T& value) const {
    return value;
  }
};

Json fields(const std::vector<PlanField>& list) {
  Json json = Json::object();
  for (const PlanField& field : list) json[field.key] = std::visit(FieldPrinter{}, field.value);
  return json;
}

Json layout(const PlanPool& pool) {
  return {{"group", pool.group},
          {"role", pool.role},
          {"accelerator", pool.accelerator},
          {"accelerator_id", pool.accelerator_id},
          {"text", pool.layout},
          {"tp", pool.tp},
          {"pp", pool.pp},
          {"ep", pool.ep},
          {"dp", pool.replicas},
          {"attention_dp", pool.attention_dp},
          {"replicas", pool.replicas},
          {"weights", pool.weights},
          {"kv", pool.kv},
          {"offload_experts", pool.offload_experts},
          {"mtp", pool.mtp},
          {"stage_layers", pool.stage_layers},
          {"devices_per_replica", pool.devices_per_replica},
          {"devices", pool.devices},
          {"idle_devices", pool.idle_devices},
          {"links", pool.links},
          {"notes", pool.notes}};
}

Json grid(const StepGrid& g, const char* x, const char* y, const char* values = "time_s") {
  Json rows = Json::array();
  for (std::size_t i = 0; i < g.x.size(); ++i) {
    const auto row = g.values.begin() + static_cast<std::ptrdiff_t>(i * g.y.size());
    rows.push_back(std::vector<double>(row, row + static_cast<std::ptrdiff_t>(g.y.size())));
  }
  return {{x, g.x}, {y, g.y}, {values, rows}};
}

Json bounds(const BoundTimes& times) {
  Json list = Json::array();
  for (const BatchTimes& batch : times.bounds) {
    Json json{{"prefill", grid(batch.prefill, "prompt_tokens", "cached")}};
    if (!batch.decode.empty()) {
      json["decode"] = grid(batch.decode, "sequences", "context");
      json["more"] = grid(batch.more, "sequences", "prompt_tokens");
    }
    list.push_back(std::move(json));
  }
  return list;
}

Json step_times(const StepTimes& t) {
  Json json{{"stages", t.stages}, {"chunk_tokens", number(t.chunk_tokens)}, {"latency", bounds(t.latency)}};
  if (t.stages > 1) json["pace"] = bounds(t.pace);
  return json;
}

Json serving(const ServingPool& s) {
  Json json{{"share", number(s.share)},
            {"kv_tokens", tokens(s.kv_tokens)},
            {"most_sequences", s.most_sequences},
            {"chunk_tokens", number(s.chunk_tokens)},
            {"attention_groups", s.attention_groups},
            {"micro_batches", s.micro_batches},
            {"tokens_per_step", number(s.tokens_per_step)},
            {"max_context_tokens", tokens(s.max_context)},
            {"kv_bytes_per_token", whole(s.kv_bytes_per_token)},
            {"request_overhead_s", number(s.request_overhead.value)},
            {"step_overhead_s", number(s.step_overhead.value)},
            {"transfer_base_s", number(s.transfer_base.value)},
            {"transfer_s_per_token", number(s.transfer_per_token.value)}};
  if (s.idle) json["idle_w"] = number(s.idle->value);
  if (s.busy) json["busy_w"] = number(s.busy->value);
  if (!s.watts.empty()) json["power"] = grid(s.watts, "sequences", "prompt_tokens", "power_w");
  return json;
}

Json simulated(const PlanSimulation& s) {
  const auto spread = [](const Spread& x) {
    return Json{{"mean", number(x.mean.value)},
                {"p50", number(x.p50.value)},
                {"p90", number(x.p90.value)},
                {"p99", number(x.p99.value)},
                {"at_slo_percentile", number(x.named.value)}};
  };
  return {{"requests", s.requests},
          {"percentile", number(s.percentile)},
          {"ttft_s", spread(s.ttft)},
          {"tpot_s", spread(s.tpot)},
          {"e2e_s", spread(s.e2e)}};
}

Json workload(const ServingLoad& load, const ServingLimits& limits) {
  const auto lengths = [](const RequestLengths& l) { return Json{{"mean", l.mean}, {"sigma", l.sigma}}; };
  Json json{{"input_tokens", lengths(load.input)},
            {"output_tokens", lengths(load.output)},
            {"prefix_cache_hit", load.prefix_hit}};
  if (load.concurrency) json["concurrency"] = *load.concurrency;
  if (load.requests_per_s) json["requests_per_s"] = *load.requests_per_s;
  Json slo{{"percentile", limits.percentile}};
  if (limits.ttft) slo["ttft_s"] = limits.ttft->value;
  if (limits.tpot) slo["tpot_s"] = limits.tpot->value;
  if (limits.e2e) slo["e2e_s"] = limits.e2e->value;
  json["slo"] = std::move(slo);
  return json;
}

Json accelerator_draw(const std::string& group, const AcceleratorDraw& draw) {
  Json json{{"group", group},
            {"idle_w", number(draw.idle.value)},
            {"busy_w", number(draw.busy.value)},
            {"confidence", to_string(draw.confidence)},
            {"source", draw.source}};
  if (draw.measured) {
    json["reading_w"] = number(draw.measured->reading.value);
    json["multiplying_w"] = number(draw.measured->multiplying.value);
  }
  return json;
}

Json power(const SitePower& p) {
  Json json{{"it_mean_w", number(p.it_mean.likely.value)},
            {"it_peak_w", number(p.it_peak.likely.value)},
            {"site_mean_w", number(p.site_mean.likely.value)},
            {"it_mean", estimate(p.it_mean)},
            {"it_peak", estimate(p.it_peak)},
            {"site_mean", estimate(p.site_mean)},
            {"pue", number(p.pue.value)},
            {"energy_per_year_j", estimate(p.per_year)},
            {"ups_va", number(p.ups_va)},
            {"unknown", p.unknown},
            {"accelerators", Json::array()}};
  for (const GroupPower& group : p.groups) {
    if (group.node.accelerator) json["accelerators"].push_back(accelerator_draw(group.id, *group.node.accelerator));
  }
  if (p.rated) json["rated_w"] = number(p.rated->value);
  if (p.racks) json["racks"] = *p.racks;
  return json;
}

Json bill(const std::vector<BillLine>& lines) {
  Json rows = Json::array();
  for (const BillLine& line : lines) {
    Json row{
        {"id", line.id},     {"what", line.what},    {"category", line.category}, {"quantity", number(line.quantity)},
        {"unit", line.unit}, {"priced", line.priced}};
    if (line.priced) row["amount"] = decimal(line.amount);
    row["source"] = line.origin.source;
    row["date"] = line.origin.date;
    row["confidence"] = to_string(line.origin.confidence);
    rows.push_back(std::move(row));
  }
  return rows;
}

Json break_even_row(const BreakEven& b) {
  Json row{{"id", b.id}, {"date", b.origin.date}, {"source", b.origin.source}};
  if (b.utilisation) row["utilisation"] = number(*b.utilisation);
  if (b.requests_per_year) row["requests_per_year"] = number(*b.requests_per_year);
  if (b.output_mtok_per_year) row["output_mtok_per_year"] = number(*b.output_mtok_per_year);
  if (b.feasible) row["feasible"] = *b.feasible;
  if (b.saving) row["saving"] = number(*b.saving);
  if (!b.note.empty()) row["note"] = b.note;
  return row;
}

Json cost(const CostReport& c) {
  Json json{{"currency", c.currency},
            {"capex", decimal(c.capex)},
            {"opex_per_year", decimal(c.opex_per_year)},
            {"total", decimal(c.nominal)},
            {"annual_total", decimal(c.annual_total)},
            {"npv", decimal(c.npv)},
            {"horizon_years", number(c.horizon_years)},
            {"complete", c.complete},
            {"missing", c.missing},
            {"assumptions", c.assumptions},
            {"energy_kwh_per_year", number(c.kwh_per_year)},
            {"energy_share", number(c.energy_share)},
            {"carbon_t_per_year", number(c.carbon_t_per_year)},
            {"annual_range",
             {{"min", decimal(c.annual_range.min)},
              {"likely", decimal(c.annual_range.likely)},
              {"max", decimal(c.annual_range.max)}}}};
  if (c.unit_costs.mtok_output) json["per_mtok_output"] = number(*c.unit_costs.mtok_output);
  if (c.unit_costs.mtok_all) json["per_mtok_all"] = number(*c.unit_costs.mtok_all);
  if (c.unit_costs.gpu_hour_available) json["per_gpu_hour"] = number(*c.unit_costs.gpu_hour_available);
  if (c.unit_costs.request) json["per_request"] = number(*c.unit_costs.request);
  json["lines"] = bill(c.bill.once);
  json["yearly"] = bill(c.bill.yearly);
  json["break_even"] = Json::array();
  for (const BreakEven& b : c.alternatives) json["break_even"].push_back(break_even_row(b));
  return json;
}

Json availability(const AvailabilityReport& a) {
  Json json{{"service", number(a.service.likely)},
            {"service_min", number(a.service.min)},
            {"service_max", number(a.service.max)},
            {"confidence", to_string(a.service.confidence)},
            {"capacity", number(a.capacity)},
            {"per_replica", number(a.per_replica)},
            {"failures_per_year", number(a.failures_per_year)},
            {"failover_s", number(a.failover.value)},
            {"downtime_per_year_s", number(a.downtime_per_year.value)},
            {"spare_nodes", a.spare_nodes},
            {"limited_by", a.limited_by},
            {"assumptions", a.assumptions}};
  if (a.meets_target) json["meets_target"] = *a.meets_target;
  if (a.spares_needed) json["spares_needed"] = *a.spares_needed;
  return json;
}

Json provenance(const Plan& plan) {
  Json inputs = Json::array();
  for (const PlanInput& input : plan.inputs) inputs.push_back({{"path", input.path}, {"fnv64", input.fnv64}});
  Json json{{"tool", "fathom"},
            {"version", plan.version},
            {"inputs", inputs},
            {"candidates", plan.candidates},
            {"evaluated", plan.evaluated},
            {"engine", plan.engine},
            {"confidence", to_string(plan.confidence)}};
  if (plan.profile) {
    const PlanProfile& p = *plan.profile;
    json["profile"] = {{"path", p.file},
                       {"fnv64", p.fnv64},
                       {"machine", p.machine},
                       {"date", p.date},
                       {"accelerator", p.accelerator},
                       {"engine", p.engine},
                       {"covered", p.covered},
                       {"uncovered", p.uncovered},
                       {"extrapolated", p.extrapolated},
                       {"fits", p.fits}};
  }
  return json;
}

}  // namespace

std::string plan_json(const Plan& plan) {
  Json json{{"format_version", "1.5"},
            {"title", plan.title},
            {"date", plan.date},
            {"model",
             {{"id", plan.model.id},
              {"name", plan.model.name},
              {"parameters", static_cast<std::int64_t>(plan.model.parameters)},
              {"active_parameters", static_cast<std::int64_t>(plan.model.active_parameters)},
              {"kv_bytes_per_token", whole(plan.model.kv_bytes_per_token)},
              {"native_weights", plan.model.native_weights},
              {"architecture", fields(plan.model.architecture)}}},
            {"load", plan.load},
            {"workload", workload(plan.asked, plan.limits)},
            {"verdict",
             {{"fits", plan.fits},
              {"meets", plan.meets},
              {"reasons", plan.reasons},
              {"nearest", plan.nearest},
              {"caveats", plan.caveats},
              {"saturated", plan.saturated}}},
            {"objective", plan.objective},
            {"notes", plan.notes}};
  json["remedies"] = Json::array();
  for (const PlanRemedy& r : plan.remedies) {
    json["remedies"].push_back({{"change", r.change},
                                {"layout", r.layout},
                                {"max_output_tok_per_s", number(r.output_tok_per_s)},
                                {"max_context_tokens", tokens(r.max_context)}});
  }
  // One pool: its layout and memory stand where scripts look first; `pools` has all of them.
  if (!plan.pools.empty()) {
    const PlanPool& main = plan.pools.back();
    json["layout"] = layout(main);
    json["memory"] = memory(main.memory);
    if (plan.fits) {
      json["predictions"] = predictions(plan.predictions);
      if (plan.maximum) json["maximum"] = predictions(*plan.maximum);
      if (plan.simulated) json["simulated"] = simulated(*plan.simulated);
      json["operators"] = operators(main.decode.empty() ? main.prefill : main.decode);
    }
    json["pools"] = Json::array();
    for (const PlanPool& pool : plan.pools) {
      json["pools"].push_back({{"layout", layout(pool)},
                               {"memory", memory(pool.memory)},
                               {"step_time_s", estimate(pool.step_time)},
                               {"step_overhead_s", number(pool.step_overhead.value)},
                               {"decode_sequences", number(pool.decode_sequences)},
                               {"decode_context", number(pool.decode_context)},
                               {"prefill_tokens", number(pool.prefill_tokens)},
                               {"operators", operators(pool.decode)},
                               {"prefill_operators", operators(pool.prefill)}});
      if (pool.serving) {
        json["pools"].back()["serving"] = serving(*pool.serving);
        json["pools"].back()["step_times"] = step_times(pool.serving->step_times);
      }
    }
  }
  if (plan.power) json["power"] = power(*plan.power);
  if (plan.cost) json["cost"] = cost(*plan.cost);
  if (plan.availability) json["availability"] = availability(*plan.availability);
  json["limited_by"] = plan.limited_by;
  json["levers"] = Json::array();
  for (const PlanLever& lever : plan.levers)
    json["levers"].push_back({{"change", lever.change}, {"effect", lever.effect}, {"gain", number(lever.gain)}});
  json["alternatives"] = Json::array();
  for (const PlanAlternative& a : plan.alternatives) {
    json["alternatives"].push_back({{"layout", a.layout},
                                    {"group", a.group},
                                    {"output_tok_per_s", number(a.output_tok_per_s)},
                                    {"max_output_tok_per_s", number(a.max_output_tok_per_s)},
                                    {"ttft_s", number(a.ttft.value)},
                                    {"tpot_s", number(a.tpot.value)},
                                    {"device_share", number(a.gpu_share)}});
  }
  json["sensitivities"] = Json::array();
  for (const PlanSensitivity& x : plan.sensitivities) {
    json["sensitivities"].push_back({{"input", x.input},
                                     {"origin", x.origin},
                                     {"output_tok_per_s", {{"min", number(x.low)}, {"max", number(x.high)}}}});
  }
  json["rejected"] = Json::array();
  for (const PlanRejection& r : plan.rejected)
    json["rejected"].push_back({{"reason", r.reason}, {"count", r.count}, {"example", r.example}});
  json["rejected_candidates"] = Json::array();
  for (const PlanCandidate& c : plan.all_rejected) {
    json["rejected_candidates"].push_back({{"layout", c.layout}, {"group", c.group}, {"reason", c.reason}});
    if (c.shortfall > Bytes(0)) json["rejected_candidates"].back()["shortfall_bytes"] = whole(c.shortfall);
  }
  json["checks"] = Json::array();
  json["provenance"] = provenance(plan);
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";  // a file's name may be no UTF-8
}

}  // namespace fathom
