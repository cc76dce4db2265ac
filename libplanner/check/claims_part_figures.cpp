// Figures of a part against its entry in the catalog.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "check/claims_terms.h"
#include "check/part_figures.h"
#include "units/number.h"
#include "units/text.h"

namespace fathom::claims {

namespace {

Judgement memory(Terms& claim) {
  const Accelerator& a = claim.entry<Accelerator>("part");
  const Bytes stated = claim.value<Bytes>();
  const std::string text = fmt::format("{} has {}", a.name, to_string_binary(a.memory.value));
  return memory_agrees(a, stated) ? holds(text) : contradicted(fmt::format("{}, not {}", text, claim.value_text()));
}

Judgement memory_bandwidth(Terms& claim) {
  const NamedPart part = claim.part("part");
  const BytesPerSecond stated = claim.value<BytesPerSecond>();
  const auto& known = part.accelerator != nullptr ? part.accelerator->memory_bandwidth
                      : part.cpu != nullptr       ? part.cpu->memory_bandwidth
                                                  : std::optional<Fact<BytesPerSecond>>();
  if (!known) return unchecked("the catalog has no memory bandwidth of " + part.name());
  const std::string text = fmt::format("{} has {}", part.name(), to_string(known->value));
  return agrees(stated.value, known->value.value) ? holds(text)
                                                  : contradicted(fmt::format("{}, not {}", text, claim.value_text()));
}

// Slower memory works; faster memory runs beyond what the maker answers for.
Judgement memory_mts(Terms& claim) {
  const Cpu& cpu = claim.entry<Cpu>("part");
  const double stated = claim.number_value();
  if (!cpu.memory_mts) return unchecked("the catalog has no memory rate of " + cpu.name);
  const std::string text =
      fmt::format("{} takes {}-{}", cpu.name, cpu.memory_type.substr(0, cpu.memory_type.find(' ')), *cpu.memory_mts);
  if (stated <= *cpu.memory_mts) return holds(text);
  return misleading(fmt::format("{}; {} is overclocking", text, number(stated)));
}

Judgement cores(Terms& claim) {
  const Cpu& cpu = claim.entry<Cpu>("part");
  const double stated = claim.number_value();
  if (!cpu.cores) return unchecked("the catalog has no number of cores of " + cpu.name);
  const std::string text = fmt::format("{} has {} cores", cpu.name, *cpu.cores);
  return stated == *cpu.cores ? holds(text) : contradicted(fmt::format("{}, not {}", text, number(stated)));
}

Judgement base_clock(Terms& claim) {
  const Cpu& cpu = claim.entry<Cpu>("part");
  const Hertz stated = claim.value<Hertz>();
  if (!cpu.base_clock) return unchecked("the catalog has no clock of " + cpu.name);
  const std::string text = fmt::format("{} runs at {:g} GHz", cpu.name, cpu.base_clock->value.value / 1e9);
  return agrees(stated.value, cpu.base_clock->value.value)
             ? holds(text)
             : contradicted(fmt::format("{}, not {}", text, claim.value_text()));
}

Judgement power(Terms& claim) {
  const NamedPart part = claim.part("part");
  const Watts stated = claim.value<Watts>();
  const auto& known = part.accelerator != nullptr ? part.accelerator->tdp
                      : part.cpu != nullptr       ? part.cpu->tdp
                                                  : std::optional<Fact<Watts>>();
  if (!known) return unchecked("the catalog has no power of " + part.name());
  const std::string text = power_of(part.name(), *known);
  return power_agrees(*known, stated) ? holds(text) : contradicted(fmt::format("{}, not {}", text, claim.value_text()));
}

// ---------------------------------------------------------------------------------------------------------------------
// Ports and links

// "48 x 40 Gb/s"
struct StatedPorts {
  double count = 0;
  BytesPerSecond rate{};
};
StatedPorts stated_ports(Terms& claim) {
  const std::string text = claim.word_value();
  const std::optional<ScannedNumber> count = scan_number(text);
  const std::string_view rest = count ? count->rest : std::string_view();
  const std::size_t sign = rest.starts_with("x") ? 1 : rest.starts_with("×") ? std::string_view("×").size() : 0;
  if (!count || sign == 0) claim.fail_value("expected ports, found " + in_quotes(text), "write them as 48 x 25 Gb/s");
  try {
    return {.count = count->value, .rate = parse_bandwidth(rest.substr(sign))};
  } catch (const UnitError& error) {
    claim.fail_value(error.what());
  }
}

// Whether a group of exactly this rate exists is what sheets print.
Judgement ports(Terms& claim) {
  const Switch& device = claim.entry<Switch>("part");
  const StatedPorts stated = stated_ports(claim);
  if (device.ports.empty()) return unchecked("the catalog has no ports of " + device.name);
  const std::string text = fmt::format("{} has {}", device.name, ports_of(device));
  return ports_at(device, stated.rate) >= stated.count
             ? holds(text)
             : contradicted(fmt::format("{}, not {}", text, claim.value_text()));
}

Judgement port_rate(Terms& claim) {
  const NetworkCard& card = claim.entry<NetworkCard>("part");
  const BytesPerSecond stated = claim.value<BytesPerSecond>();
  std::vector<std::string> rates;
  bool found = false;
  for (const BytesPerSecond rate : card.port_rates) {
    rates.push_back(gigabits(rate));
    found |= agrees(stated.value, rate.value);
  }
  if (rates.empty() && card.rate) {
    rates.push_back("up to " + gigabits(card.rate->value));
    found = stated <= card.rate->value * (1 + kSheetRounding);
  }
  if (rates.empty()) return unchecked("the catalog has no rates of " + card.name);
  const std::string text = fmt::format("{} links at {}", card.name, listed(rates, ", "));
  return found ? holds(text) : contradicted(fmt::format("{}, not at {}", text, claim.value_text()));
}

Judgement asic(Terms& claim) {
  const Switch& device = claim.entry<Switch>("part");
  const std::string stated = claim.word_value();
  if (!device.asic) return unchecked("the catalog has no ASIC of " + device.name);
  if (normalised_name(stated) == normalised_name(*device.asic)) return holds(*device.asic);
  std::string text = fmt::format("{} carries {}, not {}", device.name, *device.asic, stated);
  for (const SwitchAsic& other : claim.catalog().all<SwitchAsic>()) {
    if (normalised_name(other.id) == normalised_name(stated))
      text += fmt::format(" ({})", fmt::join(other.products, ", "));
  }
  return contradicted(text);
}

Judgement scale_up_bandwidth(Terms& claim) {
  const Accelerator& a = claim.entry<Accelerator>("part");
  const double directions = claim.count("directions", 1);
  const BytesPerSecond stated = claim.value<BytesPerSecond>();
  if (directions != 1 && directions != 2) claim.fail_term("directions", "expected 1 or 2");
  if (!a.scale_up.bandwidth_per_direction) return contradicted(fmt::format("{} has no such link", a.name));
  const BytesPerSecond known = a.scale_up.bandwidth_per_direction->value;
  const std::string text =
      fmt::format("{}: {} each way, {} both ways together", a.scale_up.name, to_string(known), to_string(known * 2));
  if (agrees(stated.value, known.value * directions)) return holds(text);
  const bool other_count = agrees(stated.value, known.value * (3 - directions));
  return other_count ? misleading(text) : contradicted(fmt::format("{}, not {}", text, claim.value_text()));
}

// Bridges and boards end at the chassis; only racks built around the link join nodes.
Judgement scale_up_domain(Terms& claim) {
  const Accelerator& a = claim.entry<Accelerator>("part");
  const double stated = claim.number_value();
  const bool nodes = claim.value_text().find("node") != std::string::npos;
  const ScaleUp& link = a.scale_up;
  if (link.kind == ScaleUpKind::kNone) return contradicted(a.name + " has no such link");
  if (!link.domain) return unchecked("how many the link joins is not in the catalog");
  constexpr int kLargestBoard = 16;
  const std::string text = fmt::format("{} joins {} of {}{}", link.name, *link.domain, a.name,
                                       *link.domain <= kLargestBoard ? " inside one chassis" : "");
  if (nodes && stated > 1 && *link.domain <= kLargestBoard)
    return contradicted(fmt::format("{}: it reaches no other node", text));
  return !nodes && stated > *link.domain ? contradicted(fmt::format("{}, not {}", text, number(stated))) : holds(text);
}

}  // namespace

std::vector<Subject> part_figure_claims() {
  return {{"part.memory", memory},
          {"part.memory_bandwidth", memory_bandwidth},
          {"part.memory_mts", memory_mts},
          {"part.cores", cores},
          {"part.base_clock", base_clock},
          {"part.power", power},
          {"part.ports", ports},
          {"part.port_rate", port_rate},
          {"part.asic", asic},
          {"part.scale_up_bandwidth", scale_up_bandwidth},
          {"part.scale_up_domain", scale_up_domain}};
}

}  // namespace fathom::claims
