#include "check/expression.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "check/expression_tree.h"
#include "check/plan_values.h"

namespace fathom {

namespace {

using Node = ExpressionNode;
using Op = ExpressionNode::Op;
using Type = PlanKey::Kind;

struct Undecided {
  std::string why;
};

class Evaluation {
 public:
  Evaluation(const PlanValues& plan, const std::vector<ExchangeRate>& rates) : plan_(plan), rates_(rates) {}

  bool truth(const Node& node) {
    switch (node.op) {
      case Op::kOr:
        return std::any_of(node.parts.begin(), node.parts.end(), [&](const Node& part) { return truth(part); });
      case Op::kAnd:
        return std::all_of(node.parts.begin(), node.parts.end(), [&](const Node& part) { return truth(part); });
      case Op::kNot:
        return !truth(node.parts[0]);
      case Op::kBool:
        return node.truth;
      case Op::kKnown:
        return plan_.find(path_of(node)).has_value();
      case Op::kKey:
        return std::get<bool>(value_of(node));
      default:
        return comparison(node);
    }
  }

  std::vector<std::string> terms;
  bool reads_cost = false;

 private:
  bool comparison(const Node& node) {
    const Node &left = node.parts[0], &right = node.parts[1];
    if (left.type == Type::kBool) return (truth(left) == truth(right)) == (node.op == Op::kEqual);
    if (left.type == Type::kText) return (text(left) == text(right)) == (node.op == Op::kEqual);
    const Amount a = amount(left), b = exchanged(amount(right), a.currency, rates_);
    switch (node.op) {
      case Op::kLess:
        return a.value < b.value;
      case Op::kLessEqual:
        return a.value <= b.value;
      case Op::kGreater:
        return a.value > b.value;
      case Op::kGreaterEqual:
        return a.value >= b.value;
      case Op::kEqual:
        return a.value == b.value;
      default:
        return a.value != b.value;
    }
  }

  std::string text(const Node& node) {
    return node.op == Op::kText ? node.text : std::get<std::string>(value_of(node));
  }

  Amount amount(const Node& node) {
    Amount out = amount_unchecked(node);
    if (!std::isfinite(out.value)) throw Undecided{"a division by zero or a number out of range"};
    return out;
  }

  Amount amount_unchecked(const Node& node) {
    switch (node.op) {
      case Op::kAmount:
        return node.amount;
      case Op::kNegate: {
        Amount out = amount(node.parts[0]);
        out.value = -out.value;
        return out;
      }
      case Op::kMultiply:
      case Op::kDivide: {
        const Amount left = amount(node.parts[0]), right = amount(node.parts[1]);
        return product(left, right, node.op == Op::kMultiply ? 1 : -1, rates_);
      }
      case Op::kAdd:
      case Op::kSubtract: {
        Amount left = amount(node.parts[0]);
        const Amount right = exchanged(amount(node.parts[1]), left.currency, rates_);
        if (left.currency.empty()) left.currency = right.currency;
        left.value += node.op == Op::kAdd ? right.value : -right.value;
        left.dimension = node.dimension;  // a bare number took the other's unit
        return left;
      }
      default:
        break;
    }
    const PlanValues::Value value = value_of(node);  // kKey, kCount
    if (const auto* items = std::get_if<std::size_t>(&value)) return {.value = static_cast<double>(*items)};
    return {.value = std::get<double>(value) * node.key->scale,
            .dimension = node.dimension,
            .currency = node.dimension.money != 0 ? currency() : ""};
  }

  std::string currency() const {
    const auto found = plan_.find("cost.currency");
    const auto* name = found ? std::get_if<std::string>(&*found) : nullptr;
    const auto& known = known_currencies();
    if (name == nullptr || std::find(known.begin(), known.end(), *name) == known.end())
      throw Undecided{"the plan does not say its currency"};
    return *name;
  }

  static std::string path_of(const Node& node) { return node.text + (node.key->estimate ? ".likely" : ""); }

  // Of the kind that the key has; noted as a term.
  PlanValues::Value value_of(const Node& node) {
    const std::string path = path_of(node);
    std::optional<PlanValues::Value> value = plan_.find(path);
    if (!value) throw Undecided{fmt::format("the plan has no {}", path)};
    reads_cost |= path.starts_with("cost.");
    const Type type = node.key->kind;
    if (type == Type::kAmount) value = number(*value, path);
    const bool right = type == Type::kBool   ? std::holds_alternative<bool>(*value)
                       : type == Type::kText ? std::holds_alternative<std::string>(*value)
                       : type == Type::kList ? std::holds_alternative<std::size_t>(*value)
                                             : std::holds_alternative<double>(*value);
    if (!right) throw Undecided{fmt::format("{} of the plan is of another kind", path)};
    note(node, *value);
    return *value;
  }

  // Money is a text in the plan, so that no digit is lost.
  static PlanValues::Value number(const PlanValues::Value& value, const std::string& path) {
    const auto* text = std::get_if<std::string>(&value);
    if (text == nullptr) return value;
    double out = 0;
    const auto read = std::from_chars(text->data(), text->data() + text->size(), out);
    if (read.ec != std::errc() || read.ptr != text->data() + text->size())
      throw Undecided{fmt::format("{} of the plan is no number", path)};
    return out;
  }

  void note(const Node& node, const PlanValues::Value& value) {
    std::string shown;
    if (const auto* truth = std::get_if<bool>(&value)) shown = *truth ? "true" : "false";
    if (const auto* text = std::get_if<std::string>(&value)) shown = "\"" + *text + "\"";
    if (const auto* items = std::get_if<std::size_t>(&value)) shown = fmt::format("{} items", *items);
    if (const auto* number = std::get_if<double>(&value)) {
      const Dimension& d = node.key->dimension;
      shown = to_string(
          Amount{.value = *number * node.key->scale, .dimension = d, .currency = d.money != 0 ? currency() : ""});
    }
    const std::string term = fmt::format("{} = {}", node.text, shown);
    if (std::find(terms.begin(), terms.end(), term) == terms.end()) terms.push_back(term);
  }

  const PlanValues& plan_;
  const std::vector<ExchangeRate>& rates_;
};

}  // namespace

Expression::Expression(std::string text, std::string name)
    : text_(std::move(text)),
      root_(std::make_shared<const Node>(parse_expression({.name = std::move(name), .text = text_}))) {}

ExpressionAnswer Expression::on(const PlanValues& plan, const std::vector<ExchangeRate>& rates) const {
  Evaluation evaluation(plan, rates);
  ExpressionAnswer answer;
  try {
    answer.result = evaluation.truth(*root_) ? ExpressionAnswer::Result::kTrue : ExpressionAnswer::Result::kFalse;
  } catch (const Undecided& undecided) {
    answer.result = ExpressionAnswer::Result::kUndecided;
    answer.why = undecided.why;
  } catch (const MoneyError& error) {
    answer.result = ExpressionAnswer::Result::kUndecided;
    answer.why = error.what();
  }
  answer.terms = std::move(evaluation.terms);
  answer.reads_cost = evaluation.reads_cost;
  return answer;
}

}  // namespace fathom
