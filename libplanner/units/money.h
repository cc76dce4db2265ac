// Money as integer minor units with an ISO 4217 currency; unit prices as integer millionths. Conversion needs a dated
// rate.
#pragma once

#include <compare>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace fathom {

struct MoneyError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// An amount in one currency. Arithmetic across currencies throws MoneyError; sums saturate never: overflow throws.
class Money {
 public:
  Money() = default;
  static Money from_minor(std::int64_t minor_units, std::string currency);
  // Rounds half away from zero to the currency's minor unit (two decimals, none for JPY and KRW).
  static Money from_major(double amount, std::string currency);

  std::int64_t minor_units() const { return minor_; }
  double major() const;  // for ratios and statistics only
  const std::string& currency() const { return currency_; }
  bool is_zero() const { return minor_ == 0; }

  Money& operator+=(const Money& other);
  Money& operator-=(const Money& other);
  friend Money operator+(Money a, const Money& b) { return a += b; }
  friend Money operator-(Money a, const Money& b) { return a -= b; }
  Money times(double factor) const;  // rounded to the minor unit
  bool operator==(const Money&) const = default;
  std::partial_ordering operator<=>(const Money& other) const;  // unordered across currencies

 private:
  std::int64_t minor_ = 0;
  std::string currency_;  // empty only for the neutral zero, which takes the currency of what is added to it
};

// A price per unit: "0.088 USD/kWh", "3.5 USD/m", "2.19 USD/Mtok". Millionths of the currency keep it exact.
struct UnitPrice {
  std::int64_t micros = 0;
  std::string currency;
  std::string per;  // one of unit_price_units()

  double major() const { return static_cast<double>(micros) / 1e6; }
  Money times(double units) const { return Money::from_major(major() * units, currency); }
  bool operator==(const UnitPrice&) const = default;
  std::partial_ordering operator<=>(const UnitPrice& other) const;  // unordered across currencies and units
};

const std::vector<std::string>& unit_price_units();  // kWh, h, m, Mtok, gpu-hour, gpu-year, core-year, …
const std::vector<std::string>& known_currencies();
int minor_digits(std::string_view currency);  // 2, or 0 for JPY and KRW

// "85000 CNY", "85,000.50 USD", "8.5 万 CNY" (1 万 = 10^4), "USD 310k". Throws MoneyError saying what was expected.
Money parse_money(std::string_view text);
UnitPrice parse_unit_price(std::string_view text);  // "0.63 CNY/kWh"

std::string decimal(const Money& money);     // "310000.00": exact, for machines
std::string to_string(const Money& money);   // "310,000 USD", grouped, minor units only when not zero
std::string short_text(const Money& money);  // "3.69 M USD"

struct ExchangeRate {
  std::string from, to;
  double rate = 0;   // 1 `from` = rate `to`
  std::string date;  // the day it was quoted
};

// Converts through a rate or its inverse; throws MoneyError naming the missing pair.
Money convert(const Money& money, const std::string& currency, const std::vector<ExchangeRate>& rates);

}  // namespace fathom
