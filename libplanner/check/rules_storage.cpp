// Copies and their domains, and whether the disks hold the model.
#include <fmt/format.h>

#include <charconv>

#include "check/design_rules.h"
#include "units/text.h"

namespace fathom {

namespace {

// "ec-8+3": data and parity; nothing for other schemes.
std::optional<std::pair<int, int>> erasure_code(const std::string& scheme) {
  if (!scheme.starts_with("ec-")) return std::nullopt;
  int data = 0, parity = 0;
  const char* at = scheme.data() + 3;
  const char* end = scheme.data() + scheme.size();
  const auto first = std::from_chars(at, end, data);
  if (first.ec != std::errc{} || first.ptr == end || *first.ptr != '+') return std::nullopt;
  const auto second = std::from_chars(first.ptr + 1, end, parity);
  if (second.ec != std::errc{} || second.ptr != end) return std::nullopt;
  return std::pair(data, parity);
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
    const auto code = erasure_code(s.scheme);
    if (!code) continue;
    const int needed = code->first + code->second, there = nodes_with_disks(d.cluster);
    if (there == 0 || needed <= there) continue;
    out.add("storage.domains", d.at({"storage", i, "scheme"}),
            {.message = fmt::format("{}: {} needs {} machines with disks, there are {}", s.id, s.scheme, needed, there),
             .terms = {fmt::format("{} + {} = {}", code->first, code->second, needed)},
             .help = fmt::format("a code of at most {} parts, or copies", there)});
  }
}

}  // namespace

void check_storage(const Design& design, Findings& findings) { domains(design, findings); }

}  // namespace fathom
