// What the cluster is asked to do: which model, how long the requests are, how many, how fast the answers must be.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "input/reader.h"
#include "units/fact.h"
#include "units/quantity.h"

namespace fathom {

// Token counts per request. A bare number means that every request has that length; {mean, p99} and {p50, p99} are
// read as log-normal, the shape that published chat traces have to first order.
struct LengthDistribution {
  double mean = 0;
  double p50 = 0;
  double p99 = 0;
  double second_moment = 0;  // E[n^2]; mean^2 when fixed
};

struct ServiceLevel {
  std::optional<Seconds> ttft = {};  // time to first token
  std::optional<Seconds> tpot = {};  // time per output token after the first
  std::optional<Seconds> e2e = {};   // whole answer
  double percentile = 50;            // which percentile the limits bind; 50 reads them as means
};

enum class Objective {
  kLatency,   // shortest mean answer at the stated load
  kCapacity,  // highest throughput that keeps the service level
};

struct Workload {
  std::string model;   // catalog id, or path of a Hugging Face config.json
  std::string engine;  // catalog id of the serving engine; "reference" when absent
  Position engine_at;  // where the file names it; line 0 when it does not
  LengthDistribution input_tokens;
  LengthDistribution output_tokens;
  std::optional<double> concurrency;  // closed loop: requests in flight, all pools together
  std::optional<Hertz> arrival_rate;  // open loop: requests/s at the busy hour
  double prefix_cache_hit = 0;        // share of input tokens found in the cache, [0, 1)
  ServiceLevel slo;
  std::optional<Objective> objective;  // default: latency
  std::vector<std::string> weights;    // allowed weight schemes (model/format.h); empty: all that the hardware runs
  std::vector<std::string> kv;         // allowed KV formats "bf16", "fp8"; empty: bf16
  std::optional<double> max_context;   // tokens one request may reach; default p99 of input + output
  std::optional<double>
      mtp_acceptance;            // expected accepted draft tokens per step, 0..1 per MTP module; absent: MTP off
  bool offload_experts = false;  // may routed experts live in host memory (ktransformers style)?
};

Workload read_workload(const Context& at);

// One name of a weight scheme or KV format, wherever a file may write it.
std::string read_weight_scheme(const Context& at);
std::string read_kv_format(const Context& at);

}  // namespace fathom
