#include "manifests/judge.h"

#include <fmt/format.h>

#include <map>
#include <memory>

#include "manifests/alert_rules.h"
#include "manifests/indentation.h"
#include "manifests/manifest_rules.h"
#include "manifests/script_rules.h"

namespace fathom::manifests {

namespace {

struct Words {
  Vocabulary vocabulary;
  Schema schema;
};

// Both files are data of the program and the same for all files of a run.
const Words& words_of(const std::filesystem::path& data_dir) {
  static std::map<std::filesystem::path, std::unique_ptr<Words>> known;
  std::unique_ptr<Words>& words = known[data_dir];
  if (words == nullptr) words = std::make_unique<Words>(Words{read_vocabulary(data_dir), read_schema(data_dir)});
  return *words;
}

// {"Version": "2012-10-17", "Statement": […]}: an access policy of a cloud.
void check_access_policy(const Document& document, Remarks& out) {
  const Entry* statement = entry(&document.root, "Statement");
  if (statement == nullptr) return;
  const Entry* version = entry(&document.root, "Version");
  std::string resource;
  for (const Value& item : items(&statement->value)) resource = text(find(&item, {"Resource"}));
  out.push_back({.rule = "manifest.access_policy",
                 .mark = key_mark(version != nullptr ? *version : *statement),
                 .message = fmt::format("this is an access policy of AWS{}: neither Kubernetes nor an engine reads it",
                                        resource.empty() ? "" : " for " + resource),
                 .terms = {},
                 .help = "who may use the model is decided at the gateway; RBAC is for the API of Kubernetes"});
}

void judge_manifest(const std::string& name, const std::string& text, const Words& words, const Catalog& catalog,
                    Remarks& out) {
  const std::string readable = without_flattened(text, out);
  if (!out.empty() && readable.find_first_not_of(" \t\r\n-") == std::string::npos) return;
  const Manifests file = read_manifests(parse_yaml_stream(readable, name));
  for (const Document& document : file.documents) check_access_policy(document, out);
  const ManifestCase c{file, words.vocabulary, words.schema, catalog};
  for (const auto rule :
       {check_shape, check_references, check_resources, check_engines, check_operation, check_isolation}) {
    rule(c, out);
  }
  for (const Object& object : file.objects) {
    const Value* groups = find(object.spec, {"groups"});
    if (object.kind == "PrometheusRule" && groups != nullptr) check_alert_groups(*groups, text, words.vocabulary, out);
  }
}

}  // namespace

Remarks judge(FileKind kind, const std::string& file_name, const std::string& text, const Catalog& catalog) {
  const Words& words = words_of(catalog.data_dir());
  Remarks out;
  switch (kind) {
    case FileKind::kManifest:
      judge_manifest(file_name, text, words, catalog, out);
      break;
    case FileKind::kAlertRules: {
      const Document document = parse_yaml(text, file_name);
      if (const Value* groups = find(&document.root, {"groups"}))
        check_alert_groups(*groups, text, words.vocabulary, out);
      break;
    }
    case FileKind::kScript:
      check_script(text, words.vocabulary, catalog, out);
      break;
  }
  return out;
}

}  // namespace fathom::manifests
