// The search: every legal way over the real topology, the best one first, the others with their reasons.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "search/candidate.h"

namespace fathom {

// One answer: a single pool that serves, several that share the load, or a prefill pool that feeds a decode pool.
struct Solution {
  std::vector<Candidate> pools;
  std::vector<double> shares;  // of the load that each pool takes; 1 for each pool that every request passes
  Seconds transfer{};          // of one prompt's cache from the prefill to the decode pool
  double requests_per_s = 0;   // at the stated load, all pools
  double output_tok_per_s = 0;
  double max_output_tok_per_s = 0;  // within the service level; 0 when it cannot be kept
  Seconds ttft{}, tpot{}, e2e{};
  bool keeps_service_level = true;
  bool saturated = false;
};

struct SearchResult {
  std::vector<Solution> solutions;  // best first, feasible only
  std::vector<Candidate> rejected;  // each with its reason
  std::vector<Candidate> nearest;   // that would fit with the least extra memory, when nothing fits
  std::vector<std::string> notes;   // "nothing fits without quantisation …"
  int evaluated = 0;
};

SearchResult search(const Problem& problem, const std::vector<Pool>& pools, const std::vector<PoolChoice>& pinned);

// How often each reason turned a candidate down, most frequent first, with one example.
struct RejectionSummary {
  std::string reason;
  int count = 0;
  std::string example;
};
std::vector<RejectionSummary> summarise(const std::vector<Candidate>& rejected);

}  // namespace fathom
