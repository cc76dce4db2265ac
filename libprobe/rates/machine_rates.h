// What a record says beside the times of operators on its GPUs: watts, storage, and the products of its processor.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "profile/profile.h"
#include "record/machine_record.h"

namespace fathom::probe {

// Of each the median over the cards. Absent without all three loads and the rates of memory and bf16 products beside them, which say how
// busy the card was; what is missing goes to `unused`.
std::optional<ProfileWatts> watts_of(const MachineRecord& record, const Catalog& catalog,
                                     std::set<std::string>& unused);

// Long reads past the page cache, the slowest.
std::optional<BytesPerSecond> storage_read(const MachineRecord& record);

// A row for each format whose products of one token and of many were measured with all threads: two points make two rates.
std::vector<ProfileRow> host_products(const MachineRecord& record, const Catalog& catalog);

}  // namespace fathom::probe
