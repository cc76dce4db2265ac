// What an expression of an alert says, held against what its metrics can say.
#pragma once

#include <functional>
#include <set>
#include <string>

#include "manifests/promql.h"
#include "manifests/remark.h"
#include "manifests/vocabulary.h"

namespace fathom::manifests {

struct AlertExpression {
  const PromNode& root;
  std::string alert;                           // its name; empty for a recording
  std::function<Mark(const PromNode&)> place;  // of a word of the expression in the file
  const Vocabulary& vocabulary;
  const std::set<std::string>& recorded;  // metrics that recordings of the same file make
};

void check_metrics(const AlertExpression& e, Remarks& out);      // names that no exporter has
void check_comparisons(const AlertExpression& e, Remarks& out);  // thresholds that are never or always reached
void check_quantiles(const AlertExpression& e, Remarks& out);

}  // namespace fathom::manifests
