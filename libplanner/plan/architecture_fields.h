// The shape of a model in plan.json: the keys of the catalog's models, written and read by their one list (`fields` in
// catalog/model_entry.h), without what is only said about a model's publication.
#pragma once

#include <vector>

#include "input/reader.h"
#include "model/architecture.h"
#include "plan/plan.h"

namespace fathom {

std::vector<PlanField> architecture_fields(const Architecture& architecture);

// Throws InputError for keys that are missing, numbers out of range and sizes that make no model.
Architecture read_architecture(const Context& at);

}  // namespace fathom
