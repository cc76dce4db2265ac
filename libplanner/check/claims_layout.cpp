// How a model is cut over devices: degrees, stages, and what one copy spans.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "check/claims_sizing.h"
#include "check/claims_terms.h"
#include "units/number.h"
#include "units/text.h"

namespace fathom::claims {

namespace {

// m micro-batches through s stages keep m / (m + s - 1) of the devices busy.
Judgement utilisation(Terms& claim) {
  constexpr double kMicroBatchesPerStage = 4;  // beyond, batches are too small or latency too long to serve with
  const double stages = claim.count("stages");
  const double stated = claim.share_value();
  if (stated >= 1 && stages > 1) return contradicted(fmt::format("{} stages always leave a bubble", number(stages)));
  const double needed = stated >= 1 ? 1 : std::ceil(stated * (stages - 1) / (1 - stated) - 1e-9);
  const std::string text = fmt::format("m / (m + {}) = {} needs {} micro-batches in flight", number(stages - 1),
                                       percent(stated), number(needed));
  return needed > kMicroBatchesPerStage * stages ? misleading(text) : holds(text);
}

// "tensor+pipeline" on one device: every kind needs at least two.
Judgement devices(Terms& claim) {
  const std::string kinds = claim.need<std::string>("parallelism");
  const double stated = claim.number_value();
  double needed = 1;
  for (std::size_t start = 0; start <= kinds.size();) {
    const std::size_t end = std::min(kinds.find('+', start), kinds.size());
    const std::string kind(trimmed(std::string_view(kinds).substr(start, end - start)));
    if (kind != "tensor" && kind != "pipeline" && kind != "data" && kind != "expert")
      claim.fail_term("parallelism", "unknown kind of parallelism " + in_quotes(kind),
                      "tensor, pipeline, data, expert, joined by +");
    needed *= kind == "expert" ? 1 : 2;  // experts are dealt out over the devices of the others
    start = end + 1;
  }
  if (kinds == "expert") needed = 2;
  const std::string text = fmt::format("{} needs at least {} devices", kinds, number(needed));
  return stated >= needed ? holds(text) : contradicted(fmt::format("{}, not {}", text, number(stated)));
}

// How many nodes one copy needs, against how many it may use.
Judgement spans(Terms& claim) {
  const Architecture model = claim.model();
  const Accelerator& a = claim.entry<Accelerator>("accelerator");
  const double per_node = claim.count("per_node", 1);
  const Bytes each = claim.get<Bytes>("usable", device_memory(a));
  const double stated = claim.number_value();
  if (!(each > Bytes(0))) claim.fail_term("usable", "nothing fits into nothing");
  const double fewest = std::ceil(devices_per_copy(model, *find_weight_scheme("int4"), each) / per_node);
  const double native = std::ceil(devices_per_copy(model, *find_weight_scheme("bf16"), each) / per_node);
  const std::string text =
      fmt::format("one copy of {} spans {} nodes in int4 and {} in bf16", model.name, number(fewest), number(native));
  return fewest <= stated ? holds(text) : contradicted(fmt::format("{}, not {}", text, number(stated)));
}

// Heads are dealt out whole; a KV head may be copied, a query head may not be cut.
Judgement tensor_parallel(Terms& claim) {
  const Architecture model = claim.model();
  const double stated = claim.number_value();
  if (stated < 1 || stated != std::floor(stated)) claim.fail_value("expected a whole number of devices");
  const int degree = static_cast<int>(std::min(stated, 1e6));
  const std::string text = fmt::format("{} heads and {} KV heads over {}", model.num_heads, model.num_kv_heads, degree);
  return model.num_heads % degree == 0 ? holds(text) : contradicted(text + " devices: they do not divide");
}

}  // namespace

std::vector<Subject> layout_claims() {
  return {{"pipeline.utilisation", utilisation},
          {"layout.devices", devices},
          {"layout.spans", spans},
          {"layout.tensor_parallel", tensor_parallel}};
}

}  // namespace fathom::claims
