#include "manifests/alert_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "input/excerpt.h"
#include "input/utf8.h"
#include "manifests/alert_expressions.h"
#include "manifests/tree.h"
#include "units/number.h"

namespace fathom::manifests {

namespace {

// "5m", "1h30m": what Prometheus takes for a duration.
bool is_duration(const std::string& word) {
  std::size_t at = 0;
  if (word == "0") return true;
  while (at < word.size()) {
    const std::size_t digits = word.find_first_not_of("0123456789", at);
    if (digits == at || digits == std::string::npos) return false;
    const bool milli = word.compare(digits, 2, "ms") == 0;
    if (!milli && std::string("smhdwy").find(word[digits]) == std::string::npos) return false;
    at = digits + (milli ? 2 : 1);
  }
  return !word.empty();
}

void check_keys(const Value& value, const std::vector<std::string>& known, const std::string& what, Remarks& out) {
  for (const Entry& e : value.entries) {
    if (std::find(known.begin(), known.end(), e.key) != known.end()) continue;
    const std::string close = did_you_mean(e.key, known);
    out.push_back(
        {.rule = "prometheus.form",
         .mark = key_mark(e),
         .message = fmt::format("{} has no key {}", what, in_quotes(e.key)),
         .help = close.empty() ? "it has " + listed(known, " and ") : fmt::format("did you mean \"{}\"?", close)});
  }
}

void check_duration(const Value& value, const char* key, Remarks& out) {
  const Entry* e = entry(&value, key);
  if (e == nullptr || is_duration(text(&e->value))) return;
  out.push_back({.rule = "prometheus.form",
                 .mark = mark(*e),
                 .message = fmt::format("{} is no duration", in_quotes(text(&e->value))),
                 .help = "write it as 30s, 5m or 1h30m"});
}

class Group {
 public:
  Group(std::string_view file_text, const Vocabulary& vocabulary, const std::set<std::string>& recorded, Remarks& out)
      : text_(file_text), vocabulary_(vocabulary), recorded_(recorded), out_(out) {}

  void check(const Value& group) {
    if (group.kind != Value::Kind::kMapping) return;
    check_keys(group, {"name", "interval", "limit", "query_offset", "rules", "labels", "partial_response_strategy"},
               "a group", out_);
    check_duration(group, "interval", out_);
    if (text(find(&group, {"name"})).empty()) {
      out_.push_back({.rule = "prometheus.form", .mark = mark(group), .message = "a group needs a name"});
    }
    for (const Value& rule : items(find(&group, {"rules"}))) check_rule(rule);
  }

 private:
  void check_rule(const Value& rule) {
    if (rule.kind != Value::Kind::kMapping) return;
    const Entry* alert = entry(&rule, "alert");
    const Entry* record = entry(&rule, "record");
    check_keys(rule,
               alert != nullptr
                   ? std::vector<std::string>{"alert", "expr", "for", "keep_firing_for", "labels", "annotations"}
                   : std::vector<std::string>{"record", "expr", "labels"},
               alert != nullptr ? "an alert" : "a recording", out_);
    const Entry* expression = entry(&rule, "expr");
    if ((alert == nullptr) == (record == nullptr)) {
      out_.push_back({.rule = "prometheus.form",
                      .mark = mark(rule),
                      .message = alert == nullptr ? "a rule is either an alert or a recording, and this names neither"
                                                  : "a rule is either an alert or a recording, and this names both"});
    }
    if (expression == nullptr || trimmed(text(&expression->value)).empty()) {
      out_.push_back({.rule = "prometheus.form", .mark = mark(rule), .message = "a rule needs an expression"});
      return;
    }
    check_duration(rule, "for", out_);
    check_duration(rule, "keep_firing_for", out_);
    if (alert != nullptr) check_alert(rule, *alert, *expression);
    check_expression(*expression, alert == nullptr ? std::string() : text(&alert->value));
  }

  void check_alert(const Value& rule, const Entry& alert, const Entry& expression) {
    const std::string name = text(&alert.value), query = text(&expression.value);
    const Value* all = find(&rule, {"labels"});
    if (find(all, {"severity"}) == nullptr) {
      out_.push_back({.rule = "prometheus.severity",
                      .mark = mark(alert),
                      .message = fmt::format("{} has no label severity, by which alerts are sent to people", name)});
    }
    // A range in the expression, or an absence, waits by itself.
    const bool waits = query.find('[') != std::string::npos || query.find("absent") != std::string::npos;
    if (find(&rule, {"for"}) == nullptr && !waits) {
      out_.push_back({.rule = "prometheus.for",
                      .mark = mark(alert),
                      .message = fmt::format("{} speaks at the first sample that is over its threshold", name),
                      .help = "for: 5m, or a range in the expression"});
    }
    const auto [first, is_new] = seen_.emplace(name + "{" + to_string(labels(all)) + "}", alert.at.line);
    if (is_new) return;
    out_.push_back({.rule = "prometheus.duplicate",
                    .mark = mark(alert),
                    .message = fmt::format("{} stands on line {} already, with the same labels", name, first->second)});
  }

  void check_expression(const Entry& expression, const std::string& alert) {
    const std::string query = text(&expression.value);
    if (const std::string open = unbalanced(query); !open.empty()) {
      out_.push_back({.rule = "prometheus.form", .mark = mark(expression), .message = open});
      return;
    }
    const auto root = parse_promql(query);
    if (!root) return;
    const AlertExpression e{.root = *root,
                            .alert = alert,
                            .place = [&](const PromNode& node) { return place(expression, query, node); },
                            .vocabulary = vocabulary_,
                            .recorded = recorded_};
    check_metrics(e, out_);
    check_comparisons(e, out_);
    check_quantiles(e, out_);
  }

  // Where a word of the expression stands in the file. Folding and escapes move it, so it is looked for from the
  // expression's first line on; what is not found is reported at the expression.
  Mark place(const Entry& expression, const std::string& query, const PromNode& node) const {
    if (node.at + node.length > query.size() || node.length == 0) return mark(expression);
    const std::string word = query.substr(node.at, node.length);
    int before = 0;  // the same word earlier in the expression
    for (std::size_t at = query.find(word); at != std::string::npos && at < node.at; at = query.find(word, at + 1))
      ++before;
    const int last_line =
        expression.value.at.line + static_cast<int>(std::count(query.begin(), query.end(), '\n')) + 40;
    for (int line = expression.value.at.line; line <= last_line; ++line) {
      const auto found_line = line_of(text_, line);
      if (!found_line) break;
      std::size_t from = 0;
      if (line == expression.value.at.line) from = offset_of_column(*found_line, expression.value.at.column);
      for (std::size_t at = found_line->find(word, from); at != std::string_view::npos;
           at = found_line->find(word, at + 1)) {
        if (before-- == 0) return {{line, code_points(found_line->substr(0, at)) + 1}, code_points(word)};
      }
    }
    return mark(expression);
  }

  std::string_view text_;
  const Vocabulary& vocabulary_;
  const std::set<std::string>& recorded_;
  Remarks& out_;
  std::map<std::string, int> seen_;  // alerts with their labels
};

}  // namespace

void check_alert_groups(const Value& groups, std::string_view text, const Vocabulary& vocabulary, Remarks& out) {
  std::set<std::string> names, recorded;
  for (const Value& group : groups.items) {
    for (const Value& rule : items(find(&group, {"rules"}))) recorded.insert(manifests::text(find(&rule, {"record"})));
  }
  for (const Value& group : groups.items) {
    Group(text, vocabulary, recorded, out).check(group);
    const Entry* name = entry(&group, "name");
    if (name == nullptr || names.insert(manifests::text(&name->value)).second) continue;
    out.push_back({.rule = "prometheus.form",
                   .mark = mark(*name),
                   .message = fmt::format("a second group is called {}", in_quotes(manifests::text(&name->value)))});
  }
}

}  // namespace fathom::manifests
