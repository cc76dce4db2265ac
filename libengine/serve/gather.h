// What the ranks found, brought together at rank 0.
#pragma once

#include "serve/engine.h"

namespace fathom {

struct RankFindings {
  bool speaks = false;  // the one rank of its attention group whose answers and logits count
  RankTrace trace;
  std::map<int, std::vector<int>> answers;
  std::map<int, std::vector<float>> logits, draft_logits;
  std::map<int, std::vector<double>> token_times;
  std::map<int, std::uint64_t> hashes;  // of a request's rows so far

  void hash_row(int request, const float* logits, int count);
};

// Every rank calls it; elsewhere than on rank 0 the result is empty.
RunResult gather_at_first_rank(Communicator& world, const RankFindings& mine);

}  // namespace fathom
