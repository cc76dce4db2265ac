// What a model takes of devices, as far as claims need it: copies that fit, bytes that a token reads, the least time that a
// token can take. Sizes come from model/, fits from search/, links from network/. Internal to the audit of claims.
#pragma once

#include <string>

#include "bom/cluster.h"
#include "catalog/accelerator.h"
#include "model/architecture.h"
#include "model/format.h"
#include "timing/engine_profile.h"
#include "units/quantity.h"

namespace fathom::claims {

Bytes device_memory(const Accelerator& accelerator);  // as the driver reports it, where that is known

Bytes copy_bytes(const Architecture& architecture, const WeightScheme& scheme);
double devices_per_copy(const Architecture& architecture, const WeightScheme& scheme, Bytes usable_each);

// Weights that one decoded token of one request reads: of the experts, those that it is sent to.
Bytes bytes_per_token(const Architecture& architecture, const WeightScheme& scheme);

// Does one copy fit on `count` devices, with all that an engine keeps beside it and one request of the workload?
struct Fit {
  bool fits = false;
  Bytes short_of{};  // per device, when memory is the reason
  std::string reason;
};
Fit fit(const Cluster& cluster, const EngineProfile& engine, const Architecture& architecture,
        const WeightScheme& scheme, const Accelerator& accelerator, double count);

// The least time of one token of one request: its bytes over the bandwidth of the devices that share each layer. Devices of
// the design that sit in different nodes pay for their all-reduces; of those that the design does not have, all may share.
struct TokenFloor {
  Seconds time{};
  double devices = 1;    // that share each layer
  Seconds one_device{};  // the same on one device after the other
};
TokenFloor token_floor(const Cluster& cluster, const Architecture& architecture, const WeightScheme& scheme,
                       const Accelerator& accelerator, double count);

}  // namespace fathom::claims
