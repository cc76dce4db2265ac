// One pool of equal replicas as the simulation sees it. A plan holds these values, so that it can be simulated without
// catalogs.
#pragma once

#include <optional>
#include <string>

#include "simulate/step_times.h"
#include "units/quantity.h"

namespace fathom {

enum class PoolPart { kServe, kPrefill, kDecode };

struct ServingPool {
  std::string name;  // of its group
  PoolPart part = PoolPart::kServe;
  int replicas = 1;
  double share = 1;                // of the requests, where several pools serve side by side
  StepTimes step_times;            // of one replica, host work included
  double kv_tokens = 0;            // the cache of one replica
  int most_sequences = 1;          // in one batch
  double chunk_tokens = 1;         // tokens of one step in each attention group, decoding included
  int attention_groups = 1;        // of one replica; each works on prompts of its own
  int micro_batches = 1;           // pipeline stages: each has a step's tokens of its own
  double tokens_per_step = 1;      // of one sequence: above 1 when drafts are accepted
  double max_context = 0;          // longest single request; 0: as much as the cache holds
  Bytes kv_bytes_per_token{};      // on one device, for swapping
  Seconds request_overhead{};      // before a request is in the queue
  Seconds step_overhead{};         // the part of every step between operators
  Seconds transfer_base{};         // of a prompt's cache to the decode pool, however short
  Seconds transfer_per_token{};    // and per token of it
  std::optional<Watts> idle = {};  // of one replica, its share of the nodes included
  std::optional<Watts> busy = {};  // while a batch runs, at the load of the plan
  StepGrid watts = {};             // while a step runs: sequences, prompt tokens. Empty: `busy`, whatever it works on
};

// Lengths of requests: log-normal, fixed when sigma is 0.
struct RequestLengths {
  double mean = 0;
  double sigma = 0;
};

// What the plan was made for.
struct ServingLoad {
  RequestLengths input, output;
  std::optional<double> concurrency;
  std::optional<double> requests_per_s;
  double prefix_hit = 0;  // share of prompt tokens whose cache is there already
};

// Limits, and what they bind: a percentile, or the mean when it is 50.
struct ServingLimits {
  std::optional<Seconds> ttft, tpot, e2e;
  double percentile = 50;

  bool any() const { return ttft || tpot || e2e; }
};

}  // namespace fathom
