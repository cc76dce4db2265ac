// What the API server refuses: keys that a kind does not have, values of another kind, parts that are missing.
#include <fmt/format.h>

#include <algorithm>

#include "manifests/manifest_rules.h"
#include "manifests/quantity.h"
#include "units/number.h"

namespace fathom::manifests {

namespace {

// As YAML 1.1 reads a plain word, which is what Kubernetes goes by.
bool reads_as_truth(const Value& v) {
  static const std::vector<std::string> kWords = {"true", "false", "yes", "no", "on", "off", "y", "n"};
  std::string lower = v.text;
  for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  return !v.quoted && std::find(kWords.begin(), kWords.end(), lower) != kWords.end();
}

bool reads_as_number(const Value& v) {
  if (v.quoted || v.text.find(',') != std::string::npos) return false;
  const auto scanned = scan_number(v.text);
  return scanned && scanned->rest.empty();
}

bool is_whole(const Value& v) {
  const std::size_t digits = v.text.starts_with('-') ? 1 : 0;
  return !v.quoted && v.text.size() > digits && v.text.find_first_not_of("0123456789", digits) == std::string::npos;
}

// "${REPLICAS}" and "{{ .Values.x }}" stand for something else; manifest.variable speaks of the first.
bool is_placeholder(const Value& v) {
  return v.text.find("${") != std::string::npos || v.text.find("{{") != std::string::npos;
}

class Shape {
 public:
  Shape(const Schema& schema, Remarks& out) : schema_(schema), out_(out) {}

  void object(const Value& value, const std::string& type_name, const Mark& place, const std::string& path) {
    if (value.kind == Value::Kind::kNull) return;
    if (value.kind != Value::Kind::kMapping) {
      wrong(place, path, "a mapping", value);
      return;
    }
    const ObjectType& type = schema_.types.at(type_name);
    for (const Entry& e : value.entries) {
      const auto field = type.fields.find(e.key);
      if (field == type.fields.end()) {
        unknown(e, type, path);
      } else {
        this->field(e.value, field->second, mark(e), path + "." + e.key);
      }
    }
    for (const std::string& key : type.required) {
      if (find(&value, {key}) == nullptr) missing(value, key, place, path);
    }
  }

 private:
  void field(const Value& value, const FieldType& type, const Mark& place, const std::string& path) {
    if (value.kind == Value::Kind::kNull) return;
    if (type.many == FieldType::Many::kOne) return one(value, type, place, path);
    const bool list = type.many == FieldType::Many::kList;
    if (type.kind == FieldType::Kind::kAny) return;
    if (value.kind != (list ? Value::Kind::kSequence : Value::Kind::kMapping)) {
      return wrong(place, path, list ? "a list (lines that start with \"- \")" : "a mapping", value);
    }
    for (std::size_t i = 0; i < value.items.size(); ++i) {
      one(value.items[i], type, mark(value.items[i]), fmt::format("{}[{}]", path, i));
    }
    for (const Entry& e : value.entries) one(e.value, type, mark(e), path + "." + e.key);
  }

  void one(const Value& value, const FieldType& type, const Mark& place, const std::string& path) {
    using Kind = FieldType::Kind;
    if (type.kind == Kind::kType) return object(value, type.type, place, path);
    if (type.kind == Kind::kAny || value.kind == Value::Kind::kNull) return;
    if (value.kind != Value::Kind::kScalar) return wrong(place, path, name_of(type.kind), value);
    if (type.kind == Kind::kQuantity || is_placeholder(value)) return;  // manifest.quantity
    const bool truth = reads_as_truth(value), count = reads_as_number(value);
    const bool right = type.kind == Kind::kText        ? !truth && !count
                       : type.kind == Kind::kBool      ? truth
                       : type.kind == Kind::kInt       ? is_whole(value)
                       : type.kind == Kind::kIntOrText ? !truth
                                                       : count;
    if (!right) wrong(place, path, name_of(type.kind), value);
  }

  static const char* name_of(FieldType::Kind kind) {
    switch (kind) {
      case FieldType::Kind::kText:
        return "a text";
      case FieldType::Kind::kInt:
        return "a whole number";
      case FieldType::Kind::kNumber:
        return "a number";
      case FieldType::Kind::kBool:
        return "true or false";
      case FieldType::Kind::kQuantity:
        return "a quantity";
      case FieldType::Kind::kIntOrText:
        return "a whole number or a text";
      case FieldType::Kind::kAny:
      case FieldType::Kind::kType:
        break;
    }
    return "a value";
  }

  void wrong(const Mark& place, const std::string& path, const std::string& expected, const Value& found) {
    std::string what = "a mapping";
    if (found.kind == Value::Kind::kSequence) what = "a list";
    if (found.kind == Value::Kind::kScalar) {
      what = fmt::format("{} {}",
                         found.quoted             ? "the text"
                         : reads_as_number(found) ? "the number"
                                                  : "the word",
                         in_quotes(found.text));
    }
    const bool quote = expected == "a text" && found.kind == Value::Kind::kScalar;
    const bool unquote = found.quoted && (expected == "a whole number" || expected == "true or false");
    out_.push_back({.rule = "manifest.value",
                    .mark = place,
                    .message = fmt::format("{} is {}, and {} stands here", path, expected, what),
                    .help = quote     ? fmt::format("put it in quotes: \"{}\"", found.text)
                            : unquote ? "leave the quotes away"
                                      : ""});
  }

  void unknown(const Entry& e, const ObjectType& type, const std::string& path) {
    std::vector<std::string> keys;
    for (const auto& [key, field] : type.fields) keys.push_back(key);
    const std::string close = did_you_mean(e.key, keys);
    out_.push_back({.rule = "manifest.key",
                    .mark = key_mark(e),
                    .message = fmt::format("{} has no key {}", path, in_quotes(e.key)),
                    .help = close.empty() ? "" : fmt::format("did you mean \"{}\"?", close)});
  }

  void missing(const Value& value, const std::string& key, const Mark& place, const std::string& path) {
    // A key that is there but empty is the better place.
    const Entry* empty = entry(&value, key);
    out_.push_back({.rule = "manifest.required",
                    .mark = empty != nullptr ? key_mark(*empty) : place,
                    .message = fmt::format("{} needs {}, and {}", path, in_quotes(key),
                                           empty != nullptr ? "nothing stands under it" : "it is missing")});
  }

  const Schema& schema_;
  Remarks& out_;
};

// apiVersions that were served once, and those of another kind.
void check_api(const Object& object, const Schema& schema, Remarks& out) {
  const auto kind = schema.kinds.find(object.kind);
  if (kind == schema.kinds.end() || kind->second == object.api_version) return;
  const Entry& api = *entry(object.root, "apiVersion");
  // A kind of that name may live in another group: autoscaling/v1 is served, and a CRD may be called Job.
  static const std::vector<std::string> kWithdrawn = {
      "extensions/v1beta1",  "apps/v1beta1",   "apps/v1beta2",  "autoscaling/v2beta1",
      "autoscaling/v2beta2", "policy/v1beta1", "batch/v1beta1", "networking.k8s.io/v1beta1"};
  const bool gone = std::find(kWithdrawn.begin(), kWithdrawn.end(), object.api_version) != kWithdrawn.end();
  const bool core = object.api_version == "v1" || object.api_version == "v1beta1";
  if (!gone && !core) return;
  out.push_back(
      {.rule = "manifest.api",
       .mark = mark(api),
       .message = fmt::format("there is no {} in {}{}", object.kind, object.api_version, gone ? " any more" : ""),
       .help = fmt::format("apiVersion: {}", kind->second)});
}

}  // namespace

void check_shape(const ManifestCase& c, Remarks& out) {
  for (const Object& object : c.file.objects) {
    check_api(object, c.schema, out);
    const auto kind = c.schema.kinds.find(object.kind);
    if (kind == c.schema.kinds.end() || kind->second != object.api_version) continue;
    Shape(c.schema, out).object(*object.root, object.kind, object.mark(), object.kind);
    const Value* metadata = find(object.root, {"metadata"});
    if (object.name.empty() && find(metadata, {"generateName"}) == nullptr) {
      out.push_back({.rule = "manifest.required",
                     .mark = mark(*entry(object.root, "kind")),
                     .message = object.kind + " needs a name under \"metadata\", and it is missing"});
    }
  }
}

}  // namespace fathom::manifests
