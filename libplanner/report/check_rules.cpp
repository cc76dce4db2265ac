#include "report/check_rules.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "check/check_report.h"
#include "report/text_table.h"

namespace fathom {

namespace {

constexpr int kLineWidth = 100;

std::string wrapped(std::string_view text) {
  std::string out;
  int column = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(" \n"), text.size());
    const std::string_view word = text.substr(0, end);
    const int width = display_width(word);
    if (column > 0 && column + 1 + width > kLineWidth) {
      out += '\n';
      column = 0;
    } else if (column > 0 && width > 0) {
      out += ' ';
      ++column;
    }
    out += word;
    column += width;
    if (end < text.size() && text[end] == '\n') {  // a paragraph
      out += "\n\n";
      column = 0;
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  out.erase(out.find_last_not_of("\n ") + 1);
  return out + "\n";
}

}  // namespace

std::string rule_list(const std::vector<Rule>& rules) {
  std::string out, family;
  TextTable table({{"rule"}, {"level"}, {"about"}});
  for (const Rule& rule : rules) table.row({rule.id, name_of(rule.level), rule.title});
  return table.render(TextStyle::kTerminal);
}

std::string rule_text(const Rule& rule, bool colour) {
  const std::string head = fmt::format("{}: {}", rule.id, rule.title);
  std::string out = colour ? fmt::format("\033[1m{}\033[0m\n", head) : head + "\n";
  out += fmt::format("level: {}\n\n{}\nsource: {}\n", name_of(rule.level), wrapped(rule.explanation), rule.source);
  return out;
}

std::string rules_json(const std::vector<Rule>& rules) {
  using Json = nlohmann::ordered_json;
  Json json = {{"format_version", "1.0"}, {"rules", Json::array()}};
  for (const Rule& rule : rules) {
    json["rules"].push_back({{"id", rule.id},
                             {"level", name_of(rule.level)},
                             {"title", rule.title},
                             {"explanation", rule.explanation},
                             {"source", rule.source}});
  }
  return json.dump(2) + "\n";
}

}  // namespace fathom
