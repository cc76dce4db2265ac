// What a design says of its model: size, name, date.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "check/claims_terms.h"
#include "model/tensors.h"
#include "units/number.h"
#include "units/text.h"

namespace fathom::claims {

namespace {

double parameters_of(const Architecture& model) { return static_cast<double>(count_parameters(model).total); }

// Developers round: 32.76e9 is sold as 32B.
constexpr double kRounding = 0.05;

Judgement parameters(Terms& claim) {
  const Architecture model = claim.model();
  const double stated = claim.value<double>(), counted = parameters_of(model);
  const std::string text = fmt::format("{} has {} parameters", model.name, grouped(static_cast<long long>(counted)));
  if (std::abs(stated - counted) <= kRounding * counted) return holds(text);
  return contradicted(fmt::format("{}, not {}", text, number(stated)));
}

Judgement parameters_at_least(Terms& claim) {
  const Architecture model = claim.model();
  const double stated = claim.value<double>(), counted = parameters_of(model);
  const std::string text = fmt::format("{} has {} parameters, {} are asked for", model.name,
                                       grouped(static_cast<long long>(counted)), number(stated));
  return counted >= stated * (1 - kRounding) ? holds(text) : contradicted(text);
}

// A shop name may be an alias of the model; the developer's own name says what it is.
Judgement name(Terms& claim) {
  const ModelEntry& model = claim.entry<ModelEntry>("model");
  const std::string stated = claim.word_value();
  const std::string repository = model.hf_repo.value_or("");
  for (const std::string& own : {model.id, model.name, repository, repository.substr(repository.find('/') + 1)}) {
    // "-Instruct" and the like may follow
    if (!own.empty() && normalised_name(stated).starts_with(normalised_name(own))) return holds(own);
  }
  const std::string text = fmt::format("its developer calls it {} ({})", model.name, model.developer);
  try {
    const ModelEntry& meant = claim.catalog().model(stated);
    if (&meant == &model) return misleading(text);
    return contradicted(fmt::format("{} is {}; {}", stated, meant.name, text));
  } catch (const LookupError&) {
    return contradicted(fmt::format("there is no model {}; {}", in_quotes(stated), text));
  }
}

// "175B" of a family: is there a model of that size?
Judgement exists(Terms& claim) {
  const std::string family = claim.need<std::string>("family");
  const std::string stated = claim.word_value();
  const std::optional<ScannedNumber> size = scan_number(stated);
  const double scale = size && size->rest == "B" ? 1e9 : size && size->rest == "M" ? 1e6 : 0;
  if (scale == 0) claim.fail_value("expected a size such as 671B, found " + in_quotes(stated));
  std::set<double> known;
  for (const ModelEntry& model : claim.catalog().all<ModelEntry>()) {
    if (!normalised_name(model.developer).starts_with(normalised_name(family)) &&
        !normalised_name(model.name).starts_with(normalised_name(family)))
      continue;
    const double counted = parameters_of(model);
    if (std::abs(counted - size->value * scale) <= kRounding * counted)
      return holds(fmt::format("{} has {} parameters", model.name, count_text(counted)));
    known.insert(counted);
  }
  if (known.empty()) return unchecked(fmt::format("the catalog has no model of {}", in_quotes(family)));
  std::vector<std::string> sizes;  // largest first; variants of one size once
  double last = 0;
  for (auto it = known.rbegin(); it != known.rend(); ++it) {
    if (last == 0 || last - *it > 0.01 * last) sizes.push_back(fmt::format("{:.3g}B", *it / 1e9));
    last = *it;
  }
  return contradicted(fmt::format("{} has published {}, and no {}", family, listed(sizes, " and "), stated));
}

int year_in(Terms& claim, const std::string& date) {
  int year = 0;
  const auto [end, code] = std::from_chars(date.data(), date.data() + std::min<std::size_t>(4, date.size()), year);
  if (code != std::errc() || year < 1990 || year > 2100)
    claim.fail_value("expected a date such as 2025-01, found " + in_quotes(date));
  return year;
}

// Something that is to run before its model was published.
Judgement published(Terms& claim) {
  const ModelEntry& model = claim.entry<ModelEntry>("model");
  const std::string stated = claim.word_value();
  const std::string text = fmt::format("{} was published in {}", model.name, model.year);
  if (year_in(claim, stated) < model.year) return contradicted(fmt::format("{}, after {}", text, stated));
  return holds(text);
}

}  // namespace

std::vector<Subject> model_claims() {
  return {{"model.parameters", parameters},
          {"model.parameters_at_least", parameters_at_least},
          {"model.name", name},
          {"model.exists", exists},
          {"model.published", published}};
}

}  // namespace fathom::claims
