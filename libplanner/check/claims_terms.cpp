#include "check/claims_terms.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "plan/make_plan.h"
#include "units/number.h"
#include "units/text.h"

namespace fathom::claims {

// Claims are about means, power, cost and availability. A service level at a percentile would be simulated, which changes
// none of them and takes as long as all other rules on ten files.
const Plan& Audit::plan() {
  if (made) return *made;
  Cluster at_means = design.cluster;
  at_means.workload.slo.percentile = 50;
  made = make_plan(at_means, design.catalog);
  return *made;
}

const EngineProfile* Audit::engine(const std::string& id) {
  auto known = engines.find(id);
  if (known == engines.end()) {
    known = engines.emplace(id, std::nullopt).first;
    try {
      known->second = read_engine_profile(design.catalog.data_dir(), id);
    } catch (const std::out_of_range&) {  // no such engine
    }
  }
  return known->second ? &*known->second : nullptr;
}

Judgement holds(std::string computation) { return {Verdict::kHolds, std::move(computation)}; }
Judgement misleading(std::string computation) { return {Verdict::kMisleading, std::move(computation)}; }
Judgement contradicted(std::string computation) { return {Verdict::kContradicted, std::move(computation)}; }
Judgement unchecked(std::string computation) { return {Verdict::kCannotBeChecked, std::move(computation)}; }

std::string NamedPart::vendor() const {
  if (accelerator != nullptr) return accelerator->vendor;
  if (cpu != nullptr) return cpu->vendor;
  if (nic != nullptr) return nic->vendor;
  return net_switch != nullptr ? net_switch->vendor : std::string();
}

std::string NamedPart::name() const {
  if (accelerator != nullptr) return accelerator->name;
  if (cpu != nullptr) return cpu->name;
  if (nic != nullptr) return nic->name;
  return net_switch != nullptr ? net_switch->name : std::string();
}

void fail_lookup(const Context& at, const LookupError& error) {
  at.fail(error.what(),
          error.candidates.empty() ? std::string() : fmt::format("did you mean {}?", listed(error.candidates, " or ")));
}

// ---------------------------------------------------------------------------------------------------------------------
// Words for numbers

std::string times(double ratio) { return fmt::format("{} times", number(ratio)); }

std::string number(double value) {
  const double size = std::abs(value);
  if (size >= 1e15 || (size > 0 && size < 1e-4)) return fmt::format("{:.4g}", value);
  if (size < 1000) return fmt::format("{:.4g}", value);
  return grouped(std::llround(value));
}

// ---------------------------------------------------------------------------------------------------------------------
// Where a claim stands in the file

namespace {

const Value& item_of(const Design& design, std::size_t index) {
  return design.text.root.find("claims")->items.at(index);
}

// Terms that are not there are an empty mapping at the claim.
Value no_terms(const Value& item) {
  Value none;
  none.kind = Value::Kind::kMapping;
  none.at = item.at;
  return none;
}

const Value& terms_of(const Value& item, const Value& none) {
  const Value* terms = item.find("terms");
  return terms == nullptr || terms->kind == Value::Kind::kNull ? none : *terms;
}

double parsed_share(const Context& at) {
  std::string text;
  read(at, text);
  const std::optional<ScannedNumber> number = scan_number(text);
  const bool percentage = number && number->rest == "%";
  if (!number || !number->in_range || (!percentage && !number->rest.empty())) {
    at.fail("expected a share, found " + in_quotes(text), "write it as 40 % or 0.4");
  }
  const double share = percentage ? number->value / 100 : number->value;
  if (share < 0 || share > 10) at.fail("expected a share, found " + in_quotes(text), "40 % are 0.4");
  return share;
}

// Half a unit of the last place that is written: 272.0 万 CNY may be off by 0.05 万.
double half_of_last_place(std::string_view text, double value) {
  const std::optional<ScannedNumber> number = scan_number(text);
  if (!number || number->value == 0) return 0.5;
  const std::string& digits = number->digits;
  const std::size_t e = digits.find('e');
  const std::string mantissa = digits.substr(0, e);
  const std::size_t point = mantissa.find('.');
  const double decimals = point == std::string::npos ? 0 : static_cast<double>(mantissa.size() - point - 1);
  const double exponent = e == std::string::npos ? 0 : std::stod(digits.substr(e + 1));
  return 0.5 * std::pow(10, exponent - decimals) * std::abs(value / number->value);
}

WrittenAmount read_amount(const Context& at) {
  WrittenAmount out;
  read(at, out.text);
  std::string why;
  const std::optional<Amount> amount = parse_any_amount(out.text, why);
  if (!amount) {
    at.fail("expected a number, with or without a unit, found " + in_quotes(out.text),
            why.empty() ? "such as 48, 40 %, 8.5 万 CNY, 120 km, 3.5 USD/m" : why);
  }
  out.amount = *amount;
  out.half_place = half_of_last_place(out.text, amount->value);
  out.percent = out.text.ends_with('%');
  return out;
}

double read_count(const Context& at) {
  double count = 0;
  read(at, count);
  if (!(count >= 1) || count > 1e12) at.fail(fmt::format("expected a count of at least 1, found {:g}", count));
  return count;
}

WeightScheme read_scheme(const Context& at) {
  std::string name;
  read(at, name);
  if (name == "fp16") name = "bf16";  // as many bytes
  if (const auto scheme = find_weight_scheme(name)) return *scheme;
  std::vector<std::string> known;
  for (const WeightScheme& scheme : weight_schemes()) known.push_back(scheme.name);
  const std::string close = did_you_mean(name, known);
  at.fail("unknown format of weights " + in_quotes(name),
          close.empty() ? "known are " + listed(known, " and ") : "did you mean " + in_quotes(close) + "?");
}

// A kind of part that knows the name wins over an ambiguous one; the first complaint is kept.
template <class T>
bool try_part(const Catalog& catalog, const std::string& name, const T*& out, std::optional<LookupError>& complaint) {
  try {
    out = &catalog.find<T>(name);
    return true;
  } catch (const LookupError& error) {
    if (!complaint || (complaint->candidates.empty() && !error.candidates.empty())) complaint = error;
    return false;
  }
}

}  // namespace

Terms::Terms(Audit& audit, std::size_t index)
    : audit_(audit),
      index_(index),
      claim_(audit.design.cluster.claims.at(index)),
      item_(item_of(audit.design, index)),
      none_(no_terms(item_)),
      terms_(audit.design.text.file, terms_of(item_, none_), fmt::format("a claim about {}", claim_.about)) {}

Context Terms::value_context() {
  const Value* value = item_.find("value");
  if (value == nullptr || value->kind == Value::Kind::kNull) {
    throw InputError(terms_.file(), item_.at, fmt::format("a claim about {} needs a value", claim_.about));
  }
  return {terms_.file(), *value};
}

Context Terms::term_context(const std::string& key) { return terms_.context(terms_.need(key)); }

Spot Terms::spot() const { return audit_.design.at({"claims", index_, "value"}); }

// ---------------------------------------------------------------------------------------------------------------------
// The value

double Terms::number_value() {
  const Context at = value_context();
  std::string text;
  read(at, text);
  const std::optional<ScannedNumber> number = scan_number(text);
  const bool one_word = number && number->rest.find(' ') == std::string_view::npos && number->rest != "%" &&
                        number->rest.find('/') == std::string_view::npos;
  if (!number || !number->in_range || !one_word) at.fail("expected a number, found " + in_quotes(text));
  return number->value;
}

double Terms::share_value() { return parsed_share(value_context()); }

std::string Terms::word_value() { return value<std::string>(); }

WrittenAmount Terms::amount_value() { return read_amount(value_context()); }

WeightScheme Terms::scheme_value() { return read_scheme(value_context()); }

void Terms::fail_value(const std::string& message, const std::string& hint) { value_context().fail(message, hint); }

// ---------------------------------------------------------------------------------------------------------------------
// The terms

double Terms::count(const std::string& key) { return read_count(term_context(key)); }

double Terms::count(const std::string& key, double fallback) {
  return terms_.take(key) == nullptr ? fallback : count(key);
}

double Terms::share(const std::string& key) { return parsed_share(term_context(key)); }

WeightScheme Terms::scheme(const std::string& key) { return read_scheme(term_context(key)); }

std::optional<WeightScheme> Terms::find_scheme(const std::string& key) {
  return terms_.take(key) == nullptr ? std::nullopt : std::optional(scheme(key));
}

double Terms::bits(const std::string& key) {
  const Context at = term_context(key);
  std::string name;
  read(at, name);
  if (name == "int4" || name == "fp4") return 4;  // scales left out, as in 8 of 16
  std::vector<std::string> known = {"int4", "fp4"};
  for (std::size_t i = 0; i < kFormats; ++i) {
    const auto format = static_cast<Format>(i);
    if (to_string(format) == name) return bits_per_weight(format);
    known.push_back(to_string(format));
  }
  const std::string close = did_you_mean(name, known);
  at.fail("unknown number format " + in_quotes(name),
          close.empty() ? "known are " + listed(known, " and ") : "did you mean " + in_quotes(close) + "?");
}

WrittenAmount Terms::amount(const std::string& key) { return read_amount(term_context(key)); }

std::vector<std::pair<std::string, WrittenAmount>> Terms::all_amounts() {
  std::vector<std::pair<std::string, WrittenAmount>> out;
  for (const Entry& entry : terms_.value().entries) {
    if (entry.key.starts_with("x-")) continue;
    out.emplace_back(entry.key, amount(entry.key));
  }
  if (out.empty())
    terms_.fail(fmt::format("a claim about {} needs terms", claim_.about), "terms: {nodes: 16, each: 2}");
  return out;
}

std::vector<std::string> Terms::list(const std::string& key) {
  const std::string text = need<std::string>(key);
  std::vector<std::string> out;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find(',', start), text.size());
    const std::string word(trimmed(std::string_view(text).substr(start, end - start)));
    if (!word.empty()) out.push_back(word);
    start = end + 1;
  }
  return out;
}

const Group& Terms::group(const std::string& key) {
  const Context at = term_context(key);
  std::string id;
  read(at, id);
  std::vector<std::string> known;
  for (const Group& group : cluster().groups) {
    if (group.id == id) return group;
    known.push_back(group.id);
  }
  const std::string close = did_you_mean(id, known);
  at.fail("unknown group " + in_quotes(id),
          close.empty() ? "groups are " + listed(known, " and ") : "did you mean " + in_quotes(close) + "?");
}

NamedPart Terms::part(const std::string& key) {
  const Context at = term_context(key);
  std::string name;
  read(at, name);
  NamedPart part;
  std::optional<LookupError> complaint;
  if (try_part(catalog(), name, part.accelerator, complaint)) return part;
  if (try_part(catalog(), name, part.cpu, complaint)) return part;
  if (try_part(catalog(), name, part.nic, complaint)) return part;
  if (try_part(catalog(), name, part.net_switch, complaint)) return part;
  if (complaint->candidates.empty()) at.fail("there is no part " + in_quotes(name) + " in the catalog");
  fail_lookup(at, *complaint);
}

Architecture Terms::model(const std::string& key) {
  const Context at = term_context(key);
  std::string name;
  read(at, name);
  if (cluster().model_config && name == cluster().workload.model) return read_hf_config(*cluster().model_config);
  return find_in_catalog<ModelEntry>(at, catalog());
}

namespace {

double plain(const AnyQuantity& any) {
  return std::visit(
      [](const auto& v) {
        if constexpr (requires { v.major(); }) {
          return v.major();
        } else if constexpr (requires { v.value; }) {
          return v.value;
        } else {
          return v;
        }
      },
      any);
}

}  // namespace

Fact<double> Terms::constant(const std::string& id) const {
  const Fact<AnyQuantity>& fact = catalog().find<Constant>(id).value;
  Fact<double> out{.value = plain(fact.value), .low = {}, .high = {}, .origin = fact.origin};
  if (fact.low) out.low = plain(*fact.low);
  if (fact.high) out.high = plain(*fact.high);
  return out;
}

void Terms::fail_term(const std::string& key, const std::string& message, const std::string& hint) {
  term_context(key).fail(message, hint);
}

}  // namespace fathom::claims
