// Which part is meant, and what it can do: names, variants, formats, features, companions.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <iterator>
#include <map>
#include <set>

#include "check/claims_terms.h"
#include "check/part_names.h"
#include "units/number.h"
#include "units/text.h"

namespace fathom::claims {

namespace {

Judgement name(Terms& claim) {
  const NamedPart part = claim.part("part");
  const std::string official = fmt::format("{} {}", part.vendor(), part.name());
  const auto wrong = misspelt_word(claim.catalog(), part.vendor(), part.name(), claim.word_value());
  return wrong ? contradicted(*wrong) : holds(official);
}

std::string figures_of(const Accelerator& a) {
  std::vector<std::string> figures;
  if (a.tdp) figures.push_back(to_string(a.tdp->value));
  if (a.memory_bandwidth) figures.push_back(to_string(a.memory_bandwidth->value));
  return fmt::format("{} ({})", a.name, figures.empty() ? "no figures" : listed(figures, ", "));
}

// An ambiguous name stands for parts of different power and bandwidth.
Judgement variant(Terms& claim) {
  const std::string stated = claim.word_value();
  try {
    return holds("it is " + claim.catalog().accelerator(stated).name);
  } catch (const LookupError& error) {
    std::vector<std::string> meant;
    for (const std::string& id : error.candidates) meant.push_back(figures_of(claim.catalog().accelerator(id)));
    if (meant.size() > 1) return misleading("it may be " + listed(meant, " or "));
    claim.fail_value(error.what(), meant.empty() ? "" : "did you mean " + in_quotes(error.candidates.front()) + "?");
  }
}

template <class T>
const T* known(const Catalog& catalog, const std::string& name) {
  try {
    return &catalog.find<T>(name);
  } catch (const LookupError& error) {
    return error.candidates.size() > 1 ? &catalog.find<T>(error.candidates.front()) : nullptr;
  }
}

Judgement exists(Terms& claim) {
  const std::string stated = claim.word_value();
  const Catalog& catalog = claim.catalog();
  if (const auto* a = known<Accelerator>(catalog, stated)) return holds(figures_of(*a));
  if (const auto* cpu = known<Cpu>(catalog, stated))
    return holds(fmt::format("{}{}", cpu->name, cpu->cores ? fmt::format(", {} cores", *cpu->cores) : ""));
  if (const auto* nic = known<NetworkCard>(catalog, stated)) return holds(nic->name);
  if (const auto* net_switch = known<Switch>(catalog, stated)) return holds(net_switch->name);
  if (const auto* server = known<Server>(catalog, stated)) return holds(server->name);
  return misleading(fmt::format("the catalog has no part {}", in_quotes(stated)));
}

// ---------------------------------------------------------------------------------------------------------------------
// What a part can do

// A format that the matrix units do not take may still be stored and expanded, but does not compute.
Judgement format(Terms& claim) {
  const Accelerator& a = claim.entry<Accelerator>("part");
  const std::string stated = claim.word_value();
  constexpr auto names = words(PeakRate{});
  const auto found = std::find(names.begin(), names.end(), stated);
  if (found == names.end()) {
    const std::vector<std::string> formats(names.begin(), names.end());
    const std::string close = did_you_mean(stated, formats);
    claim.fail_value("unknown number format " + in_quotes(stated), close.empty()
                                                                       ? "known are " + listed(formats, " and ")
                                                                       : "did you mean " + in_quotes(close) + "?");
  }
  const auto rate = a.peak.find(static_cast<PeakRate>(found - names.begin()));
  if (rate != a.peak.end()) return holds(fmt::format("{} in {}", to_string(rate->second.value), stated));
  const std::string capability =
      a.compute_capability ? fmt::format(" (compute capability {})", *a.compute_capability) : std::string();
  const std::string text = fmt::format("{}{} has no {} arithmetic", a.name, capability, stated);
  if (claim.has("model")) {
    const Architecture model = claim.model();
    if (model.native_weights.starts_with(stated))
      return misleading(
          fmt::format("the checkpoint of {} is {}, and {}: its weights are stored so and multiplied in "
                      "another format",
                      model.name, model.native_weights, text));
  }
  return contradicted(text);
}

std::optional<bool> offers(const Accelerator& a, const std::string& feature) {
  const Virtualisation& v = a.virtualisation;
  if (feature == "mig") return v.mig_instances > 0;
  if (feature == "vgpu") return v.vgpu;
  if (feature == "sriov") return v.sriov;
  if (feature == "gpudirect-rdma") return v.gpudirect_rdma;
  if (feature == "nvlink") return a.scale_up.name.find("NVLink") != std::string::npos;
  if (feature == "scale-up") return a.scale_up.kind != ScaleUpKind::kNone;
  return std::nullopt;
}

std::optional<bool> offers(const Cpu& cpu, const std::string& feature) {
  if (feature == "bmc") return cpu.server_board;
  if (feature == "uniform-cores") return cpu.uniform_cores;
  for (const std::string& set : cpu.instruction_sets) {
    const bool denied = set.starts_with("no ");
    if (normalised_name(denied ? set.substr(3) : set) == normalised_name(feature)) return !denied;
    if (normalised_name(set).starts_with(normalised_name(feature)) && set.ends_with("fused off")) return false;
  }
  return std::nullopt;
}

Judgement feature(Terms& claim) {
  static const std::vector<std::string> kOfAccelerators = {"mig",    "vgpu",    "sriov", "gpudirect-rdma",
                                                           "nvlink", "scale-up"};
  static const std::vector<std::string> kOfCpus = {"bmc", "uniform-cores"};
  const NamedPart part = claim.part("part");
  const std::string stated = claim.word_value();
  if (part.accelerator == nullptr && part.cpu == nullptr)
    claim.fail_term("part", "features are known of accelerators and processors");
  const bool device = part.accelerator != nullptr;
  const std::vector<std::string>& words = device ? kOfAccelerators : kOfCpus;
  const bool instruction_set = !device && std::find(words.begin(), words.end(), stated) == words.end();
  if (device && std::find(words.begin(), words.end(), stated) == words.end()) {
    const std::string close = did_you_mean(stated, words);
    claim.fail_value("unknown feature " + in_quotes(stated),
                     close.empty() ? "known are " + listed(words, ", ") : "did you mean " + in_quotes(close) + "?");
  }
  const std::optional<bool> there = device ? offers(*part.accelerator, stated) : offers(*part.cpu, stated);
  if (!there) return unchecked(fmt::format("whether {} has {} is not in the catalog", part.name(), stated));
  std::string text = fmt::format("{} has {}{}", part.name(), *there ? "" : "no ", stated);
  if (instruction_set && !*there) text += fmt::format(" ({})", fmt::join(part.cpu->instruction_sets, ", "));
  if (stated == "bmc" && !*there) text += ": boards for it carry no management controller";
  return *there ? holds(text) : contradicted(text);
}

Judgement compare(Terms& claim) {
  using Property = std::function<std::optional<double>(const Accelerator&)>;
  static const std::map<std::string, Property> kProperties = {
      {"memory", [](const Accelerator& a) { return std::optional(a.memory.value.value); }},
      {"memory_bandwidth",
       [](const Accelerator& a) {
         return a.memory_bandwidth ? std::optional(a.memory_bandwidth->value.value) : std::nullopt;
       }},
      {"tdp", [](const Accelerator& a) { return a.tdp ? std::optional(a.tdp->value.value) : std::nullopt; }},
      {"bf16", [](const Accelerator& a) {
         const auto* rate = peak(a, Dtype::kBf16);
         return rate != nullptr ? std::optional(rate->value.value) : std::nullopt;
       }}};
  std::vector<std::string> names;
  for (const auto& [key, property] : kProperties) names.push_back(key);
  const std::string key = names[claim.choice("property", names)];
  const Accelerator& a = claim.entry<Accelerator>("part");
  const Accelerator& other = claim.entry<Accelerator>("other");
  const std::string stated = claim.word_value();
  if (stated != "higher" && stated != "lower") claim.fail_value("expected higher or lower, found " + in_quotes(stated));
  const auto left = kProperties.at(key)(a), right = kProperties.at(key)(other);
  if (!left || !right) return unchecked("the catalog does not have it of both");
  const auto words = [&key](double value) {
    if (key == "memory") return to_string_binary(Bytes(value));
    if (key == "memory_bandwidth") return to_string(BytesPerSecond(value));
    return key == "tdp" ? to_string(Watts(value)) : to_string(FlopsPerSecond(value));
  };
  const std::string text = fmt::format("{} of {} against {} of {}", words(*left), a.name, words(*right), other.name);
  const bool right_way = stated == "higher" ? *left > *right : *left < *right;
  return right_way ? holds(text) : contradicted(text);
}

// Of a baseline that is called today's: how many architectures of its maker have come since?
Judgement current(Terms& claim) {
  const Accelerator& a = claim.entry<Accelerator>("part");
  const std::string date = claim.word_value();
  int year = 0;
  std::from_chars(date.data(), date.data() + date.size(), year);
  if (year < 1990 || year > 2100)
    claim.fail_value("expected the year in which it is called current, found " + in_quotes(date));
  const auto family = [](const Accelerator& one) { return one.architecture.substr(0, one.architecture.find(' ')); };
  std::map<std::string, int> first;  // year of each architecture
  for (const Accelerator& other : claim.catalog().all<Accelerator>()) {
    if (other.vendor != a.vendor || other.status != PartStatus::kOk) continue;
    const auto [it, added] = first.emplace(family(other), other.year);
    it->second = std::min(it->second, other.year);
  }
  std::vector<std::string> names;
  for (const auto& [architecture, appeared] : first) {
    if (architecture != family(a) && appeared > a.year && appeared <= year)
      names.push_back(fmt::format("{} ({})", architecture, appeared));
  }
  const std::string text = fmt::format("{} is of {}", a.name, a.year);
  if (names.size() < 2) return holds(text);
  return misleading(
      fmt::format("{}, {} years before; since then {} brought {}", text, year - a.year, a.vendor, listed(names, ", ")));
}

// Companions are words in the name, the vendor or the architecture of the part that they go with. What rests on general
// knowledge only warns.
Judgement works_with(Terms& claim) {
  const Product& product = claim.entry_value<Product>();
  const NamedPart part = claim.part("part");
  const std::string words = part.vendor() + " " + part.name();
  if (product.runs_on.empty()) return unchecked("what " + product.name + " goes with is not in the catalog");
  std::string text = fmt::format("{} ({}) goes with {}, {} is none", product.name, product.kind,
                                 listed(product.runs_on, ", "), part.name());
  if (product.withdrawn) text += fmt::format("; its maker gave it up in {}", *product.withdrawn);
  const bool fits = std::any_of(product.runs_on.begin(), product.runs_on.end(),
                                [&](const std::string& word) { return words.find(word) != std::string::npos; });
  if (!fits) return product.confidence == Confidence::kAssumed ? misleading(text) : contradicted(text);
  if (product.withdrawn)
    return misleading(fmt::format("{}: its maker gave it up in {}", product.name, *product.withdrawn));
  return holds(fmt::format("{} goes with {}", product.name, part.name()));
}

Judgement pcie_generation(Terms& claim) {
  const NamedPart part = claim.part("part");
  const std::optional<PcieSlot> none;
  const std::optional<PcieSlot>& device_slot = part.accelerator != nullptr ? part.accelerator->pcie
                                               : part.nic != nullptr       ? part.nic->pcie
                                                                           : none;
  const PcieSlot* slot = part.cpu != nullptr ? &part.cpu->pcie : device_slot ? &*device_slot : nullptr;
  const Accelerator* device = claim.find_entry<Accelerator>("device");
  const int stated = static_cast<int>(claim.number_value());
  if (slot == nullptr) return unchecked("the PCIe generation of " + part.name() + " is not in the catalog");
  const int offered = slot->generation;
  std::string text = fmt::format("{} is PCIe {}", part.name(), offered);
  if (offered >= stated) return holds(text);
  if (device == nullptr) return contradicted(fmt::format("{}, not {}", text, stated));
  const auto rate = [&claim](int generation) -> std::string {
    for (const LinkGeneration& link : claim.catalog().all<LinkGeneration>()) {
      if (link.family == LinkFamily::kPcie && link.generation == generation) return to_string(link.rate.value);
    }
    return "an unknown rate";
  };
  return misleading(
      fmt::format("{}: {} runs at {} instead of {} each way", text, device->name, rate(offered), rate(stated)));
}

Judgement disk_size(Terms& claim) {
  const std::string kind = claim.need<std::string>("kind");
  const Bytes stated = claim.value<Bytes>();
  std::set<Bytes> made;
  bool any = false;
  for (const DiskPart& disk : claim.catalog().all<DiskPart>()) {
    if (disk.id.find(kind) == std::string::npos) continue;
    any = true;
    made.insert(disk.capacities.begin(), disk.capacities.end());
  }
  if (!any) claim.fail_term("kind", "no disk of that kind in the catalog: " + in_quotes(kind), "hdd, nvme, ssd");
  if (made.empty()) return unchecked("the catalog lists no sizes of it");
  for (const Bytes& size : made) {
    if (std::abs(size / stated - 1) < 0.005) return holds(to_string(size));
  }
  std::vector<std::string> near;
  const auto above = made.upper_bound(stated);
  if (above != made.begin()) near.push_back(to_string(*std::prev(above)));
  if (above != made.end()) near.push_back(to_string(*above));
  return contradicted(fmt::format("no {} of {} is made; next are {}", kind, to_string(stated), listed(near, " and ")));
}

}  // namespace

std::vector<Subject> part_claims() {
  return {{"part.name", name},          {"part.variant", variant},       {"part.exists", exists},
          {"part.format", format},      {"part.feature", feature},       {"part.compare", compare},
          {"part.current", current},    {"part.works_with", works_with}, {"part.pcie_generation", pcie_generation},
          {"part.disk_size", disk_size}};
}

}  // namespace fathom::claims
