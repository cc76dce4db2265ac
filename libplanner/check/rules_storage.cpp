// Copies and their domains, and whether the disks hold the model.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "check/design_lookup.h"
#include "check/design_rules.h"
#include "model/tensors.h"
#include "units/text.h"

namespace fathom {

namespace {

// Machines that must fail one by one: data and parity of "ec-8+3", copies of "replica-3"; nothing for other schemes.
struct Parts {
  int count = 0;
  std::string sum;
};
std::optional<int> whole(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}
std::optional<Parts> parts_of(const std::string& scheme) {
  if (scheme.starts_with("replica-")) {
    const auto copies = whole(std::string_view(scheme).substr(8));
    return copies ? std::optional(Parts{*copies, fmt::format("{} copies", *copies)}) : std::nullopt;
  }
  const std::size_t plus = scheme.find('+');
  if (!scheme.starts_with("ec-") || plus == std::string::npos) return std::nullopt;
  const auto data = whole(std::string_view(scheme).substr(3, plus - 3)),
             parity = whole(std::string_view(scheme).substr(plus + 1));
  if (!data || !parity) return std::nullopt;
  return Parts{*data + *parity, fmt::format("{} + {} = {}", *data, *parity, *data + *parity)};
}

int nodes_with_disks(const Cluster& cluster) {
  int nodes = 0;
  for (const Group& g : cluster.groups) nodes += g.node.disks.empty() ? 0 : g.nodes;
  return nodes;
}

// Every part of a stripe on a machine of its own, or one machine's loss is that of several parts.
void domains(const Design& d, Findings& out) {
  for (std::size_t i = 0; i < d.cluster.storage.size(); ++i) {
    const Storage& s = d.cluster.storage[i];
    const auto code = parts_of(s.scheme);
    if (!code) continue;
    const int there = nodes_with_disks(d.cluster);
    if (there == 0 || code->count <= there) continue;
    out.add("storage.domains", d.at({"storage", i, "scheme"}),
            {.message =
                 fmt::format("{}: {} needs {} machines with disks, there are {}", s.id, s.scheme, code->count, there),
             .terms = {code->sum},
             .help = fmt::format("a code of at most {} parts, or fewer copies", there)});
  }
}

// Storage with a price of its own is a machine of its own; one without, or at 0, lies on the disks of the nodes.
bool on_nodes(const Storage& s) { return !s.price || s.price->value.is_zero(); }

// Raw bytes that no disk of the bill holds.
void raw(const Design& d, Findings& out) {
  Bytes disks;
  for (const Group& g : d.cluster.groups) {
    for (const Disk& disk : g.node.disks) disks += disk.capacity * disk.count * g.nodes;
  }
  Bytes raw;
  for (const Storage& s : d.cluster.storage) raw += on_nodes(s) ? s.raw : Bytes(0);
  if (disks == Bytes(0) || raw <= disks * 1.02) return;
  for (std::size_t i = 0; i < d.cluster.storage.size(); ++i) {
    if (!on_nodes(d.cluster.storage[i])) continue;
    out.add("storage.raw", d.at({"storage", i, "raw"}),
            {.message = fmt::format("{} raw, all disks of the bill hold {}", to_string(raw), to_string(disks)),
             .help = "more disks, or a price where it is a machine of its own"});
    return;
  }
}

// A disk against what is made, and how fast that reads.
void disks(const Design& d, Findings& out) {
  for (std::size_t i = 0; i < d.cluster.groups.size(); ++i) {
    const Node& node = d.cluster.groups[i].node;
    for (std::size_t k = 0; k < node.disks.size(); ++k) {
      const Disk& disk = node.disks[k];
      const DiskPart* part = known<DiskPart>(d.catalog, disk.part);
      if (part == nullptr) continue;
      const auto made = [&](Bytes size) { return std::abs(disk.capacity / size - 1) < 0.05; };
      if (!part->capacities.empty() && std::none_of(part->capacities.begin(), part->capacities.end(), made)) {
        out.add("part.disk_size", Severity::kWarning, d.at({"groups", i, "node", "disks", k, "capacity"}),
                {.message = fmt::format("{} of {} is not known to be made", part->name, to_string(disk.capacity))});
      }
      if (!disk.read || !part->read || *disk.read <= part->read->high_or_value() * 1.2) continue;
      out.add("storage.disk_rate", d.at({"groups", i, "node", "disks", k, "read"}),
              {.message = fmt::format("{} reads {}, not {}", part->name, to_string(part->read->value),
                                      to_string(*disk.read))});
    }
  }
}

// Disks for the model that do not hold it, even all those of the group together.
void holds(const Design& d, Findings& out) {
  const Architecture model = model_of(d);
  for (std::size_t i = 0; i < d.cluster.groups.size(); ++i) {
    const Group& g = d.cluster.groups[i];
    if (!serves(g)) continue;
    Bytes there;
    std::optional<std::size_t> first;
    for (std::size_t k = 0; k < g.node.disks.size(); ++k) {
      if (g.node.disks[k].use != "model") continue;
      there += g.node.disks[k].capacity * g.node.disks[k].count * g.nodes;
      if (!first) first = k;
    }
    if (!first) continue;
    Bytes least;
    for (const WeightScheme& scheme : allowed_schemes(d.cluster, g, model)) {
      const Bytes weights = checkpoint_bytes(model, scheme, /*with_mtp=*/false);
      if (least == Bytes(0) || weights < least) least = weights;
    }
    if (there >= least) continue;
    out.add(
        "storage.holds", d.at({"groups", i, "node", "disks", *first, "capacity"}),
        {.message = fmt::format("{}: {} of weights, {} of disks for them", g.id, to_string(least), to_string(there))});
  }
}

}  // namespace

void check_storage(const Design& design, Findings& findings) {
  domains(design, findings);
  raw(design, findings);
  disks(design, findings);
  holds(design, findings);
}

}  // namespace fathom
