#include "health/limits_of_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "operators/operator.h"
#include "shapes/case_operators.h"
#include "units/number.h"

namespace fathom::probe {

namespace {

// "Intel(R) Xeon(R) Platinum 8480+ CPU @ 2.00GHz" is "Intel Xeon Platinum 8480+"; "AMD EPYC 9654 96-Core Processor" is "AMD EPYC
// 9654".
std::string plain_processor_name(std::string name) {
  name = name.substr(0, name.find(" @"));
  for (const char* mark : {"(R)", "(TM)", "(r)", "(tm)", " CPU", " Processor"}) {
    for (std::size_t at; (at = name.find(mark)) != std::string::npos;) name.erase(at, std::string(mark).size());
  }
  const std::size_t cores = name.find("-Core");
  if (cores != std::string::npos) name = name.substr(0, name.rfind(' ', cores));
  return std::string(trimmed(name));
}

bool starts(const Result& result, const char* name) { return result.name.starts_with(name); }

std::optional<Dtype> dtype_of(const Result& result) {
  static const std::map<std::string, Dtype> kNames = {
      {"fp64", Dtype::kFp64}, {"fp32", Dtype::kFp32}, {"tf32", Dtype::kTf32}, {"fp16", Dtype::kFp16},
      {"bf16", Dtype::kBf16}, {"fp8", Dtype::kFp8},   {"int8", Dtype::kInt8}};
  const auto name = result.shape.find("dtype");
  const auto known = name == result.shape.end() ? kNames.end() : kNames.find(name->second);
  return known == kNames.end() ? std::nullopt : std::optional(known->second);
}

std::optional<Peak> host_peak(const Result& result, const MachineRecord& record, const Catalog& catalog) {
  const Cpu* cpu = record.processor ? catalog_entry(*record.processor, catalog) : nullptr;
  if (cpu == nullptr) return gross_limit(result);
  // A virtual machine may spread over more sockets than it shows.
  const int sockets =
      record.hypervisor.empty() ? record.processor->sockets.value_or(cpu->max_sockets) : cpu->max_sockets;
  const std::string name = sockets > 1 ? fmt::format("{} x {}", sockets, cpu->name) : cpu->name;
  if (result.unit == Unit::kBytesPerSecond && cpu->memory_bandwidth &&
      (starts(result, "host.memory") || starts(result, "host.gemv"))) {
    return Peak{cpu->memory_bandwidth->high_or_value().value * sockets,
                origin_text(cpu->memory_bandwidth->origin, catalog.sources<Cpu>(), name)};
  }
  // The catalog's peaks are at the base clock.
  const Fact<FlopsPerSecond>* fp32 = peak(cpu->peak, Dtype::kFp32);
  if (result.unit == Unit::kFlopsPerSecond && starts(result, "host.gemm") && fp32 != nullptr && cpu->base_clock &&
      cpu->boost_clock) {
    const double boost = cpu->boost_clock->high_or_value() / cpu->base_clock->low_or_value();
    return Peak{fp32->high_or_value().value * boost * sockets,
                origin_text(fp32->origin, catalog.sources<Cpu>(), name + " at its highest clock")};
  }
  return gross_limit(result);
}

std::optional<Peak> memory_peak(const Result& result, const Gpu& gpu, const Catalog& catalog) {
  const Accelerator* entry = catalog_entry(gpu, catalog);
  if (!is_from_memory(result, entry)) return std::nullopt;
  if (entry != nullptr && entry->memory_bandwidth) {
    return Peak{entry->memory_bandwidth->high_or_value().value,
                origin_text(entry->memory_bandwidth->origin, catalog.sources<Accelerator>(), entry->name)};
  }
  if (!gpu.memory_peak || *gpu.memory_peak <= BytesPerSecond(0)) return std::nullopt;
  return Peak{gpu.memory_peak->value, "bus width x memory clock of the device"};
}

// The data sheet's FLOP are those of its boost clock. Boards with fans go beyond it as long as they are cool, a 2080 Ti of 1.545 GHz to 1.9;
// modules of servers do not.
double most_of_boost(const Accelerator& entry) { return entry.form_factor.starts_with("SXM") ? 1 : 1.25; }

std::optional<Peak> compute_peak(const Result& result, const Gpu& gpu, const Catalog& catalog) {
  const Accelerator* entry = catalog_entry(gpu, catalog);
  const auto dtype = dtype_of(result);
  const Fact<FlopsPerSecond>* fact = entry != nullptr && dtype ? peak(*entry, *dtype) : nullptr;
  if (fact == nullptr) return std::nullopt;
  return Peak{fact->high_or_value().value * most_of_boost(*entry),
              origin_text(fact->origin, catalog.sources<Accelerator>(), entry->name)};
}

std::optional<Peak> slot_peak(const Gpu& gpu, const Catalog& catalog) {
  const auto generation = gpu.pcie_generation_max ? gpu.pcie_generation_max : gpu.pcie_generation;
  const auto lanes = gpu.pcie_width_max ? gpu.pcie_width_max : gpu.pcie_width;
  if (!generation || !lanes) return std::nullopt;
  for (const LinkGeneration& link : catalog.all<LinkGeneration>()) {
    if (link.family != LinkFamily::kPcie || link.generation != generation || !link.lanes) continue;
    return Peak{link.rate.value.value * *lanes / *link.lanes,
                origin_text(link.rate.origin, catalog.sources<LinkGeneration>(),
                            fmt::format("PCIe {}.0 x{}", *generation, *lanes))};
  }
  return std::nullopt;
}

// The shortest time: every rank sends what it has at least once over its links.
std::optional<Peak> collective_peak(const Result& result, const MachineRecord& record, const Catalog& catalog) {
  const auto bytes = number_of(result, "bytes");
  const std::optional<Peak> link = link_peak(devices_of(result.device), record, catalog);
  if (!bytes || !link || result.unit != Unit::kTime) return std::nullopt;
  const double ranks = number_of(result, "ranks").value_or(2);
  const bool all = starts(result, "collective.all_reduce") || starts(result, "collective.send_recv");
  const double share = all || ranks < 2 ? 1 : (ranks - 1) / ranks;
  return Peak{*bytes * share / link->value, link->source};
}

// What caches hold: a multiprocessor loads 128 bytes of its first level in a clock.
std::optional<Peak> cache_peak(const Result& result, const Gpu& gpu, const Catalog& catalog) {
  const Accelerator* entry = catalog_entry(gpu, catalog);
  const bool tells = entry != nullptr && entry->compute_units.kind == "SM" && entry->compute_units.count;
  if (!tells || !gpu.clock_max || *gpu.clock_max <= Hertz(0)) return gross_limit(result);
  return Peak{128.0 * *entry->compute_units.count * gpu.clock_max->value,
              fmt::format("{} multiprocessors x 128 B x the highest clock", *entry->compute_units.count)};
}

// Of products: the shortest time in which their weights are read once, and multiplied as fast as the type allows (the engine's kernels
// multiply in bf16), or the rate that this is.
std::optional<Peak> products_peak(const Result& result, const Gpu& gpu, const Catalog& catalog) {
  const Accelerator* entry = catalog_entry(gpu, catalog);
  const std::vector<Operator> list = operators_of(result).list;
  if (entry == nullptr || list.empty()) return std::nullopt;
  Bytes weights{};
  Flops computed{};
  for (const Operator& op : list) weights += op.weight_bytes, computed += flops(op);
  const bool of_library = starts(result, "gpu.gemm");
  const std::optional<Dtype> dtype = of_library ? dtype_of(result) : Dtype::kBf16;
  const Fact<FlopsPerSecond>* rate = dtype ? peak(*entry, *dtype) : nullptr;
  const std::optional<Peak> memory =
      result.protocol.cache == "beyond L2" ? memory_peak(result, gpu, catalog) : std::nullopt;
  Peak shortest{memory ? weights.value / memory->value : 0, memory ? memory->source : ""};
  const double computing = rate != nullptr ? computed.value / (rate->high_or_value().value * most_of_boost(*entry)) : 0;
  if (computing > shortest.value) {
    shortest = {computing, origin_text(rate->origin, catalog.sources<Accelerator>(), entry->name)};
  }
  if (shortest.value <= 0) return std::nullopt;
  if (result.unit == Unit::kFlopsPerSecond) shortest.value = computed.value / shortest.value;
  return shortest;
}

}  // namespace

std::string origin_text(const Origin& origin, const CatalogSources& sources, const std::string& part) {
  const auto source = sources.find(origin.source.substr(0, origin.source.find('+')));
  return fmt::format("{}: {}{}", part, source == sources.end() ? origin.source : source->second.title,
                     origin.date.empty() ? "" : ", " + origin.date);
}

bool was_capped(const Result& result) {
  constexpr unsigned kSoftwarePowerCap = 0x4;
  return (result.protocol.throttle_reasons.value_or(0) & kSoftwarePowerCap) != 0;
}

std::optional<BytesPerSecond> bus_bandwidth(const Result& result) {
  const auto bytes = number_of(result, "bytes"), ranks = number_of(result, "ranks");
  const bool usable = starts(result, "collective.") && result.figure && result.unit == Unit::kTime && bytes && ranks;
  if (!usable || result.figure->median <= 0 || *ranks < 2) return std::nullopt;
  const std::string name = result.name.substr(std::string("collective.").size());
  return BytesPerSecond(ring_share(name, *ranks) * *bytes / result.figure->median);
}

namespace {

// Of cards of one name the memory tells which it is: 40 or 80 GB, or chips that somebody exchanged.
bool has_memory_of(const Accelerator& entry, const Gpu& gpu) {
  return gpu.memory && *gpu.memory >= entry.memory.low_or_value() * 0.85 &&
         *gpu.memory <= entry.memory.high_or_value() * 1.15;
}

const Accelerator* with_other_memory(const Accelerator& entry, const Gpu& gpu, const Catalog& catalog) {
  const std::string stem = entry.id.substr(0, entry.id.find_last_of('-', entry.id.rfind("gb")) + 1);
  for (const Accelerator& other : catalog.all<Accelerator>()) {
    if (!stem.empty() && other.id.starts_with(stem) && has_memory_of(other, gpu)) return &other;
  }
  return &entry;
}

}  // namespace

const Accelerator* catalog_entry(const Gpu& gpu, const Catalog& catalog) {
  std::vector<const Accelerator*> meant = catalog.meant_by<Accelerator>(gpu.name);
  if (meant.size() == 1) {
    const bool is_larger = gpu.memory && *gpu.memory > meant.front()->memory.high_or_value() * 1.15;
    return is_larger ? with_other_memory(*meant.front(), gpu, catalog) : meant.front();
  }
  std::vector<const Accelerator*> fitting;
  std::copy_if(meant.begin(), meant.end(), std::back_inserter(fitting),
               [&](const Accelerator* a) { return has_memory_of(*a, gpu); });
  if (fitting.size() == 1) return fitting.front();
  if (!fitting.empty()) meant = std::move(fitting);
  const auto sxm =
      std::find_if(meant.begin(), meant.end(), [](const Accelerator* a) { return a->form_factor.starts_with("SXM"); });
  return sxm == meant.end() ? nullptr : *sxm;
}

const Cpu* catalog_entry(const Processor& processor, const Catalog& catalog) {
  const std::vector<const Cpu*> meant = catalog.meant_by<Cpu>(plain_processor_name(processor.name));
  return meant.size() == 1 ? meant.front() : nullptr;
}

bool is_from_memory(const Result& result, const Accelerator* entry) {
  const Bytes cache = entry != nullptr && entry->l2_cache ? entry->l2_cache->high_or_value() : Bytes(64.0 * 1048576);
  const std::optional<double> bytes = number_of(result, "bytes");
  return !bytes || *bytes >= 4 * cache.value;
}

const Link* link_between(const MachineRecord& record, const std::vector<std::string>& pair) {
  const auto it = std::find_if(record.links.begin(), record.links.end(), [&](const Link& l) {
    return pair.size() == 2 && ((l.from == pair[0] && l.to == pair[1]) || (l.from == pair[1] && l.to == pair[0]));
  });
  return it == record.links.end() ? nullptr : &*it;
}

std::optional<Peak> link_peak(const std::vector<std::string>& devices, const MachineRecord& record,
                              const Catalog& catalog) {
  const Gpu* gpu = devices.empty() ? nullptr : record.gpu(devices.front());
  const Accelerator* entry = gpu == nullptr ? nullptr : catalog_entry(*gpu, catalog);
  if (entry == nullptr || !entry->scale_up.bandwidth_per_direction) return std::nullopt;
  const Link* link = link_between(record, {devices.front(), devices.back()});
  if (link != nullptr && !link->kind.empty() && link->kind != "nvlink") return slot_peak(*gpu, catalog);
  return Peak{
      entry->scale_up.bandwidth_per_direction->high_or_value().value,
      origin_text(entry->scale_up.bandwidth_per_direction->origin, catalog.sources<Accelerator>(), entry->name)};
}

std::optional<Peak> peak_of(const Result& result, const MachineRecord& record, const Catalog& catalog) {
  if (starts(result, "host.")) return host_peak(result, record, catalog);
  if (starts(result, "collective.")) return collective_peak(result, record, catalog);
  const std::vector<std::string> devices = devices_of(result.device);
  const Gpu* gpu = record.gpu(devices.front());
  if (gpu == nullptr) return std::nullopt;
  if (result.unit == Unit::kBytesPerSecond) {
    if (starts(result, "gpu.memory") || starts(result, "gpu.gemv") || starts(result, "gpu.attention")) {
      const std::optional<Peak> memory = memory_peak(result, *gpu, catalog);
      return memory ? memory : cache_peak(result, *gpu, catalog);
    }
    const bool both_ways = result.shape.contains("directions") && result.shape.at("directions") == "2";
    std::optional<Peak> way;
    if (starts(result, "gpu.copy")) way = slot_peak(*gpu, catalog);
    if (way) way->value *= static_cast<double>(devices.size());  // each has a slot of its own
    if (starts(result, "gpu.peer")) way = link_peak(devices, record, catalog);
    if (way && both_ways) way->value *= 2;
    return way;
  }
  if (result.name == "gpu.linear" || result.name == "gpu.gemm" || result.name == "gpu.experts") {
    if (const std::optional<Peak> products = products_peak(result, *gpu, catalog)) return products;
  }
  if (result.unit == Unit::kWatts && gpu->power_limit) {
    constexpr double kRegulated = 1.1;  // the limit is kept over a second, not in each moment
    return Peak{gpu->power_limit->value * kRegulated, "the device's power limit"};
  }
  if (result.unit == Unit::kFlopsPerSecond) return compute_peak(result, *gpu, catalog);
  return gross_limit(result);
}

}  // namespace fathom::probe
