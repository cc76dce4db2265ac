// What a healthy device should reach, by the catalogs: what its own kind showed elsewhere, or must show; else what share of the physical
// limit other devices reach.
#pragma once

#include <optional>
#include <string>

#include "catalog/catalog.h"
#include "record/machine_record.h"

namespace fathom::probe {

// Under a protocol like the result's.
struct Reference {
  double value = 0;    // in the unit of the figure
  double suspect = 0;  // below (of times: above) these
  double degraded = 0;
  std::string source;  // with its date
};
std::optional<Reference> reference_of(const Result& result, const MachineRecord& record, const Catalog& catalog);

}  // namespace fathom::probe
