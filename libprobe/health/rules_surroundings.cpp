// What only looks well: a clock that follows itself, storage that is memory.
#include "checklist/checklist.h"
#include "health/rules.h"

namespace fathom::probe {

void judge_surroundings(const HealthCase& machine, Findings& findings) {
  const MachineRecord& record = machine.record;
  if (record.clock && is_free_running(*record.clock)) {
    findings.push_back({.rule = "probe.clock",
                        .health = Health::kSuspect,
                        .device = "host",
                        .what = "clock",
                        .measured = "reference " + record.clock->reference_id + ": the machine's own clock",
                        .expected = "a server",
                        .source = record.clock->tool + " tracking",
                        .next = "name a server in chrony.conf; \"local stratum\" alone always reports an offset of 0"});
  }
  if (record.storage && !is_storage(record.storage->file_system)) {
    findings.push_back({.rule = "probe.storage",
                        .health = Health::kUnknown,
                        .device = "host",
                        .what = "storage at " + record.storage->path,
                        .measured = record.storage->file_system,
                        .expected = "a file system on a disk or a network",
                        .source = "/proc/self/mountinfo",
                        .next = "name a folder on the storage that will hold the weights: --storage DIR"});
  }
}

}  // namespace fathom::probe
