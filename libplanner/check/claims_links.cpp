// Names and rates of links, what fibre they take and how far they reach, how long a message takes.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "check/claims_terms.h"
#include "check/part_figures.h"
#include "units/number.h"
#include "units/text.h"

namespace fathom::claims {

namespace {

// "EDR" of InfiniBand, "PCIe 4" of PCIe: by name, without what follows.
Judgement rate(Terms& claim) {
  constexpr auto families = words(LinkFamily{});
  const auto family =
      static_cast<LinkFamily>(claim.choice("kind", std::vector<std::string>(families.begin(), families.end())));
  const std::string generation = claim.need<std::string>("generation");
  const BytesPerSecond stated = claim.value<BytesPerSecond>();
  const LinkGeneration *named = nullptr, *of_that_rate = nullptr;
  std::vector<std::string> known;
  for (const LinkGeneration& link : claim.catalog().all<LinkGeneration>()) {
    if (link.family != family) continue;
    known.push_back(link.name);
    if (normalised_name(link.name) == normalised_name(generation)) named = &link;
    if (std::abs(link.rate.value / stated - 1) < 0.02 && of_that_rate == nullptr) of_that_rate = &link;
  }
  if (named == nullptr) {
    const std::string close = did_you_mean(generation, known);
    claim.fail_term("generation", "unknown generation " + in_quotes(generation),
                    close.empty() ? "known are " + listed(known, ", ") : "did you mean " + in_quotes(close) + "?");
  }
  const std::string text = fmt::format("{} is {}", named->name, gigabits(named->rate.value));
  if (std::abs(named->rate.value / stated - 1) < 0.05) return holds(text);
  return contradicted(of_that_rate == nullptr
                          ? fmt::format("{}, not {}", text, gigabits(stated))
                          : fmt::format("{}, {} is {}", text, gigabits(stated), of_that_rate->name));
}

// OM1 to OM5 are multimode, OS1, OS2 and what is called SMF single-mode.
std::string class_of_fibre(Terms& claim, const std::string& grade, bool is_value) {
  const std::string plain = normalised_name(grade);
  if (plain.starts_with("om") || plain == "mmf") return "MMF";
  if (plain.starts_with("os") || plain.starts_with("g.65") || plain == "smf") return "SMF";
  if (plain.starts_with("cat") || plain == "copper" || plain == "twinax") return "copper";
  const std::string complaint = "expected a fibre such as OM4 or OS2, found " + in_quotes(grade);
  if (is_value) claim.fail_value(complaint);
  claim.fail_term("fibre", complaint);
}

std::string in_full(const std::string& fibre) {
  return fibre == "SMF" ? "single-mode fibre" : fibre == "MMF" ? "multimode fibre" : fibre;
}

Judgement fibre(Terms& claim) {
  const Optic& optic = claim.entry<Optic>("optic");
  const std::string stated = claim.word_value();
  const std::string text = fmt::format("{} takes {}", optic.id, in_full(optic.fibre));
  const std::string given = class_of_fibre(claim, stated, true);
  if (optic.fibre == given) return holds(text);
  return contradicted(fmt::format("{}, {} is {}", text, stated, in_full(given)));
}

Judgement reach(Terms& claim) {
  const Optic& optic = claim.entry<Optic>("optic");
  const std::string grade = claim.need<std::string>("fibre");
  const Metres stated = claim.value<Metres>();
  if (class_of_fibre(claim, grade, false) != optic.fibre)
    return contradicted(fmt::format("{} takes {}, not {}", optic.id, in_full(optic.fibre), grade));
  const Fact<Metres>* known = nullptr;
  for (const auto& [fibre, metres] : optic.reach) {
    if (normalised_name(fibre) == normalised_name(grade) || (optic.fibre == "SMF" && known == nullptr)) known = &metres;
  }
  if (known == nullptr) return unchecked(fmt::format("the reach of {} on {} is not in the catalog", optic.id, grade));
  const std::string text =
      fmt::format("{} reaches {} on {}, {} are needed", optic.id, to_string(known->value), grade, to_string(stated));
  return stated <= known->value ? holds(text) : contradicted(text);
}

// One message between two cards takes at least what verbs or the kernel take; a collective takes several.
Judgement latency(Terms& claim) {
  const std::size_t kind = claim.choice("kind", {"infiniband", "roce", "ethernet"});
  const Seconds stated = claim.value<Seconds>();
  const Fact<double> least = claim.constant(kind == 2 ? "kernel-tcp-one-way" : "rdma-send-32b");
  const std::string text =
      fmt::format("{} between two cards; {} takes {}, a step of a collective several times that", to_string(stated),
                  kind == 2 ? "kernel TCP" : "a message of 32 B", to_string(Seconds(least.low_or_value())));
  return stated.value >= least.low_or_value() ? holds(text) : contradicted(text);
}

// Links reach 73 to 97 % of their rate (NCCL, verbs); a test that passes at half of it finds no fault.
Judgement acceptance(Terms& claim) {
  const BytesPerSecond rate = claim.need<BytesPerSecond>("rate"), stated = claim.value<BytesPerSecond>();
  if (!(rate > BytesPerSecond(0))) claim.fail_term("rate", "a link has a rate");
  const Fact<double> usual = claim.constant("network-share-application");
  const double share = stated / rate;
  const std::string text = fmt::format("{} of {} are {}; applications reach about {}", gigabits(stated), gigabits(rate),
                                       percent(share), percent(usual.value));
  if (share > 1) return contradicted(text);
  if (share >= usual.value) return holds(text);
  return share >= 0.6 ? misleading(text) : contradicted(text);
}

// The network of a node against the links inside it: reference nodes give each accelerator a card of its own.
Judgement balance(Terms& claim) {
  const Accelerator& a = claim.entry<Accelerator>("accelerator");
  const double count = claim.count("count");
  const BytesPerSecond node = claim.value<BytesPerSecond>();
  if (!a.pcie) return unchecked("the catalog has no PCIe slot of " + a.name);
  BytesPerSecond slot{};
  for (const LinkGeneration& link : claim.catalog().all<LinkGeneration>()) {
    if (link.family == LinkFamily::kPcie && link.generation == a.pcie->generation) slot = link.rate.value;
  }
  if (!(slot > BytesPerSecond(0))) return unchecked("the catalog has no rate of that PCIe generation");
  const BytesPerSecond each = node / count;
  std::string text = fmt::format("{} for {} x {} are {} each, {} of its PCIe slot", gigabits(node), number(count),
                                 a.name, to_string(each), percent(each / slot));
  if (a.scale_up.bandwidth_per_direction)
    text += fmt::format("; {} inside the node: {} as much as the node's card",
                        to_string(a.scale_up.bandwidth_per_direction->value),
                        times(a.scale_up.bandwidth_per_direction->value / node));
  return each < slot * 0.1 ? misleading(text + ". Enough between pipeline stages, not for experts or tensors")
                           : holds(text);
}

// What ranks send per token while they decode: one hidden state each.
Judgement message(Terms& claim) {
  const Architecture model = claim.model();
  const double tokens = claim.count("tokens", 1);
  const Bytes threshold = claim.value<Bytes>();
  const Bytes size(model.hidden_size * 2.0 * tokens);
  const std::string text = fmt::format("{} x 2 B x {} token{} = {} against {}", grouped(model.hidden_size),
                                       number(tokens), tokens == 1 ? "" : "s", to_string(size), to_string(threshold));
  return size >= threshold ? holds(text) : misleading(text + ": the branch is not taken");
}

Judgement rdma(Terms& claim) {
  const NetworkCard& card = claim.entry<NetworkCard>("card");
  const Accelerator& a = claim.entry<Accelerator>("accelerator");
  const std::string stated = claim.word_value();
  const bool spoken = std::find(card.protocols.begin(), card.protocols.end(), stated) != card.protocols.end();
  if (!spoken)
    return contradicted(fmt::format("{} speaks {}, not {}", card.name, listed(card.protocols, ", "), stated));
  const std::optional<bool> direct = a.virtualisation.gpudirect_rdma;
  if (!direct.value_or(true))
    return misleading(fmt::format("{} speaks {}, but {} has no GPUDirect RDMA: everything goes through host memory",
                                  card.name, stated, a.name));
  return holds(fmt::format("{} speaks {}", card.name, stated));
}

// Switching to a spare link takes a second port on that network.
Judgement spare(Terms& claim) {
  const Group& group = claim.group("group");
  const std::string kind = claim.need<std::string>("kind");
  claim.word_value();
  int ports = 0;
  for (const Nic& nic : group.node.nics) {
    const Fabric* fabric = claim.cluster().fabric(nic.fabric);
    if (fabric != nullptr && fabric->kind == kind) ports += nic.count;
  }
  const std::string text =
      fmt::format("{} port{} of {} on each node of {}", ports, ports == 1 ? "" : "s", kind, group.id);
  if (ports == 0) return contradicted(text);
  return ports > 1 ? holds(text) : misleading(text + ": there is none to switch to");
}

}  // namespace

std::vector<Subject> link_claims() {
  return {{"link.rate", rate},
          {"link.fibre", fibre},
          {"link.reach", reach},
          {"link.latency", latency},
          {"link.acceptance", acceptance},
          {"link.balance", balance},
          {"link.message", message},
          {"link.rdma", rdma},
          {"link.spare", spare}};
}

}  // namespace fathom::claims
