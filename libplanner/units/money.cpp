#include "units/money.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "units/number.h"
#include "units/text.h"

namespace fathom {

namespace {

void require_known(const std::string& currency) {
  const auto& known = known_currencies();
  if (std::find(known.begin(), known.end(), currency) != known.end()) return;
  throw MoneyError(fmt::format("unknown currency {}; known are {}", in_quotes(currency), listed(known, " and ")));
}

// Both amounts are brought to one currency; the neutral zero has none and takes the other's.
std::string common_currency(const Money& a, const Money& b) {
  if (a.currency().empty()) return b.currency();
  if (b.currency().empty() || a.currency() == b.currency()) return a.currency();
  throw MoneyError(fmt::format("{} and {} cannot be added without an exchange rate", a.currency(), b.currency()));
}

[[noreturn]] void overflow(const std::string& currency) {
  throw MoneyError(fmt::format("an amount of {} is too large to be counted", currency));
}

}  // namespace

Money Money::from_minor(std::int64_t minor_units, std::string currency) {
  if (minor_units != 0 || !currency.empty()) require_known(currency);
  Money money;
  money.minor_ = minor_units;
  money.currency_ = std::move(currency);
  return money;
}

Money Money::from_major(double amount, std::string currency) {
  if (!std::isfinite(amount)) throw MoneyError("an amount of money is not a finite number");
  // Through the shortest decimal text, so that 0.285 is rounded as written and not as its binary neighbour 0.28499….
  const std::optional<std::int64_t> minor = scaled_integer(fmt::format("{}", amount), minor_digits(currency));
  if (!minor) overflow(currency);
  return from_minor(*minor, std::move(currency));
}

double Money::major() const { return static_cast<double>(minor_) / (minor_digits(currency_) == 0 ? 1.0 : 100.0); }

Money& Money::operator+=(const Money& other) {
  currency_ = common_currency(*this, other);
  if (__builtin_add_overflow(minor_, other.minor_, &minor_)) overflow(currency_);
  return *this;
}

Money& Money::operator-=(const Money& other) {
  currency_ = common_currency(*this, other);
  if (__builtin_sub_overflow(minor_, other.minor_, &minor_)) overflow(currency_);
  return *this;
}

Money Money::times(double factor) const {
  // long double holds 64 bits exactly, so multiplying by 1 changes nothing even above 2^53.
  const long double product = std::round(static_cast<long double>(minor_) * static_cast<long double>(factor));
  constexpr long double kLimit = 0x1p63L;
  if (!(product > -kLimit && product < kLimit)) overflow(currency_);
  Money result = *this;
  result.minor_ = static_cast<std::int64_t>(product);
  return result;
}

std::partial_ordering Money::operator<=>(const Money& other) const {
  const bool comparable = currency_.empty() || other.currency_.empty() || currency_ == other.currency_;
  if (!comparable) return std::partial_ordering::unordered;
  return minor_ <=> other.minor_;
}

std::partial_ordering UnitPrice::operator<=>(const UnitPrice& other) const {
  if (currency != other.currency || per != other.per) return std::partial_ordering::unordered;
  return micros <=> other.micros;
}

const std::vector<std::string>& unit_price_units() {
  static const std::vector<std::string> kUnits = {"kWh",       "h",         "month",     "year",       "m",
                                                  "km",        "GB-month",  "TB",        "Mtok",       "call",
                                                  "gpu-hour",  "gpu-year",  "core-year", "cpu-year",   "host-year",
                                                  "seat-year", "node-year", "kW-month",  "rack-month", "piece"};
  return kUnits;
}

const std::vector<std::string>& known_currencies() {
  static const std::vector<std::string> kCurrencies = {"USD", "CNY", "EUR", "GBP", "JPY", "KRW",
                                                       "HKD", "SGD", "CHF", "INR", "CAD", "AUD"};
  return kCurrencies;
}

int minor_digits(std::string_view currency) { return currency == "JPY" || currency == "KRW" ? 0 : 2; }

// ---------------------------------------------------------------------------------------------------------------------
// Reading

namespace {

constexpr std::string_view kMoneyExample = "an amount of money such as \"85000 CNY\"";
constexpr std::string_view kUnitPriceExample = "a unit price such as \"0.63 CNY/kWh\"";

struct Amount {
  std::string digits;  // of ScannedNumber
  int power = 0;       // of ten: 3 for "k", 4 for 万
  std::string currency;
};

[[noreturn]] void refuse(std::string_view expected, std::string_view text, const std::string& why) {
  throw MoneyError(fmt::format("expected {}, got {}{}", expected, in_quotes(text), why));
}

int magnitude(std::string_view word) {
  if (word == "k" || word == "K") return 3;
  if (word == "万") return 4;
  if (word == "M") return 6;
  if (word == "亿") return 8;
  return 0;
}

// Takes a leading magnitude ("万 CNY" becomes "CNY") and returns its power of ten.
int take_magnitude(std::string_view& rest) {
  // Before a currency a letter needs a blank or the end: the K of "KRW" is no thousand.
  const std::size_t length = !rest.empty() && static_cast<unsigned char>(rest[0]) >= 0x80 ? 3 : 1;
  const std::string_view word = rest.substr(0, length);
  const std::string_view behind = rest.substr(word.size());
  const bool alone = length == 3 || behind.empty() || behind[0] == ' ' || behind[0] == '\t';
  const int power = magnitude(word);
  if (power == 0 || !alone) return 0;
  rest = trimmed(behind);
  return power;
}

bool is_known(std::string_view currency) {
  const auto& known = known_currencies();
  return std::find(known.begin(), known.end(), currency) != known.end();
}

std::string currency_advice(std::string_view word) {
  std::string upper(word);
  for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  if (is_known(upper)) return fmt::format("; did you mean {}?", upper);
  if (upper == "RMB" || word == "元") return "; write CNY";
  return fmt::format("; the currency must be one of {}", listed(known_currencies(), " or "));
}

// The currency stands before or behind: "USD 310k", "310k USD".
Amount parse_amount(std::string_view all, std::string_view text, std::string_view expected) {
  text = trimmed(text);
  std::string_view currency;
  if (text.size() > 3 && is_known(text.substr(0, 3))) {
    currency = text.substr(0, 3);
    text = trimmed(text.substr(3));
  }
  const std::optional<ScannedNumber> number = scan_number(text);
  if (!number) refuse(expected, all, ", which does not start with a number or a known currency");
  if (number->digits.starts_with('-')) refuse(expected, all, ", which is negative");
  std::string_view rest = number->rest;
  Amount amount{.digits = number->digits, .power = take_magnitude(rest), .currency = {}};
  if (currency.empty()) {
    currency = rest;
  } else if (!rest.empty()) {
    refuse(expected, all, fmt::format("; {} is one word too many", in_quotes(rest)));
  }
  if (currency.empty()) refuse(expected, all, ", which has no currency");
  if (currency.starts_with(',')) {
    refuse(expected, all, "; a comma separates thousands (1,000), the decimal point is \".\"");
  }
  if (!is_known(currency)) refuse(expected, all, currency_advice(currency));
  amount.currency = currency;
  return amount;
}

std::int64_t scaled_or_refuse(const Amount& amount, int shift, std::string_view all, std::string_view expected) {
  const std::optional<std::int64_t> value = scaled_integer(amount.digits, shift + amount.power);
  if (!value) refuse(expected, all, ", which is out of range");
  return *value;
}

}  // namespace

Money parse_money(std::string_view text) {
  if (text.find('/') != std::string_view::npos) refuse(kMoneyExample, text, ", a price per unit");
  const Amount amount = parse_amount(text, text, kMoneyExample);
  const int digits = minor_digits(amount.currency);
  return Money::from_minor(scaled_or_refuse(amount, digits, text, kMoneyExample), amount.currency);
}

UnitPrice parse_unit_price(std::string_view text) {
  const std::size_t slash = text.rfind('/');
  if (slash == std::string_view::npos) refuse(kUnitPriceExample, text, ", which has no \"/unit\"");
  const Amount amount = parse_amount(text, text.substr(0, slash), kUnitPriceExample);
  const std::string per(trimmed(text.substr(slash + 1)));
  const auto& units = unit_price_units();
  if (std::find(units.begin(), units.end(), per) == units.end()) {
    refuse(kUnitPriceExample, text, fmt::format("; the unit must be one of {}", listed(units, " or ")));
  }
  return {scaled_or_refuse(amount, 6, text, kUnitPriceExample), amount.currency, per};
}

// ---------------------------------------------------------------------------------------------------------------------
// Printing and conversion

namespace {

struct Digits {
  std::string sign, major, minor;  // minor is empty for currencies without
};

Digits digits_of(const Money& money) {
  const bool negative = money.minor_units() < 0;
  const auto raw = static_cast<std::uint64_t>(money.minor_units());
  const std::uint64_t size = negative ? 0 - raw : raw;  // also right for the smallest integer, which has no negative
  Digits digits{negative ? "-" : "", {}, {}};
  if (minor_digits(money.currency()) == 0) {
    digits.major = std::to_string(size);
  } else {
    digits.major = std::to_string(size / 100);
    digits.minor = fmt::format("{:02}", size % 100);
  }
  return digits;
}

std::string with_currency(std::string number, const Money& money) {
  return money.currency().empty() ? number : number + " " + money.currency();
}

}  // namespace

std::string decimal(const Money& money) {
  const Digits digits = digits_of(money);
  return digits.sign + digits.major + (digits.minor.empty() ? "" : "." + digits.minor);
}

std::string to_string(const Money& money) {
  Digits digits = digits_of(money);
  for (std::size_t at = digits.major.size(); at > 3;) digits.major.insert(at -= 3, ",");
  const bool whole = digits.minor.empty() || digits.minor == "00";
  return with_currency(digits.sign + digits.major + (whole ? "" : "." + digits.minor), money);
}

std::string short_text(const Money& money) {
  const double major = money.major();
  // Finance writes "bn" where physics writes G.
  if (std::abs(major) >= 0.9995e9) return with_currency(fmt::format("{:.3g} bn", major / 1e9), money);
  return with_currency(count_text(major), money);
}

Money convert(const Money& money, const std::string& currency, const std::vector<ExchangeRate>& rates) {
  if (money.currency() == currency || money.currency().empty()) return Money::from_minor(money.minor_units(), currency);
  for (const ExchangeRate& rate : rates) {
    const bool direct = rate.from == money.currency() && rate.to == currency;
    const bool inverse = rate.from == currency && rate.to == money.currency();
    if (!direct && !inverse) continue;
    if (!(rate.rate > 0) || !std::isfinite(rate.rate)) {
      throw MoneyError(fmt::format("the exchange rate from {} to {} must be above zero", rate.from, rate.to));
    }
    return Money::from_major(direct ? money.major() * rate.rate : money.major() / rate.rate, currency);
  }
  throw MoneyError(fmt::format("no exchange rate between {} and {}", money.currency(), currency));
}

}  // namespace fathom
