// The part of `fathom validate` in which requests come while others are answered: --rate and --trace.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "compare/arrivals.h"
#include "validate/validation.h"
#include "weights/weight_source.h"

namespace CLI {
class App;
}

namespace fathom {

struct ArrivalOptions {
  std::optional<double> rate, variation, input_tokens, output_tokens;
  std::optional<std::filesystem::path> trace;
  std::optional<std::int64_t> requests;
  std::optional<int> most_sequences;
  double time_scale = 1;
  double warm_up = 0.1;
  std::vector<double> tolerance;  // of P50 and P99; empty: nothing is judged

  bool asked() const { return rate || trace; }
};

void add_arrival_options(CLI::App& verb, ArrivalOptions& options);

// Throws CLI::ValidationError for numbers that are none and for options without the one that they belong to.
void check_arrival_options(const ArrivalOptions& options);

// The engine serves the requests, the simulation plays them. Throws std::invalid_argument for what cannot be served.
ArrivalComparison validate_arrivals(const SavedPlan& plan, const SavedPool& pool, const WeightSource& source,
                                    const ArrivalOptions& options, std::uint64_t seed, const ValidationOptions& run);

}  // namespace fathom
