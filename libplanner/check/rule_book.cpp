#include "check/rule_book.h"

#include <algorithm>
#include <map>

#include "input/reader.h"

namespace fathom {

namespace {

Rule read_rule(MapReader reader, const std::map<std::string, std::string>& sources) {
  Rule rule;
  rule.id = reader.required<std::string>("id");
  rule.level = static_cast<Severity>(reader.choice("level", {"off", "note", "warning", "error"}));
  rule.title = reader.required<std::string>("title");
  rule.explanation = reader.required<std::string>("why");
  const std::string source = reader.required<std::string>("source");
  reader.finish();
  if (rule.id.find('.') == std::string::npos) reader.fail("a rule's id is family.rule, found \"" + rule.id + "\"");
  const auto title = sources.find(source);
  if (title == sources.end()) reader.fail("rule " + rule.id + ": unknown source \"" + source + "\"");
  rule.source = title->second;
  return rule;
}

}  // namespace

RuleBook::RuleBook(const std::filesystem::path& data_dir, const std::string& name) {
  const Document document = read_yaml(data_dir / name);
  MapReader file(document.file, document.root, "the rules");
  file.choice("format", {"fathom-rules/1"});
  std::map<std::string, std::string> sources;
  for (const Entry& entry : file.need("sources").entries) sources[entry.key] = entry.value.text;
  for (const Value& item : file.need("rules").items) {
    Rule rule = read_rule(MapReader(document.file, item, "a rule"), sources);
    if (find(rule.id) != nullptr) throw InputError(document.file, item.at, "rule " + rule.id + " is there twice");
    rules_.push_back(std::move(rule));
  }
  file.finish();
  std::stable_sort(rules_.begin(), rules_.end(), [](const Rule& a, const Rule& b) { return a.family() < b.family(); });
}

const Rule* RuleBook::find(const std::string& id) const {
  const auto it = std::find_if(rules_.begin(), rules_.end(), [&](const Rule& rule) { return rule.id == id; });
  return it == rules_.end() ? nullptr : &*it;
}

std::vector<std::string> RuleBook::ids() const {
  std::vector<std::string> out;
  for (const Rule& rule : rules_) out.push_back(rule.id);
  return out;
}

}  // namespace fathom
