// How many copies, requests and tokens a number of devices can serve at most.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "check/claims_sizing.h"
#include "check/claims_terms.h"
#include "model/tensors.h"
#include "units/number.h"
#include "units/text.h"

namespace fathom::claims {

namespace {

// What each device may use: as stated, else all of it.
Bytes usable(Terms& claim, const Accelerator* a) {
  if (const auto stated = claim.find<Bytes>("usable")) {
    if (!(*stated > Bytes(0))) claim.fail_term("usable", "nothing fits into nothing");
    return *stated;
  }
  if (a == nullptr) claim.fail_value("how much memory has each device?", "name the accelerator, or usable: 32 GiB");
  return device_memory(*a);
}

Judgement replicas(Terms& claim) {
  const Architecture model = claim.model();
  const Accelerator* a = claim.find_entry<Accelerator>("accelerator");
  const double devices = claim.count("devices");
  const Bytes each = usable(claim, a);
  const double stated = claim.number_value();
  double most = 0;
  std::vector<std::string> counts;
  for (const char* name : {"bf16", "fp8", "int4"}) {
    const double copies = std::floor(devices / devices_per_copy(model, *find_weight_scheme(name), each));
    counts.push_back(fmt::format("{} in {}", number(copies), name));
    most = std::max(most, copies);
  }
  const std::string text = fmt::format("{} x {} = {} hold as copies of {}: {}", number(devices), to_string_binary(each),
                                       to_string_binary(each * devices), model.name, listed(counts, ", "));
  return stated <= most ? holds(text) : contradicted(fmt::format("{}, not {}", text, number(stated)));
}

struct Devices {
  Architecture model;
  const Accelerator& accelerator;
  double count;
  WeightScheme scheme;

  Bytes memory() const { return device_memory(accelerator) * count; }
  Bytes room() const { return memory() - copy_bytes(model, scheme); }
};
Devices devices_of(Terms& claim, const char* default_scheme) {
  Devices out{.model = claim.model(),
              .accelerator = claim.entry<Accelerator>("accelerator"),
              .count = claim.count("count"),
              .scheme = claim.find_scheme("weights").value_or(*find_weight_scheme(default_scheme))};
  return out;
}

// Memory beside one copy of the weights, filled with cache: the best case.
Judgement concurrency(Terms& claim) {
  const Devices devices = devices_of(claim, "int4");
  const double length = claim.count("tokens");
  const double stated = claim.number_value();
  const Bytes token = kv_bytes_per_token(devices.model, KvFormat::kBf16);
  const double tokens = std::max(0.0, devices.room() / token);
  const double requests = std::floor(tokens / length);
  const std::string text =
      fmt::format("{} less {} of weights hold {} tokens of {}: {} requests of {}", to_string(devices.memory()),
                  to_string(copy_bytes(devices.model, devices.scheme)), number(tokens), to_string(token),
                  number(requests), number(length));
  return stated <= requests ? holds(text) : contradicted(fmt::format("{}, not {}", text, number(stated)));
}

// Two FLOP per active parameter and token. Large expert-parallel services decode at 7 to 14 % of the 16-bit peak
// (DeepSeek: 14,800 tok/s on 8 H800); large GEMMs reach 78 % of it.
Judgement output_rate(Terms& claim) {
  constexpr double kUsual = 0.25, kMost = 0.85;
  const Devices devices = devices_of(claim, "int4");
  const double length = claim.count("tokens");
  const Hertz stated = claim.value<Hertz>();
  const auto* rate = peak(devices.accelerator, devices.accelerator.native.bf16 ? Dtype::kBf16 : Dtype::kFp16);
  if (rate == nullptr) return unchecked("the catalog has no 16-bit rate of " + devices.accelerator.name);
  const double active = static_cast<double>(count_parameters(devices.model).active_without_input_embedding);
  const double tokens = stated.value * length;
  const FlopsPerSecond needed(2 * active * tokens), there = rate->value * devices.count;
  const double share = needed / there;
  std::string text = fmt::format("{} x {} = {} tok/s x 2 x {} = {}, {} of all that {} devices compute in 16 bits",
                                 claim.value_text(), number(length), number(tokens), count_text(active),
                                 to_string(needed), percent(share), number(devices.count));
  if (devices.accelerator.memory_bandwidth) {
    const BytesPerSecond all = devices.accelerator.memory_bandwidth->value * devices.count;
    text += fmt::format("; with one request per copy of the weights memory allows {} tok/s",
                        number((all / bytes_per_token(devices.model, devices.scheme)).value));
  }
  if (share > kMost) return contradicted(text);
  return share > kUsual ? misleading(text + ". Services are known to decode at 7 to 14 %") : holds(text);
}

Judgement max_context(Terms& claim) {
  const Devices devices = devices_of(claim, "int4");
  const double stated = claim.number_value();
  const Bytes cache = kv_bytes_per_token(devices.model, KvFormat::kBf16) * stated;
  const std::string text =
      fmt::format("{} of cache and {} of weights in {}", to_string(cache),
                  to_string(copy_bytes(devices.model, devices.scheme)), to_string(devices.memory()));
  if (devices.model.max_position > 0 && stated > devices.model.max_position)
    return contradicted(fmt::format("{} ends at {} tokens", devices.model.name, grouped(devices.model.max_position)));
  return cache <= devices.room() ? holds(text) : contradicted(text);
}

// What scaling by utilisation would take: whole replicas, each of several free devices.
Judgement autoscale(Terms& claim) {
  const Architecture model = claim.model();
  const Accelerator& a = claim.entry<Accelerator>("accelerator");
  const WeightScheme scheme = claim.find_scheme("weights").value_or(*find_weight_scheme("int4"));
  const double threshold = claim.share_value();
  const double needed = devices_per_copy(model, scheme, device_memory(a));
  const std::string text = fmt::format(
      "above {}: a further copy of {} in {} takes {} free {}; an autoscaler adds pods, no "
      "devices",
      percent(threshold), model.name, scheme.name, number(needed), a.name);
  return misleading(text + ". A busy GPU reports nearly 100 % at any load: queue length and cache in use tell more");
}

}  // namespace

std::vector<Subject> serving_claims() {
  return {{"serving.replicas", replicas},
          {"serving.concurrency", concurrency},
          {"serving.output_rate", output_rate},
          {"serving.max_context", max_context},
          {"serving.autoscale", autoscale}};
}

}  // namespace fathom::claims
