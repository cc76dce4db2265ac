#include "units/money.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace fathom {
namespace {

template <class Function>
std::string money_error(Function function) {
  try {
    function();
  } catch (const MoneyError& error) {
    return error.what();
  }
  return "no error";
}

TEST(ParseMoney, ReadsAmountsBeforeAndBehindTheCurrency) {
  EXPECT_EQ(parse_money("85000 CNY"), Money::from_minor(8500000, "CNY"));
  EXPECT_EQ(parse_money("85,000.50 USD"), Money::from_minor(8500050, "USD"));
  EXPECT_EQ(parse_money("USD 310k"), Money::from_minor(31000000, "USD"));
  EXPECT_EQ(parse_money("3.69 M USD"), Money::from_minor(369000000, "USD"));
  EXPECT_EQ(parse_money("1500 JPY"), Money::from_minor(1500, "JPY"));  // no minor unit
  EXPECT_EQ(parse_money("500 KRW"), Money::from_minor(500, "KRW"));    // the K is no thousand
}

TEST(ParseMoney, ReadsChineseMagnitudes) {
  EXPECT_EQ(parse_money("8.5 万 CNY"), Money::from_minor(8500000, "CNY"));  // 8.5 * 10^4 * 100 fen
  EXPECT_EQ(parse_money("8.5万CNY"), Money::from_minor(8500000, "CNY"));
  EXPECT_EQ(parse_money("1.2 亿 CNY"), Money::from_minor(12000000000, "CNY"));  // 1.2 * 10^8 * 100 fen
}

TEST(ParseMoney, RoundsHalfAMinorUnitAway) {
  EXPECT_EQ(parse_money("0.285 USD").minor_units(), 29);
  EXPECT_EQ(parse_money("0.284 USD").minor_units(), 28);
  EXPECT_EQ(Money::from_major(0.285, "USD").minor_units(), 29);
  EXPECT_EQ(Money::from_major(-2.5, "JPY").minor_units(), -3);
}

TEST(ParseMoney, SaysWhatIsWrong) {
  EXPECT_EQ(money_error([] { parse_money("85000"); }),
            "expected an amount of money such as \"85000 CNY\", got \"85000\", which has no currency");
  EXPECT_NE(money_error([] { parse_money("5 usd"); }).find("did you mean USD?"), std::string::npos);
  EXPECT_NE(money_error([] { parse_money("5 RMB"); }).find("write CNY"), std::string::npos);
  EXPECT_NE(money_error([] { parse_money("5 XYZ"); }).find("the currency must be one of USD, CNY"), std::string::npos);
  EXPECT_NE(money_error([] { parse_money("1,5 USD"); }).find("the decimal point"), std::string::npos);
  EXPECT_NE(money_error([] { parse_money("5 CNY/kWh"); }).find("a price per unit"), std::string::npos);
  for (const char* text : {"", "USD", "-5 USD", "nan USD", "1e30 USD", "USD 5 USD", "5 k k USD", "$5", "万 CNY"}) {
    EXPECT_THROW(parse_money(text), MoneyError) << text;
  }
}

TEST(ParseUnitPrice, KeepsMillionthsExactly) {
  const UnitPrice price = parse_unit_price("0.63 CNY/kWh");
  EXPECT_EQ(price.micros, 630000);
  EXPECT_EQ(price.currency, "CNY");
  EXPECT_EQ(price.per, "kWh");
  EXPECT_EQ(parse_unit_price("USD 2.19 / Mtok").micros, 2190000);
  EXPECT_EQ(parse_unit_price("0.000001 USD/call").micros, 1);
  // 1000 kWh at 0.63 CNY cost 630 CNY.
  EXPECT_EQ(price.times(1000), Money::from_minor(63000, "CNY"));
}

TEST(ParseUnitPrice, KnowsEveryListedUnitAndNoOther) {
  for (const std::string& unit : unit_price_units()) EXPECT_EQ(parse_unit_price("1 EUR/" + unit).per, unit);
  for (const char* text : {"1 EUR", "1 EUR/", "1 EUR/parsec", "1/kWh", "EUR/kWh", "-1 EUR/kWh"}) {
    EXPECT_THROW(parse_unit_price(text), MoneyError) << text;
  }
}

TEST(MoneyArithmetic, StaysWithinOneCurrency) {
  const Money dollars = Money::from_major(10, "USD");
  EXPECT_EQ((dollars + dollars).minor_units(), 2000);
  EXPECT_THROW(dollars + Money::from_major(10, "CNY"), MoneyError);
  EXPECT_EQ(dollars > Money::from_major(1, "USD"), true);
  EXPECT_FALSE(dollars < Money::from_major(100, "CNY"));  // unordered
  EXPECT_FALSE(dollars > Money::from_major(100, "CNY"));
}

TEST(MoneyArithmetic, TheNeutralZeroTakesTheCurrencyOfWhatIsAdded) {
  Money sum;
  sum += Money::from_major(10, "USD");
  EXPECT_EQ(sum, Money::from_minor(1000, "USD"));
  EXPECT_EQ(Money() - sum, Money::from_minor(-1000, "USD"));
  EXPECT_EQ(UnitPrice{}.times(5), Money());
}

TEST(MoneyArithmetic, RefusesToOverflow) {
  const Money most = Money::from_minor(std::numeric_limits<std::int64_t>::max(), "USD");
  EXPECT_THROW(most + Money::from_minor(1, "USD"), MoneyError);
  EXPECT_THROW(most.times(2), MoneyError);
  EXPECT_THROW(most.times(std::numeric_limits<double>::quiet_NaN()), MoneyError);
  EXPECT_EQ(most.times(1), most);
  EXPECT_THROW(Money() - Money::from_minor(std::numeric_limits<std::int64_t>::min(), "USD"), MoneyError);
  EXPECT_THROW(Money::from_major(1e300, "USD"), MoneyError);
  EXPECT_THROW(Money::from_major(1, "XYZ"), MoneyError);
}

TEST(MoneyPrinting, ShowsMinorUnitsOnlyWhenThereAreAny) {
  EXPECT_EQ(to_string(Money::from_major(310000, "USD")), "310,000 USD");
  EXPECT_EQ(to_string(Money::from_major(85000.5, "USD")), "85,000.50 USD");
  EXPECT_EQ(to_string(Money::from_minor(-5, "USD")), "-0.05 USD");
  EXPECT_EQ(to_string(Money::from_major(1500, "JPY")), "1,500 JPY");
  EXPECT_EQ(decimal(Money::from_major(310000, "USD")), "310000.00");
  EXPECT_EQ(decimal(Money::from_minor(std::numeric_limits<std::int64_t>::min(), "USD")), "-92233720368547758.08");
  EXPECT_EQ(short_text(Money::from_major(3.69e6, "USD")), "3.69 M USD");
  EXPECT_EQ(short_text(Money::from_major(85, "USD")), "85 USD");
  EXPECT_EQ(short_text(Money::from_major(2.5e9, "CNY")), "2.5 bn CNY");
}

TEST(Convert, UsesARateOrItsInverse) {
  const std::vector<ExchangeRate> rates = {{"USD", "CNY", 7.2, "2025-02-14"}};
  EXPECT_EQ(convert(Money::from_major(100, "USD"), "CNY", rates), Money::from_major(720, "CNY"));
  EXPECT_EQ(convert(Money::from_major(720, "CNY"), "USD", rates), Money::from_major(100, "USD"));
  EXPECT_EQ(convert(Money::from_major(5, "EUR"), "EUR", {}), Money::from_major(5, "EUR"));
  EXPECT_EQ(money_error([&] { convert(Money::from_major(5, "EUR"), "USD", rates); }),
            "no exchange rate between EUR and USD");
  EXPECT_THROW(convert(Money::from_major(5, "USD"), "EUR", {{"USD", "EUR", 0, ""}}), MoneyError);
}

}  // namespace
}  // namespace fathom
