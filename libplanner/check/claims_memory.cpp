// Does it fit, and how much does a format save?
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "check/claims_sizing.h"
#include "check/claims_terms.h"
#include "units/text.h"

namespace fathom::claims {

namespace {

std::string gib(Bytes bytes) { return to_string_binary(bytes); }

Judgement fits(Terms& claim) {
  const Architecture model = claim.model();
  const Accelerator& a = claim.entry<Accelerator>("accelerator");
  const double count = claim.count("count");
  const WeightScheme scheme = claim.scheme_value();
  const Bytes weights = copy_bytes(model, scheme), there = device_memory(a) * count;
  std::string text = fmt::format("{} of weights in {} against {} x {} = {}", gib(weights), scheme.name, number(count),
                                 gib(device_memory(a)), gib(there));
  const Fit fitted = fit(claim.cluster(), *claim.audit().engine("reference"), model, scheme, a, count);
  if (fitted.fits) return holds(text);
  if (there > weights) {
    text +=
        fmt::format(": {} are left for the cache, activations and {} contexts", gib(there - weights), number(count));
    if (fitted.short_of > Bytes(0)) text += fmt::format(", {} per device too few", gib(fitted.short_of));
    if (fitted.short_of == Bytes(0) && !fitted.reason.empty()) text += ", but " + fitted.reason;
  }
  return contradicted(text);
}

// Published sizes are rounded, and an engine's tables come on top: a tenth is within that.
Judgement model_size(Terms& claim) {
  const Architecture model = claim.model();
  const WeightScheme scheme = claim.scheme("weights");
  const Bytes stated = claim.value<Bytes>(), computed = copy_bytes(model, scheme);
  const std::string text =
      fmt::format("{} in {} are {} ({})", model.name, scheme.name, to_string(computed), gib(computed));
  const double ratio = stated / computed;
  if (ratio >= 0.9 && ratio <= 1.1) return holds(text);
  const std::string against = fmt::format("{}, not {}", text, to_string(stated));
  return ratio >= 0.75 && ratio <= 1.35 ? misleading(against) : contradicted(against);
}

Judgement saving(Terms& claim) {
  const double from = claim.bits("from"), to = claim.bits("to");
  const double stated = claim.share_value();
  const double computed = 1 - to / from;
  const std::string text = fmt::format("1 - {:g} / {:g} bit = {}", to, from, percent(computed));
  if (std::abs(stated - computed) <= 0.02) return holds(text);
  return contradicted(fmt::format("{} of the weights, not {}", text, percent(stated)));
}

// Below three bits answers suffer, below two no method that is known keeps them (GGUF's smallest mix has 1.6).
Judgement compression(Terms& claim) {
  const double from = claim.bits("from");
  const double factor = claim.number_value();
  if (!(factor > 0)) claim.fail_value("expected a factor above 0");
  const double left = from / factor;
  const std::string text = fmt::format("{:g} bit / {:g} = {:.3g} bit per weight", from, factor, left);
  if (left >= 3) return holds(text);
  return left >= 2 ? misleading(text + ": not without loss") : contradicted(text);
}

// Every process that uses a device keeps a driver context on it.
Judgement partition(Terms& claim) {
  const double parts = claim.count("parts");
  const Bytes device = claim.need<Bytes>("device"), each = claim.value<Bytes>();
  const Bytes context = claim.audit().engine("reference")->reserves.context;
  const Bytes needed = each * parts;
  const std::string text =
      fmt::format("{} x {} = {} of {}", number(parts), to_string(each), to_string(needed), to_string(device));
  if (needed > device) return contradicted(text);
  if (needed + context * parts > device)
    return contradicted(
        fmt::format("{}: nothing is left for {} contexts of about {}", text, number(parts), gib(context)));
  return holds(text);
}

Judgement stages(Terms& claim) {
  const double count = claim.count("stages");
  const double stated = claim.share_value(), computed = 1 - 1 / count;
  const std::string text = fmt::format("1 - 1 / {} = {}", number(count), percent(computed));
  if (std::abs(stated - computed) <= 0.005) return holds(text);
  const std::string against = fmt::format("{}, not {}", text, percent(stated));
  return stated < computed ? misleading(against) : contradicted(against);
}

// Mixed precision with Adam: 2 B of weights, 2 of gradients, 12 of fp32 master copy and moments (ZeRO, arXiv 1910.02054).
Judgement training(Terms& claim) {
  constexpr double kAdam = 16;
  const Architecture model = claim.model();
  const Accelerator& a = claim.entry<Accelerator>("accelerator");
  const double count = claim.count("count");
  const Bytes each = claim.value<Bytes>();
  const double parameters = static_cast<double>(count_parameters(model).total);
  const Bytes needed = each * parameters, there = device_memory(a) * count;
  const std::string text = fmt::format("{} x {} = {} of {} x {} = {}", count_text(parameters), to_string(each),
                                       to_string(needed), number(count), gib(device_memory(a)), to_string(there));
  if (needed > there) return contradicted(text);
  if (each.value < kAdam) return misleading(fmt::format("{}; mixed precision with Adam takes {:g} B", text, kAdam));
  return holds(text);
}

Judgement host(Terms& claim) {
  const Accelerator& a = claim.entry<Accelerator>("accelerator");
  const double count = claim.count("count");
  const Bytes stated = claim.value<Bytes>(), devices = a.memory.value * count;
  const std::string text = fmt::format("{} for {} x {} = {} of device memory", to_string(stated), number(count),
                                       gib(a.memory.value), gib(devices));
  if (stated >= devices) return holds(text);
  return misleading(text + ": no copy of it fits in the host, so loads are slower and no cache can be put there");
}

// Reading weights through the page cache counts towards the limit of a container.
Judgement container(Terms& claim) {
  const Architecture model = claim.model();
  const WeightScheme scheme = claim.scheme("weights");
  const Bytes limit = claim.value<Bytes>(), weights = copy_bytes(model, scheme);
  const std::string text = fmt::format("a limit of {} for {} of weights in {}", gib(limit), gib(weights), scheme.name);
  if (weights <= limit) return holds(text);
  return misleading(text + ": what is read through the page cache counts towards it");
}

Judgement balance(Terms& claim) {
  const Bytes support = claim.value<Bytes>(), compute = claim.need<Bytes>("compute");
  const std::string text =
      fmt::format("{} where nothing is served, {} where the model is", to_string(support), to_string(compute));
  return support > compute ? misleading(text) : holds(text);
}

// What lies behind a PCIe link is read at its rate.
Judgement expansion(Terms& claim) {
  const Accelerator& a = claim.entry<Accelerator>("accelerator");
  const double generation = claim.count("generation");
  claim.word_value();
  if (!a.memory_bandwidth) return unchecked("the catalog has no memory bandwidth of " + a.name);
  for (const LinkGeneration& link : claim.catalog().all<LinkGeneration>()) {
    if (link.family != LinkFamily::kPcie || link.generation != static_cast<int>(generation)) continue;
    const double ratio = a.memory_bandwidth->value / link.rate.value;
    const std::string text =
        fmt::format("{} gives {}, the memory of {} {}: {} as much", link.name, to_string(link.rate.value), a.name,
                    to_string(a.memory_bandwidth->value), times(ratio));
    return ratio > 10 ? misleading(text + "; for what is rarely read") : holds(text);
  }
  claim.fail_term("generation", fmt::format("PCIe {:g} is not in the catalog", generation));
}

}  // namespace

std::vector<Subject> memory_claims() {
  return {{"memory.fits", fits},           {"memory.model_size", model_size},
          {"memory.saving", saving},       {"memory.compression", compression},
          {"memory.partition", partition}, {"memory.stages", stages},
          {"memory.training", training},   {"memory.host", host},
          {"memory.container", container}, {"memory.balance", balance},
          {"memory.expansion", expansion}};
}

}  // namespace fathom::claims
