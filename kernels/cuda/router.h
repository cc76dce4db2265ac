// Which experts each token uses, and the lists that grouped_linear() and the sum of their outputs need. All of it is on the device:
// nothing is known to the host.
//
// References: host/router.h; for the lists, a loop over the pairs.
#pragma once

#include <cstdint>

#include "cuda/launch.h"

namespace fathom::cuda {

enum class RouterScoring { kSoftmax, kSigmoid, kSoftmaxOfSelected };

// As host/router.h's rule.
struct Router {
  int rows = 0;
  RouterScoring scoring = RouterScoring::kSoftmax;
  int experts = 0;  // at most 512
  int chosen = 0;   // at most 32
  int groups = 1;   // at most 32
  int groups_kept = 1;
  bool group_by_top2 = false, normalise = false;
  float scaling = 1;
  const float* logits = nullptr;           // [rows, experts]
  const float* bias = nullptr;             // [experts], or nullptr
  const std::int32_t* position = nullptr;  // [rows]; -1: padding, which chooses expert -1; nullptr: none is
  std::int32_t* expert = nullptr;          // [rows, chosen], best first
  float* weight = nullptr;                 // [rows, chosen]
};
void route(const Launch& how, const Router& op);

// Pairs (token, expert) of the experts held here, sorted by expert and then by token.
struct ExpertLists {
  int rows = 0, chosen = 0;
  int first = 0, experts = 0;              // held here: first, first + 1, ...; at most 1024
  const std::int32_t* held = nullptr;      // or: of each expert of the model its place among those held, -1 elsewhere
  const std::int32_t* expert = nullptr;    // [rows, chosen]
  std::int32_t* first_pair = nullptr;      // [experts + 1]
  std::int32_t* used = nullptr;            // [experts]: places of those with pairs; then -1
  std::int32_t* token_of_pair = nullptr;   // [rows * chosen]; of the pairs there are
  std::int32_t* pair_of_choice = nullptr;  // [rows, chosen]; -1: held elsewhere
};
void list_experts(const Launch& how, const ExpertLists& op);

// Both, for the same rows: of few rows in one launch.
void route_and_list(const Launch& how, const Router& router, const ExpertLists& lists);

// out = add + sum over a token's choices of weight * y[pair], in the order of the choices.
struct Combine {
  int rows = 0, chosen = 0;
  int width = 0;            // a multiple of 4
  const void* y = nullptr;  // [pairs, width]
  bool y_fp32 = false;
  const std::int32_t* pair_of_choice = nullptr;
  const float* weight = nullptr;     // [rows, chosen]
  const float* add = nullptr;        // [rows, width], or nullptr; may be out
  float* out = nullptr;              // [rows, width]
  std::uint16_t* partial = nullptr;  // instead of out: bf16, to be summed over ranks
};
void combine(const Launch& how, const Combine& op);

}  // namespace fathom::cuda
