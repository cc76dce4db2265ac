// Attention-DP: groups have sequences of their own and share one set of experts, so rows travel to the ranks that hold theirs, and
// what those make of them travels back.
#include <algorithm>

#include "cuda/router.h"
#include "executor/cuda_executor.h"

namespace fathom {

void CudaExecutor::allocate_visitors() {
  const Moe& m = *a_.moe;
  const std::int64_t slots = options_.limits.rows, visitors = slots * l_.attention_dp;
  constexpr std::size_t kBf16 = sizeof(std::uint16_t), kFp32 = sizeof(float), kInt = sizeof(std::int32_t);
  PeerPlan places;
  visitor_places_.rows = places.take(visitors * a_.hidden_size, kBf16);
  visitor_places_.experts = places.take(visitors * m.experts_per_token, kInt);
  visitor_places_.weights = places.take(visitors * m.experts_per_token, kFp32);
  visitor_places_.answers = places.take(slots * l_.stage_width() * a_.hidden_size, kBf16);
  stage_calls_ = std::make_unique<PeerCalls>(*groups_.stage, account_, places.bytes(), options_.patience);
  visitor_sums_ = room(visitors * a_.hidden_size, kBf16);

  std::vector<std::int32_t> owner(options_.expert_owner.begin(), options_.expert_owner.end());
  for (std::int32_t& rank : owner) rank *= l_.expert_tp();
  owner_ = room(m.routed_experts, kInt);
  cuda_ok(cudaMemcpy(owner_.as<void>(), owner.data(), owner.size() * kInt, cudaMemcpyHostToDevice), "copying owners");
}

// Every group has as many places as the largest has rows: the ranks agree before they launch.
void CudaExecutor::agree_on_slots() {
  if (!stage_calls_) return;
  const std::int32_t mine = batch_.rows();
  std::vector<std::int32_t> all(static_cast<std::size_t>(groups_.stage->size()));
  groups_.stage->all_gather(std::as_bytes(std::span(&mine, 1)), std::as_writable_bytes(std::span(all)));
  slots_ = *std::max_element(all.begin(), all.end());
}

cuda::PeerRows CudaExecutor::row_places() const {
  return {.rows = batch_.rows(),
          .slots = slots_,
          .group = place_.group,
          .groups = l_.attention_dp,
          .tp = l_.tp,
          .width = a_.hidden_size,
          .chosen = a_.moe->experts_per_token,
          .expert = chosen_.as<std::int32_t>(),
          .owner = owner_.as<std::int32_t>(),
          .owners = l_.expert_tp()};
}

void CudaExecutor::dispatch(const Instruction& i) {
  cuda::PeerDispatch op;
  op.peers = next_call(*stage_calls_);
  op.places = row_places();
  op.x = normed_.as<std::uint16_t>();
  op.weight = chosen_weight_.as<float>();
  stage_calls_->place<std::uint16_t>(visitor_places_.rows, op.visitor);
  stage_calls_->place<std::int32_t>(visitor_places_.experts, op.visitor_expert);
  stage_calls_->place<float>(visitor_places_.weights, op.visitor_weight);
  cuda::peer_dispatch(how(), op);
  cuda::list_experts(how(), pairs_of(i.layer));
}

// What the experts here make of each visitor, and back.
void CudaExecutor::combine_exchange(const Instruction&) {
  cuda::combine(how(), {.rows = expert_rows(),
                        .chosen = a_.moe->experts_per_token,
                        .width = a_.hidden_size,
                        .y = pair_out_.as<void>(),
                        .pair_of_choice = pair_of_choice_.as<std::int32_t>(),
                        .weight = stage_calls_->own<float>(visitor_places_.weights),
                        .partial = visitor_sums_.as<std::uint16_t>()});
  cuda::PeerReturn op;
  op.peers = next_call(*stage_calls_);
  op.places = row_places();
  op.sums = visitor_sums_.as<std::uint16_t>();
  op.visitor_expert = stage_calls_->own<std::int32_t>(visitor_places_.experts);
  stage_calls_->place<std::uint16_t>(visitor_places_.answers, op.answers);
  op.out = sharded() ? shared_sum_.as<float>() : residual_;
  op.add = !sharded();
  cuda::peer_return(how(), op);
}

}  // namespace fathom
