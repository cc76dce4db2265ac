// The router of a model, as the kernels want it.
#pragma once

#include "host/router.h"
#include "model/architecture.h"

namespace fathom {

host::RouterRule router_rule(const Architecture& architecture);  // empty without experts

}  // namespace fathom
