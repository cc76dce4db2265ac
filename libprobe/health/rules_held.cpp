// A device that nothing is known of is neither well nor ill: figures that could be held against nothing are no pass.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "health/limits_of_parts.h"
#include "health/rules.h"

namespace fathom::probe {

namespace {

// Of one other that does as much, nobody knows which of the two is slow, or whether both are.
constexpr int kEnoughPeers = 2;

struct OfDevice {
  int figures = 0, judged = 0, within_limits = 0;
  int peers = 0;  // the most of any figure
};

// Alone or with others; "host" is judged by its surroundings and its data alone, see HealthReport::speed_unjudged.
std::map<std::string, OfDevice> by_device(const HealthCase& machine, const std::vector<HeldAgainst>& held) {
  std::map<std::string, OfDevice> devices;
  for (std::size_t i = 0; i < held.size(); ++i) {
    const Result& r = machine.record.results[i];
    if (!is_usable(r, machine) || r.unit == Unit::kWatts) continue;
    for (const std::string& name : devices_of(r.device)) {
      if (name == "host" || name.empty()) continue;
      OfDevice& device = devices[name];
      ++device.figures;
      device.judged += held[i].reference || held[i].peers >= kEnoughPeers ? 1 : 0;
      device.within_limits += held[i].limit ? 1 : 0;
      device.peers = std::max(device.peers, held[i].peers);
    }
  }
  return devices;
}

std::string measured_text(const OfDevice& device) {
  std::string text = fmt::format("{} figure{}", device.figures, device.figures == 1 ? "" : "s");
  text += device.within_limits > 0 ? fmt::format(", {} within a physical limit", device.within_limits) : "";
  return text + (device.peers == 0 ? ", and none of a device like it" : ", and those of one device like it");
}

HealthFinding unjudged(const std::string& name, const OfDevice& device, const HealthCase& machine) {
  const Gpu* gpu = machine.record.gpu(name);
  const bool is_known = gpu != nullptr && catalog_entry(*gpu, machine.catalog) != nullptr;
  return {.rule = "probe.not-judged",
          .health = Health::kUnknown,
          .device = name,
          .what = gpu == nullptr ? "a device without a name" : gpu->name,
          .measured = measured_text(device),
          .expected = fmt::format("a reference of the catalog, or {} devices like it", kEnoughPeers),
          .source = is_known ? "the catalog knows the device, and nothing for these figures"
                             : "the catalog does not know the device",
          .next = is_known ? "measure more cases of it, or name records of nodes like this one: --peers FILE…"
                           : "name records of nodes like this one: --peers FILE…; or add the device to "
                             "catalogs/accelerators.yaml"};
}

}  // namespace

// Devices of which the same is to be said share a finding.
void judge_unjudged(const HealthCase& machine, const std::vector<HeldAgainst>& held, Findings& findings) {
  const std::size_t first = findings.size();
  for (const auto& [name, device] : by_device(machine, held)) {
    if (device.judged > 0) continue;
    HealthFinding finding = unjudged(name, device, machine);
    const auto same = std::find_if(
        findings.begin() + static_cast<std::ptrdiff_t>(first), findings.end(), [&](const HealthFinding& f) {
          return f.what == finding.what && f.measured == finding.measured && f.source == finding.source;
        });
    if (same == findings.end()) {
      findings.push_back(std::move(finding));
    } else {
      same->device += "," + name;
    }
  }
}

}  // namespace fathom::probe
