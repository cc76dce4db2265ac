// Matrix products on a node's processors: what the sockets multiply and read, and how much of it an engine's kernels get.
// docs/formulas/offload.md#processors
#pragma once

#include <optional>
#include <string>

#include "network/topology.h"
#include "operators/operator.h"
#include "timing/engine_profile.h"

namespace fathom {

// The sockets of one node, or the cores of a board whose "accelerator" is its processor.
struct HostProcessor {
  int sockets = 1;
  double cores = 0;                         // of one socket
  FlopsPerSecond vector{};                  // fp32 peak of all sockets
  FlopsPerSecond tile_bf16{}, tile_int8{};  // peaks of matrix tiles (AMX); zero without
  BytesPerSecond memory{};                  // all sockets

  bool has_tiles() const { return tile_bf16 > FlopsPerSecond(0); }
};
// nullopt when neither the host nor the accelerator tells its cores, peak and memory.
std::optional<HostProcessor> host_processor(const Pool& pool);

// Does the model itself run on the processors? True for CPUs that stand as accelerators, and for boards.
bool is_processor(const Accelerator& accelerator);

// What one engine's kernels sustain there. `ranks`: parts of the machine that hold a slice of the weights each.
class HostRates {
 public:
  HostRates(const HostProcessor& processor, const EngineProfile& engine, double ranks);

  BytesPerSecond memory() const { return memory_; }
  FlopsPerSecond products(Format weights, bool few_rows) const;  // of all sockets; few rows: experts of a prompt
  Seconds barrier() const { return barrier_; }                   // what threads lose around one operator

  // A product over weights, all of its ranks together.
  Seconds time(const Operator& op) const;

 private:
  HostProcessor processor_;
  std::string engine_;
  double vector_share_;
  BytesPerSecond memory_;
  Seconds barrier_;
};

}  // namespace fathom
