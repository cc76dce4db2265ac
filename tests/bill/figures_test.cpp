#include "bill/figures.h"

#include <gtest/gtest.h>

namespace fathom::bill {
namespace {

struct Case {
  const char* text;
  double low, high;
  const char* currency;
  const char* per;
};

TEST(BillFigures, MoneyIsReadAsPeopleTypeIt) {
  const Case kCases[] = {{"8.5", 8.5, 8.5, "", ""},
                         {"85,000", 85000, 85000, "", ""},
                         {"¥8.5万", 85000, 85000, "CNY", ""},
                         {"￥１２，０００", 12000, 12000, "CNY", ""},
                         {"429.4万美元", 4294000, 4294000, "USD", ""},
                         {"18万-22万", 180000, 220000, "", ""},
                         {"18-22万元", 180000, 220000, "CNY", ""},
                         {"4–6", 4, 6, "", ""},
                         {"约6万", 60000, 60000, "", ""},
                         {"~$1.2k", 1200, 1200, "USD", ""},
                         {"1.5M USD", 1.5e6, 1.5e6, "USD", ""},
                         {"USD 310k", 310000, 310000, "USD", ""},
                         {"3.5/m", 3.5, 3.5, "", "m"},
                         {"18万/年", 180000, 180000, "", "年"},
                         {"0.15 USD/kWh", 0.15, 0.15, "USD", "kwh"},
                         {"1.2亿元", 1.2e8, 1.2e8, "CNY", ""},
                         {"(500)", -500, -500, "", ""},
                         {"**457.6**", 457.6, 457.6, "", ""},
                         {"85 000 €", 85000, 85000, "EUR", ""}};
  for (const Case& c : kCases) {
    const auto figure = read_figure(c.text, FigureKind::kMoney, false);
    ASSERT_TRUE(figure) << c.text;
    EXPECT_DOUBLE_EQ(figure->low, c.low) << c.text;
    EXPECT_DOUBLE_EQ(figure->high, c.high) << c.text;
    EXPECT_EQ(figure->currency, c.currency) << c.text;
    EXPECT_EQ(figure->per, c.per) << c.text;
  }
  for (const char* none : {"", "-", "待定", "GPU", "N/A", "x", "¥", "9999999999亿"})
    EXPECT_FALSE(read_figure(none, FigureKind::kMoney, false)) << none;
}

TEST(BillFigures, CountsKeepTheirUnit) {
  const auto fibre = read_figure("120km", FigureKind::kCount, false);
  ASSERT_TRUE(fibre);
  EXPECT_DOUBLE_EQ(fibre->low, 120);
  EXPECT_EQ(fibre->unit, "km");
  const auto open = read_figure("2-3", FigureKind::kCount, false);
  ASSERT_TRUE(open);
  EXPECT_TRUE(open->is_range());
  EXPECT_EQ(read_figure("x8", FigureKind::kCount, false)->low, 8);
  EXPECT_EQ(read_figure("1套", FigureKind::kCount, false)->unit, "套");
}

TEST(BillFigures, ADecimalCommaIsToldFromThousands) {
  EXPECT_TRUE(has_decimal_comma("8,5"));
  EXPECT_TRUE(has_decimal_comma("1.234,56"));
  EXPECT_FALSE(has_decimal_comma("85,000"));
  EXPECT_FALSE(has_decimal_comma("1,234.56"));
  EXPECT_FALSE(has_decimal_comma("DDR4, 64"));
  EXPECT_DOUBLE_EQ(read_figure("1.234,56", FigureKind::kMoney, true)->low, 1234.56);
  EXPECT_DOUBLE_EQ(read_figure("8,5", FigureKind::kMoney, true)->low, 8.5);
}

TEST(BillFigures, HeadersSayWhatTheirCellsCount) {
  const auto is = [](const char* header, double scale, const char* currency) {
    EXPECT_DOUBLE_EQ(counting_in(header).scale, scale) << header;
    EXPECT_EQ(counting_in(header).currency, currency) << header;
  };
  is("单价（万元）", 1e4, "CNY");
  is("总价(万$)", 1e4, "USD");
  is("Unit price (k USD)", 1e3, "USD");
  is("Unit price (kUSD)", 1e3, "USD");
  is("Total [USD million]", 1e6, "USD");
  is("总价(千元)", 1e3, "CNY");
  is("小计（亿元）", 1e8, "CNY");
  is("Amount, EUR", 1, "EUR");
  is("Price", 1, "");
  is("单价(元/台)", 1, "CNY");
  EXPECT_EQ(counting_in("单价(元/台)").per, "台");
}

}  // namespace
}  // namespace fathom::bill
