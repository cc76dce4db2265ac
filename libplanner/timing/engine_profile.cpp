#include "timing/engine_profile.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <map>
#include <mutex>
#include <stdexcept>
#include <utility>

#include "input/reader.h"

namespace fathom {

namespace {

// "0.14.0", "1.1.0rc2.post2", "V0.2.1", "dynamo-0.8.1": the first three numbers, which is what spans are about.
// A release of Dynamo does not tell the version of the engine in it: it counts as the newest.
std::array<int, 3> version_numbers(const std::string& version) {
  std::array<int, 3> out{};
  if (version.rfind("dynamo", 0) == 0) return {1'000'000, 0, 0};
  std::size_t part = 0, at = 0;
  while (at < version.size() && std::isdigit(static_cast<unsigned char>(version[at])) == 0) ++at;
  for (; at < version.size() && part < out.size(); ++at) {
    const char c = version[at];
    if (std::isdigit(static_cast<unsigned char>(c)) != 0) {
      out[part] = std::min(out[part] * 10 + (c - '0'), 1'000'000);
    } else if (c == '.') {
      ++part;
    } else {
      break;
    }
  }
  return out;
}

// The file is long and is asked for at every design of a run: it is parsed once, and so is each engine in it, for as long as
// it stays the same.
struct EnginesFile {
  std::filesystem::file_time_type changed;
  Document document;
  std::mutex mutex = {};
  std::map<std::pair<std::string, std::string>, EngineProfile> read = {};  // by id and version
};
std::shared_ptr<EnginesFile> read_engines(const std::filesystem::path& data_dir) {
  static std::mutex mutex;
  static std::map<std::filesystem::path, std::shared_ptr<EnginesFile>> files;
  const std::filesystem::path path = data_dir / "engines.yaml";
  std::error_code missing;  // read_yaml() says what is wrong
  const auto changed = std::filesystem::last_write_time(path, missing);
  const std::lock_guard lock(mutex);
  std::shared_ptr<EnginesFile>& known = files[path];
  if (known == nullptr || missing || known->changed != changed)
    known = std::shared_ptr<EnginesFile>(new EnginesFile{.changed = changed, .document = read_yaml(path)});
  return known;
}

const Value& entries(const Document& document) {
  const Value* list = document.root.find("entries");
  if (list == nullptr || list->kind != Value::Kind::kSequence) {
    throw InputError(document.file, document.root.at, "expected a list under \"entries\"");
  }
  return *list;
}

template <class T>
bool take(MapReader& reader, const std::string& key, Fact<T>& out) {
  const auto fact = reader.optional<Fact<T>>(key);
  if (fact) out = *fact;
  return fact.has_value();
}

// What an earlier version did on some devices says nothing once a later one states the parameter anew.
void forget_variants(EngineProfile& e, const EngineParameter* parameter) {
  for (EngineVariant& variant : e.variants) {
    std::erase_if(variant.facts, [&](const auto& fact) { return fact.first == parameter; });
  }
}

void forget_factors(EngineProfile& e, const EngineParameter* parameter) {
  for (EngineFactors& f : e.factors) {
    std::erase_if(f.factors, [&](const auto& factor) { return factor.first == parameter; });
  }
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
  for (const EngineParameter& p : engine_parameters()) {
    Origin& origin = p.share != nullptr ? (e.*p.share).origin : (e.*p.time).origin;
    origin.source = title_of(document, origin.source);
  }
  for (EngineFactors& f : e.factors) f.origin.source = title_of(document, f.origin.source);
}

// A value that rows have moved is known better than the judgement or the kernels that it started from.
constexpr double kNarrowed = 0.95;  // of the range in ln, for each factor

template <class T>
void narrow(Fact<T>& fact, double by) {
  const auto nearer = [&](T end) { return fact.value * std::pow(end / fact.value, by); };
  if (fact.low) fact.low = nearer(*fact.low);
  if (fact.high) fact.high = nearer(*fact.high);
}

// All factors of a parameter at once, whatever their order: what one takes beyond the bounds another may bring back.
void multiply(EngineProfile& e, const EngineParameter& p, const std::vector<EngineFactors>& all) {
  double product = 1, width = 1;
  const Origin* last = nullptr;
  for (const EngineFactors& f : all) {
    for (const auto& [parameter, factor] : f.factors) {
      if (parameter != &p) continue;
      product *= factor, width *= kNarrowed;
      last = &f.origin;
    }
  }
  if (last == nullptr || !p.multiply(e, product)) return;
  p.share != nullptr ? narrow(e.*p.share, width) : narrow(e.*p.time, width);
  (p.share != nullptr ? (e.*p.share).origin : (e.*p.time).origin) = *last;
}

EngineVariant read_variant(const Context& at) {
  MapReader reader(at.file, at.value, "a variant");
  EngineVariant variant;
  variant.devices = reader.required<std::vector<std::string>>("devices");
  for (const EngineParameter& p : engine_parameters()) {
    if (p.share != nullptr) {
      if (auto fact = reader.optional<Fact<double>>(p.name)) variant.facts.emplace_back(&p, *fact);
    } else if (auto fact = reader.optional<Fact<Seconds>>(p.name)) {
      Fact<double> plain{.value = fact->value.value, .low = {}, .high = {}, .origin = fact->origin};
      if (fact->low) plain.low = fact->low->value;
      if (fact->high) plain.high = fact->high->value;
      variant.facts.emplace_back(&p, plain);
    }
  }
  reader.finish();
  return variant;
}

EngineFactors read_factors(const Context& at) {
  MapReader reader(at.file, at.value, "factors");
  EngineFactors out;
  out.devices = reader.get<std::vector<std::string>>("devices", {});
  out.origin = {.source = reader.required<std::string>("source"),
                .date = reader.required<std::string>("date"),
                .confidence = Confidence::kDerived};
  for (const EngineParameter& p : engine_parameters()) {
    const auto factor = reader.optional<double>(p.name);
    if (!factor) continue;
    if (!(*factor > 0) || !std::isfinite(*factor))
      throw InputError(at.file, at.value.at, std::string(p.name) + ": a factor is above 0");
    out.factors.emplace_back(&p, *factor);
  }
  reader.finish();
  return out;
}

// Reads one entry over what it inherits.
void apply(const Document& document, const Value& entry, EngineProfile& e) {
  MapReader reader(document.file, entry, "an engine");
  e.id = reader.required<std::string>("id");
  e.name = reader.required<std::string>("name");
  for (const EngineParameter& p : engine_parameters()) {
    const bool stated = p.share != nullptr ? take(reader, p.name, e.*p.share) : take(reader, p.name, e.*p.time);
    if (stated) forget_variants(e, &p);
  }
  take_reserves(reader, e);
  if (reader.value().find("all_reduce") != nullptr) {
    e.all_reduce =
        reader.choice("all_reduce", {"nccl", "one-shot"}) == 0 ? AllReduceStyle::kNccl : AllReduceStyle::kOneShot;
  }
  if (reader.value().find("admission") != nullptr) {
    e.admission = reader.choice("admission", {"paged", "reserved"}) == 0 ? Admission::kPaged : Admission::kReserved;
  }
  reader.expect({"since", "released"});
  reader.take("since");
  reader.take("released");
  e.chunk_tokens = reader.get<double>("chunk_tokens", e.chunk_tokens);
  e.most_sequences = reader.get<double>("most_sequences", e.most_sequences);
  if (const Value* list = reader.take("variants"); list != nullptr) {
    if (list->kind != Value::Kind::kSequence) fail_kind(reader.context(*list), "a list");
    for (const Value& item : list->items) e.variants.push_back(read_variant(reader.context(item)));
  }
  if (const Value* list = reader.take("factors"); list != nullptr) {
    if (list->kind != Value::Kind::kSequence) fail_kind(reader.context(*list), "a list");
    for (const Value& item : list->items) e.factors.push_back(read_factors(reader.context(item)));
  }
  e.half_sums = reader.get<bool>("half_sums", e.half_sums);
  e.unfitted = reader.get<bool>("unfitted", false);  // of this entry alone
  e.decodes_in_graphs = reader.get<bool>("decodes_in_graphs", e.decodes_in_graphs);
  e.offloads_experts = reader.get<bool>("offloads_experts", e.offloads_experts);
  e.stacks = reader.get<std::vector<std::string>>("stacks", e.stacks);
  e.notes = reader.get<std::vector<std::string>>("notes", e.notes);
  reader.finish();
}

std::string text_of(const Value& entry, const char* key) {
  const Value* value = entry.find(key);
  return value != nullptr ? value->text : std::string();
}

template <class T>
void move_to(Fact<T>& fact, Corner corner, bool small_is_fast) {
  fact.value = (corner == Corner::kFast) == small_is_fast ? fact.low_or_value() : fact.high_or_value();
}

}  // namespace

const std::vector<EngineParameter>& engine_parameters() {
  using E = EngineProfile;
  static const std::vector<EngineParameter> all = {
      {.name = "gemm_share", .share = &E::gemm_share, .least = 0.05, .most = 1.0},
      {.name = "fp8_gemm_share", .share = &E::fp8_gemm_share, .least = 0.05, .most = 1.0},
      {.name = "fp8_tensor_factor", .share = &E::fp8_tensor_factor, .least = 0.5, .most = 2.0},
      {.name = "fp4_gemm_share", .share = &E::fp4_gemm_share, .least = 0.05, .most = 1.0},
      {.name = "expanded_factor", .share = &E::expanded_factor, .least = 0.1, .most = 2.5},
      {.name = "grouped_factor", .share = &E::grouped_factor, .least = 0.05, .most = 1.2},
      {.name = "short_sum", .share = &E::short_sum, .least = 1, .most = 4096, .less_is_faster = true},
      {.name = "narrow_output", .share = &E::narrow_output, .least = 1, .most = 4096, .less_is_faster = true},
      {.name = "attention_share", .share = &E::attention_share, .least = 0.02, .most = 0.9},
      {.name = "memory_share", .share = &E::memory_share, .least = 0.1, .most = 0.98},
      {.name = "cache_share", .share = &E::cache_share, .least = 0.05, .most = 0.98},
      {.name = "grouped_memory", .share = &E::grouped_memory, .least = 0.1, .most = 1.1},
      {.name = "int4_memory_factor", .share = &E::int4_memory_factor, .least = 0.1, .most = 1.1},
      {.name = "host_memory_share", .share = &E::host_memory_share, .least = 0.05, .most = 0.98},
      {.name = "host_gemm_share", .share = &E::host_gemm_share, .least = 0.001, .most = 1.0},
      {.name = "wire_share", .share = &E::wire_share, .least = 0.05, .most = 1.0},
      {.name = "other_stack_factor", .share = &E::other_stack_factor, .least = 0.05, .most = 1.2},
      {.name = "cache_use", .share = &E::cache_use, .least = 0.3, .most = 1.5, .of_host = true},
      {.name = "operator_floor", .time = &E::operator_floor, .least = 0.2e-6, .most = 500e-6},
      {.name = "fp8_floor", .time = &E::fp8_floor, .least = 0.2e-6, .most = 500e-6},
      {.name = "grouped_floor", .time = &E::grouped_floor, .least = 0.2e-6, .most = 2e-3},
      {.name = "fp8_grouped_floor", .time = &E::fp8_grouped_floor, .least = 0.2e-6, .most = 2e-3},
      {.name = "mla_floor", .time = &E::mla_floor, .least = 0.2e-6, .most = 500e-6},
      {.name = "attention_floor", .time = &E::attention_floor, .least = 0.2e-6, .most = 500e-6},
      {.name = "element_floor", .time = &E::element_floor, .least = 0.1e-6, .most = 200e-6},
      {.name = "collective_floor", .time = &E::collective_floor, .least = 1e-9, .most = 1e-3},
      {.name = "eager_launch", .time = &E::eager_launch, .least = 0.1e-6, .most = 300e-6, .of_host = true},
      {.name = "step_overhead", .time = &E::step_overhead, .least = 1e-6, .most = 0.2, .of_host = true},
      {.name = "sequence_overhead", .time = &E::sequence_overhead, .least = 1e-9, .most = 2e-3, .of_host = true},
      {.name = "request_overhead", .time = &E::request_overhead, .least = 1e-4, .most = 2, .of_host = true},
  };
  return all;
}

const EngineParameter* find_engine_parameter(const std::string& name) {
  for (const EngineParameter& p : engine_parameters()) {
    if (name == p.name) return &p;
  }
  return nullptr;
}

double EngineParameter::value(const EngineProfile& e) const {
  return share != nullptr ? (e.*share).value : (e.*time).value.value;
}

namespace {

template <class T>
void scale(Fact<T>& fact, double factor) {
  fact.value *= factor;
  if (fact.low) *fact.low *= factor;
  if (fact.high) *fact.high *= factor;
}

}  // namespace

void EngineParameter::set(EngineProfile& e, double to) const {
  const double factor = to / value(e);
  share != nullptr ? scale(e.*share, factor) : scale(e.*time, factor);
}

bool EngineParameter::multiply(EngineProfile& e, double factor) const {
  const double now = value(e);
  if (now <= 0) return false;
  set(e, std::clamp(now * factor, least, most));
  return true;
}

namespace {

bool names(const std::vector<std::string>& devices, const Accelerator& a) {
  return std::any_of(devices.begin(), devices.end(),
                     [&](const std::string& name) { return name == a.architecture || name == a.id; });
}

}  // namespace

bool EngineVariant::matches(const Accelerator& a) const { return names(devices, a); }
bool EngineFactors::holds_on(const Accelerator& a) const { return devices.empty() || names(devices, a); }

EngineProfile facts_on(const EngineProfile& engine, const Accelerator& accelerator) {
  EngineProfile result = engine;
  result.variants.clear();
  std::erase_if(result.factors, [&](const EngineFactors& f) { return !f.holds_on(accelerator); });
  for (const EngineVariant& variant : engine.variants) {
    if (!variant.matches(accelerator)) continue;
    for (const auto& [parameter, fact] : variant.facts) {
      if (parameter->share != nullptr) {
        result.*parameter->share = fact;
      } else {
        Fact<Seconds> time{.value = Seconds(fact.value), .low = {}, .high = {}, .origin = fact.origin};
        if (fact.low) time.low = Seconds(*fact.low);
        if (fact.high) time.high = Seconds(*fact.high);
        result.*parameter->time = time;
      }
    }
  }
  return result;
}

EngineProfile on_device(const EngineProfile& engine, const Accelerator& accelerator) {
  EngineProfile result = facts_on(engine, accelerator);
  const std::vector<EngineFactors> factors = std::exchange(result.factors, {});
  if (factors.empty()) return result;
  for (const EngineParameter& p : engine_parameters()) multiply(result, p, factors);
  return result;
}

EngineProfile at_corner(const EngineProfile& engine, Corner corner) {
  EngineProfile moved = engine;
  if (corner == Corner::kLikely) return moved;
  moved.measured_corner = corner;
  for (const EngineParameter& p : engine_parameters()) {
    p.share != nullptr ? move_to(moved.*p.share, corner, p.less_is_faster) : move_to(moved.*p.time, corner, true);
  }
  return moved;
}

EngineProfile with_profile(EngineProfile engine, std::shared_ptr<const Profile> profile, bool all_devices) {
  if (all_devices && profile->step_samples > 0) {
    engine.step_overhead = {
        .value = profile->step_overhead.likely,
        .low = profile->step_overhead.min,
        .high = profile->step_overhead.max,
        .origin = {.source = "profile " + profile->file, .date = profile->date, .confidence = Confidence::kMeasured}};
    engine.sequence_overhead.value = Seconds(0);  // it was measured along
    engine.sequence_overhead.low = engine.sequence_overhead.high = std::nullopt;
    for (const char* name : {"step_overhead", "sequence_overhead"}) {  // nor does what others were found to do hold
      forget_variants(engine, find_engine_parameter(name));
      forget_factors(engine, find_engine_parameter(name));
    }
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
  const std::shared_ptr<EnginesFile> file = read_engines(data_dir);
  const Document& document = file->document;
  for (const Value& entry : entries(document).items) {
    const std::string id = text_of(entry, "id");
    if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
  }
  return ids;
}

std::vector<EngineSpan> engine_spans(const std::filesystem::path& data_dir) {
  std::vector<EngineSpan> spans;
  const std::shared_ptr<EnginesFile> file = read_engines(data_dir);
  const Document& document = file->document;
  for (const Value& entry : entries(document).items) {
    const EngineSpan span{.id = text_of(entry, "id"),
                          .since = text_of(entry, "since"),
                          .before = {},
                          .released = text_of(entry, "released")};
    for (EngineSpan& earlier : spans) {
      if (earlier.id == span.id && earlier.before.empty()) earlier.before = span.since;
    }
    spans.push_back(span);
  }
  return spans;
}

bool version_in(const std::string& version, const std::string& since, const std::string& before) {
  if (version.empty()) return before.empty();
  const std::array<int, 3> numbers = version_numbers(version);
  return (since.empty() || numbers >= version_numbers(since)) && (before.empty() || numbers < version_numbers(before));
}

// Entries of one engine stand in order of their versions, each from `since` on; the first holds for what came before too.
EngineProfile read_engine_profile(const std::filesystem::path& data_dir, const std::string& id,
                                  const std::string& version) {
  const std::shared_ptr<EnginesFile> file = read_engines(data_dir);
  const Document& document = file->document;
  const std::lock_guard lock(file->mutex);
  if (const auto known = file->read.find({id, version}); known != file->read.end()) return known->second;
  const std::vector<Value>& list = entries(document).items;
  if (list.empty())
    throw InputError(document.file, document.root.at, "no engine in the list; the first must be `reference`");
  EngineProfile engine;
  apply(document, list.front(), engine);  // `reference`, which the others inherit from
  const auto of_all = static_cast<std::ptrdiff_t>(engine.factors.size());
  bool found = false;
  for (const Value& entry : list) {
    if (text_of(entry, "id") != id) continue;
    const std::string since = text_of(entry, "since");
    if (found && !version.empty() && version_numbers(since) > version_numbers(version)) break;
    if (id != "reference" || found) apply(document, entry, engine);
    found = true;
  }
  if (!found) throw std::out_of_range(id);
  name_sources(document, engine);
  if (engine.unfitted) engine.factors.erase(engine.factors.begin(), engine.factors.begin() + of_all);
  return file->read[{id, version}] = engine;
}

}  // namespace fathom
