// An expression of PromQL as a tree: enough to see which metrics it asks for and what it compares with what.
// Grammar: Prometheus documentation, Querying basics and Operators.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::manifests {

struct PromNode {
  enum class Kind { kNumber, kText, kSelector, kCall, kAggregate, kBinary, kNegative };
  Kind kind = Kind::kNumber;
  double number = 0;
  std::string name;                 // metric, function, aggregation or operator
  bool range = false;               // kSelector with [5m]
  bool is_bool = false;             // a comparison that answers 0 or 1
  bool keeps = false;               // kAggregate with `by`, not `without`
  bool grouped = false;             // kAggregate with either
  std::vector<std::string> labels;  // of the grouping
  std::vector<PromNode> parts;      // arguments, operands
  std::size_t at = 0, length = 0;   // bytes of the expression: of the name or number
};

// nullopt for what this parser does not understand, which may still be right.
std::optional<PromNode> parse_promql(std::string_view expression);

// Brackets and quotes that do not close: what no PromQL has. Empty when all do.
std::string unbalanced(std::string_view expression);

bool is_comparison(const PromNode& node);

// Written out again without blanks, so that two parts can be compared.
std::string to_string(const PromNode& node);

}  // namespace fathom::manifests
