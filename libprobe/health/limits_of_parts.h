// What a figure cannot exceed, and what it should reach, by the catalogs.
#pragma once

#include <optional>

#include "catalog/catalog.h"
#include "record/machine_record.h"

namespace fathom::probe {

// The entry that a device's name means. NVML leaves out the form factor of SXM boards ("NVIDIA H200") and names the others
// ("NVIDIA H200 NVL"). nullptr when the catalog has none or cannot tell.
const Accelerator* catalog_entry(const Gpu& gpu, const Catalog& catalog);
const Cpu* catalog_entry(const Processor& processor, const Catalog& catalog);

// The physical limit: memory bus, FLOP of the data sheet, PCIe slot, links. Of a time, the shortest one.
std::optional<Peak> peak_of(const Result& result, const MachineRecord& record, const Catalog& catalog);

// What a healthy device of this kind showed elsewhere, under a protocol like this one.
struct Reference {
  double value = 0;    // in the unit of the figure
  double suspect = 0;  // below (of times: above) these
  double degraded = 0;
  std::string source;  // with its date
};
std::optional<Reference> reference_of(const Result& result, const MachineRecord& record, const Catalog& catalog);

// Of a collective: what nccl-tests call bus bandwidth. Absent where the result is no collective, or does not tell bytes and ranks.
std::optional<BytesPerSecond> bus_bandwidth(const Result& result);

// Whether the software power cap (bit 0x4 of NVML's event reasons) held the device down meanwhile.
bool was_capped(const Result& result);

std::optional<double> number_of(const Result& result, const std::string& key);  // of its shape
std::vector<std::string> devices_of(const std::string& device);                 // "gpu0>gpu1" and "gpu0,gpu1": both

}  // namespace fathom::probe
