#include "check/amount.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "units/number.h"
#include "units/text.h"

namespace fathom {

namespace {

template <int B, int F, int S, int J, int M>
Amount amount_of(Quantity<B, F, S, J, M> quantity) {
  return {.value = quantity.value, .dimension = {.powers = {B, F, S, J, M}}};
}

struct Kind {
  std::array<int, 5> powers;
  std::string_view name;
  Amount (*parse)(std::string_view);
  std::string (*print)(double);
};

template <class Q, Q (*kParse)(std::string_view)>
Amount parsed(std::string_view text) {
  return amount_of(kParse(text));
}
template <class Q>
std::string printed(double value) {
  return to_string(Q(value));
}
std::string printed_rate(double value) { return count_text(value) + " /s"; }

constexpr std::array<int, 5> kNone = {0, 0, 0, 0, 0};

const Kind kKinds[] = {
    {{0, 0, 1, 0, 0}, "a duration", parsed<Seconds, parse_duration>, printed<Seconds>},
    {{1, 0, 0, 0, 0}, "an amount of bytes", parsed<Bytes, parse_bytes>, printed<Bytes>},
    {{0, 0, -1, 1, 0}, "a power", parsed<Watts, parse_power>, printed<Watts>},
    {{0, 0, 0, 1, 0}, "an energy", parsed<Joules, parse_energy>, printed<Joules>},
    {{0, 0, -1, 0, 0}, "a rate", parsed<Hertz, parse_rate>, printed_rate},
    {{1, 0, -1, 0, 0}, "a bandwidth", parsed<BytesPerSecond, parse_bandwidth>, printed<BytesPerSecond>},
    {{0, 1, -1, 0, 0}, "a compute rate", parsed<FlopsPerSecond, parse_compute_rate>, printed<FlopsPerSecond>},
    {{0, 0, 0, 0, 1}, "a length", parsed<Metres, parse_length>, printed<Metres>},
};

const Kind* kind_of(const Dimension& dimension) {
  if (dimension.money != 0 || !dimension.per.empty()) return nullptr;
  const auto it = std::find_if(std::begin(kKinds), std::end(kKinds),
                               [&](const Kind& kind) { return kind.powers == dimension.powers; });
  return it == std::end(kKinds) ? nullptr : it;
}

// What is wrong may be a matter of capitals, which the readers of units and money know.
void keep_advice(const std::string& complaint, std::string& why) {
  const std::size_t at = complaint.rfind("; ");
  const bool advice =
      complaint.find("did you mean") != std::string::npos || complaint.find("; write ") != std::string::npos;
  if (at != std::string::npos && advice) why = complaint.substr(at + 2);
}

std::optional<Amount> parse_price(std::string_view text, std::string& why) {
  try {
    if (text.find('/') == std::string_view::npos) {
      const Money money = parse_money(text);
      return Amount{.value = money.major(), .dimension = {.money = 1}, .currency = money.currency()};
    }
    const UnitPrice price = parse_unit_price(text);
    return Amount{.value = price.major(), .dimension = {.money = 1, .per = price.per}, .currency = price.currency};
  } catch (const MoneyError& error) {
    keep_advice(error.what(), why);
    return std::nullopt;
  }
}

}  // namespace

std::optional<Amount> parse_any_amount(std::string_view text, std::string& why) {
  if (const auto number = scan_number(text); number && (number->rest.empty() || number->rest == "%")) {
    if (!number->in_range) why = "it is out of range";
    if (!number->in_range) return std::nullopt;
    return Amount{.value = number->rest.empty() ? number->value : number->value / 100};
  }
  if (auto price = parse_price(text, why)) return price;
  for (const Kind& kind : kKinds) {
    try {
      return kind.parse(text);
    } catch (const UnitError& error) {
      keep_advice(error.what(), why);
    }
  }
  return std::nullopt;
}

std::string name_of(const Dimension& d) {
  if (d == Dimension{}) return "a plain number";
  if (const Kind* kind = kind_of(d)) return std::string(kind->name);
  if (d.powers == kNone && d.money == 1) return d.per.empty() ? "an amount of money" : "a price per " + d.per;
  return "a mixture of units";
}

std::string to_string(const Amount& a) {
  if (const Kind* kind = kind_of(a.dimension)) return kind->print(a.value);
  if (a.dimension.powers == kNone && a.dimension.money == 1) {
    if (!a.dimension.per.empty()) return fmt::format("{:.4g} {}/{}", a.value, a.currency, a.dimension.per);
    if (std::abs(a.value) < 1e15) return to_string(Money::from_major(a.value, a.currency));
  }
  const bool whole = a.value == std::floor(a.value) && std::abs(a.value) < 1e15;
  return whole ? grouped(static_cast<long long>(a.value)) : fmt::format("{:.6g}", a.value);
}

Dimension product(const Dimension& a, const Dimension& b, int power) {
  Dimension out = a;
  for (std::size_t i = 0; i < out.powers.size(); ++i) out.powers[i] += power * b.powers[i];
  out.money += power * b.money;
  if (a.per == b.per && power < 0) {
    out.per.clear();  // a ratio of two prices
  } else if (a.per.empty()) {
    out.per = b.per;
  }
  return out;
}

Amount exchanged(const Amount& amount, const std::string& currency, const std::vector<ExchangeRate>& rates) {
  if (amount.currency.empty() || currency.empty() || amount.currency == currency) return amount;
  if (amount.dimension.money != 1) throw MoneyError("a ratio with money in it cannot be exchanged");
  Amount out = amount;
  out.value = convert(Money::from_major(amount.value, amount.currency), currency, rates).major();
  out.currency = currency;
  return out;
}

Amount product(const Amount& a, const Amount& b, int power, const std::vector<ExchangeRate>& rates) {
  const Amount other = exchanged(b, a.currency, rates);
  Amount out{.value = power > 0 ? a.value * other.value : a.value / other.value,
             .dimension = product(a.dimension, other.dimension, power),
             .currency = a.currency.empty() ? other.currency : a.currency};
  if (out.dimension.money == 0) out.currency.clear();
  return out;
}

}  // namespace fathom
