// Lanes of processors and ports of switches: is there a place for everything that is plugged in?
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "check/claims_terms.h"
#include "check/part_figures.h"
#include "units/number.h"
#include "units/text.h"

namespace fathom::claims {

namespace {

// Terms that are neither the processor nor its lanes count devices: {accelerators: 2, network_cards: 3}.
Judgement pcie_lanes(Terms& claim) {
  const Cpu& cpu = claim.entry<Cpu>("cpu");
  const double sockets = claim.count("sockets", 1), each = claim.count("lanes_each", 16);
  double devices = 0;
  std::string sum;
  for (const auto& [key, text] : claim.claim().terms) {
    if (key == "cpu" || key == "sockets" || key == "lanes_each" || key.starts_with("x-")) continue;
    const double count = claim.count(key);
    devices += count;
    sum += fmt::format("{}{} {}", sum.empty() ? "" : " + ", number(count), key);
  }
  const double stated = claim.number_value();
  if (devices == 0) claim.fail_value("which devices need them?", "name them in the terms: {accelerators: 2}");
  if (!cpu.pcie.lanes) return unchecked("the catalog has no lanes of " + cpu.name);
  const double needed = devices * each, there = sockets * *cpu.pcie.lanes;
  const std::string text = fmt::format("({}) x {} = {} lanes, {} x {} {} {}", sum, number(each), number(needed),
                                       number(sockets), cpu.name, sockets == 1 ? "has" : "have", number(there));
  if (needed > there) return contradicted(text);
  return stated == needed ? holds(text) : misleading(fmt::format("{}; stated are {}", text, number(stated)));
}

// Cages of a higher rate take plugs of a lower one.
Judgement switch_ports(Terms& claim) {
  const Switch& device = claim.entry<Switch>("part");
  const double count = claim.count("count");
  const BytesPerSecond rate = claim.need<BytesPerSecond>("rate");
  const double others = claim.get<double>("other_uplinks", 0);
  const double needed = claim.number_value();
  if (others < 0) claim.fail_term("other_uplinks", "expected a count");
  if (device.ports.empty()) return unchecked("the catalog has no ports of " + device.name);
  double each = 0;
  for (const SwitchPorts& group : device.ports) {
    if (group.rate >= rate * (1 - 1e-9)) each += group.count;
  }
  const double free = count * each - others;
  std::string text = fmt::format("{} x {}", number(count), number(each));
  if (others > 0) text += fmt::format(" - {}", number(others));
  text += fmt::format(" = {} ports of {} for {}", number(free), gigabits(rate), number(needed));
  return needed <= free ? holds(text) : contradicted(text);
}

Judgement switch_count(Terms& claim) {
  const double ends = claim.count("ends"), ports = claim.count("ports");
  const double stated = claim.number_value(), needed = std::ceil(ends / ports);
  const std::string text = fmt::format("ceil({} / {}) = {}", number(ends), number(ports), number(needed));
  if (stated == needed) return holds(text);
  const std::string against =
      fmt::format("{}, not {}: {} ports for {} ends", text, number(stated), number(stated * ports), number(ends));
  return stated > needed ? misleading(against) : contradicted(against);
}

// A network whose switches take in more than they can pass on holds packets back only by pausing the senders.
Judgement lossless(Terms& claim) {
  const double down = claim.count("downlinks"), up = claim.count("uplinks");
  const BytesPerSecond down_rate = claim.need<BytesPerSecond>("down_rate"),
                       up_rate = claim.need<BytesPerSecond>("up_rate");
  claim.word_value();
  if (!(up_rate > BytesPerSecond(0))) claim.fail_term("up_rate", "a link has a rate");
  const double ratio = down_rate * down / (up_rate * up);
  const std::string text =
      fmt::format("{} x {} = {} down, {} x {} = {} up: {:.3g} to 1", number(down), gigabits(down_rate),
                  gigabits(down_rate * down), number(up), gigabits(up_rate), gigabits(up_rate * up), ratio);
  if (ratio <= 1 + 1e-9) return holds(text);
  return misleading(text +
                    "; nothing is lost only where every hop can pause its senders (PFC, ECN and buffers for it)");
}

}  // namespace

std::vector<Subject> fabric_claims() {
  return {{"pcie.lanes", pcie_lanes},
          {"fabric.ports", switch_ports},
          {"fabric.switch_count", switch_count},
          {"fabric.lossless", lossless}};
}

}  // namespace fathom::claims
