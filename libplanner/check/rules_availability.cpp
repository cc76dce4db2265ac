// What stays when a node fails.
#include <fmt/format.h>

#include "check/design_rules.h"
#include "units/text.h"

namespace fathom {

void check_availability(const Design& design, Findings& findings) {
  const std::optional<Fact<double>>& target = design.cluster.availability.target;
  if (!target) return;
  constexpr double kNoSpareNeeded = 0.99;  // a node that fails three days in a year is met without a spare
  if (target->value <= kNoSpareNeeded) return;
  for (const Group& g : design.cluster.groups) {
    if (g.node.accelerators > 0 && g.spares > 0) return;
  }
  findings.add("availability.spares", design.at({"availability", "target"}),
               {.message = fmt::format("{} are asked for and no node is held back", percent(target->value)),
                .help = "spares: in the group, or a target that a repair of some days meets"});
}

}  // namespace fathom
