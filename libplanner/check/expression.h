// A condition on a plan: `cost.total > 5e6 CNY and not verdict.fits`. Units, currencies and the names of keys are checked
// when it is read, before any plan is made. docs/check.md#conditions-on-the-plan
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "units/money.h"

namespace fathom {

class PlanValues;
struct ExpressionNode;

struct ExpressionAnswer {
  enum class Result { kFalse, kTrue, kUndecided };

  Result result = Result::kFalse;
  std::string why;                 // it is undecided
  std::vector<std::string> terms;  // "cost.total = 5,200,000 CNY", in the order of reading
  bool reads_cost = false;         // some key of `cost`
};

class Expression {
 public:
  // `name` says where it is from: "--fail-if". Throws InputError.
  Expression(std::string text, std::string name);

  const std::string& text() const { return text_; }
  ExpressionAnswer on(const PlanValues& plan, const std::vector<ExchangeRate>& rates) const;

 private:
  std::string text_;
  std::shared_ptr<const ExpressionNode> root_;
};

}  // namespace fathom
