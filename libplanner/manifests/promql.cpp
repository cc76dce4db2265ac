#include "manifests/promql.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "units/number.h"

namespace fathom::manifests {

namespace {

constexpr int kDeepest = 100;
constexpr int kMostOperators = 1000;

struct NotUnderstood {};

bool starts_name(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_' || c == ':'; }
bool in_name(char c) { return starts_name(c) || std::isdigit(static_cast<unsigned char>(c)) != 0; }

bool is_aggregation(std::string_view name) {
  static constexpr std::array<std::string_view, 14> kNames = {"sum",    "min",      "max",    "avg",          "group",
                                                              "stddev", "stdvar",   "count",  "count_values", "bottomk",
                                                              "topk",   "quantile", "limitk", "limit_ratio"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  PromNode whole() {
    PromNode node = binary(0);
    blanks();
    if (at_ < text_.size()) throw NotUnderstood{};
    return node;
  }

 private:
  void blanks() {
    while (at_ < text_.size()) {
      if (text_[at_] == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (std::isspace(static_cast<unsigned char>(text_[at_])) != 0) {
        ++at_;
      } else {
        return;
      }
    }
  }
  bool peek(std::string_view word) {
    blanks();
    if (!text_.substr(at_).starts_with(word)) return false;
    const std::size_t end = at_ + word.size();
    return !in_name(word.back()) || end >= text_.size() || !in_name(text_[end]);
  }
  bool take(std::string_view word) {
    if (!peek(word)) return false;
    at_ += word.size();
    return true;
  }
  void need(std::string_view word) {
    if (!take(word)) throw NotUnderstood{};
  }
  std::string name() {
    blanks();
    const std::size_t start = at_;
    if (at_ < text_.size() && starts_name(text_[at_])) {
      while (at_ < text_.size() && in_name(text_[at_])) ++at_;
    }
    return std::string(text_.substr(start, at_ - start));
  }

  // Operators by how tightly they bind, loosest first.
  std::string operator_of(int level) {
    static const std::array<std::vector<std::string>, 6> kLevels = {
        {{"or"}, {"and", "unless"}, {"==", "!=", "<=", ">=", "<", ">"}, {"+", "-"}, {"*", "/", "%", "atan2"}, {"^"}}};
    for (const std::string& op : kLevels[static_cast<std::size_t>(level)]) {
      if (take(op)) return op;
    }
    return {};
  }

  PromNode binary(int level) {
    if (level == 6) return unary();
    PromNode left = binary(level + 1);
    while (true) {
      blanks();
      const std::size_t start = at_;
      const std::string op = operator_of(level);
      if (op.empty()) return left;
      if (++operators_ > kMostOperators) throw NotUnderstood{};
      PromNode node;
      node.kind = PromNode::Kind::kBinary;
      node.name = op;
      node.at = start;
      node.length = op.size();
      node.is_bool = take("bool");
      matching();
      node.parts.push_back(std::move(left));
      node.parts.push_back(level == 5 ? binary(5) : binary(level + 1));  // powers group from the right
      left = std::move(node);
    }
  }

  void matching() {
    for (const char* word : {"on", "ignoring", "group_left", "group_right"}) {
      if (!take(word)) continue;
      if (peek("(")) label_list();
    }
  }

  std::vector<std::string> label_list() {
    std::vector<std::string> out;
    need("(");
    while (!take(")")) {
      const std::string label = name();
      if (label.empty()) throw NotUnderstood{};
      out.push_back(label);
      if (!take(",") && !peek(")")) throw NotUnderstood{};
    }
    return out;
  }

  PromNode unary() {
    if (++depth_ > kDeepest) throw NotUnderstood{};
    PromNode node;
    if (take("-")) {
      node.kind = PromNode::Kind::kNegative;
      node.name = "-";
      node.parts.push_back(unary());
    } else if (take("+")) {
      node = unary();
    } else {
      node = primary();
      suffixes(node);
    }
    --depth_;
    return node;
  }

  PromNode primary() {
    blanks();
    if (at_ >= text_.size()) throw NotUnderstood{};
    const char c = text_[at_];
    if (c == '(') {
      ++at_;
      PromNode node = binary(0);
      need(")");
      return node;
    }
    if (c == '"' || c == '\'' || c == '`') return quoted();
    if (c == '{') return selector({});
    if (std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '.') return number();
    const std::size_t start = at_;
    const std::string word = name();
    if (word.empty()) throw NotUnderstood{};
    PromNode node;
    if (is_aggregation(word) && (peek("(") || peek("by") || peek("without"))) {
      node = aggregation(word);
    } else if (peek("(")) {
      node = call(word);
    } else {
      node = selector(word);
    }
    node.at = start;
    node.length = word.size();
    return node;
  }

  PromNode number() {
    const std::size_t start = at_;
    while (at_ < text_.size() && (in_name(text_[at_]) || text_[at_] == '.' ||
                                  ((text_[at_] == '-' || text_[at_] == '+') && (text_[at_ - 1] | 32) == 'e'))) {
      ++at_;
    }
    const auto scanned = scan_number(text_.substr(start, at_ - start));
    if (!scanned || !scanned->rest.empty() || !scanned->in_range) throw NotUnderstood{};
    PromNode node;
    node.number = scanned->value;
    node.at = start;
    node.length = at_ - start;
    return node;
  }

  PromNode quoted() {
    PromNode node;
    node.kind = PromNode::Kind::kText;
    node.at = at_;
    skip_quoted();
    node.length = at_ - node.at;
    node.name = text_.substr(node.at, node.length);
    return node;
  }
  void skip_quoted() {
    const char quote = text_[at_++];
    while (at_ < text_.size() && text_[at_] != quote) at_ += text_[at_] == '\\' && quote != '`' ? 2 : 1;
    if (at_ >= text_.size()) throw NotUnderstood{};
    ++at_;
  }

  PromNode selector(const std::string& metric) {
    PromNode node;
    node.kind = PromNode::Kind::kSelector;
    node.name = metric;
    node.at = at_;
    if (!take("{")) return node;
    while (at_ < text_.size() && text_[at_] != '}') {
      if (text_[at_] == '"' || text_[at_] == '\'' || text_[at_] == '`') {
        skip_quoted();
      } else {
        ++at_;
      }
    }
    need("}");
    return node;
  }

  PromNode call(const std::string& function) {
    PromNode node;
    node.kind = PromNode::Kind::kCall;
    node.name = function;
    arguments(node);
    return node;
  }

  PromNode aggregation(const std::string& function) {
    PromNode node;
    node.kind = PromNode::Kind::kAggregate;
    node.name = function;
    grouping(node);
    arguments(node);
    if (!node.grouped) grouping(node);
    return node;
  }
  void grouping(PromNode& node) {
    const bool by = take("by");
    if (!by && !take("without")) return;
    node.grouped = true;
    node.keeps = by;
    node.labels = label_list();
  }
  void arguments(PromNode& node) {
    need("(");
    while (!take(")")) {
      node.parts.push_back(binary(0));
      if (!take(",") && !peek(")")) throw NotUnderstood{};
    }
  }

  // "[5m]", "[1h:5m]", "offset 1d", "@ end()": what they say does not matter here.
  void suffixes(PromNode& node) {
    while (true) {
      if (take("[")) {
        const std::size_t end = text_.find(']', at_);
        if (end == std::string_view::npos) throw NotUnderstood{};
        at_ = end + 1;
        node.range = true;
      } else if (take("offset") || take("@")) {
        take("-");
        blanks();
        while (at_ < text_.size() && (in_name(text_[at_]) || text_[at_] == '.')) ++at_;
        if (take("(")) need(")");
      } else {
        return;
      }
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
  int operators_ = 0;
};

}  // namespace

std::optional<PromNode> parse_promql(std::string_view expression) {
  try {
    return Parser(expression).whole();
  } catch (const NotUnderstood&) {
    return std::nullopt;
  }
}

std::string unbalanced(std::string_view text) {
  std::string open;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '#') {
      at = std::min(text.find('\n', at), text.size());
    } else if (c == '"' || c == '\'' || c == '`') {
      const std::size_t start = at++;
      while (at < text.size() && text[at] != c) at += text[at] == '\\' && c != '`' ? 2 : 1;
      if (at >= text.size()) return fmt::format("the quote {} behind {} characters never closes", c, start);
    } else if (c == '(' || c == '[' || c == '{') {
      open += c;
    } else if (c == ')' || c == ']' || c == '}') {
      const char wanted = c == ')' ? '(' : c == ']' ? '[' : '{';
      if (open.empty() || open.back() != wanted) return fmt::format("a \"{}\" closes nothing", c);
      open.pop_back();
    }
  }
  return open.empty() ? std::string() : fmt::format("a \"{}\" never closes", open.back());
}

bool is_comparison(const PromNode& node) {
  if (node.kind != PromNode::Kind::kBinary || node.is_bool) return false;
  return node.name == "<" || node.name == ">" || node.name == "<=" || node.name == ">=" || node.name == "==" ||
         node.name == "!=";
}

std::string to_string(const PromNode& node) {
  if (node.kind == PromNode::Kind::kNumber) return fmt::format("{:g}", node.number);
  if (node.kind == PromNode::Kind::kBinary) {
    return "(" + to_string(node.parts[0]) + node.name + to_string(node.parts[1]) + ")";
  }
  std::string out = node.name;
  if (node.parts.empty()) return out;
  out += "(";
  for (std::size_t i = 0; i < node.parts.size(); ++i) out += (i == 0 ? "" : ",") + to_string(node.parts[i]);
  return out + ")";
}

}  // namespace fathom::manifests
