// The launchers of single kernels; prefill_attention.cu chooses.
#pragma once

#include "cuda/prefill_attention.h"

namespace fathom::cuda {

// By the products of Hopper's warpgroups; false, and nothing launched, where the device or the size of a head does not suit them.
bool prefill_by_warpgroups(const Launch& how, const PrefillAttention& op);
bool prefill_by_warpgroups(const Launch& how, const ExpandedAttention& op);

}  // namespace fathom::cuda
