#include "units/number.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

TEST(ScanNumber, ReadsSeparatorsDecimalsAndExponents) {
  EXPECT_DOUBLE_EQ(scan_number("1,234,567.5")->value, 1234567.5);
  EXPECT_DOUBLE_EQ(scan_number("12_000")->value, 12000);
  EXPECT_DOUBLE_EQ(scan_number("3e-6 s")->value, 3e-6);
  EXPECT_DOUBLE_EQ(scan_number("2.5E+3")->value, 2500);
  EXPECT_DOUBLE_EQ(scan_number(".5")->value, 0.5);
  EXPECT_DOUBLE_EQ(scan_number("5.")->value, 5);
  EXPECT_DOUBLE_EQ(scan_number("-2")->value, -2);
  EXPECT_DOUBLE_EQ(scan_number("\u22122")->value, -2);
}

TEST(ScanNumber, LeavesWhatFollowsWithoutBlanks) {
  EXPECT_EQ(scan_number(" 80  GiB ")->rest, "GiB");
  EXPECT_EQ(scan_number("5EB")->rest, "EB");  // no exponent: no digit follows the E
}

TEST(ScanNumber, NeverTakesADecimalCommaForAThousandsSeparator) {
  EXPECT_DOUBLE_EQ(scan_number("1,5")->value, 1);
  EXPECT_EQ(scan_number("1,5")->rest, ",5");
  EXPECT_EQ(scan_number("1234,567")->rest, ",567");
  EXPECT_EQ(scan_number("1,2345")->rest, ",2345");
}

TEST(ScanNumber, RefusesWhatIsNoDecimalNumber) {
  for (const char* text : {"", " ", "nan", "inf", "-inf", "-", "+", ".", "-.", "_1", ",100", "e5", "GiB", "万"}) {
    EXPECT_FALSE(scan_number(text)) << text;
  }
}

TEST(ScanNumber, SaysWhenADoubleCannotHoldIt) {
  EXPECT_FALSE(scan_number("1e999")->in_range);
  EXPECT_FALSE(scan_number("1e-999")->in_range);
  EXPECT_FALSE(scan_number("1e99999999999999999999")->in_range);
  EXPECT_TRUE(scan_number("1e308")->in_range);
}

TEST(ScaledInteger, RoundsHalfAwayFromZeroAsWritten) {
  EXPECT_EQ(scaled_integer("0.285", 2), 29);  // the double 0.285 is 0.28499…, which would give 28
  EXPECT_EQ(scaled_integer("-0.285", 2), -29);
  EXPECT_EQ(scaled_integer("0.2849", 2), 28);
  EXPECT_EQ(scaled_integer("0.005", 2), 1);
  EXPECT_EQ(scaled_integer("0.0049", 2), 0);
  EXPECT_EQ(scaled_integer("1.25e3", 0), 1250);
  EXPECT_EQ(scaled_integer("0e999999", 2), 0);
}

TEST(ScaledInteger, SaysNoInsteadOfOverflowing) {
  EXPECT_EQ(scaled_integer("1e17", 0), 100000000000000000);
  EXPECT_FALSE(scaled_integer("1e18", 0));
  EXPECT_FALSE(scaled_integer("1e99999999999", 0));
  EXPECT_EQ(scaled_integer("1e-999999999", 2), 0);
}

TEST(InQuotes, KeepsMessagesShortAndPrintable) {
  EXPECT_EQ(in_quotes("a\x1b[31mb\n"), "\"a?[31mb?\"");
  // 59 letters and then characters of three bytes: the cut falls before the first of them, not inside it.
  EXPECT_EQ(in_quotes(std::string(59, 'a') + "万万"), "\"" + std::string(59, 'a') + "…\"");
}

}  // namespace
}  // namespace fathom
