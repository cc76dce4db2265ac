#include "cost/priced_line.h"

#include <fmt/format.h>

#include <cstdint>

namespace fathom {

UnitPrice per_piece(const Money& price) {
  const std::int64_t scale = minor_digits(price.currency()) == 0 ? 1'000'000 : 10'000;
  std::int64_t micros = 0;
  if (__builtin_mul_overflow(price.minor_units(), scale, &micros)) {
    throw MoneyError("a price of " + to_string(price) + " is too large to be counted");
  }
  return {micros, price.currency(), "piece"};
}

std::optional<Fact<UnitPrice>> per_piece(const std::optional<Fact<Money>>& price) {
  if (!price) return std::nullopt;
  Fact<UnitPrice> fact{.value = per_piece(price->value), .low = {}, .high = {}, .origin = price->origin};
  if (price->low) fact.low = per_piece(*price->low);
  if (price->high) fact.high = per_piece(*price->high);
  return fact;
}

BillLine priced(BillLine line, const std::optional<Fact<UnitPrice>>& price, const Cluster& cluster) {
  line.amount = Money::from_minor(0, cluster.finance.currency);
  if (!price) return line;
  const auto amount = [&](const UnitPrice& unit) { return in_currency(unit.times(line.quantity), cluster, line.id); };
  line.priced = true;
  line.unit_price = price->value;
  line.unit = price->value.per;
  line.amount = amount(price->value);
  if (price->low) line.low = amount(*price->low);
  if (price->high) line.high = amount(*price->high);
  line.origin = price->origin;
  return line;
}

Money in_currency(const Money& money, const Cluster& cluster, const std::string& what_for) {
  try {
    return convert(money, cluster.finance.currency, cluster.finance.exchange);
  } catch (const MoneyError& error) {
    throw InputError(cluster.file, {}, fmt::format("{}, needed for '{}'", error.what(), what_for),
                     fmt::format("state it under finance: exchange: [{{from: {}, to: {}, rate: …, date: …}}]",
                                 money.currency(), cluster.finance.currency));
  }
}

}  // namespace fathom
