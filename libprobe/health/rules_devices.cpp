// What the driver tells of a GPU, without any figure.
#include <fmt/format.h>

#include <algorithm>

#include "health/limits_of_parts.h"
#include "health/rules.h"
#include "units/text.h"

namespace fathom::probe {

namespace {

// NVML's event reasons that are faults of cooling or supply: hardware slowdown, software thermal, hardware thermal, power brake.
constexpr unsigned kFaults = 0x8 | 0x20 | 0x40 | 0x80;
constexpr double kLeastClock = 0.90;   // of the highest, where no power cap explains it
constexpr double kLeastCapped = 0.50;  // and where one does: further down the limit itself is the fault

std::string reasons_text(unsigned mask) {
  std::string text;
  const std::pair<unsigned, const char*> kNames[] = {{0x8, "hardware slowdown"},
                                                     {0x20, "software thermal slowdown"},
                                                     {0x40, "hardware thermal slowdown"},
                                                     {0x80, "power brake"}};
  for (const auto& [bit, name] : kNames) {
    if ((mask & bit) != 0) text += (text.empty() ? "" : ", ") + std::string(name);
  }
  return text;
}

bool is_of(const Gpu& gpu, const Result& result) {
  const std::vector<std::string> devices = devices_of(result.device);
  return std::find(devices.begin(), devices.end(), gpu.device) != devices.end();
}

// Of the device, and of every result that was measured on it, alone or with others.
unsigned reasons_of(const Gpu& gpu, const MachineRecord& record) {
  unsigned mask = gpu.throttle_reasons.value_or(0);
  for (const Result& result : record.results) {
    if (is_of(gpu, result)) mask |= result.protocol.throttle_reasons.value_or(0);
  }
  return mask;
}

// On products of large matrices the power cap is how the card works. Arithmetic draws the power that a cap is for; a cap that copies or waiting run into holds a card down.
bool is_capped_by_work(const Gpu& gpu, const MachineRecord& record) {
  return std::any_of(record.results.begin(), record.results.end(), [&](const Result& r) {
    const bool computes = r.name == "gpu.gemm" || r.name.starts_with("gpu.attention") || r.name == "gpu.linear" ||
                          r.name == "gpu.experts" || r.name == "gpu.power";
    return computes && is_of(gpu, r) && was_capped(r);
  });
}

void judge_errors(const Gpu& gpu, Findings& findings) {
  const auto error = [&](const char* what, const std::string& measured, const char* expected, const char* next) {
    findings.push_back({.rule = "probe.memory-errors",
                        .health = Health::kFailed,
                        .device = gpu.device,
                        .what = what,
                        .measured = measured,
                        .expected = expected,
                        .source = "the device's counters",
                        .next = next});
  };
  if (gpu.ecc_uncorrected.value_or(0) > 0) {
    error("ECC", fmt::format("{} uncorrected errors", *gpu.ecc_uncorrected), "none",
          "drain the node and reset the GPU; replace it when the errors come back");
  }
  if (gpu.remap_pending.value_or(false)) {
    error("row remapping", "pending", "none pending", "reset the GPU so that the remapped rows take effect");
  }
  if (gpu.remap_failed.value_or(false)) {
    error("row remapping", "failed: no spare rows are left", "none failed", "replace the GPU");
  }
}

void judge_clock(const Gpu& gpu, const MachineRecord& record, Findings& findings) {
  const unsigned mask = reasons_of(gpu, record);
  const double least = is_capped_by_work(gpu, record) ? kLeastCapped : kLeastClock;
  const bool slow = gpu.clock && gpu.clock_max && *gpu.clock_max > Hertz(0) && *gpu.clock / *gpu.clock_max < least;
  HealthFinding finding{
      .rule = "probe.throttled",
      .health = Health::kDegraded,
      .device = gpu.device,
      .what = "clock under load",
      .measured = gpu.clock ? fmt::format("{:.0f} MHz", gpu.clock->value / 1e6) : "slowed down",
      .expected = gpu.clock_max ? fmt::format("near {:.0f} MHz", gpu.clock_max->value / 1e6) : "no slowdown",
      .source = "the driver's event reasons",
      .next = "look at airflow, heat sinks and power cables of this GPU, then measure again"};
  if ((mask & kFaults) != 0) {
    finding.measured += " (" + reasons_text(mask) + ")";
    findings.push_back(finding);
  } else if (slow) {
    finding.source = "the device's highest clock";
    finding.next =
        "nvidia-smi -q -d CLOCK,PERFORMANCE says who holds the clock down; nvidia-smi -rgc takes a lock away";
    findings.push_back(finding);
  }
}

// Of the whole run. A device that does not tell where it slows down is taken to do so at 90 C: NVIDIA's slow down between 84 and 90
// (stas00/ml-engineering, compute/accelerator).
void judge_temperature(const Gpu& gpu, const MachineRecord& record, Findings& findings) {
  constexpr double kUsualSlowdown = 90;
  double most = gpu.temperature.value_or(0);
  for (const Result& result : record.results) {
    if (result.device == gpu.device) most = std::max(most, result.protocol.temperature.value_or(0));
  }
  const double limit = gpu.temperature_slowdown.value_or(kUsualSlowdown);
  if (most < limit) return;
  findings.push_back({.rule = "probe.too-hot",
                      .health = Health::kDegraded,
                      .device = gpu.device,
                      .what = "temperature under load",
                      .measured = fmt::format("{:.0f} C", most),
                      .expected = fmt::format("below {:.0f} C", limit),
                      .source = gpu.temperature_slowdown ? "the device's own slowdown threshold"
                                                         : "where NVIDIA's devices slow down at the latest",
                      .next = "look at airflow, fans and heat sinks of this GPU, then measure again"});
}

// ECC takes a sixteenth of the memory of boards with GDDR, the driver a hundredth: less than 0.90 is neither.
void judge_memory(const Gpu& gpu, const Catalog& catalog, Findings& findings) {
  constexpr double kLeastMemory = 0.90;
  const Accelerator* entry = catalog_entry(gpu, catalog);
  if (entry == nullptr || !gpu.memory || *gpu.memory >= entry->memory.low_or_value() * kLeastMemory) return;
  findings.push_back(
      {.rule = "probe.memory-size",
       .health = Health::kDegraded,
       .device = gpu.device,
       .what = "memory",
       .measured = to_string_binary(*gpu.memory),
       .expected = to_string_binary(entry->memory.value),
       .source = "catalog: " + entry->name,
       .next = "nvidia-smi -q -d MEMORY,ROW_REMAPPER says what is reserved; look for MIG, then at the board"});
}

std::string slot_text(const std::optional<int>& generation, const std::optional<int>& width) {
  return fmt::format("PCIe {} x{}", generation ? fmt::format("{}.0", *generation) : "",
                     width ? fmt::format("{}", *width) : "?");
}

bool is_below(const std::optional<int>& now, const std::optional<int>& most) { return now && most && *now < *most; }

// What was read at rest is not in a record: idle cards lower their generation.
HealthFinding slow_slot(const Gpu& gpu, Health health) {
  return {.rule = "probe.pcie",
          .health = health,
          .device = gpu.device,
          .what = "slot, under load",
          .measured = slot_text(gpu.pcie_generation, gpu.pcie_width),
          .expected = slot_text(gpu.pcie_generation_max ? gpu.pcie_generation_max : gpu.pcie_generation,
                                gpu.pcie_width_max ? gpu.pcie_width_max : gpu.pcie_width),
          .source = "what the card and the slot can do",
          .next = "reseat the card, look at the riser and at the slot's setting in the BIOS"};
}

// A slot that has fewer lanes says that no more is possible: only the others tell what it should have.
void judge_slot(const Gpu& gpu, const MachineRecord& record, Findings& findings) {
  if (is_below(gpu.pcie_width, gpu.pcie_width_max) || is_below(gpu.pcie_generation, gpu.pcie_generation_max)) {
    findings.push_back(slow_slot(gpu, Health::kDegraded));
    return;
  }
  int better = 0, others = 0;
  std::string text;
  for (const Gpu& other : record.gpus) {
    if (other.device == gpu.device || other.name != gpu.name || !other.pcie_width || !other.pcie_generation) continue;
    ++others;
    const bool below =
        is_below(gpu.pcie_width, other.pcie_width) || is_below(gpu.pcie_generation, other.pcie_generation);
    if (!below) continue;
    ++better;
    text = slot_text(other.pcie_generation, other.pcie_width);
  }
  if (2 * better <= others) return;
  HealthFinding finding = slow_slot(gpu, Health::kSuspect);
  finding.expected = text;
  finding.source = fmt::format("{} of {} GPUs like it in this node", better, others);
  finding.next = "look at which slot and riser it is in: the board may wire them differently";
  findings.push_back(std::move(finding));
}

struct ExpectedLinks {
  int count = 0;
  std::string source;
};

// Behind switches the catalog knows how many there are; a board counts those that answer. With fewer than a device like it, one is down.
std::optional<ExpectedLinks> expected_links(const Gpu& gpu, const HealthCase& machine) {
  const Accelerator* entry = catalog_entry(gpu, machine.catalog);
  const bool switched = entry != nullptr && entry->scale_up.kind == ScaleUpKind::kSwitch;
  if (switched && entry->scale_up.links) return ExpectedLinks{*entry->scale_up.links, "catalog: " + entry->name};
  int most = 0;
  for (const Gpu& other : machine.record.gpus) {
    if (other.name == gpu.name) most = std::max(most, other.nvlinks.value_or(0));
  }
  // A card for bridges without one has links that lead nowhere.
  const bool is_joined = switched || most > 0;
  if (gpu.nvlinks_expected && is_joined) return ExpectedLinks{*gpu.nvlinks_expected, "the board"};
  if (most > gpu.nvlinks.value_or(0)) return ExpectedLinks{most, "the GPUs like it in this node"};
  return std::nullopt;
}

// Behind switches a device without any link reaches no other. A card for bridges beside a pair that has one may be meant to have none.
Health health_of_links(const Gpu& gpu, const HealthCase& machine) {
  const Accelerator* entry = catalog_entry(gpu, machine.catalog);
  if (entry == nullptr || *gpu.nvlinks > 0) return Health::kDegraded;
  if (entry->scale_up.kind == ScaleUpKind::kBridge) return Health::kSuspect;
  const bool has_others = machine.record.gpus.size() > 1;
  return entry->scale_up.kind == ScaleUpKind::kSwitch && has_others ? Health::kFailed : Health::kDegraded;
}

// A virtual machine with some GPUs of a board has the links between those: none with one, some of them with two and four (NVIDIA's guide to
// the fabric manager, full passthrough). Whoever has fewer than the others there is short of some all the same.
bool are_handed_on(const MachineRecord& record) {
  const auto as_the_first = [&](const Gpu& gpu) { return gpu.nvlinks == record.gpus.front().nvlinks; };
  return !record.hypervisor.empty() && std::all_of(record.gpus.begin(), record.gpus.end(), as_the_first) &&
         (record.gpus.size() == 1 || record.gpus.front().nvlinks.value_or(0) > 0);
}

void judge_nvlinks(const Gpu& gpu, const HealthCase& machine, Findings& findings) {
  const std::optional<ExpectedLinks> expected = expected_links(gpu, machine);
  if (!gpu.nvlinks || !expected || *gpu.nvlinks >= expected->count || are_handed_on(machine.record)) return;
  findings.push_back(
      {.rule = "probe.nvlink",
       .health = health_of_links(gpu, machine),
       .device = gpu.device,
       .what = "NVLink",
       .measured = fmt::format("{} links", *gpu.nvlinks),
       .expected = fmt::format("{} links", expected->count),
       .source = expected->source,
       .next = "nvidia-smi nvlink -s and -e show which are down; look at the fabric manager, then at the board"});
}

void judge_links(const MachineRecord& record, Findings& findings) {
  for (const Link& link : record.links) {
    const bool expected = link.peer_access_expected.value_or(link.kind == "nvlink");
    if (!expected || link.peer_access.value_or(true)) continue;
    findings.push_back({.rule = "probe.peer-access",
                        .health = Health::kDegraded,
                        .device = link.from + ">" + link.to,
                        .what = "peer access over " + (link.kind.empty() ? "its link" : link.kind),
                        .measured = "off: copies go through the host",
                        .expected = "on",
                        .source = "what these devices can do",
                        .next = "look at ACS, IOMMU and the fabric manager; NCCL_P2P_DISABLE must not be set"});
  }
}

}  // namespace

void judge_devices(const HealthCase& machine, Findings& findings) {
  for (const Gpu& gpu : machine.record.gpus) {
    judge_errors(gpu, findings);
    judge_memory(gpu, machine.catalog, findings);
    judge_clock(gpu, machine.record, findings);
    judge_temperature(gpu, machine.record, findings);
    judge_slot(gpu, machine.record, findings);
    judge_nvlinks(gpu, machine, findings);
  }
  judge_links(machine.record, findings);
}

}  // namespace fathom::probe
