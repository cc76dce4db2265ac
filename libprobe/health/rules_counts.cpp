// Is everything there, and is it this node's own? GPUs that are missing, and devices and hosts that stand under two names.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "health/rules.h"
#include "units/number.h"

namespace fathom::probe {

namespace {

// One that is shown twice is one.
int gpus_of(const MachineRecord& record, const std::string& name = {}) {
  std::set<std::string> seen;
  for (const Gpu& gpu : record.gpus) {
    if (name.empty() || gpu.name == name) seen.insert(gpu.uuid.empty() ? gpu.device : gpu.uuid);
  }
  return static_cast<int>(seen.size());
}

std::set<std::string> names_of(const MachineRecord& record) {
  std::set<std::string> names;
  for (const Gpu& gpu : record.gpus) names.insert(gpu.name);
  return names;
}

// What stands for the GPUs where there are none.
const Result* stand_in(const MachineRecord& record) {
  const auto it = std::find_if(record.results.begin(), record.results.end(),
                               [](const Result& r) { return r.device == "gpu" && r.status == Status::kNotSupported; });
  return it == record.results.end() ? nullptr : &*it;
}

// Without any in the inventory: whether somebody looked for them.
bool were_looked_for(const MachineRecord& record) {
  const Result* none = stand_in(record);
  return !record.gpus.empty() || (none != nullptr && none->why != kBuiltWithoutCuda);
}

// On the PCI bus, whatever the driver says; 0 where nothing tells.
int gpus_of_bus(const MachineRecord& record) {
  const Setting* bus = record.setting("pci_gpus");
  const auto number = bus == nullptr ? std::nullopt : scan_number(bus->value);
  return number && number->rest.empty() && number->value > 0 && number->value <= kMostGpus
             ? static_cast<int>(number->value)
             : 0;
}

std::string count_text(const MachineRecord& record) {
  const std::string bus =
      gpus_of_bus(record) > 0 ? fmt::format("; the PCI bus shows {}", gpus_of_bus(record)) : std::string();
  if (record.gpus.empty()) {
    const Result* none = stand_in(record);
    return "none: " + (none != nullptr ? none->why : std::string("no case of GPUs was asked for")) + bus;
  }
  std::string kinds;
  for (const std::string& name : names_of(record))
    kinds += fmt::format("{}{} x {}", kinds.empty() ? "" : ", ", gpus_of(record, name), name);
  return kinds + bus;
}

// None of several is the driver's fault before it is the cards'.
constexpr const char* kNextOfDriver =
    "nvidia-smi -L, and where it fails modprobe nvidia and dmesg | grep -i nvrm: the cards are there, so look at the "
    "driver, CUDA_VISIBLE_DEVICES and what a container hands on";
constexpr const char* kNextOfCards =
    "dmesg | grep -i xid (79: a GPU fell off the bus), lspci -d 10de: and nvidia-smi -L show which; start the node "
    "anew without power, then reseat the card";

HealthFinding missing_gpus(const MachineRecord& record, Health health) {
  return {.rule = "probe.gpus-missing",
          .health = health,
          .device = "host",
          .what = "number of GPUs",
          .measured = count_text(record),
          .expected = {},
          .source = {},
          .next = record.gpus.empty() && gpus_of_bus(record) > 0 ? kNextOfDriver : kNextOfCards};
}

std::string of_gpus(int count) { return fmt::format("{} GPU{}", count, count == 1 ? "" : "s"); }

// What nodes with GPUs of this name have most often.
struct Usual {
  int count = 0, nodes = 0, all = 0;
};
Usual usual_count(const std::string& name, const std::vector<const MachineRecord*>& nodes) {
  std::map<int, int> nodes_by_count;
  Usual usual;
  for (const MachineRecord* node : nodes) {
    const int count = gpus_of(*node, name);
    if (count == 0) continue;
    ++usual.all;
    const int same = ++nodes_by_count[count];
    if (same > usual.nodes || (same == usual.nodes && count > usual.count)) usual.count = count, usual.nodes = same;
  }
  return usual;
}

std::map<int, std::vector<std::string>> nodes_with_more(const std::string& name, int count,
                                                        const std::vector<const MachineRecord*>& nodes) {
  std::map<int, std::vector<std::string>> names;  // by how many they have
  for (const MachineRecord* node : nodes) {
    if (const int there = gpus_of(*node, name); there > count) names[there].push_back(node->node);
  }
  return names;
}

// "n1 has", "n1, n2 have", "n1, n2 and 7 more have".
std::string have(const std::vector<std::string>& names) {
  constexpr std::size_t kNamed = 2;
  if (names.size() == 1) return names.front() + " has";
  const std::string first = names[0] + ", " + names[1];
  return names.size() == kNamed ? first + " have" : fmt::format("{} and {} more have", first, names.size() - kNamed);
}

// A node without any GPU is like those that have the same processor.
bool is_like(const MachineRecord& record, const MachineRecord& node) {
  if (!record.gpus.empty() || !were_looked_for(record)) return !record.gpus.empty();
  return record.processor && node.processor && record.processor->name == node.processor->name &&
         record.processor->threads == node.processor->threads;
}

// Two others that agree are a rule. One other is a neighbour, of which there is a note, unless the bus says the same.
constexpr int kEnoughToAgree = 2;

std::optional<Health> verdict(const Usual& usual, int on_bus) {
  const bool agreed = usual.nodes >= kEnoughToAgree && 2 * usual.nodes > usual.all;
  if (agreed && usual.nodes == usual.all) return Health::kDegraded;
  return agreed || on_bus >= usual.count ? std::optional(Health::kSuspect) : std::nullopt;
}

// Nobody said how many there should be: whether the others are lost, or hidden by a container, cannot be told. Whoever set
// CUDA_VISIBLE_DEVICES knows.
std::vector<std::string> judge_bus(const MachineRecord& record, Findings& findings) {
  const int here = gpus_of(record), bus = gpus_of_bus(record);
  if (bus <= here || !were_looked_for(record)) return {};
  const Setting* environment = record.setting("gpu_environment");
  if (environment != nullptr && environment->value.find("CUDA_VISIBLE_DEVICES=") != std::string::npos) {
    return {fmt::format("the PCI bus shows {} of NVIDIA, and CUDA_VISIBLE_DEVICES leaves {}", of_gpus(bus), here)};
  }
  HealthFinding finding = missing_gpus(record, Health::kUnknown);
  finding.expected = fmt::format("{}, or --require-gpus", of_gpus(bus));
  finding.source = "the PCI bus";
  findings.push_back(std::move(finding));
  return {};
}

std::vector<std::string> judge_by_others(const MachineRecord& record, const std::vector<MachineRecord>& nodes,
                                         Findings& findings) {
  std::vector<const MachineRecord*> alike;
  std::set<std::string> names = names_of(record);
  for (const MachineRecord& node : nodes) {
    if (!is_like(record, node)) continue;
    alike.push_back(&node);
    if (record.gpus.empty()) names.merge(names_of(node));
  }
  std::vector<std::string> notes;
  const std::size_t before = findings.size();
  for (const std::string& name : names) {
    const Usual usual = usual_count(name, alike);
    const int count = gpus_of(record, name);
    if (count >= usual.count) continue;
    if (const std::optional<Health> health = verdict(usual, gpus_of_bus(record))) {
      HealthFinding finding = missing_gpus(record, *health);
      finding.expected = fmt::format("{} x {}", usual.count, name);
      finding.source =
          fmt::format("{} of {} like it", usual.nodes, usual.all == 1 ? "1 node" : fmt::format("{} nodes", usual.all));
      findings.push_back(std::move(finding));
      continue;
    }
    for (const auto& [there, nodes_there] : nodes_with_more(name, count, alike)) {
      notes.push_back(fmt::format("{} {} {}, this node {}", have(nodes_there), there, name, count));
    }
  }
  if (findings.size() > before) return notes;
  for (std::string& note : judge_bus(record, findings)) notes.push_back(std::move(note));
  return notes;
}

HealthFinding another_name(const char* rule, const std::string& device, const std::string& what,
                           const std::string& measured, const std::string& source, const std::string& next) {
  return {.rule = rule,
          .health = Health::kUnknown,
          .device = device,
          .what = what,
          .measured = measured,
          .expected = "one of its own",
          .source = source,
          .next = next};
}

// Figures of one device under two names are no figures of two.
void judge_twins(const MachineRecord& record, Findings& findings) {
  std::map<std::string, std::string> first;  // device by UUID
  for (const Gpu& gpu : record.gpus) {
    const auto [known, is_new] = first.emplace(gpu.uuid, gpu.device);
    if (gpu.uuid.empty() || is_new) continue;
    findings.push_back(another_name("probe.same-device", gpu.device, "UUID",
                                    fmt::format("{}, which is {}'s", gpu.uuid, known->second), "the inventory",
                                    "find out what shows one GPU twice, then measure again"));
  }
}

// A record that another host sent, or was copied, would stand for a node that nobody measured.
constexpr const char* kWhichHost = "find out which host was measured under which name, then measure the other";

void judge_shared_devices(const MachineRecord& record, const std::vector<MachineRecord>& nodes, Findings& findings) {
  for (const Gpu& gpu : record.gpus) {
    for (const MachineRecord& node : nodes) {
      const auto same = std::find_if(node.gpus.begin(), node.gpus.end(),
                                     [&](const Gpu& other) { return !gpu.uuid.empty() && other.uuid == gpu.uuid; });
      if (same == node.gpus.end()) continue;
      findings.push_back(another_name("probe.same-device", gpu.device, "UUID",
                                      fmt::format("{}, which is {}'s of {}", gpu.uuid, same->device, node.node),
                                      "the record of " + node.node, kWhichHost));
      break;
    }
  }
}

// Pods and jobs may have a part of a host each: its kernel is the same, and no GPU of theirs is.
bool are_parts(const MachineRecord& a, const MachineRecord& b) {
  const auto tell = [](const MachineRecord& r) {
    return !r.gpus.empty() && std::none_of(r.gpus.begin(), r.gpus.end(), [](const Gpu& g) { return g.uuid.empty(); });
  };
  const auto is_shared = [&](const Gpu& gpu) {
    return std::any_of(b.gpus.begin(), b.gpus.end(), [&](const Gpu& other) { return other.uuid == gpu.uuid; });
  };
  return tell(a) && tell(b) && std::none_of(a.gpus.begin(), a.gpus.end(), is_shared);
}

void judge_shared_host(const MachineRecord& record, const std::vector<MachineRecord>& nodes, Findings& findings) {
  const Setting* boot = record.setting("boot_id");
  if (boot == nullptr) return;
  for (const MachineRecord& node : nodes) {
    const Setting* other = node.setting("boot_id");
    if (other == nullptr || other->value != boot->value || are_parts(record, node)) continue;
    findings.push_back(another_name("probe.same-host", "host", "boot id of the kernel",
                                    fmt::format("{}, which is {}'s", boot->value, node.node),
                                    "the record of " + node.node, kWhichHost));
    return;
  }
}

}  // namespace

std::vector<std::string> identities_of(const MachineRecord& record) {
  std::vector<std::string> identities;
  for (const Gpu& gpu : record.gpus) {
    if (!gpu.uuid.empty()) identities.push_back(gpu.uuid);
  }
  if (const Setting* boot = record.setting("boot_id")) identities.push_back(boot->value);
  return identities;
}

std::vector<std::string> judge_count(const HealthCase& machine, const std::vector<MachineRecord>& nodes,
                                     const std::optional<RequiredGpus>& required, Findings& findings) {
  const MachineRecord& record = machine.record;
  if (!required) return judge_by_others(record, nodes, findings);
  const int count = gpus_of(record);
  if (count > required->count && required->count > 0)
    return {fmt::format("the node has {}, and {} asks for {}", of_gpus(count), required->source, required->count)};
  if (count >= required->count) return {};
  HealthFinding finding = missing_gpus(record, were_looked_for(record) ? Health::kFailed : Health::kUnknown);
  if (finding.health == Health::kUnknown)
    finding.next = "probe the node with a program that was built with CUDA, and without --only";
  finding.expected = of_gpus(required->count);
  finding.source = required->source;
  findings.push_back(std::move(finding));
  return {};
}

void judge_identity(const HealthCase& machine, const std::vector<MachineRecord>& nodes, Findings& findings) {
  judge_twins(machine.record, findings);
  judge_shared_devices(machine.record, nodes, findings);
  judge_shared_host(machine.record, nodes, findings);
}

}  // namespace fathom::probe
