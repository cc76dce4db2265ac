#include "executor/router_rule.h"

namespace fathom {

static_assert(static_cast<int>(RouterScoring::kSigmoid) == static_cast<int>(host::RouterRule::Scoring::kSigmoid));
static_assert(static_cast<int>(RouterScoring::kSoftmaxOfSelected) ==
              static_cast<int>(host::RouterRule::Scoring::kSoftmaxOfSelected));

host::RouterRule router_rule(const Architecture& a) {
  if (!a.moe) return {};
  const Moe& m = *a.moe;
  return {.scoring = static_cast<host::RouterRule::Scoring>(m.scoring),
          .experts = m.routed_experts,
          .chosen = m.experts_per_token,
          .groups = m.groups,
          .groups_kept = m.groups_kept,
          .group_by_top2 = m.correction_bias,  // noaux_tc (V3); group-limited greedy (V2) takes the best
          .normalise = m.norm_topk_prob && m.scoring != RouterScoring::kSoftmaxOfSelected,
          .scaling = static_cast<float>(m.routed_scaling_factor)};
}

}  // namespace fathom
