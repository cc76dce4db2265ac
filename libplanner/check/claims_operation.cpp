// Alarms and clocks: can the threshold tell good from bad?
#include <fmt/format.h>

#include <algorithm>

#include "check/claims_sizing.h"
#include "check/claims_terms.h"
#include "units/number.h"
#include "units/text.h"

namespace fathom::claims {

namespace {

Judgement threshold(Terms& claim) {
  const WrittenAmount design = claim.amount("design"), alarm = claim.amount_value();
  if (design.amount.dimension != alarm.amount.dimension)
    claim.fail_value(fmt::format("it cannot be compared with the design value {}", design.text));
  if (!(design.amount.value > 0)) claim.fail_term("design", "the design value must be above 0");
  const double ratio = alarm.amount.value / design.amount.value;
  const std::string text = fmt::format("{} is {} the design value {}", alarm.text, times(ratio), design.text);
  if (ratio > 10) return misleading(text + ": everything is lost before it speaks");
  return ratio < 1 ? misleading(text + ": it speaks all the time") : holds(text);
}

// Engines take their share of the memory when they start and never give it back.
Judgement memory(Terms& claim) {
  const Architecture model = claim.model();
  const WeightScheme scheme = claim.scheme("weights");
  const Accelerator& a = claim.entry<Accelerator>("accelerator");
  const double count = claim.count("count");
  const double alarm = claim.share_value();
  const double weights = copy_bytes(model, scheme) / (device_memory(a) * count);
  const double taken = claim.audit().engine("vllm")->reserves.usable_share;
  const std::string text =
      fmt::format("weights alone are {} of {} x {}, and engines take {} at the start; the alarm is at {}",
                  percent(weights), number(count), a.name, percent(taken), percent(alarm));
  return std::max(weights, taken) >= alarm - 1e-9 ? misleading(text + ": it is permanent") : holds(text);
}

Judgement offset(Terms& claim) {
  const bool ptp = claim.choice("protocol", {"ntp", "ptp"}) == 1;
  const Seconds stated = claim.value<Seconds>();
  const Fact<double> usual = claim.constant(ptp ? "ptp-offset" : "ntp-offset");
  const std::string text =
      fmt::format("{}; {} in a shared network stays within {} to {}", to_string(stated), ptp ? "PTP" : "NTP",
                  to_string(Seconds(usual.low_or_value())), to_string(Seconds(usual.high_or_value())));
  if (stated.value >= usual.value) return holds(text);
  return misleading(text + ". Serving does not depend on it");
}

}  // namespace

std::vector<Subject> operation_claims() {
  return {{"alarm.threshold", threshold}, {"alarm.memory", memory}, {"clock.offset", offset}};
}

}  // namespace fathom::claims
