// The launchers of each weight format; linear.cpp chooses.
#pragma once

#include "cuda/linear.h"

namespace fathom::cuda {

struct LinearArguments;

void dot_bf16(const Launch& how, const LinearArguments& a, const DeviceTraits& device);
void dot_fp8(const Launch& how, const LinearArguments& a, const DeviceTraits& device);
void dot_int4(const Launch& how, const LinearArguments& a, const DeviceTraits& device);

// One token, or any number of pairs one at a time, on Hopper; false, and nothing launched, where the device or the size of a row
// does not suit it. nullptr: only asks.
inline constexpr std::int64_t kMostNormedInputs = 8192;
bool rows_linear(const Launch* how, WeightFormat format, const LinearArguments& a, const DeviceTraits& device);

// Up to kMostWideTokens on Hopper, of fp8 or four bits and rows of up to kMostWideInputs.
void wide_linear(const Launch& how, WeightFormat format, const LinearArguments& a, const DeviceTraits& device,
                 const Workspace& workspace);
std::size_t wide_workspace_bytes(const DeviceTraits& device);  // the most that it needs

// Up to eight tokens, or any number of pairs eight at a time; `slots`: experts to visit, when grouped, else 1.
void stream_linear(const Launch& how, WeightFormat format, const LinearArguments& a, const DeviceTraits& device,
                   int slots);

// Experts with many pairs each, on Hopper; false, and nothing launched, where the device, the sizes or the alignment do not suit it.
bool grouped_by_warpgroups(const Launch& how, const GroupedLinear& op, const LinearArguments& a,
                           const DeviceTraits& device);

// `tokens`: what the tile is made for; `slots`: experts to visit, when grouped.
void mma_bf16(const Launch& how, const LinearArguments& a, const DeviceTraits& device, int tokens, int slots,
              const Workspace& workspace);
void mma_fp8(const Launch& how, const LinearArguments& a, const DeviceTraits& device, int tokens, int slots,
             const Workspace& workspace);
void mma_int4(const Launch& how, const LinearArguments& a, const DeviceTraits& device, int tokens, int slots,
              const Workspace& workspace);

}  // namespace fathom::cuda
