// A simulation, or a sweep of them, for people: percentiles, throughput, queues. Prints values, computes none.
#pragma once

#include <string>
#include <vector>

#include "report/text_table.h"
#include "simulate/sweep.h"

namespace fathom {

// What was simulated, in words.
struct SimulationHead {
  std::string title;
  std::vector<std::string> pools;  // "h100: TP8 x2, fp8 weights, bf16 KV"
  std::string requests;            // "requests of 1,000 tokens in and 300 out on average"
  std::vector<std::string> notes;
  std::uint64_t seed = 1;
};

struct SimulateTextOptions {
  TextStyle style = TextStyle::kTerminal;
  bool colour = false;  // terminal only
};

std::string simulate_text(const SimulationHead& head, const SimulationResult& result,
                          const SimulateTextOptions& options);
std::string sweep_text(const SimulationHead& head, const SweepResult& sweep, const SimulateTextOptions& options);

}  // namespace fathom
