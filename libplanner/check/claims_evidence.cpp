// Gains without a measurement, methods of training in a design that serves, figures of another workload.
#include <fmt/format.h>

#include <algorithm>

#include "check/claims_terms.h"
#include "units/number.h"

namespace fathom::claims {

namespace {

Judgement evidence(Terms& claim) {
  const auto measured = claim.find<std::string>("measured");
  const auto baseline = claim.find<std::string>("baseline");
  const std::string what = claim.value_text().empty() ? "it" : claim.value_text();
  if (measured && baseline) return holds(fmt::format("{} against {}: {}", what, *baseline, *measured));
  return unchecked(measured   ? fmt::format("{} against what? There is no baseline", what)
                   : baseline ? fmt::format("{} against {}, but nobody measured it", what, *baseline)
                              : fmt::format("{}: no measurement, no baseline", what));
}

// Figures of another kind of model do not carry over.
Judgement other_workload(Terms& claim) {
  const std::string kind = claim.need<std::string>("kind");
  const std::string& model = claim.cluster().workload.model;
  if (kind == "language model") return holds("the same kind of model");
  return misleading(fmt::format(
      "figures of {} say nothing about {}, a language model, whose answers grow token by token", kind, model));
}

// What a design of a service does with a method of training.
Judgement purpose(Terms& claim) {
  const Method& method = claim.entry_value<Method>();
  const std::vector<std::string> phases = {"training", "inference", "loading"};
  const std::string phase = phases[claim.choice("used_for", phases)];
  const bool helps = std::find(method.helps.begin(), method.helps.end(), phase) != method.helps.end();
  const auto partly = method.partly.find(phase);
  const std::string text = fmt::format("{} belongs to {}: {}", method.name, listed(method.helps, " and "), method.why);
  if (helps && phase != "training") return holds(text);
  if (helps) return misleading(fmt::format("{}; this design serves a model", text));
  if (partly != method.partly.end())
    return misleading(fmt::format("{} and {}: {}", method.name, phase, partly->second));
  return contradicted(fmt::format("{}, not to {}", text, phase));
}

// n of m structured sparsity drops 1 - n / m of the values; where fewer are zero, it drops others.
Judgement sparsity(Terms& claim) {
  const double kept = claim.count("kept"), of = claim.count("of");
  const double zeros = claim.share_value();
  if (kept >= of) claim.fail_term("kept", fmt::format("{} of {} are all", number(kept), number(of)));
  const double dropped = 1 - kept / of;
  const std::string text = fmt::format("{} of {} drop {} of the values, {} are zero", number(kept), number(of),
                                       percent(dropped), percent(zeros));
  return zeros >= dropped ? holds(text)
                          : misleading(fmt::format("{}: {} more are lost", text, percent(dropped - zeros)));
}

}  // namespace

std::vector<Subject> evidence_claims() {
  return {{"evidence.gain", evidence},
          {"evidence.other_workload", other_workload},
          {"method.purpose", purpose},
          {"efficiency.sparsity", sparsity}};
}

}  // namespace fathom::claims
