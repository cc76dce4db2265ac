// The rules by what they look at; each adds its findings. Inside libprobe/health only.
#pragma once

#include "health/health.h"

namespace fathom::probe {

struct HealthCase {
  const MachineRecord& record;
  const Catalog& catalog;
};

using Findings = std::vector<HealthFinding>;

void judge_devices(const HealthCase& machine, Findings& findings);     // what the driver tells: errors, clocks, links
void judge_settings(const HealthCase& machine, Findings& findings);    // power limits, and modes unlike those beside
std::vector<std::string> notes_of_gpus(const HealthCase& machine);     // what costs speed, and is no fault of a part
void judge_unmeasured(const HealthCase& machine, Findings& findings);  // devices without a usable figure
void judge_results(const HealthCase& machine, Findings& findings);     // each figure on its own, and by the catalog
void judge_peers(const HealthCase& machine, Findings& findings);       // figures against those of like devices
// Figures against those of other nodes; returns which of them have none to compare with.
std::vector<std::string> judge_fleet(const HealthCase& machine, const std::vector<MachineRecord>& nodes,
                                     Findings& findings);
// What each result is held against; nothing where it cannot be judged.
std::vector<HeldAgainst> held_against(const HealthCase& machine, const std::vector<MachineRecord>& nodes);
// Devices of which no figure is held against a reference, nor against enough others; `held` is that of the results.
void judge_unjudged(const HealthCase& machine, const std::vector<HeldAgainst>& held, Findings& findings);
// GPUs that are missing, by what is required or else by what nodes like this one have; returns notes.
std::vector<std::string> judge_count(const HealthCase& machine, const std::vector<MachineRecord>& nodes,
                                     const std::optional<RequiredGpus>& required, Findings& findings);
void judge_identity(const HealthCase& machine, const std::vector<MachineRecord>& nodes, Findings& findings);
void judge_surroundings(const HealthCase& machine, Findings& findings);  // clock and storage that only look well

// Whether a figure may be compared at all: it was measured, its data was right, and hardware can do it.
bool is_usable(const Result& result, const HealthCase& machine);

// The figure; of one whose samples scatter or drift the better quartile, for what is called degraded must be so beyond its scatter.
double surely(const Result& result);
bool is_unsteady(const Result& result);

std::string what_of(const Result& result);  // "gpu.gemm, dtype bf16, m 8192"

}  // namespace fathom::probe
