// What is asked for, held against itself and against the model: lengths, context, service level.
#include <fmt/format.h>

#include <algorithm>

#include "check/design_lookup.h"
#include "check/design_rules.h"
#include "units/text.h"

namespace fathom {

namespace {

std::string tokens(double count) { return grouped(static_cast<long long>(count)); }

// Positions that the model was made for.
void positions(const Design& d, Findings& out) {
  const Workload& w = d.cluster.workload;
  const Architecture model = model_of(d);
  if (model.max_position <= 0) return;
  const double longest = w.max_context.value_or(w.input_tokens.p99 + w.output_tokens.p99);
  const Spot spot = d.at({"workload", w.max_context ? "max_context" : "input_tokens"});
  if (longest > model.max_position) {
    out.add("serving.max_context", spot,
            {.message = fmt::format("requests of {} tokens; {} ends at {}", tokens(longest), model.name,
                                    tokens(model.max_position)),
             .help = "shorter requests, or a model with a longer context"});
    return;
  }
  if (d.cluster.model_config) return;
  const std::optional<int>& published = d.catalog.model(d.cluster.workload.model).context_published;
  if (!published || longest <= *published) return;
  out.add("serving.max_context", Severity::kWarning, spot,
          {.message = fmt::format("requests of {} tokens; the developer of {} names {}", tokens(longest), model.name,
                                  tokens(*published))});
}

// A limit below what is asked for cuts requests off.
void limit(const Design& d, Findings& out) {
  const Workload& w = d.cluster.workload;
  if (!w.max_context) return;
  const double mean = w.input_tokens.mean + w.output_tokens.mean;
  const double longest_prompt = w.input_tokens.p99;
  if (mean <= *w.max_context && longest_prompt < *w.max_context) return;
  const bool usual = mean > *w.max_context;
  out.add("workload.max_context", usual ? Severity::kError : Severity::kWarning, d.at({"workload", "max_context"}),
          {.message = usual ? fmt::format("{} tokens at most, requests have {} on average", tokens(*w.max_context),
                                          tokens(mean))
                            : fmt::format("{} tokens at most, one prompt in a hundred has {} alone",
                                          tokens(*w.max_context), tokens(longest_prompt)),
           .terms = {fmt::format("{} in + {} out", tokens(w.input_tokens.mean), tokens(w.output_tokens.mean))}});
}

// The first token and each further one make up the whole answer.
void service_level(const Design& d, Findings& out) {
  const ServiceLevel& slo = d.cluster.workload.slo;
  if (slo.ttft && slo.e2e && *slo.ttft >= *slo.e2e) {
    out.add("workload.slo", d.at({"workload", "slo", "e2e"}),
            {.message = fmt::format("a whole answer within {}, its first token within {}", to_string(*slo.e2e),
                                    to_string(*slo.ttft))});
  }
  if (slo.percentile < 50) {
    out.add("workload.slo", d.at({"workload", "slo", "percentile"}),
            {.message = fmt::format("the limits bind the fastest {:g} % of the requests only", slo.percentile),
             .help = "percentile: 90 or 99 for a promise, none for means"});
  }
}

// DeepSeek's own service finds 56 % of its input in caches; what is never computed has no first token to wait for.
void prefix(const Design& d, Findings& out) {
  constexpr double kUnheardOf = 0.98;
  if (d.cluster.workload.prefix_cache_hit <= kUnheardOf) return;
  const Constant& service = d.catalog.find<Constant>("deepseek-cache-hit");
  out.add("workload.prefix_cache", d.at({"workload", "prefix_cache_hit"}),
          {.message = fmt::format("{} of the input is in the cache already; large services measure {}",
                                  percent(d.cluster.workload.prefix_cache_hit),
                                  percent(std::get<double>(service.value.value)))});
}

// Options that the model does not have.
void options(const Design& d, Findings& out) {
  const Workload& w = d.cluster.workload;
  const Architecture model = model_of(d);
  if (w.mtp_acceptance && *w.mtp_acceptance > 0 && model.mtp_modules == 0) {
    out.add("workload.mtp", d.at({"workload", "mtp_acceptance"}),
            {.message = fmt::format("{} has no module that drafts tokens", model.name)});
  }
  if (w.offload_experts && !model.moe) {
    out.add("workload.offload", d.at({"workload", "offload_experts"}),
            {.message = fmt::format("{} has no experts to put into host memory", model.name)});
    return;
  }
  const std::optional<EngineProfile> engine = engine_of(d);
  if (!w.offload_experts || !engine || engine->offloads_experts) return;
  out.add("workload.offload", Severity::kWarning, d.at({"workload", "offload_experts"}),
          {.message = fmt::format("{} does not run experts from host memory", engine->name)});
}

}  // namespace

void check_workload(const Design& design, Findings& findings) {
  positions(design, findings);
  limit(design, findings);
  service_level(design, findings);
  prefix(design, findings);
  options(design, findings);
}

}  // namespace fathom
