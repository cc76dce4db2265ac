// An expression over a plan, cut into words: `cost.total > 5e6 CNY and not verdict.fits`.
#pragma once

#include <string>
#include <vector>

#include "check/amount.h"
#include "input/error.h"

namespace fathom {

struct Token {
  enum class Kind { kKey, kAmount, kText, kSign, kEnd };  // kSign: "and", "(", "<=" …

  Kind kind = Kind::kEnd;
  std::string text;  // of a quoted text, what is between the quotes
  Amount amount;     // of kAmount
  int column = 0;    // code points, from 1
};

// What a complaint about an expression needs to know: where it is from, and its words.
struct ExpressionSource {
  std::string name;  // "--fail-if"
  std::string text;

  [[noreturn]] void fail(int column, const std::string& message, const std::string& hint = {}) const;
};

std::vector<Token> tokens_of(const ExpressionSource& source);  // the last one is kEnd. Throws InputError.

}  // namespace fathom
