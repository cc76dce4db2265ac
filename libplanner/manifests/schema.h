// The shape of Kubernetes objects, from catalogs/kubernetes.yaml.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>

namespace fathom::manifests {

struct FieldType {
  enum class Kind { kAny, kText, kInt, kNumber, kBool, kQuantity, kIntOrText, kType };
  enum class Many { kOne, kList, kMap };
  Kind kind = Kind::kAny;
  Many many = Many::kOne;
  std::string type = {};  // kType
};

struct ObjectType {
  std::map<std::string, FieldType> fields;
  std::set<std::string> required;
};

struct Schema {
  std::map<std::string, std::string> kinds;  // to their apiVersion
  std::map<std::string, ObjectType> types;
};

// Throws InputError.
Schema read_schema(const std::filesystem::path& data_dir);

}  // namespace fathom::manifests
