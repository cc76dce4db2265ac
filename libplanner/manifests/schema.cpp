#include "manifests/schema.h"

#include "input/reader.h"

namespace fathom::manifests {

namespace {

FieldType parse_type(std::string_view words) {
  FieldType out;
  if (words.starts_with("list of ")) {
    out.many = FieldType::Many::kList;
    words.remove_prefix(8);
  } else if (words.starts_with("map of ")) {
    out.many = FieldType::Many::kMap;
    words.remove_prefix(7);
  }
  static const std::map<std::string, FieldType::Kind, std::less<>> kScalars = {
      {"any", FieldType::Kind::kAny},
      {"text", FieldType::Kind::kText},
      {"int", FieldType::Kind::kInt},
      {"number", FieldType::Kind::kNumber},
      {"bool", FieldType::Kind::kBool},
      {"quantity", FieldType::Kind::kQuantity},
      {"int or text", FieldType::Kind::kIntOrText}};
  const auto scalar = kScalars.find(words);
  out.kind = scalar == kScalars.end() ? FieldType::Kind::kType : scalar->second;
  if (out.kind == FieldType::Kind::kType) out.type = words;
  return out;
}

ObjectType read_type(const Value& fields) {
  ObjectType out;
  for (const Entry& field : fields.entries) {
    const bool required = field.key.ends_with('!');
    const std::string name = field.key.substr(0, field.key.size() - (required ? 1 : 0));
    out.fields[name] = parse_type(field.value.text);
    if (required) out.required.insert(name);
  }
  return out;
}

}  // namespace

Schema read_schema(const std::filesystem::path& data_dir) {
  const Document document = read_yaml(data_dir / "kubernetes.yaml");
  MapReader file(document.file, document.root, "the shapes of Kubernetes objects");
  file.choice("format", {"fathom-kubernetes/1"});
  file.required<std::string>("source");
  Schema schema;
  for (const Entry& kind : file.need("kinds").entries) schema.kinds[kind.key] = kind.value.text;
  for (const Entry& type : file.need("types").entries) schema.types[type.key] = read_type(type.value);
  file.finish();
  for (const auto& [name, type] : schema.types) {
    for (const auto& [field, what] : type.fields) {
      if (what.kind == FieldType::Kind::kType && !schema.types.contains(what.type)) {
        throw InputError(document.file, {}, name + "." + field + ": there is no type " + what.type);
      }
    }
  }
  for (const auto& [kind, api] : schema.kinds) {
    if (!schema.types.contains(kind)) throw InputError(document.file, {}, "there is no type " + kind);
  }
  return schema;
}

}  // namespace fathom::manifests
