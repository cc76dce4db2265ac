// or < and < not < comparison < sum < product < sign < brackets; every level checks the kinds of what it joins.
#include <fmt/format.h>

#include <map>

#include "check/expression_tree.h"
#include "input/value.h"
#include "units/number.h"

namespace fathom {

namespace {

using Node = ExpressionNode;
using Op = ExpressionNode::Op;
using Type = PlanKey::Kind;

constexpr int kDeepest = 100;

std::string description(const Node& node) {
  switch (node.type) {
    case Type::kBool:
      return "a truth value";
    case Type::kText:
      return "a text";
    case Type::kList:
      return "a list";
    case Type::kAmount:
      break;
  }
  return name_of(node.dimension);
}

class Parser {
 public:
  explicit Parser(const ExpressionSource& source) : source_(source), tokens_(tokens_of(source)) {}

  Node run() {
    if (token().kind == Token::Kind::kEnd) source_.fail(1, "the expression is empty", "cost.total > 5e6 CNY");
    Node root = any_of();
    if (token().kind != Token::Kind::kEnd) unexpected("the expression should end here");
    if (root.type != Type::kBool) {
      source_.fail(root.column, fmt::format("a condition is true or false, and this is {}", description(root)),
                   "compare it: cost.total > 5e6 CNY");
    }
    return root;
  }

 private:
  Node any_of() { return truths("or", Op::kOr, &Parser::all_of); }
  Node all_of() { return truths("and", Op::kAnd, &Parser::negation); }

  Node truths(const char* word, Op op, Node (Parser::*part)()) {
    Node first = (this->*part)();
    if (!is(word)) return first;
    Node node{.op = op, .column = first.column};
    require(first, Type::kBool);
    node.parts.push_back(std::move(first));
    while (take(word)) {
      node.parts.push_back((this->*part)());
      require(node.parts.back(), Type::kBool);
    }
    return node;
  }

  Node negation() {
    const int column = token().column;
    if (!take("not")) return comparison();
    const Deeper deeper(*this);
    Node node{.op = Op::kNot, .column = column};
    node.parts.push_back(negation());
    require(node.parts[0], Type::kBool);
    return node;
  }

  Node comparison() {
    static const std::map<std::string, Op> kOps = {{"<", Op::kLess},    {"<=", Op::kLessEqual},
                                                   {">", Op::kGreater}, {">=", Op::kGreaterEqual},
                                                   {"==", Op::kEqual},  {"!=", Op::kUnequal}};
    Node left = sum();
    const auto found = kOps.find(sign());
    if (found == kOps.end()) return left;
    const Token where = token();
    ++at_;
    Node right = sum();
    if (kOps.contains(sign())) {
      source_.fail(token().column, "a comparison has two sides", "join two comparisons with \"and\"");
    }
    check_comparison(left, right, found->second, where);
    Node node{.op = found->second, .column = where.column};
    node.parts.push_back(std::move(left));
    node.parts.push_back(std::move(right));
    return node;
  }

  void check_comparison(const Node& left, const Node& right, Op op, const Token& where) {
    const bool order = op != Op::kEqual && op != Op::kUnequal;
    if (left.type != right.type || left.type == Type::kList) cannot(left, right, where);
    if (left.type != Type::kAmount && order) {
      source_.fail(where.column, fmt::format("{} is neither more nor less than another", description(left)),
                   "compare it with == or !=");
    }
    if (left.type == Type::kAmount) check_alike(left, right, where);
  }

  [[noreturn]] void cannot(const Node& left, const Node& right, const Token& where) {
    const bool list = left.type == Type::kList || right.type == Type::kList;
    source_.fail(where.column,
                 fmt::format("{} \"{}\" {} means nothing", description(left), where.text, description(right)),
                 list ? "count(KEY) is the number of items of a list" : "");
  }

  static bool is_zero(const Node& node) { return node.bare && node.op == Op::kAmount && node.amount.value == 0; }

  // Both sides of + - < >: one dimension, or a number that takes the unit of the other side.
  void check_alike(const Node& left, const Node& right, const Token& where) {
    const Dimension &a = left.dimension, &b = right.dimension;
    const bool alike = a.powers == b.powers && a.money == b.money && (a.per == b.per || a.per.empty() || b.per.empty());
    if (alike || is_zero(left) || is_zero(right)) return;
    const bool bare = (left.bare && b.money == 0) || (right.bare && a.money == 0);
    if (bare) return;
    const bool price = (left.bare && b.money != 0) || (right.bare && a.money != 0);
    source_.fail(where.column,
                 fmt::format("{} and {} cannot be held against each other", description(left), description(right)),
                 price ? "write the currency behind the number: 5e6 CNY" : "");
  }

  Node sum() {
    Node left = term();
    while (is("+") || is("-")) {
      const Token where = token();
      ++at_;
      Node right = term();
      require(left, Type::kAmount);
      require(right, Type::kAmount);
      check_alike(left, right, where);
      Node node{.op = where.text == "+" ? Op::kAdd : Op::kSubtract, .type = Type::kAmount, .column = left.column};
      node.dimension = left.bare ? right.dimension : left.dimension;
      node.bare = left.bare && right.bare;
      join(node, std::move(left), std::move(right));
      left = std::move(node);
    }
    return left;
  }

  Node term() {
    Node left = factor();
    while (is("*") || is("/")) {
      const Token where = token();
      ++at_;
      Node right = factor();
      require(left, Type::kAmount);
      require(right, Type::kAmount);
      const bool times = where.text == "*";
      Node node{.op = times ? Op::kMultiply : Op::kDivide, .type = Type::kAmount, .column = left.column};
      node.dimension = product(left.dimension, right.dimension, times ? 1 : -1);
      node.bare = left.bare && right.bare;
      join(node, std::move(left), std::move(right));
      left = std::move(node);
    }
    return left;
  }

  Node factor() {
    const Deeper deeper(*this);
    const Token here = token();
    if (take("-")) {
      Node node{.op = Op::kNegate, .type = Type::kAmount, .column = here.column};
      node.parts.push_back(factor());
      require(node.parts[0], Type::kAmount);
      node.dimension = node.parts[0].dimension;
      node.bare = node.parts[0].bare;
      return node;
    }
    if (take("(")) {
      Node node = any_of();
      close(here);
      return node;
    }
    if (is("true") || is("false")) {
      ++at_;
      return {.op = Op::kBool, .column = here.column, .truth = here.text == "true"};
    }
    if (here.kind == Token::Kind::kSign || here.kind == Token::Kind::kEnd)
      unexpected("expected a key or an amount here");
    ++at_;
    if (here.kind == Token::Kind::kText) {
      return {.op = Op::kText, .type = Type::kText, .column = here.column, .text = here.text};
    }
    if (here.kind == Token::Kind::kAmount) return literal(here);
    if (here.text == "known" && is("(")) return function(here, Op::kKnown);
    if (here.text == "count" && is("(")) return function(here, Op::kCount);
    return key(here);
  }

  static Node literal(const Token& token) {
    Node node{.op = Op::kAmount, .type = Type::kAmount, .column = token.column, .amount = token.amount};
    node.dimension = token.amount.dimension;
    node.bare = token.amount.dimension == Dimension{} && !token.text.ends_with('%');
    return node;
  }

  Node key(const Token& token) {
    const PlanKey* found = find_plan_key(token.text);
    if (found == nullptr) unknown(token);
    return {.op = Op::kKey,
            .type = found->kind,
            .dimension = found->dimension,
            .column = token.column,
            .text = token.text,
            .key = found};
  }

  Node function(const Token& name, Op op) {
    const Token open = token();
    ++at_;
    const Token argument = token();
    if (argument.kind != Token::Kind::kKey) unexpected("expected a key of the plan here");
    ++at_;
    Node node = key(argument);
    close(open);
    if (op == Op::kCount && node.type != Type::kList) {
      source_.fail(argument.column, fmt::format("{} is no list", argument.text));
    }
    node.op = op;
    node.column = name.column;
    node.type = op == Op::kCount ? Type::kAmount : Type::kBool;
    node.dimension = {};
    return node;
  }

  [[noreturn]] void unknown(const Token& token) {
    std::vector<std::string> names;
    std::string inside;  // some key that continues this one
    for (const PlanKey& key : plan_keys()) {
      names.push_back(key.path);
      if (key.path.starts_with(token.text + ".") && inside.empty()) inside = key.path;
    }
    std::string close = did_you_mean(token.text, names);
    for (const std::string& name : names) {  // the last part of a key, alone
      if (close.empty() && name.ends_with("." + token.text)) close = name;
    }
    const std::string hint = !inside.empty()  ? fmt::format("name one of its values, such as {}", inside)
                             : !close.empty() ? fmt::format("did you mean \"{}\"?", close)
                                              : "keys are those of fathom plan -f json, such as cost.total";
    source_.fail(
        token.column,
        inside.empty() ? "unknown key " + in_quotes(token.text) : in_quotes(token.text) + " is a group of keys", hint);
  }

  void close(const Token& open) {
    if (take(")")) return;
    if (token().kind == Token::Kind::kEnd) source_.fail(open.column, "this bracket is never closed");
    unexpected("expected \")\" here");
  }

  void require(const Node& node, Type type) {
    if (node.type == type) return;
    const bool truth = type == Type::kBool;
    source_.fail(node.column, fmt::format("expected {} here, and this is {}", truth ? "a truth value" : "an amount",
                                          description(node)));
  }

  [[noreturn]] void unexpected(const std::string& what) {
    const bool key = token().kind == Token::Kind::kKey && at_ > 0 && tokens_[at_ - 1].kind == Token::Kind::kAmount;
    source_.fail(token().column, what,
                 key ? fmt::format("{} is no unit of the number before it", in_quotes(token().text)) : "");
  }

  static void join(Node& node, Node left, Node right) {
    node.parts.push_back(std::move(left));
    node.parts.push_back(std::move(right));
  }

  const Token& token() const { return tokens_[at_]; }
  std::string sign() const { return token().kind == Token::Kind::kSign ? token().text : ""; }
  bool is(const char* word) const { return sign() == word; }
  bool take(const char* word) {
    if (!is(word)) return false;
    ++at_;
    return true;
  }

  struct Deeper {
    explicit Deeper(Parser& parser) : parser_(parser) {
      if (++parser_.depth_ > kDeepest)
        parser_.source_.fail(parser_.token().column, "the expression is nested too deeply");
    }
    ~Deeper() { --parser_.depth_; }
    Deeper(const Deeper&) = delete;
    Deeper& operator=(const Deeper&) = delete;
    Parser& parser_;
  };

  const ExpressionSource& source_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

ExpressionNode parse_expression(const ExpressionSource& source) { return Parser(source).run(); }

}  // namespace fathom
