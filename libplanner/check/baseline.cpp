#include "check/baseline.h"

#include <map>
#include <nlohmann/json.hpp>

#include "input/excerpt.h"
#include "input/fnv64.h"
#include "input/reader.h"
#include "units/number.h"

namespace fathom {

namespace fs = std::filesystem;

namespace {

// Without indentation and doubled blanks: a line that was only moved or aligned stays the same line.
std::string plain_line(std::string_view line) {
  std::string out;
  for (const char c : trimmed(line)) {
    const bool blank = c == ' ' || c == '\t';
    if (!blank) out += c;
    if (blank && !out.ends_with(' ')) out += ' ';
  }
  return out;
}

// What a finding on the file as a whole is about, without its figures.
std::string without_digits(std::string text) {
  std::erase_if(text, [](char c) { return c >= '0' && c <= '9'; });
  return text;
}

}  // namespace

void add_fingerprints(std::string_view text, std::vector<Finding>& findings) {
  std::map<std::string, int> seen;
  for (Finding& finding : findings) {
    Fnv64 hash;
    hash.add(finding.rule);
    hash.add('\n');
    const auto line = line_of(text, finding.spot.at.line);
    hash.add(line ? plain_line(*line) : without_digits(finding.message));
    const std::string name = hash.hex();
    finding.fingerprint = name + ":" + std::to_string(++seen[name]);
  }
}

std::string Baseline::name_of(const std::string& file) const {
  std::error_code trouble;
  const fs::path from = fs::weakly_canonical(folder_.empty() ? fs::path(".") : folder_, trouble);
  const fs::path to = fs::weakly_canonical(file, trouble);
  if (trouble || !fs::exists(file, trouble)) return file;
  const fs::path relative = to.lexically_relative(from);
  return relative.empty() ? file : relative.generic_string();
}

void Baseline::add(const Finding& finding) {
  known_.insert({name_of(finding.file), finding.rule, finding.fingerprint, finding.message});
}

bool Baseline::knows(const Finding& finding) const {
  return known_.contains({name_of(finding.file), finding.rule, finding.fingerprint, {}});
}

std::string Baseline::json() const {
  using Json = nlohmann::ordered_json;
  std::string out = "{\n  \"format\": \"fathom-baseline/1\",\n  \"findings\": [";
  bool first = true;
  for (const Known& known : known_) {
    const Json row = {
        {"file", known.file}, {"rule", known.rule}, {"fingerprint", known.fingerprint}, {"message", known.message}};
    out += (first ? "\n    " : ",\n    ") + row.dump(-1, ' ', false, Json::error_handler_t::replace);
    first = false;
  }
  return out + (first ? "]\n}\n" : "\n  ]\n}\n");
}

Baseline Baseline::parse(const Document& document, const fs::path& path) {
  MapReader file(document.file, document.root, "a baseline");
  file.choice("format", {"fathom-baseline/1"});
  const Value& list = file.need("findings");
  if (list.kind != Value::Kind::kSequence) fail_kind(file.context(list), "a list");
  Baseline baseline(path);
  for (const Value& item : list.items) {
    MapReader finding(document.file, item, "a known finding");
    baseline.known_.insert({finding.required<std::string>("file"), finding.required<std::string>("rule"),
                            finding.required<std::string>("fingerprint"), finding.get<std::string>("message", "")});
    finding.finish();
  }
  file.finish();
  return baseline;
}

Baseline Baseline::read(const fs::path& path) { return parse(read_yaml(path), path); }

}  // namespace fathom
