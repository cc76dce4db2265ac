// Licences by what they count, parts without a price, prices without a date.
#include <fmt/format.h>

#include <cmath>
#include <set>

#include "check/design_rules.h"
#include "cost/bill.h"
#include "units/text.h"

namespace fathom {

namespace {

struct Counted {
  double accelerators = 0, hosts = 0, cores = 0;
  bool cores_known = true;
};
Counted counted(const Cluster& cluster) {
  Counted out;
  for (const Group& g : cluster.groups) {
    out.accelerators += static_cast<double>(g.nodes) * g.node.accelerators;
    out.hosts += g.nodes;
    if (g.node.cpu != nullptr && g.node.cpu->cores) {
      out.cores += static_cast<double>(g.nodes) * g.node.cpus * *g.node.cpu->cores;
    } else {
      out.cores_known = false;
    }
  }
  return out;
}

void licences(const Design& d, Findings& out) {
  const Counted there = counted(d.cluster);
  for (std::size_t i = 0; i < d.cluster.software.size(); ++i) {
    const Software& s = d.cluster.software[i];
    double needed = 0;
    if (s.unit == "gpu") needed = there.accelerators;
    if (s.unit == "host") needed = there.hosts;
    if (s.unit == "core" && there.cores_known) needed = there.cores;
    if (s.units <= 0 || needed <= s.units) continue;
    out.add("licence.count", d.at({"software", i, "units"}),
            {.message = fmt::format("{}: {:g} licences per {}, the design has {:g}", s.id, s.units, s.unit, needed),
             .help = fmt::format("{:g} more, or fewer machines under it", needed - s.units)});
  }
}

// A total that lacks parts is no total.
void unpriced(const Design& d, Findings& out) {
  const std::vector<std::string> missing = expand_bill(d.cluster).unpriced();
  if (missing.empty()) return;
  std::string list;
  for (std::size_t i = 0; i < missing.size() && i < 8; ++i) list += (i > 0 ? ", " : "") + missing[i];
  if (missing.size() > 8) list += fmt::format(" and {} more", missing.size() - 8);
  out.add(
      "bill.unpriced", d.at({"groups"}),
      {.message = fmt::format("{} of the bill have no price",
                              missing.size() == 1 ? std::string("one line") : fmt::format("{} lines", missing.size())),
       .terms = {list},
       .help = "a price for each, or price_covers_parts where a node's price holds them"});
}

}  // namespace

void check_cost(const Design& design, Findings& findings) {
  licences(design, findings);
  unpriced(design, findings);
}

}  // namespace fathom
