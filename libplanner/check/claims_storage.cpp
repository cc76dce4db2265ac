// What disks hold, and how fast a model comes from them.
#include <fmt/format.h>

#include "check/claims_sizing.h"
#include "check/claims_terms.h"
#include "units/text.h"

namespace fathom::claims {

namespace {

Judgement usable(Terms& claim) {
  const Bytes raw = claim.need<Bytes>("raw");
  const Redundancy& scheme = claim.entry<Redundancy>("scheme");
  const Bytes stated = claim.value<Bytes>();
  const Bytes computed = raw * scheme.usable.value;
  const std::string text =
      fmt::format("{} x {:.4g} ({}) = {}", to_string(raw), scheme.usable.value, scheme.id, to_string(computed));
  return stated <= computed * 1.01 ? holds(text) : contradicted(fmt::format("{}, not {}", text, claim.value_text()));
}

Judgement holds_model(Terms& claim) {
  const Architecture model = claim.model();
  const WeightScheme scheme = claim.scheme("weights");
  const Bytes stated = claim.value<Bytes>(), weights = copy_bytes(model, scheme);
  const std::string text = fmt::format("{} of weights in {} on {}", to_string(weights), scheme.name, to_string(stated));
  return weights <= stated ? holds(text) : contradicted(text);
}

// Operations per second say nothing without their size; models are read in long runs.
Judgement iops(Terms& claim) {
  const Architecture model = claim.model();
  const WeightScheme scheme = claim.scheme("weights");
  const Seconds time = claim.need<Seconds>("time");
  const std::optional<Bytes> block = claim.find<Bytes>("block");
  const Hertz stated = claim.value<Hertz>();
  if (!(time > Seconds(0))) claim.fail_term("time", "a load takes some time");
  const BytesPerSecond needed = copy_bytes(model, scheme) / time;
  const std::string text = fmt::format("{} in {} are {} in long reads", to_string(copy_bytes(model, scheme)),
                                       to_string(time), to_string(needed));
  if (!block) {
    return misleading(fmt::format("{}; {} operations per second of 4 KiB are {}, of another size something else", text,
                                  number(stated.value), to_string(Bytes(4096) * stated)));
  }
  const BytesPerSecond rate = *block * stated;
  const std::string against =
      fmt::format("{}; {} x {} = {}", text, number(stated.value), to_string(*block), to_string(rate));
  return rate >= needed ? holds(against) : contradicted(against);
}

// A time limit on loading is a demand on disks, network and loader.
Judgement load_time(Terms& claim) {
  const Architecture model = claim.model();
  const WeightScheme scheme = claim.scheme("weights");
  const std::optional<BytesPerSecond> read = claim.find<BytesPerSecond>("read");
  const Seconds stated = claim.value<Seconds>();
  if (!(stated > Seconds(0))) claim.fail_value("a load takes some time");
  const Bytes weights = copy_bytes(model, scheme);
  const std::string text = fmt::format("{} in {} need {} towards each node", to_string_binary(weights),
                                       to_string(stated), to_string(weights / stated));
  if (!read) return misleading(text + ", and the design states no such rate");
  const std::string against = fmt::format("{}, there are {}", text, to_string(*read));
  return weights / stated <= *read ? holds(against) : contradicted(against);
}

}  // namespace

std::vector<Subject> storage_claims() {
  return {{"storage.usable", usable},
          {"storage.holds", holds_model},
          {"storage.iops", iops},
          {"storage.load_time", load_time}};
}

}  // namespace fathom::claims
