#include "check/plan_keys.h"

#include <map>
#include <stdexcept>

namespace fathom {

namespace {

struct Row {
  std::string_view path;
  // bool, text, list, money, money/Mtok, 1, or a unit of units/text.h; behind "~" a band {min, likely, max, confidence},
  // behind "%" percentiles.
  std::string_view unit;
};

constexpr Row kTop[] = {
    {"format_version", "text"},
    {"title", "text"},
    {"date", "text"},
    {"load", "text"},
    {"objective", "text"},
    {"limited_by", "text"},
    {"notes", "list"},
    {"notes[]", "text"},
    {"checks", "list"},
    {"model.id", "text"},
    {"model.name", "text"},
    {"model.parameters", "1"},
    {"model.active_parameters", "1"},
    {"model.kv_bytes_per_token", "B"},
    {"model.native_weights", "text"},
    {"workload.input_tokens.mean", "1"},
    {"workload.input_tokens.sigma", "1"},
    {"workload.output_tokens.mean", "1"},
    {"workload.output_tokens.sigma", "1"},
    {"workload.prefix_cache_hit", "1"},
    {"workload.concurrency", "1"},
    {"workload.requests_per_s", "/s"},
    {"workload.slo.percentile", "1"},
    {"workload.slo.ttft_s", "s"},
    {"workload.slo.tpot_s", "s"},
    {"workload.slo.e2e_s", "s"},
    {"verdict.fits", "bool"},
    {"verdict.meets", "bool"},
    {"verdict.saturated", "bool"},
    {"verdict.nearest", "text"},
    {"verdict.reasons", "list"},
    {"verdict.reasons[]", "text"},
    {"verdict.caveats", "list"},
    {"verdict.caveats[]", "text"},
    {"remedies", "list"},
    {"remedies[].change", "text"},
    {"remedies[].layout", "text"},
    {"remedies[].max_output_tok_per_s", "/s"},
    {"remedies[].max_context_tokens", "1"},
    {"simulated.requests", "1"},
    {"simulated.percentile", "1"},
    {"simulated.ttft_s", "%s"},
    {"simulated.tpot_s", "%s"},
    {"simulated.e2e_s", "%s"},
    {"pools", "list"},
    {"pools[].step_time_s", "~s"},
    {"pools[].step_overhead_s", "s"},
    {"pools[].decode_sequences", "1"},
    {"pools[].decode_context", "1"},
    {"pools[].prefill_tokens", "1"},
    {"power.it_mean_w", "W"},
    {"power.it_peak_w", "W"},
    {"power.site_mean_w", "W"},
    {"power.it_mean", "~W"},
    {"power.it_peak", "~W"},
    {"power.site_mean", "~W"},
    {"power.rated_w", "W"},
    {"power.pue", "1"},
    {"power.energy_per_year_j", "~J"},
    {"power.ups_va", "VA"},
    {"power.racks", "1"},
    {"power.unknown", "list"},
    {"power.unknown[]", "text"},
    {"power.accelerators", "list"},
    {"power.accelerators[].group", "text"},
    {"power.accelerators[].idle_w", "W"},
    {"power.accelerators[].busy_w", "W"},
    {"power.accelerators[].reading_w", "W"},
    {"power.accelerators[].multiplying_w", "W"},
    {"power.accelerators[].confidence", "text"},
    {"power.accelerators[].source", "text"},
    {"cost.currency", "text"},
    {"cost.capex", "money"},
    {"cost.opex_per_year", "money"},
    {"cost.total", "money"},
    {"cost.annual_total", "money"},
    {"cost.npv", "money"},
    {"cost.annual_range", "~money"},
    {"cost.horizon_years", "1"},
    {"cost.complete", "bool"},
    {"cost.missing", "list"},
    {"cost.missing[]", "text"},
    {"cost.assumptions", "list"},
    {"cost.assumptions[]", "text"},
    {"cost.energy_kwh_per_year", "kWh"},
    {"cost.energy_share", "1"},
    {"cost.carbon_t_per_year", "1"},
    {"cost.per_mtok_output", "money/Mtok"},
    {"cost.per_mtok_all", "money/Mtok"},
    {"cost.per_gpu_hour", "money/gpu-hour"},
    {"cost.per_request", "money/call"},
    {"cost.break_even", "list"},
    {"cost.break_even[].id", "text"},
    {"cost.break_even[].date", "text"},
    {"cost.break_even[].source", "text"},
    {"cost.break_even[].utilisation", "1"},
    {"cost.break_even[].requests_per_year", "1"},
    {"cost.break_even[].output_mtok_per_year", "1"},
    {"cost.break_even[].feasible", "bool"},
    {"cost.break_even[].saving", "1"},
    {"cost.break_even[].note", "text"},
    {"availability.service", "1"},
    {"availability.service_min", "1"},
    {"availability.service_max", "1"},
    {"availability.confidence", "text"},
    {"availability.capacity", "1"},
    {"availability.per_replica", "1"},
    {"availability.failures_per_year", "1"},
    {"availability.failover_s", "s"},
    {"availability.downtime_per_year_s", "s"},
    {"availability.spare_nodes", "1"},
    {"availability.spares_needed", "1"},
    {"availability.meets_target", "bool"},
    {"availability.limited_by", "text"},
    {"availability.assumptions", "list"},
    {"availability.assumptions[]", "text"},
    {"levers", "list"},
    {"levers[].change", "text"},
    {"levers[].effect", "text"},
    {"levers[].gain", "1"},
    {"alternatives", "list"},
    {"alternatives[].layout", "text"},
    {"alternatives[].group", "text"},
    {"alternatives[].output_tok_per_s", "/s"},
    {"alternatives[].max_output_tok_per_s", "/s"},
    {"alternatives[].ttft_s", "s"},
    {"alternatives[].tpot_s", "s"},
    {"alternatives[].device_share", "1"},
    {"sensitivities", "list"},
    {"sensitivities[].input", "text"},
    {"sensitivities[].origin", "text"},
    {"sensitivities[].output_tok_per_s.min", "/s"},
    {"sensitivities[].output_tok_per_s.max", "/s"},
    {"rejected", "list"},
    {"rejected[].reason", "text"},
    {"rejected[].count", "1"},
    {"rejected[].example", "text"},
    {"rejected_candidates", "list"},
    {"rejected_candidates[].layout", "text"},
    {"rejected_candidates[].group", "text"},
    {"rejected_candidates[].reason", "text"},
    {"rejected_candidates[].shortfall_bytes", "B"},
    {"provenance.tool", "text"},
    {"provenance.version", "text"},
    {"provenance.engine", "text"},
    {"provenance.confidence", "text"},
    {"provenance.candidates", "1"},
    {"provenance.evaluated", "1"},
    {"provenance.inputs", "list"},
    {"provenance.inputs[].path", "text"},
    {"provenance.inputs[].fnv64", "text"},
};

constexpr Row kLayout[] = {
    {"group", "text"},
    {"role", "text"},
    {"accelerator", "text"},
    {"accelerator_id", "text"},
    {"text", "text"},
    {"tp", "1"},
    {"pp", "1"},
    {"ep", "1"},
    {"dp", "1"},
    {"attention_dp", "1"},
    {"replicas", "1"},
    {"weights", "text"},
    {"kv", "text"},
    {"offload_experts", "bool"},
    {"mtp", "bool"},
    {"stage_layers", "list"},
    {"stage_layers[]", "1"},
    {"devices_per_replica", "1"},
    {"devices", "1"},
    {"idle_devices", "1"},
    {"links", "list"},
    {"links[]", "text"},
    {"notes", "list"},
    {"notes[]", "text"},
};

constexpr Row kMemory[] = {
    {"stage", "1"},
    {"rows", "list"},
    {"rows[].name", "text"},
    {"rows[].bytes", "B"},
    {"rows[].copied_bytes", "B"},
    {"used_bytes", "B"},
    {"capacity_bytes", "B"},
    {"withheld_bytes", "B"},
    {"kv_room_bytes", "B"},
    {"kv_bytes_per_token", "B"},
    {"kv_tokens_capacity", "1"},
    {"max_context_tokens", "1"},
    {"max_sequences", "1"},
    {"weights_one_copy_bytes", "B"},
    {"replica_capacity_bytes", "B"},
    {"host_bytes_per_node", "B"},
};

constexpr Row kPredictions[] = {
    {"ttft_s", "~s"},
    {"tpot_s", "~s"},
    {"e2e_s", "~s"},
    {"step_time_s", "~s"},
    {"output_tok_per_s", "~/s"},
    {"prefill_tok_per_s", "~/s"},
    {"requests_per_s", "~/s"},
};

constexpr Row kOperators[] = {
    {"", "list"},           {"[].name", "text"},  {"[].kind", "text"},   {"[].count", "1"},
    {"[].time_s", "s"},     {"[].share", "1"},    {"[].flops", "1"},     {"[].bytes", "B"},
    {"[].wire_bytes", "B"}, {"[].bound", "text"}, {"[].source", "text"},
};

constexpr Row kBill[] = {
    {"", "list"},          {"[].id", "text"},   {"[].what", "text"},       {"[].category", "text"},
    {"[].quantity", "1"},  {"[].unit", "text"}, {"[].priced", "bool"},     {"[].amount", "money"},
    {"[].source", "text"}, {"[].date", "text"}, {"[].confidence", "text"},
};

PlanKey key_of(std::string path, std::string_view unit) {
  PlanKey key{.path = std::move(path)};
  if (unit == "bool") key.kind = PlanKey::Kind::kBool;
  if (unit == "text") key.kind = PlanKey::Kind::kText;
  if (unit == "list") key.kind = PlanKey::Kind::kList;
  if (key.kind != PlanKey::Kind::kAmount || unit == "1") return key;
  if (unit.starts_with("money")) {
    key.dimension.money = 1;
    if (unit.size() > 6) key.dimension.per = unit.substr(6);
    return key;
  }
  std::string why;
  const auto one = parse_any_amount("1 " + std::string(unit), why);
  if (!one) throw std::logic_error("plan key " + key.path + " stands in no unit: " + std::string(unit));
  key.dimension = one->dimension;
  key.scale = one->value;
  return key;
}

class Table {
 public:
  Table() {
    add("", kTop);
    add("layout.", kLayout);
    add("memory.", kMemory);
    add("predictions.", kPredictions);
    add("maximum.", kPredictions);
    add("operators", kOperators);
    add("cost.lines", kBill);
    add("cost.yearly", kBill);
    add("pools[].layout.", kLayout);
    add("pools[].memory.", kMemory);
    add("pools[].operators", kOperators);
    add("pools[].prefill_operators", kOperators);
    for (std::size_t i = 0; i < keys_.size(); ++i) index_[keys_[i].path] = i;
  }

  const std::vector<PlanKey>& keys() const { return keys_; }
  const PlanKey* find(const std::string& path) const {
    const auto it = index_.find(path);
    return it == index_.end() ? nullptr : &keys_[it->second];
  }

 private:
  template <std::size_t N>
  void add(const std::string& prefix, const Row (&rows)[N]) {
    for (const Row& row : rows) add(prefix + std::string(row.path), row.unit);
  }

  void add(const std::string& path, std::string_view unit) {
    if (unit.starts_with("~")) {
      PlanKey band = key_of(path, unit.substr(1));
      band.estimate = true;
      keys_.push_back(std::move(band));
      for (const char* end : {".min", ".likely", ".max"}) keys_.push_back(key_of(path + end, unit.substr(1)));
      keys_.push_back(key_of(path + ".confidence", "text"));
    } else if (unit.starts_with("%")) {
      for (const char* end : {".mean", ".p50", ".p90", ".p99", ".at_slo_percentile"})
        keys_.push_back(key_of(path + end, unit.substr(1)));
    } else {
      keys_.push_back(key_of(path, unit));
    }
  }

  std::vector<PlanKey> keys_;
  std::map<std::string, std::size_t> index_;
};

const Table& table() {
  static const Table kTable;
  return kTable;
}

// "pools[1].layout.tp" -> "pools[].layout.tp"
std::string without_indices(std::string_view path) {
  std::string out;
  bool inside = false;
  for (const char c : path) {
    if (c == ']') inside = false;
    if (!inside) out += c;
    if (c == '[') inside = true;
  }
  return out;
}

}  // namespace

const std::vector<PlanKey>& plan_keys() { return table().keys(); }
const PlanKey* find_plan_key(std::string_view path) { return table().find(without_indices(path)); }

}  // namespace fathom
