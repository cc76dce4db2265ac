// Which experts a token uses, from its router logits.
#pragma once

#include <vector>

namespace fathom::host {

struct RouterRule {
  enum class Scoring { kSoftmax, kSigmoid, kSoftmaxOfSelected };
  Scoring scoring = Scoring::kSoftmax;
  int experts = 0;
  int chosen = 0;  // per token
  int groups = 1;  // a token may use experts of `groups_kept` groups only
  int groups_kept = 1;
  bool group_by_top2 = false;  // a group's score is the sum of its two best (V3), else its best (V2)
  bool normalise = false;      // the chosen weights sum to 1 before scaling
  float scaling = 1;
};

struct RoutedExpert {
  int expert = 0;
  float weight = 0;
};

// Best first; ties go to the lower number. `bias` (or nullptr) is added to the scores for the choice, not for the weights.
// Experts outside the kept groups cannot be chosen, whatever the sign of their scores.
std::vector<RoutedExpert> route(const RouterRule& rule, const float* logits, const float* bias);

}  // namespace fathom::host
