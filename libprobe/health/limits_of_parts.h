// What a figure cannot exceed, by the catalogs, and what a shape says.
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

// One direction, between two devices that are joined as all of these are; absent where that is not known.
std::optional<Peak> link_peak(const std::vector<std::string>& devices, const MachineRecord& record,
                              const Catalog& catalog);
const Link* link_between(const MachineRecord& record, const std::vector<std::string>& pair);  // either way

// Small buffers stay in the second-level cache, which is several times as fast. The shape's `bytes` are those of the buffer;
// without them the case is one that rotates its buffers.
bool is_from_memory(const Result& result, const Accelerator* entry);

// "H200 SXM5 141GB: te42kyfo/gpu-benches, 2026": whose figure, the source's title and its day.
std::string origin_text(const Origin& origin, const CatalogSources& sources, const std::string& part);

// Of a collective: what nccl-tests call bus bandwidth. Absent where the result is no collective, or does not tell bytes and ranks.
std::optional<BytesPerSecond> bus_bandwidth(const Result& result);

// Whether the software power cap (bit 0x4 of NVML's event reasons) held the device down meanwhile.
bool was_capped(const Result& result);

}  // namespace fathom::probe
