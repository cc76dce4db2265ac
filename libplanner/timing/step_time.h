// Operators to seconds: each takes the longer of computing and reading, plus a floor.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "network/topology.h"
#include "operators/operator.h"
#include "profile/figure.h"
#include "timing/engine_profile.h"
#include "units/fact.h"

namespace fathom {

enum class Bound { kMemory, kCompute, kFloor, kNetwork, kHost };
std::string to_string(Bound bound);

// Rates of one device under one engine.
struct DeviceRates {
  const Pool* pool = nullptr;     // links and host
  BytesPerSecond memory{};        // sustained
  BytesPerSecond cache{};         // of it, attention over the cache
  double int4_memory_factor = 1;  // of it, when four-bit weights are expanded on the way
  double grouped_memory = 1;      // of it, weights of experts
  double gemm_share = 1, fp8_gemm_share = 1, fp8_tensor_factor = 1, fp4_gemm_share = 1, expanded_factor = 1,
         grouped_factor = 1, attention_share = 1, wire_share = 1;
  double hunger = 1;                        // FLOP of 16 bits per byte of memory bandwidth, over an H100's
  double short_sum = 0, narrow_output = 0;  // columns and rows of a product that lose half of its rate
  double host_memory_share = 1, host_gemm_share = 1;
  Seconds operator_floor{}, fp8_floor{}, grouped_floor{}, fp8_grouped_floor{}, mla_floor{}, attention_floor{},
      element_floor{}, collective_floor{}, eager_launch{};
  bool decodes_in_graphs = true;
  AllReduceStyle all_reduce = AllReduceStyle::kNccl;
  const Profile* measured = nullptr;  // of this device, owned by the engine; its rows replace the rates above
  Corner measured_corner = Corner::kLikely;
  std::array<FlopsPerSecond, static_cast<std::size_t>(Dtype::kInt4) + 1> peaks{};  // dense, by Dtype
  std::array<Format, kFormats> math{};  // what each storage is multiplied in, by Format

  FlopsPerSecond peak(Format math_type) const;
};

DeviceRates device_rates(const Pool& pool, const EngineProfile& engine);

// What the device multiplies in when weights are stored as `format`: fp8 stays fp8 only where there is an fp8 MMA, nvfp4 and
// mxfp4 4-bit floats where there is one for them, int4 is always expanded, and devices without bf16 use fp16. `weight_only` tells that storage and arithmetic differ.
Format math_format(const Accelerator& accelerator, Format format, bool& weight_only);

// Where its time comes from: the profile, in so far as it has something for this operator, or the catalogs.
FigureOrigin origin_of(const Operator& op, const DeviceRates& rates, const Layout& layout);

struct OperatorTime {
  Seconds time{};  // of one execution
  Bound bound = Bound::kMemory;
};
OperatorTime operator_time(const Operator& op, const DeviceRates& rates, const Layout& layout);

// All operators of one stage once through its layers.
Seconds stage_time(const std::vector<Operator>& operators, const DeviceRates& rates, const Layout& layout);

}  // namespace fathom
