#include <algorithm>

#include "bom/read_parts.h"
#include "units/number.h"

namespace fathom::bom {

namespace {

std::string currency_code(const Context& at) {
  std::string code;
  read(at, code);
  const auto& known = known_currencies();
  if (std::find(known.begin(), known.end(), code) == known.end()) {
    const std::string close = did_you_mean(code, known);
    at.fail("unknown currency " + in_quotes(code),
            close.empty() ? "known are " + listed(known, ", ") : "did you mean " + in_quotes(close) + "?");
  }
  return code;
}

ExchangeRate read_exchange(const Context& at) {
  MapReader reader(at.file, at.value, "an exchange rate");
  ExchangeRate rate;
  rate.from = currency_code(reader.context(reader.need("from")));
  rate.to = currency_code(reader.context(reader.need("to")));
  if (rate.from == rate.to) reader.context(reader.need("to")).fail("a currency is not exchanged for itself");
  const Value& value = reader.need("rate");
  read(reader.context(value), rate.rate);
  check_range(reader.context(value), rate.rate, 1e-6, 1e6, "rate");
  reader.need("date");
  rate.date = date(reader, "date");
  reader.finish();
  return rate;
}

// "per Mtok" and "per gpu-hour" are part of the meaning, so another unit is an error at the price.
std::optional<Fact<UnitPrice>> price_per(MapReader& reader, const std::string& key,
                                         const std::vector<std::string>& units) {
  auto price = reader.optional<Fact<UnitPrice>>(key);
  if (price && std::find(units.begin(), units.end(), price->value.per) == units.end()) {
    reader.context(*reader.take(key))
        .fail(in_quotes(key) + " must be a price per " + units.front() + ", not per " + price->value.per);
  }
  return price;
}

}  // namespace

Item read_item(const Context& at) {
  MapReader reader(at.file, at.value, "an item of the bill");
  Item item;
  item.at = at.value.at;
  item.what = reader.required<std::string>("what");
  item.count = number_in(reader, "count", 0.001, 1e9, 1);
  item.price = price_of(reader);
  item.life_years = optional_number(reader, "life_years", 0.1, 100);
  reader.finish();
  return item;
}

Software read_software(const Context& at) {
  static const std::vector<std::string> kUnits = {"gpu", "core", "cpu", "host", "seat", "cluster"};
  MapReader reader(at.file, at.value, "software");
  Software software;
  software.id = reader.required<std::string>("id");
  software.unit = kUnits[reader.choice("unit", kUnits, 5)];
  software.units = number_in(reader, "units", 0.001, 1e9, 1);
  software.price = reader.optional<Fact<UnitPrice>>("price");
  software.annual = price_of(reader, "annual");
  software.once = price_of(reader, "once");
  reader.finish();
  return software;
}

YearlyCost read_yearly(const Context& at) {
  static const std::vector<std::string> kCategories = {"staff", "space", "other"};
  MapReader reader(at.file, at.value, "a yearly cost");
  YearlyCost cost;
  cost.id = reader.required<std::string>("id");
  cost.category = kCategories[reader.choice("category", kCategories, 2)];
  cost.annual = price_of(reader, "annual");
  reader.finish();
  return cost;
}

Finance default_finance() {
  Finance finance;
  finance.utilisation.value = 0.5;
  finance.utilisation.origin = {.source = "default", .date = {}, .confidence = Confidence::kAssumed};
  return finance;
}

Finance read_finance(const Context& at) {
  MapReader reader(at.file, at.value, "the finance section");
  Finance finance = default_finance();
  finance.horizon_years = number_in(reader, "horizon_years", 0.1, 50, finance.horizon_years);
  finance.discount_rate = number_in(reader, "discount_rate", 0, 1, finance.discount_rate);
  finance.residual_share = number_in(reader, "residual_share", 0, 1, finance.residual_share);
  finance.tax = number_in(reader, "tax", 0, 1, finance.tax);
  finance.install_share = number_in(reader, "install_share", 0, 1, finance.install_share);
  if (auto utilisation = fact_in(reader, "utilisation", 0, 1)) finance.utilisation = *utilisation;
  if (const Value* currency = reader.take("currency")) finance.currency = currency_code(reader.context(*currency));
  finance.exchange = read_list(reader, "exchange", [](const Context& item) { return read_exchange(item); });
  reader.finish();
  return finance;
}

AvailabilityInput read_availability(const Context& at) {
  MapReader reader(at.file, at.value, "the availability section");
  AvailabilityInput input;
  input.target = fact_in(reader, "target", 0, 1);
  input.failures_per_1000_node_days = fact_in(reader, "failures_per_1000_node_days", 0, 1000);
  input.mttr = reader.optional<Fact<Seconds>>("mttr");
  if (input.mttr && !(input.mttr->low_or_value() > Seconds(0))) fail_zero(reader.context(*reader.take("mttr")), "mttr");
  input.detect = reader.optional<Seconds>("detect");
  input.reroute = reader.optional<Seconds>("reroute");
  input.weight_load = positive<BytesPerSecond>(reader, "weight_load");
  reader.finish();
  return input;
}

Alternative read_alternative(const Context& at, const Catalog& catalog) {
  MapReader reader(at.file, at.value, "an alternative");
  Alternative alternative;
  alternative.id = reader.required<std::string>("id");
  if (const Value* rental = reader.take("rental")) {
    alternative.per_gpu_hour = per_gpu_hour(find_entry<RentalPrice>(reader.context(*rental), catalog));
  } else {
    alternative.per_gpu_hour = price_per(reader, "per_gpu_hour", {"gpu-hour", "h"});
  }
  if (const Value* api = reader.take("api")) {
    const ApiPrice& price = find_entry<ApiPrice>(reader.context(*api), catalog);
    alternative.input = price.input;
    alternative.cached_input = price.input_cached;
    alternative.output = price.output;
  } else {
    alternative.input = price_per(reader, "input", {"Mtok"});
    alternative.cached_input = price_per(reader, "cached_input", {"Mtok"});
    alternative.output = price_per(reader, "output", {"Mtok"});
  }
  reader.finish();
  if (!alternative.per_gpu_hour && !alternative.output) {
    reader.fail("an alternative needs a price",
                "per_gpu_hour, or output (and input) per Mtok, or rental or api with a name from the catalog");
  }
  return alternative;
}

Claim read_claim(const Context& at) {
  MapReader reader(at.file, at.value, "a claim");
  Claim claim;
  claim.at = at.value.at;
  claim.id = reader.required<std::string>("id");
  claim.line = count_in(reader, "line", 1, 1'000'000);
  claim.quote = reader.required<std::string>("quote");
  claim.about = reader.required<std::string>("about");
  claim.value = reader.get<std::string>("value", "");
  if (const Value* terms = reader.take("terms")) {
    MapReader named(at.file, *terms, "the terms of a claim");
    for (const Entry& entry : terms->entries) claim.terms[entry.key] = named.required<std::string>(entry.key);
    named.finish();
  }
  reader.finish();
  return claim;
}

}  // namespace fathom::bom
