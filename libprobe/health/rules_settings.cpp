// What somebody set on a GPU: a power limit, and modes in which it is unlike those beside it.
#include <fmt/format.h>

#include <algorithm>

#include "harness/statistics.h"
#include "health/limits_of_parts.h"
#include "health/rules.h"
#include "units/text.h"

namespace fathom::probe {

namespace {

// As nvidia-smi takes it; CUDA and nvidia-smi number devices differently.
std::string id_of(const Gpu& gpu) { return gpu.bus.empty() ? "GPU" : gpu.bus; }

std::vector<const Gpu*> others_like(const Gpu& gpu, const MachineRecord& record) {
  std::vector<const Gpu*> others;
  for (const Gpu& other : record.gpus) {
    if (other.device != gpu.device && other.name == gpu.name) others.push_back(&other);
  }
  return others;
}

// ---------------------------------------------------------------------------------------------------------------------
// Power

struct Expected {
  Watts limit{};
  std::string source;
};

// The board's own default before the data sheet: makers set their own. Of a range the least.
std::optional<Expected> usual_limit(const Gpu& gpu, const HealthCase& machine) {
  if (gpu.power_limit_default) return Expected{*gpu.power_limit_default, "the board's default"};
  const Accelerator* entry = catalog_entry(gpu, machine.catalog);
  if (entry == nullptr || !entry->tdp) return std::nullopt;
  return Expected{entry->tdp->low_or_value(),
                  origin_text(entry->tdp->origin, machine.catalog.sources<Accelerator>(), entry->name)};
}

std::optional<Expected> limit_of_others(const Gpu& gpu, const MachineRecord& record) {
  std::vector<double> limits;
  for (const Gpu* other : others_like(gpu, record)) {
    if (other->power_limit) limits.push_back(other->power_limit->value);
  }
  if (limits.empty()) return std::nullopt;
  return Expected{Watts(median_of(limits)), "the GPUs like it in this node"};
}

void judge_power_limit(const Gpu& gpu, const HealthCase& machine, Findings& findings) {
  constexpr double kSame = 0.99;  // limits are set in whole watts
  if (!gpu.power_limit) return;
  for (const std::optional<Expected>& expected : {usual_limit(gpu, machine), limit_of_others(gpu, machine.record)}) {
    if (!expected || *gpu.power_limit >= expected->limit * kSame) continue;
    findings.push_back(
        {.rule = "probe.power-limit",
         .health = Health::kSuspect,
         .device = gpu.device,
         .what = "power limit",
         .measured = to_string(*gpu.power_limit),
         .expected = to_string(expected->limit),
         .source = expected->source,
         .next = fmt::format("nvidia-smi -i {} -pl {:.0f} raises it; where it is meant to be so low, plan "
                             "with --profile",
                             id_of(gpu), expected->limit.value)});
    return;
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Modes

struct Mode {
  const char* name;
  std::optional<bool> Gpu::*is_on;
  bool usual;        // where GPUs differ, those that have it otherwise are found
  const char* mend;  // options of nvidia-smi, and what has to follow
};
constexpr Mode kModes[] = {
    {"ECC", &Gpu::ecc, true, "-e 1, then a reset of the GPU"},
    {"persistence mode", &Gpu::persistence, true, "-pm 1"},
    {"MIG", &Gpu::mig, false, "-mig 0, then a reset of the GPU"},
};

const char* word(bool is_on) { return is_on ? "on" : "off"; }

void judge_mode(const Gpu& gpu, const Mode& mode, const MachineRecord& record, Findings& findings) {
  const std::optional<bool> here = gpu.*mode.is_on;
  const std::vector<const Gpu*> others = others_like(gpu, record);
  const auto differ =
      std::count_if(others.begin(), others.end(), [&](const Gpu* other) { return other->*mode.is_on == mode.usual; });
  if (!here || *here == mode.usual || differ == 0) return;
  findings.push_back({.rule = "probe.settings-differ",
                      .health = Health::kSuspect,
                      .device = gpu.device,
                      .what = mode.name,
                      .measured = word(*here),
                      .expected = word(mode.usual),
                      .source = fmt::format("{} GPU{} like it in this node", differ, differ == 1 ? "" : "s"),
                      .next = fmt::format("nvidia-smi -i {} {}; or set the others like it", id_of(gpu), mode.mend)});
}

template <class IsSo>
std::string devices_that(const MachineRecord& record, const IsSo& is_so) {
  std::string devices;
  for (const Gpu& gpu : record.gpus) {
    if (is_so(gpu)) devices += (devices.empty() ? "" : ", ") + gpu.device;
  }
  return devices;
}

}  // namespace

void judge_settings(const HealthCase& machine, Findings& findings) {
  for (const Gpu& gpu : machine.record.gpus) {
    judge_power_limit(gpu, machine, findings);
    for (const Mode& mode : kModes) judge_mode(gpu, mode, machine.record, findings);
  }
}

std::vector<std::string> notes_of_gpus(const HealthCase& machine) {
  std::vector<std::string> notes;
  const auto note = [&](const auto& is_so, const char* text) {
    const std::string devices = devices_that(machine.record, is_so);
    if (!devices.empty()) notes.push_back(devices + ": " + text);
  };
  note([](const Gpu& gpu) { return gpu.ecc == false; }, "ECC is off: errors of the memory are not seen");
  note([](const Gpu& gpu) { return gpu.persistence == false; },
       "persistence mode is off: a first context takes seconds, and clocks are set anew");
  note([](const Gpu& gpu) { return gpu.mig == true; },
       "MIG is on: figures are those of an instance, and the catalog's those of a whole GPU");
  if (machine.record.gpus.size() > 1)
    note([](const Gpu& gpu) { return gpu.nvlinks == 0; }, "no NVLink is active: no bridge joins it to another");
  for (const Gpu& gpu : machine.record.gpus) {
    const Accelerator* entry = catalog_entry(gpu, machine.catalog);
    const auto most = gpu.pcie_generation_max ? gpu.pcie_generation_max : gpu.pcie_generation;
    const auto lanes = gpu.pcie_width_max ? gpu.pcie_width_max : gpu.pcie_width;
    if (entry == nullptr || !entry->pcie || !most || !lanes) continue;
    const int card_lanes = entry->pcie->lanes.value_or(*lanes);
    if (*most >= entry->pcie->generation && *lanes >= card_lanes) continue;
    notes.push_back(fmt::format("{}: its slot has PCIe {}.0 x{}, and a {} can do {}.0 x{}", gpu.device, *most, *lanes,
                                entry->name, entry->pcie->generation, card_lanes));
  }
  return notes;
}

}  // namespace fathom::probe
