// Requests as an engine served them beside the same requests simulated: TTFT, TPOT, whole answers, and the steps that they
// are made of. docs/engine.md#requests-that-come
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plan/read_plan.h"
#include "simulate/request.h"
#include "simulate/result.h"
#include "units/quantity.h"

namespace fathom {

struct ServedRequest {
  double arrival = 0;  // s, on the clock of the token times
  int input = 1;
  std::vector<double> token_times;  // when each token of the answer was there
};

struct ServedStep {
  StepWork work;
  Seconds time{};  // until the next step could begin
};

struct ServedRun {
  std::string backend, machine, date;
  std::string accelerator;  // its id in the catalog
  int ranks = 1, threads = 1;
  std::vector<ServedRequest> requests;  // in the order in which they came
  std::vector<ServedStep> steps;        // empty where several micro-batches or groups make up a step
  std::vector<std::string> notes;
};

// How far percentiles may be off, as shares: 0.1 is 10 %.
struct ArrivalTolerance {
  double p50 = 0.1, p99 = 0.2;
};

struct ComparedTimes {
  std::string key, name;  // "ttft", "time to first token"
  Spread predicted = {}, measured = {};
  bool judged = true;
};

// Steps of one kind and about one size, from a power of two to below the next.
struct ComparedSteps {
  std::string kind;  // "decode", "prompt", "both"
  int least = 1;     // sequences that decode, or, where there are prompts, tokens of them
  std::int64_t count = 0;
  Seconds predicted{}, measured{};  // all of them
  double error = 0;                 // of the sums
  double typical_error = 0;         // median of |measured / predicted - 1|, step by step
};

struct ArrivalComparison {
  std::string title, layout, accelerator;  // of the plan
  std::string arrivals;                    // "Poisson, 3.2 requests/s"
  std::string requests;                    // "of 64 tokens in and 64 out on average"
  std::uint64_t seed = 1;
  SimulationResult predicted;
  std::vector<ComparedTimes> times;
  Seconds measured_duration{};                                           // from the first arrival to the last answer
  double measured_output_tok_per_s = 0, predicted_output_tok_per_s = 0;  // over that time
  std::vector<ComparedSteps> steps;
  std::optional<ArrivalTolerance> tolerance;  // absent: nothing is judged
  bool passed = true;
  std::vector<std::string> reasons;  // why not
  std::vector<std::string> notes;    // what a reader must know either way
  ServedRun run;
};

// measured / predicted - 1; 0 where nothing was predicted.
double error_of(Seconds predicted, Seconds measured);

// One replica of the pool with the limits that the engine runs under: what both sides are given. Throws InputError for a
// plan without step times.
ServingPool replica_to_serve(const SavedPlan& plan, const SavedPool& pool, std::optional<int> most_sequences);

// Simulates `requests` (with times) on `replica` and joins the result with what was measured. `warm_up`: share of the requests
// that came first and count for nothing.
ArrivalComparison compare_arrivals(const SavedPlan& plan, const SavedPool& pool, const ServingPool& replica,
                                   const RequestTrace& requests, const ServedRun& run, double warm_up,
                                   const std::optional<ArrivalTolerance>& tolerance);

}  // namespace fathom
