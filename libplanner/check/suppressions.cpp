#include "check/suppressions.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "input/utf8.h"
#include "input/value.h"
#include "units/number.h"

namespace fathom {

namespace {

constexpr std::string_view kForm = "write it as # fathom: ignore[rule.id] reason";

// Where a comment starts: a "#" behind a blank and outside quotes. npos when there is none.
std::size_t comment_start(std::string_view line) {
  char quote = 0;
  for (std::size_t at = 0; at < line.size(); ++at) {
    const char c = line[at];
    const char before = at == 0 ? ' ' : line[at - 1];
    if (quote != 0) {
      const bool escape = quote == '"' ? c == '\\' : line.substr(at, 2) == "''";
      if (escape) {
        ++at;
      } else if (c == quote) {
        quote = 0;
      }
    } else if ((c == '"' || c == '\'') && std::string_view(" \t[{(,:=").find(before) != std::string_view::npos) {
      quote = c;  // an apostrophe inside a word opens none
    } else if (c == '#' && (before == ' ' || before == '\t')) {
      return at;
    }
  }
  return std::string_view::npos;
}

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r") == std::string_view::npos; }

bool names_rule(const RuleBook& book, const std::string& name) {
  return std::any_of(book.rules().begin(), book.rules().end(),
                     [&](const Rule& rule) { return rule.id == name || rule.family() == name; });
}

class Reader {
 public:
  explicit Reader(const RuleBook& book) : book_(book) {}

  void line(int number, std::string_view text) {
    const std::size_t start = comment_start(text);
    const bool alone = start != std::string_view::npos && is_blank(text.substr(0, start));
    if (!alone && !is_blank(text)) settle(number);
    if (start == std::string_view::npos) return;
    std::string_view words = trimmed(text.substr(start + 1));
    if (!words.starts_with("fathom:")) return;
    const Spot spot{{number, code_points(text.substr(0, start)) + 1}, code_points(trimmed(text.substr(start)))};
    comment(trimmed(words.substr(7)), spot, alone ? 0 : number);
  }

  SuppressionComments finish(int last_line) {
    settle(last_line + 1);
    return std::move(out_);
  }

 private:
  // Comments of their own are about the next line that says something.
  void settle(int number) {
    for (Suppression& s : out_.ignores) {
      if (s.line == 0) s.line = number;
    }
  }

  void comment(std::string_view words, const Spot& spot, int line) {
    const std::size_t end = std::min(words.find_first_of(" \t[("), words.size());
    const std::string verb(words.substr(0, end));
    if (verb != "ignore") {
      // Prose that happens to start with "fathom:" is none of our business.
      const bool meant = !did_you_mean(verb, {"ignore"}).empty() || words.substr(end).starts_with("[");
      if (meant) misread(spot, in_quotes(verb) + " is nothing that a comment can ask for");
      return;
    }
    std::string_view rest = trimmed(words.substr(end));
    const std::size_t close = rest.find(']');
    if (!rest.starts_with("[") || close == std::string_view::npos) {
      misread(spot, "this comment does not say in brackets which rule to ignore");
      return;
    }
    Suppression s{.spot = spot, .line = line, .rules = {}, .reason = {}};
    if (!read_rules(rest.substr(1, close - 1), s)) return;
    rest.remove_prefix(close + 1);
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t\r:-"), rest.size()));
    s.reason = trimmed(rest);
    out_.ignores.push_back(std::move(s));
  }

  bool read_rules(std::string_view list, Suppression& s) {
    while (true) {
      const std::size_t comma = list.find(',');
      const std::string name(trimmed(list.substr(0, comma)));
      if (name.empty()) {
        misread(s.spot, "this comment does not name a rule");
        return false;
      }
      if (name == "schema.input") {
        misread(s.spot, "schema.input cannot be ignored: nothing else is known of a file that cannot be read");
        return false;
      }
      if (!names_rule(book_, name)) {
        const std::string close = did_you_mean(name, book_.ids());
        misread(s.spot, "unknown rule " + in_quotes(name),
                close.empty() ? "fathom explain lists the rules" : fmt::format("did you mean \"{}\"?", close));
        return false;
      }
      s.rules.push_back(name);
      if (comma == std::string_view::npos) return true;
      list.remove_prefix(comma + 1);
    }
  }

  void misread(const Spot& spot, std::string message, std::string help = std::string(kForm)) {
    out_.misread.push_back({spot, std::move(message), std::move(help)});
  }

  const RuleBook& book_;
  SuppressionComments out_;
};

bool covers(const std::string& name, const Finding& finding) {
  return finding.rule == name || finding.rule.substr(0, finding.rule.find('.')) == name;
}

bool is_off(const RuleLevels& levels, const RuleBook& book, const std::string& name) {
  const Rule* rule = book.find(name);
  if (rule != nullptr) return given_level(levels, *rule).value_or(rule->level) == Severity::kOff;
  const auto family = levels.find(name);
  return family != levels.end() && family->second == Severity::kOff;
}

}  // namespace

SuppressionComments read_suppressions(std::string_view text, const RuleBook& book) {
  if (text.find("fathom:") == std::string_view::npos) return {};
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  Reader reader(book);
  int number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    reader.line(++number, text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return reader.finish(number);
}

int suppress(std::string_view text, const RuleBook& book, const RuleLevels& levels, const std::string& file,
             std::vector<Finding>& found) {
  const SuppressionComments comments = read_suppressions(text, book);
  Findings remarks(book, levels, file);
  for (const SuppressionComments::Misread& m : comments.misread) {
    remarks.add("suppression.form", m.spot, {.message = m.message, .help = m.help});
  }
  std::set<const Finding*> gone;
  for (const Suppression& s : comments.ignores) {
    if (s.reason.empty()) {
      remarks.add("suppression.reason", s.spot,
                  {.message = "this comment gives no reason, so it ignores nothing", .help = std::string(kForm)});
      continue;
    }
    for (const std::string& name : s.rules) {
      bool used = false;
      for (const Finding& finding : found) {
        if (finding.spot.at.line != s.line || !covers(name, finding)) continue;
        gone.insert(&finding);
        used = true;
      }
      if (used || is_off(levels, book, name)) continue;
      Findings::Said said{.message = fmt::format("nothing of {} is found on line {}", name, s.line),
                          .help = "remove it, so that it hides no later mistake"};
      if (s.rules.size() == 1) said.mend = Mend{s.spot, ""};
      remarks.add("suppression.unused", s.spot, std::move(said));
    }
  }
  std::vector<Finding> kept = remarks.sorted();
  for (const Finding& finding : found) {
    if (!gone.contains(&finding)) kept.push_back(finding);
  }
  found = std::move(kept);
  sort_by_place(found);
  return static_cast<int>(gone.size());
}

}  // namespace fathom
