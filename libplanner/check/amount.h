// A number whose unit is known only when the program runs: what expressions over a plan are made of. Everything else uses
// the types of units/quantity.h and units/money.h.
#pragma once

#include <array>
#include <compare>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "units/money.h"

namespace fathom {

struct Dimension {
  std::array<int, 5> powers{};  // of bytes, FLOP, seconds, joules, metres
  int money = 0;
  std::string per = {};  // of a unit price whose unit is no quantity: "Mtok"

  bool operator==(const Dimension&) const = default;
};

struct Amount {
  double value = 0;  // in SI units, in whole units of the currency
  Dimension dimension = {};
  std::string currency = {};  // when money is part of it
};

// "2 s", "5e6 CNY", "8.5 万 CNY", "3 USD/Mtok", "90 %", "12". nullopt when it is none of those; `why` may get what is
// wrong with it.
std::optional<Amount> parse_any_amount(std::string_view text, std::string& why);

std::string name_of(const Dimension& dimension);  // "a duration"
std::string to_string(const Amount& amount);      // with the unit that people would use

// a x b^power, with the dimension that follows.
Dimension product(const Dimension& a, const Dimension& b, int power);

// `amount` in another currency; throws MoneyError when there is no rate.
Amount exchanged(const Amount& amount, const std::string& currency, const std::vector<ExchangeRate>& rates);
Amount product(const Amount& a, const Amount& b, int power, const std::vector<ExchangeRate>& rates);

}  // namespace fathom
