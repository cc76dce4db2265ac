#include "timing/engine_profile.h"

#include <algorithm>
#include <stdexcept>

#include "input/reader.h"

namespace fathom {

namespace {

using Share = Fact<double> EngineProfile::*;
using Time = Fact<Seconds> EngineProfile::*;
constexpr Share kShares[] = {&EngineProfile::gemm_share,      &EngineProfile::fp8_gemm_share,
                             &EngineProfile::grouped_factor,  &EngineProfile::attention_share,
                             &EngineProfile::memory_share,    &EngineProfile::int4_memory_factor,
                             &EngineProfile::wire_share,      &EngineProfile::host_memory_share,
                             &EngineProfile::host_gemm_share, &EngineProfile::other_stack_factor};
constexpr Time kTimes[] = {
    &EngineProfile::operator_floor,    &EngineProfile::fp8_floor,     &EngineProfile::grouped_floor,
    &EngineProfile::fp8_grouped_floor, &EngineProfile::mla_floor,     &EngineProfile::attention_floor,
    &EngineProfile::element_floor,     &EngineProfile::step_overhead, &EngineProfile::request_overhead};

Document read_engines(const std::filesystem::path& data_dir) { return read_yaml(data_dir / "engines.yaml"); }

const Value& entries(const Document& document) {
  const Value* list = document.root.find("entries");
  if (list == nullptr || list->kind != Value::Kind::kSequence) {
    throw InputError(document.file, document.root.at, "expected a list under \"entries\"");
  }
  return *list;
}

template <class T>
void take(MapReader& reader, const std::string& key, Fact<T>& out) {
  if (auto fact = reader.optional<Fact<T>>(key)) out = *fact;
}

void take_reserves(MapReader& reader, EngineProfile& e) {
  const auto take_bytes = [&](const std::string& key, Bytes& out) {
    if (const auto fact = reader.optional<Fact<Bytes>>(key)) {
      out = fact->value;
      e.reserves_confidence = fact->origin.confidence;
    }
  };
  take_bytes("context", e.reserves.context);
  take_bytes("communicator", e.reserves.communicator);
  take_bytes("workspace", e.reserves.workspace);
  if (const auto share = reader.optional<Fact<double>>("usable_share")) e.reserves.usable_share = share->value;
}

// "KTR+SGC" as the titles of both, so that a report can be read without the file.
std::string title_of(const Document& document, const std::string& codes) {
  const Value* sources = document.root.find("sources");
  std::string titles;
  for (std::size_t at = 0; at <= codes.size();) {
    const std::size_t end = std::min(codes.find('+', at), codes.size());
    const std::string code = codes.substr(at, end - at);
    const Value* source = sources != nullptr ? sources->find(code) : nullptr;
    const Value* title = source != nullptr ? source->find("title") : nullptr;
    titles += (titles.empty() ? "" : "; ") + (title != nullptr ? title->text : code);
    at = end + 1;
  }
  return titles;
}

void name_sources(const Document& document, EngineProfile& e) {
  for (Share share : kShares) (e.*share).origin.source = title_of(document, (e.*share).origin.source);
  for (Time time : kTimes) (e.*time).origin.source = title_of(document, (e.*time).origin.source);
}

// Reads one entry over what it inherits.
void apply(const Document& document, const Value& entry, EngineProfile& e) {
  MapReader reader(document.file, entry, "an engine");
  e.id = reader.required<std::string>("id");
  e.name = reader.required<std::string>("name");
  take(reader, "gemm_share", e.gemm_share);
  take(reader, "fp8_gemm_share", e.fp8_gemm_share);
  take(reader, "grouped_factor", e.grouped_factor);
  take(reader, "attention_share", e.attention_share);
  take(reader, "memory_share", e.memory_share);
  take(reader, "int4_memory_factor", e.int4_memory_factor);
  take(reader, "wire_share", e.wire_share);
  take(reader, "host_memory_share", e.host_memory_share);
  take(reader, "host_gemm_share", e.host_gemm_share);
  take(reader, "other_stack_factor", e.other_stack_factor);
  take(reader, "operator_floor", e.operator_floor);
  take(reader, "fp8_floor", e.fp8_floor);
  take(reader, "grouped_floor", e.grouped_floor);
  take(reader, "fp8_grouped_floor", e.fp8_grouped_floor);
  take(reader, "mla_floor", e.mla_floor);
  take(reader, "attention_floor", e.attention_floor);
  take(reader, "element_floor", e.element_floor);
  take(reader, "step_overhead", e.step_overhead);
  take(reader, "request_overhead", e.request_overhead);
  take_reserves(reader, e);
  if (reader.value().find("all_reduce") != nullptr) {
    e.all_reduce =
        reader.choice("all_reduce", {"nccl", "one-shot"}) == 0 ? AllReduceStyle::kNccl : AllReduceStyle::kOneShot;
  }
  e.chunk_tokens = reader.get<double>("chunk_tokens", e.chunk_tokens);
  e.offloads_experts = reader.get<bool>("offloads_experts", e.offloads_experts);
  e.stacks = reader.get<std::vector<std::string>>("stacks", {});
  e.notes = reader.get<std::vector<std::string>>("notes", {});
  reader.finish();
}

std::string id_of(const Value& entry) {
  const Value* id = entry.find("id");
  return id != nullptr ? id->text : std::string();
}

}  // namespace

namespace {

template <class T>
void move_to(Fact<T>& fact, Corner corner, bool small_is_fast) {
  fact.value = (corner == Corner::kFast) == small_is_fast ? fact.low_or_value() : fact.high_or_value();
}

}  // namespace

EngineProfile at_corner(const EngineProfile& engine, Corner corner) {
  EngineProfile moved = engine;
  if (corner == Corner::kLikely) return moved;
  moved.measured_corner = corner;
  for (Share share : kShares) move_to(moved.*share, corner, false);
  for (Time time : kTimes) move_to(moved.*time, corner, true);
  return moved;
}

EngineProfile with_profile(EngineProfile engine, std::shared_ptr<const Profile> profile, bool all_devices) {
  if (all_devices && profile->step_samples > 0) {
    engine.step_overhead = {
        .value = profile->step_overhead.likely,
        .low = profile->step_overhead.min,
        .high = profile->step_overhead.max,
        .origin = {.source = "profile " + profile->file, .date = profile->date, .confidence = Confidence::kMeasured}};
  }
  engine.measured = std::move(profile);
  return engine;
}

// NCCL's own constants for one step over a network span 2.7 to 14 us by protocol.
double link_latency_factor(Corner corner) {
  return corner == Corner::kFast ? 0.6 : corner == Corner::kSlow ? 2.0 : 1.0;
}

std::vector<std::string> engine_ids(const std::filesystem::path& data_dir) {
  std::vector<std::string> ids;
  const Document document = read_engines(data_dir);
  for (const Value& entry : entries(document).items) ids.push_back(id_of(entry));
  return ids;
}

EngineProfile read_engine_profile(const std::filesystem::path& data_dir, const std::string& id) {
  const Document document = read_engines(data_dir);
  const std::vector<Value>& list = entries(document).items;
  if (list.empty())
    throw InputError(document.file, document.root.at, "no engine in the list; the first must be `reference`");
  EngineProfile engine;
  apply(document, list.front(), engine);  // `reference`, which the others inherit from
  for (const Value& entry : list) {
    if (id_of(entry) != id) continue;
    apply(document, entry, engine);
    name_sources(document, engine);
    return engine;
  }
  throw std::out_of_range(id);
}

}  // namespace fathom
