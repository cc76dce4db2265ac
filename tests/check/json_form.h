// Holds JSON against a schema: the part of JSON Schema draft 7 that tests/check/sarif-2.1.0-subset.json uses.
#pragma once

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace fathom {

class JsonForm {
 public:
  explicit JsonForm(nlohmann::json schema) : schema_(std::move(schema)) {}

  // What is wrong, one line each: "/runs/0/results: expected an array".
  std::vector<std::string> wrong(const nlohmann::json& value) {
    wrong_.clear();
    check(value, schema_, "");
    return wrong_;
  }

 private:
  using Json = nlohmann::json;

  void check(const Json& value, const Json& schema, const std::string& path) {
    if (schema.contains("$ref")) {
      return check(value, schema_.at(Json::json_pointer(schema.at("$ref").get<std::string>().substr(1))), path);
    }
    if (schema.contains("type") && !is_type(value, schema.at("type")))
      return say(path, "expected " + schema.at("type").dump());
    if (schema.contains("enum")) {
      const Json& words = schema.at("enum");
      if (std::find(words.begin(), words.end(), value) == words.end())
        say(path, value.dump() + " is not in " + words.dump());
    }
    if (schema.contains("minimum") && value < schema.at("minimum")) say(path, "too small");
    if (schema.contains("minLength") && value.get<std::string>().size() < schema.at("minLength"))
      say(path, "too short");
    if (schema.contains("format")) check_uri(value, schema.at("format"), path);
    if (value.is_object()) check_object(value, schema, path);
    if (value.is_array()) check_array(value, schema, path);
  }

  void check_object(const Json& value, const Json& schema, const std::string& path) {
    for (const Json& key : schema.value("required", Json::array())) {
      if (!value.contains(key.get<std::string>())) say(path, "lacks " + key.get<std::string>());
    }
    const Json known = schema.value("properties", Json::object());
    const Json others = schema.contains("additionalProperties") ? schema.at("additionalProperties") : Json(true);
    for (const auto& [key, part] : value.items()) {
      if (known.contains(key)) {
        check(part, known.at(key), path + "/" + key);
      } else if (others.is_object()) {
        check(part, others, path + "/" + key);
      } else if (others == false) {
        say(path, "has no " + key);
      }
    }
  }

  void check_array(const Json& value, const Json& schema, const std::string& path) {
    if (value.size() < schema.value("minItems", std::size_t{0})) say(path, "too few items");
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (schema.contains("items")) check(value[i], schema.at("items"), path + "/" + std::to_string(i));
      for (std::size_t j = 0; j < i && schema.value("uniqueItems", false); ++j) {
        if (value[i] == value[j]) say(path, "holds an item twice");
      }
    }
  }

  // RFC 3986: its characters, whole escapes, and a scheme where the format asks for one.
  void check_uri(const Json& value, const std::string& format, const std::string& path) {
    const auto text = value.get<std::string>();
    constexpr std::string_view kOthers = "-._~:/?#[]@!$&'()*+,;=";
    for (std::size_t i = 0; i < text.size(); ++i) {
      const auto byte = static_cast<unsigned char>(text[i]);
      const bool escape = byte == '%' && i + 2 < text.size() &&
                          std::isxdigit(static_cast<unsigned char>(text[i + 1])) &&
                          std::isxdigit(static_cast<unsigned char>(text[i + 2]));
      if (!(byte < 0x80 && std::isalnum(byte)) && kOthers.find(text[i]) == std::string_view::npos && !escape) {
        return say(path, text + " is no URI");
      }
    }
    if (format == "uri" && text.find("://") == std::string::npos) say(path, text + " has no scheme");
  }

  static bool is_type(const Json& value, const std::string& type) {
    return type == "object"    ? value.is_object()
           : type == "array"   ? value.is_array()
           : type == "string"  ? value.is_string()
           : type == "boolean" ? value.is_boolean()
                               : value.is_number_integer();
  }

  void say(const std::string& path, const std::string& what) { wrong_.push_back(path + ": " + what); }

  Json schema_;
  std::vector<std::string> wrong_;
};

}  // namespace fathom
