// Mixture of experts: which experts each row uses is decided, listed and read on the device alone.
#include <algorithm>

#include "cuda/router.h"
#include "executor/cuda_executor.h"

namespace fathom {

static_assert(static_cast<int>(cuda::RouterScoring::kSigmoid) == static_cast<int>(RouterScoring::kSigmoid));
static_assert(static_cast<int>(cuda::RouterScoring::kSoftmaxOfSelected) ==
              static_cast<int>(RouterScoring::kSoftmaxOfSelected));

void CudaExecutor::router(const Instruction& i) {
  const CudaOperatorWeights& w = weights(i.name, i.layer);
  const int experts = a_.moe->routed_experts, rows = batch_.rows();
  product(w.matrices.front(), {.x = normed_.as<std::uint16_t>(),
                               .x_stride = a_.hidden_size,
                               .rows = rows,
                               .y = router_logits_.as<void>(),
                               .y_stride = experts,
                               .y_fp32 = true});
  const cuda::Router router{.rows = rows,
                            .scoring = static_cast<cuda::RouterScoring>(router_rule_.scoring),
                            .experts = router_rule_.experts,
                            .chosen = router_rule_.chosen,
                            .groups = router_rule_.groups,
                            .groups_kept = router_rule_.groups_kept,
                            .group_by_top2 = router_rule_.group_by_top2,
                            .normalise = router_rule_.normalise,
                            .scaling = router_rule_.scaling,
                            .logits = router_logits_.as<float>(),
                            .bias = w.vectors.empty() ? nullptr : w.vectors.front(),
                            .position = batch_.positions(),
                            .expert = chosen_.as<std::int32_t>(),
                            .weight = chosen_weight_.as<float>()};
  visits() ? cuda::route(how(), router) : cuda::route_and_list(how(), router, pairs_of(i.layer));
}

// Pairs of rows, own or visiting, with the experts held here.
cuda::ExpertLists CudaExecutor::pairs_of(int layer) const {
  const std::int32_t* expert =
      visits() ? stage_calls_->own<std::int32_t>(visitor_places_.experts) : chosen_.as<std::int32_t>();
  return {.rows = expert_rows(),
          .chosen = a_.moe->experts_per_token,
          .experts = static_cast<int>(weights("moe.experts.gate_up", layer).experts),
          .held = held_.as<std::int32_t>(),
          .expert = expert,
          .first_pair = first_pair_.as<std::int32_t>(),
          .used = used_.as<std::int32_t>(),
          .token_of_pair = token_of_pair_.as<std::int32_t>(),
          .pair_of_choice = pair_of_choice_.as<std::int32_t>()};
}

// The activation is part of the product.
void CudaExecutor::experts_gate_up(const Instruction& i) {
  cuda::GroupedLinear op = experts(weights(i.name, i.layer));
  op.up = weights(i.name, i.layer).matrices[1];
  op.x = visits() ? stage_calls_->own<std::uint16_t>(visitor_places_.rows) : normed_.as<std::uint16_t>();
  op.x_stride = a_.hidden_size;
  op.x_rows = token_of_pair_.as<std::int32_t>();
  op.y = pair_hidden_.as<void>();
  op.y_stride = op.w.rows;
  cuda::grouped_linear(how(), op);
}

void CudaExecutor::experts_down(const Instruction& i) {
  cuda::GroupedLinear op = experts(weights(i.name, i.layer));
  op.x = pair_hidden_.as<std::uint16_t>();
  op.x_stride = op.w.cols;
  op.y = pair_out_.as<void>();
  op.y_stride = a_.hidden_size;
  cuda::grouped_linear(how(), op);
}

cuda::GroupedLinear CudaExecutor::experts(const CudaOperatorWeights& w) const {
  const std::int64_t pairs = std::int64_t{expert_rows()} * a_.moe->experts_per_token;
  cuda::GroupedLinear op;
  op.w = w.matrices.front();
  op.experts = w.experts;
  op.first_pair = first_pair_.as<std::int32_t>();
  op.used = used_.as<std::int32_t>();
  op.slots = static_cast<int>(std::min(w.experts, pairs));
  op.likely_pairs = static_cast<int>((pairs + a_.moe->routed_experts - 1) / a_.moe->routed_experts);
  return op;
}

void CudaExecutor::shared_down(const Instruction& i) {
  const cuda::Weights& w = weights(i.name, i.layer).matrices.front();
  if (!sharded()) return end_block(w, hidden_.as<std::uint16_t>());
  product(w, {.x = hidden_.as<std::uint16_t>(),
              .x_stride = w.cols,
              .rows = batch_.rows(),
              .y = shared_sum_.as<void>(),
              .y_stride = a_.hidden_size,
              .y_fp32 = true,
              .sum = visits()});  // to what came back
}

void CudaExecutor::combine(const Instruction&) {
  if (visits()) return combine_returned();
  const float* shared = a_.moe->shared_experts > 0 ? shared_sum_.as<float>() : nullptr;
  cuda::combine(how(), {.rows = batch_.rows(),
                        .chosen = a_.moe->experts_per_token,
                        .width = a_.hidden_size,
                        .y = pair_out_.as<void>(),
                        .pair_of_choice = pair_of_choice_.as<std::int32_t>(),
                        .weight = chosen_weight_.as<float>(),
                        .add = sharded() ? shared : residual_,
                        .out = residual_,
                        .partial = partial_});
}

// What came back is in the residual stream already, or with the shared experts' sum in the part for the all-reduce.
void CudaExecutor::combine_returned() {
  if (!sharded()) return;
  cuda::combine(how(),
                {.rows = batch_.rows(), .width = a_.hidden_size, .add = shared_sum_.as<float>(), .partial = partial_});
}

}  // namespace fathom
