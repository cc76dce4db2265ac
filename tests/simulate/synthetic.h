// Replicas whose steps take what a test wants, without a model.
#pragma once

#include "simulate/simulation.h"

namespace fathom {

// Every step takes `prefill` when it reads a prompt and `decode` when not; a step of both takes the longer, if they
// are equal.
inline StepTimes constant_steps(double prefill, double decode) {
  const BatchTimes times{.decode = {.x = {1}, .y = {1}, .values = {decode}},
                         .prefill = {.x = {1}, .y = {0}, .values = {prefill}},
                         .more = {}};
  return {.latency = {.bounds = {times}}, .pace = {}};
}

inline ServingPool synthetic_pool(const StepTimes& times) {
  ServingPool pool;
  pool.name = "pool";
  pool.step_times = times;
  pool.kv_tokens = 1e7;
  pool.most_sequences = 256;
  pool.chunk_tokens = 2048;
  return pool;
}

// A GPU's replica of about 8 B parameters: 6 ms to read the weights, 30 us per token of a prompt, 1 us per sequence,
// 40 ns per 1,000 tokens of context and sequence.
inline StepTimes linear_steps() {
  BatchTimes t;
  t.decode.x = {1, 4096};
  t.decode.y = {1, 100000};
  for (const double n : t.decode.x) {
    for (const double c : t.decode.y) t.decode.values.push_back(6e-3 + 1e-6 * n + 4e-11 * n * c);
  }
  t.prefill.x = {1, 200, 8192};
  t.prefill.y = {0, 100000};
  for (const double p : t.prefill.x) {
    for (const double c : t.prefill.y) t.prefill.values.push_back(std::max(6e-3, 3e-5 * p) + 1e-11 * p * c);
  }
  return {.latency = {.bounds = {t}}, .pace = {}};
}

inline Scenario poisson(const ServingPool& pool, double rate, std::int64_t requests, double input, double output) {
  Scenario s;
  s.pools = {pool};
  s.load.input.mean = input;
  s.load.output.mean = output;
  s.arrivals = {.kind = Arrivals::kPoisson, .requests_per_s = rate, .requests = requests};
  return s;
}

inline Scenario closed(const ServingPool& pool, double concurrency, std::int64_t requests, double input,
                       double output) {
  Scenario s = poisson(pool, 1, requests, input, output);
  s.arrivals = {.kind = Arrivals::kClosed, .concurrency = concurrency, .requests = requests};
  return s;
}

}  // namespace fathom
