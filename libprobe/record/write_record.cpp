// A record as JSON: SI numbers, the unit last in the key; what is not known is left out.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "record/machine_record.h"
#include "units/number.h"

namespace fathom::probe {

namespace {

using Json = nlohmann::ordered_json;

void put(Json& json, const char* key, const std::string& text) {
  if (!text.empty()) json[key] = text;
}

template <class T>
void put(Json& json, const char* key, const std::optional<T>& value) {
  if (!value) return;
  if constexpr (requires { value->value; }) {
    json[key] = value->value;
  } else {
    json[key] = *value;
  }
}

// Numbers of a shape are numbers in the file, words are words.
Json shape_json(const std::map<std::string, std::string>& shape) {
  Json json = Json::object();
  for (const auto& [key, value] : shape) {
    const auto number = scan_number(value);
    const bool plain = number && number->rest.empty() && number->in_range && number->digits == value;
    json[key] = plain ? Json::parse(value, nullptr, false) : Json(value);
    if (json[key].is_discarded()) json[key] = value;  // "007" is a number to us and none to JSON
  }
  return json;
}

Json figure_json(const Statistics& s) {
  return {{"median", s.median}, {"low", s.low}, {"high", s.high}, {"q1", s.q1},       {"q3", s.q3},
          {"min", s.min},       {"max", s.max}, {"mad", s.mad},   {"drift", s.drift}, {"samples", s.samples}};
}

Json protocol_json(const Protocol& p) {
  Json json = Json::object();
  put(json, "engine", p.engine);
  put(json, "kernel", p.kernel);
  put(json, "pattern", p.pattern);
  put(json, "cache", p.cache);
  put(json, "launch", p.launch);
  put(json, "statistic", p.statistic);
  if (p.warm_up_runs > 0) json["warm_up_runs"] = p.warm_up_runs;
  if (p.warm_up > Seconds(0)) json["warm_up_s"] = p.warm_up.value;
  if (p.repeats > 0) json["repeats"] = p.repeats;
  put(json, "clock_low_hz", p.clock_low);
  put(json, "clock_high_hz", p.clock_high);
  put(json, "power_w", p.power);
  put(json, "temperature_c", p.temperature);
  put(json, "throttle_reasons", p.throttle_reasons);
  return json;
}

Json result_json(const Result& r) {
  Json json{{"case", r.name}, {"device", r.device}};
  if (!r.shape.empty()) json["shape"] = shape_json(r.shape);
  json["status"] = to_string(r.status);
  put(json, "why", r.why);
  if (r.figure) json[key_of(r.unit)] = figure_json(*r.figure);
  if (r.protocol != Protocol{}) json["protocol"] = protocol_json(r.protocol);
  if (r.correctness) {
    json["correctness"] = {{"method", r.correctness->method},
                           {"worst_error", r.correctness->worst_error},
                           {"correct", r.correctness->correct}};
  }
  if (!r.notes.empty()) json["notes"] = r.notes;
  return json;
}

Json processor_json(const Processor& p) {
  Json json{{"name", p.name}};
  put(json, "sockets", p.sockets);
  put(json, "cores", p.cores);
  json["threads"] = p.threads;
  json["threads_allowed"] = p.threads_allowed;
  json["instruction_sets"] = p.instruction_sets;
  put(json, "last_level_cache_bytes", p.last_level_cache);
  return json;
}

Json numa_json(const NumaNode& n) {
  Json json{{"node", n.node}, {"cpus", n.cpus}};
  put(json, "memory_bytes", n.memory);
  json["distances"] = n.distances;
  return json;
}

Json gpu_json(const Gpu& g) {
  Json json{{"device", g.device}, {"name", g.name}};
  put(json, "uuid", g.uuid);
  put(json, "bus", g.bus);
  put(json, "memory_bytes", g.memory);
  put(json, "memory_peak_bytes_per_s", g.memory_peak);
  put(json, "clock_hz", g.clock);
  put(json, "clock_max_hz", g.clock_max);
  put(json, "power_limit_w", g.power_limit);
  put(json, "power_limit_default_w", g.power_limit_default);
  put(json, "temperature_c", g.temperature);
  put(json, "temperature_slowdown_c", g.temperature_slowdown);
  put(json, "pcie_generation", g.pcie_generation);
  put(json, "pcie_generation_max", g.pcie_generation_max);
  put(json, "pcie_width", g.pcie_width);
  put(json, "pcie_width_max", g.pcie_width_max);
  put(json, "nvlinks", g.nvlinks);
  put(json, "nvlinks_expected", g.nvlinks_expected);
  put(json, "throttle_reasons", g.throttle_reasons);
  put(json, "ecc_uncorrected", g.ecc_uncorrected);
  put(json, "remap_pending", g.remap_pending);
  put(json, "remap_failed", g.remap_failed);
  put(json, "ecc", g.ecc);
  put(json, "persistence", g.persistence);
  put(json, "mig", g.mig);
  return json;
}

Json link_json(const Link& l) {
  Json json{{"from", l.from}, {"to", l.to}};
  put(json, "kind", l.kind);
  put(json, "peer_access", l.peer_access);
  put(json, "peer_access_expected", l.peer_access_expected);
  return json;
}

Json clock_json(const ClockState& c) {
  return {{"tool", c.tool},
          {"reference_id", c.reference_id},
          {"stratum", c.stratum},
          {"leap", c.leap},
          {"offset_s", c.offset_s},
          {"rms_offset_s", c.rms_offset_s},
          {"root_delay_s", c.root_delay_s},
          {"root_dispersion_s", c.root_dispersion_s},
          {"reference_age_s", c.reference_age_s},
          {"update_interval_s", c.update_interval_s}};
}

Json ups_json(const Ups& u) {
  Json json{{"name", u.name}, {"status", u.status}};
  put(json, "why", u.why);
  put(json, "charge", u.charge);
  put(json, "load", u.load);
  put(json, "runtime_s", u.runtime);
  return json;
}

Json supply_json(const PowerSupply& s) {
  Json json{{"name", s.name}};
  put(json, "state", s.state);
  put(json, "health", s.health);
  put(json, "input", s.input);
  put(json, "capacity_w", s.capacity);
  return json;
}

Json group_json(const SupplyGroup& g) {
  Json json{{"kind", g.kind}};
  put(json, "health", g.health);
  json["members"] = g.members;
  put(json, "needed", g.needed);
  return json;
}

template <class T>
void put_list(Json& json, const char* key, const std::vector<T>& items, Json (*one)(const T&)) {
  for (const T& item : items) json[key].push_back(one(item));
}

Json case_time_json(const CaseTime& t) { return {{"case", t.name}, {"duration_s", t.time.value}}; }

Json inventory_json(const MachineRecord& r) {
  Json json = Json::object();
  if (r.processor) json["processor"] = processor_json(*r.processor);
  put(json, "memory_bytes", r.memory);
  put(json, "memory_limit_bytes", r.memory_limit);
  put_list(json, "numa", r.numa, numa_json);
  put_list(json, "gpus", r.gpus, gpu_json);
  put_list(json, "links", r.links, link_json);
  return json;
}

Json environment_json(const MachineRecord& r) {
  Json json = Json::object();
  for (const Setting& s : r.settings) json["settings"][s.name] = s.value;
  if (r.clock) json["clock"] = clock_json(*r.clock);
  put(json, "no_clock", r.no_clock);
  if (r.storage) json["storage"] = {{"path", r.storage->path}, {"file_system", r.storage->file_system}};
  put_list(json, "ups", r.ups, ups_json);
  if (r.power) {
    put_list(json["power"], "supplies", r.power->supplies, supply_json);
    put_list(json["power"], "groups", r.power->groups, group_json);
  }
  put(json, "no_power", r.no_power);
  if (r.power_attestation) {
    json["power_attestation"] = {{"date", r.power_attestation->date},
                                 {"person", r.power_attestation->person},
                                 {"evidence", r.power_attestation->evidence}};
  }
  return json;
}

}  // namespace

std::string record_json(const MachineRecord& r) {
  Json json{{"format", "fathom-machine"},
            {"format_version", fmt::format("{}.{}", kRecordMajor, kRecordMinor)},
            {"node", r.node},
            {"date", r.date}};
  put(json, "tool", r.tool);
  put(json, "profile", r.profile);
  put(json, "system", r.system);
  put(json, "hypervisor", r.hypervisor);
  put(json, "duration_s", r.duration);
  put_list(json, "case_durations", r.case_times, case_time_json);
  json["inventory"] = inventory_json(r);
  json["environment"] = environment_json(r);
  json["results"] = Json::array();
  for (const Result& result : r.results) json["results"].push_back(result_json(result));
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace fathom::probe
