// A profile as JSON, written and read back. Rates that are infinite, because nothing followed them, are left out.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <tuple>

#include "input/reader.h"
#include "profile/profile.h"
#include "units/number.h"

namespace fathom {

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kFormat = "fathom-profile/1";
constexpr const char* kForms[] = {"max", "sum"};

void put_fit(Json& json, const ProfileFit& fit) {
  json["fast"] = fit.fast;
  json["slow"] = fit.slow;
  json["samples"] = fit.samples;
  json["median_error"] = fit.median_error;
  json["worst_error"] = fit.worst_error;
}

void put_rate(Json& json, const char* key, double rate) {
  if (std::isfinite(rate)) json[key] = rate;
}

Json factor_json(const ProfileFactor& f) {
  Json json{{"flops_per_byte", f.flops_per_byte}};
  if (f.bytes_per_token > Bytes(0)) json["bytes_per_token"] = f.bytes_per_token.value;
  if (f.bytes > Bytes(0)) json["bytes"] = f.bytes.value;
  json["factor"] = f.factor;
  return json;
}

Json row_json(const ProfileRow& row) {
  Json json{{"kind", to_string(row.kind)},
            {"weights", to_string(row.weights)},
            {"form", kForms[static_cast<std::size_t>(row.form)]}};
  put_rate(json, "bytes_per_s", row.memory.value);
  put_rate(json, "flops_per_s", row.compute.value);
  json["floor_s"] = row.floor.value;
  for (const ProfileFactor& f : row.factors) json["factors"].push_back(factor_json(f));
  put_fit(json, row.fit);
  return json;
}

Json part_json(const ProfilePart& part) {
  Json json{{"name", part.name}};
  put_rate(json, "tokens", part.tokens);
  return json;
}

Json collective_json(const ProfileCollective& row) {
  Json json{{"kind", to_string(row.kind)}, {"ranks", row.ranks}, {"latency_s", row.latency.value}};
  put_rate(json, "bytes_per_s", row.bandwidth.value);
  for (const ProfileFactor& f : row.factors) json["factors"].push_back(factor_json(f));
  put_fit(json, row.fit);
  return json;
}

// ---------------------------------------------------------------------------------------------------------------------
// Reading

// The enumerator whose name stands at `key`, of those from the first to `last`.
template <class Enum>
Enum named(MapReader& reader, const std::string& key, Enum last) {
  std::vector<std::string> words;
  for (int i = 0; i <= static_cast<int>(last); ++i) words.emplace_back(to_string(static_cast<Enum>(i)));
  return static_cast<Enum>(reader.choice(key, words));
}

double number(MapReader& reader, const std::string& key, double lowest, double highest) {
  const Context at = reader.context(reader.need(key));
  double out = 0;
  read(at, out);
  check_range(at, out, lowest, highest, in_quotes(key));
  return out;
}

constexpr double kSlowest = 1, kFastest = 1e21;  // per second; the slowest is slower than a person
constexpr double kLongest = 3600;

double rate(MapReader& reader, const std::string& key) {
  if (reader.take(key) == nullptr) return std::numeric_limits<double>::infinity();
  return number(reader, key, kSlowest, kFastest);
}

ProfileFit read_fit(MapReader& reader) {
  return {.samples = static_cast<int>(number(reader, "samples", 1, 1e9)),
          .median_error = number(reader, "median_error", 0, 1e6),
          .worst_error = number(reader, "worst_error", 0, 1e6),
          .fast = number(reader, "fast", 1e-3, 1),
          .slow = number(reader, "slow", 1, 1e3)};
}

template <class ReadOne>
auto list(MapReader& reader, const std::string& key, ReadOne read_one) {
  const Context at = reader.context(reader.need(key));
  if (at.value.kind != Value::Kind::kSequence) fail_kind(at, "a list");
  std::vector<decltype(read_one(at))> out;
  for (const Value& item : at.value.items) out.push_back(read_one(reader.context(item)));
  return out;
}

ProfileFactor read_factor(const Context& at) {
  MapReader reader(at.file, at.value, "a factor of a row");
  ProfileFactor f{.flops_per_byte = number(reader, "flops_per_byte", 0, 1e12),
                  .factor = number(reader, "factor", 1e-3, 1e3)};
  if (reader.take("bytes_per_token") != nullptr) {
    f.bytes_per_token = Bytes(number(reader, "bytes_per_token", 1e-3, 1e18));
  }
  if (reader.take("bytes") != nullptr) f.bytes = Bytes(number(reader, "bytes", 1e-3, 1e18));
  reader.finish();
  return f;
}

std::vector<ProfileFactor> read_factors(MapReader& reader) {
  std::vector<ProfileFactor> factors = list(reader, "factors", read_factor);
  const auto falls = [](const ProfileFactor& a, const ProfileFactor& b) {
    return std::tuple(a.flops_per_byte, a.bytes_per_token, a.bytes) >=
           std::tuple(b.flops_per_byte, b.bytes_per_token, b.bytes);
  };
  if (std::adjacent_find(factors.begin(), factors.end(), falls) != factors.end())
    reader.context(reader.need("factors"))
        .fail("factors are in the order of their flops_per_byte, then bytes_per_token, then bytes");
  return factors;
}

ProfileRow read_row(const Context& at) {
  MapReader reader(at.file, at.value, "a row of a profile");
  ProfileRow row;
  row.kind = named(reader, "kind", OperatorKind::kSendRecv);
  if (is_collective(row.kind)) reader.context(reader.need("kind")).fail("collectives have a list of their own");
  row.weights = named(reader, "weights", Format::kIq1S);
  row.form = static_cast<ProfileForm>(reader.choice("form", {kForms[0], kForms[1]}));
  row.memory = BytesPerSecond(rate(reader, "bytes_per_s"));
  row.compute = FlopsPerSecond(rate(reader, "flops_per_s"));
  row.floor = Seconds(number(reader, "floor_s", 0, kLongest));
  if (reader.take("factors") != nullptr) row.factors = read_factors(reader);
  row.fit = read_fit(reader);
  reader.finish();
  if (row.floor == Seconds(0) && std::isinf(row.memory.value) && std::isinf(row.compute.value))
    reader.fail("this row says that the operator takes no time");
  return row;
}

ProfilePart read_part(const Context& at) {
  MapReader reader(at.file, at.value, "a part of a profile");
  ProfilePart part{.name = reader.required<std::string>("name"), .tokens = std::numeric_limits<double>::infinity()};
  if (reader.take("tokens") != nullptr) part.tokens = number(reader, "tokens", 0, 1e12);
  reader.finish();
  return part;
}

std::vector<ProfilePart> read_parts(MapReader& root) {
  std::vector<ProfilePart> parts = list(root, "parts_of_others", read_part);
  std::set<std::string> names;
  for (const ProfilePart& part : parts) {
    if (part.name.empty() || !names.insert(part.name).second)
      root.context(root.need("parts_of_others")).fail("every part has a name, and each name comes once");
  }
  return parts;
}

ProfileCollective read_collective(const Context& at) {
  MapReader reader(at.file, at.value, "a collective of a profile");
  ProfileCollective row;
  row.kind = named(reader, "kind", OperatorKind::kSendRecv);
  if (!is_collective(row.kind)) reader.context(reader.need("kind")).fail("this operator is no collective");
  row.ranks = static_cast<int>(number(reader, "ranks", 2, 1e6));
  row.latency = Seconds(number(reader, "latency_s", 0, kLongest));
  row.bandwidth = BytesPerSecond(rate(reader, "bytes_per_s"));
  if (reader.take("factors") != nullptr) row.factors = read_factors(reader);
  row.fit = read_fit(reader);
  reader.finish();
  return row;
}

void read_step(const Context& at, Profile& profile) {
  MapReader reader(at.file, at.value, "the step of a profile");
  profile.step_overhead = {.min = Seconds(number(reader, "overhead_min_s", 0, kLongest)),
                           .likely = Seconds(number(reader, "overhead_s", 0, kLongest)),
                           .max = Seconds(number(reader, "overhead_max_s", 0, kLongest)),
                           .confidence = Confidence::kMeasured};
  profile.step_samples = static_cast<int>(number(reader, "samples", 1, 1e9));
  reader.finish();
  const Estimate<Seconds>& e = profile.step_overhead;
  if (!(e.min <= e.likely && e.likely <= e.max)) reader.fail("the overhead lies outside of its own range");
}

void check_once(const Context& rows, const Profile& profile) {
  for (std::size_t i = 0; i < profile.rows.size(); ++i) {
    if (profile.find(profile.rows[i].kind, profile.rows[i].weights) == &profile.rows[i]) continue;
    Context{rows.file, rows.value.items[i]}.fail(fmt::format(
        "no row before it may be for {} in {} as well, and the weights of an operator that reads none are bf16",
        to_string(profile.rows[i].kind), to_string(profile.rows[i].weights)));
  }
}

}  // namespace

std::string profile_json(const Profile& p) {
  Json json{{"format", kFormat},
            {"machine", p.machine},
            {"backend", p.backend},
            {"date", p.date},
            {"accelerator", p.accelerator},
            {"engine", p.engine},
            {"operators", Json::array()},
            {"collectives", Json::array()}};
  for (const ProfileRow& row : p.rows) json["operators"].push_back(row_json(row));
  for (const ProfilePart& part : p.parts) json["parts_of_others"].push_back(part_json(part));
  for (const ProfileCollective& row : p.collectives) json["collectives"].push_back(collective_json(row));
  if (p.step_samples > 0) {
    json["step"] = {{"overhead_s", p.step_overhead.likely.value},
                    {"overhead_min_s", p.step_overhead.min.value},
                    {"overhead_max_s", p.step_overhead.max.value},
                    {"samples", p.step_samples}};
  }
  json["provenance"] = {{"commands", p.commands}, {"shapes", p.shapes}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Profile read_profile(const std::filesystem::path& path) {
  const Document document = read_yaml(path);
  const Value* format = document.root.find("format");
  if (format == nullptr || !format->text.starts_with("fathom-profile")) {
    throw InputError(
        document.file, format != nullptr ? format->at : document.root.at, "this is not a profile",
        "fathom validate PLAN.json --save-profile FILE writes one, fathom probe -o FILE a machine's record");
  }
  MapReader root(document.file, document.root, "the profile");
  root.choice("format", {kFormat});
  Profile profile;
  profile.file = document.file;
  profile.machine = root.required<std::string>("machine");
  profile.backend = root.required<std::string>("backend");
  profile.date = root.required<std::string>("date");
  profile.accelerator = root.required<std::string>("accelerator");
  profile.engine = root.required<std::string>("engine");
  profile.rows = list(root, "operators", read_row);
  check_once(root.context(root.need("operators")), profile);
  if (root.take("parts_of_others") != nullptr) profile.parts = read_parts(root);
  profile.collectives = list(root, "collectives", read_collective);
  if (const Value* step = root.take("step")) read_step(root.context(*step), profile);
  if (const Value* value = root.take("provenance")) {
    MapReader provenance(document.file, *value, "the provenance of a profile");
    profile.commands = provenance.get<std::vector<std::string>>("commands", {});
    profile.shapes = provenance.get<std::vector<std::string>>("shapes", {});
  }
  root.finish();
  if (profile.rows.empty()) root.context(root.need("operators")).fail("the profile has no measured operator");
  return profile;
}

}  // namespace fathom
