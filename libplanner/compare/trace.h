// What a run of the engine measured, as plain values: the engine fills one, compare() joins it with the plan.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "units/quantity.h"

namespace fathom {

struct MeasuredOperator {
  std::string name;  // as in the plan: "moe.experts.down"
  std::string kind;
  double count = 0;  // executions per step on this rank's stage
  Seconds time{};    // all executions of one step, median over the steps
};

struct MemoryRow {
  std::string name;  // as in the plan's ledger; "KV cache"
  Bytes bytes{};
};

// Of a device while the steps ran.
struct DeviceState {
  int samples = 0;
  double mean_watts = 0, most_watts = 0;
  double mean_clock_mhz = 0, least_clock_mhz = 0;  // of the multiprocessors
  double memory_clock_mhz = 0;
};

struct Trace {
  std::string backend;      // "host" or "cuda"
  std::string machine;      // "2 x Intel Xeon Platinum 8480+, 112 cores"
  std::string accelerator;  // its id in the catalog; empty when the runner does not know it
  std::string date;         // ISO 8601
  int ranks = 1;
  double sequences = 0, context = 0;  // of the measured steps; the mean length
  int prompt = 0;                     // tokens of the prompt that each of them read instead
  int layers_run = 0, layers_of_model = 0;
  Seconds step{};              // median of the measured steps
  std::vector<Seconds> steps;  // every one
  std::vector<MeasuredOperator> operators;
  std::vector<MemoryRow> allocated;  // by one rank, the fullest
  std::vector<MemoryRow>
      predicted;            // for what was run, when that is not what was planned (fewer layers, a short cache)
  double tokens_per_s = 0;  // of the replica
  std::string logits_hash;
  std::optional<DeviceState> device;  // where it can be asked
  std::vector<std::string> notes;     // what else a reader must know
};

}  // namespace fathom
