// What an expression is when it has been read: for the parser, which makes it, and the evaluation.
#pragma once

#include <string>
#include <vector>

#include "check/amount.h"
#include "check/expression_tokens.h"
#include "check/plan_keys.h"

namespace fathom {

struct ExpressionNode {
  enum class Op {
    kOr,
    kAnd,
    kNot,
    kLess,
    kLessEqual,
    kGreater,
    kGreaterEqual,
    kEqual,
    kUnequal,
    kAdd,
    kSubtract,
    kMultiply,
    kDivide,
    kNegate,
    kAmount,
    kText,
    kBool,
    kKey,
    kKnown,  // known(key): does the plan have it?
    kCount,  // count(list)
  };

  Op op = Op::kBool;
  PlanKey::Kind type = PlanKey::Kind::kBool;  // of its value
  Dimension dimension = {};                   // of an amount
  bool bare = false;  // an amount of numbers without unit only: it takes the unit of the other side
  int column = 0;
  Amount amount = {};            // kAmount
  bool truth = false;            // kBool
  std::string text = {};         // kText; the key of kKey, kKnown, kCount as it is written
  const PlanKey* key = nullptr;  // kKey, kKnown, kCount
  std::vector<ExpressionNode> parts = {};
};

ExpressionNode parse_expression(const ExpressionSource& source);  // a truth value. Throws InputError.

}  // namespace fathom
