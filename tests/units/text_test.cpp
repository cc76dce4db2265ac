#include "units/text.h"

#include <gtest/gtest.h>

#include <climits>
#include <cmath>
#include <limits>
#include <random>

namespace fathom {
namespace {

template <class Function>
std::string unit_error(Function function) {
  try {
    function();
  } catch (const UnitError& error) {
    return error.what();
  }
  return "no error";
}

TEST(ParseBytes, TellsDecimalPrefixesFromBinaryOnesAndBitsFromBytes) {
  EXPECT_DOUBLE_EQ(parse_bytes("80 GB").value, 80e9);
  EXPECT_DOUBLE_EQ(parse_bytes("80 GiB").value, 85899345920.0);  // 80 * 2^30
  EXPECT_DOUBLE_EQ(parse_bytes("80GiB").value, 85899345920.0);
  EXPECT_DOUBLE_EQ(parse_bytes("1.6 TB").value, 1.6e12);
  EXPECT_DOUBLE_EQ(parse_bytes("8 Gb").value, 1e9);
  EXPECT_DOUBLE_EQ(parse_bytes("16 Kib").value, 2048);
  EXPECT_DOUBLE_EQ(parse_bytes("512 kB").value, 512e3);
  EXPECT_DOUBLE_EQ(parse_bytes("1,000 B").value, 1000);
  EXPECT_DOUBLE_EQ(parse_bytes("671_026_419_200 bytes").value, 671026419200.0);
}

TEST(ParseBandwidth, AnEighthOfAGigabitIsAGigabyte) {
  EXPECT_DOUBLE_EQ(parse_bandwidth("400 Gb/s").value, 50e9);  // 400e9 / 8
  EXPECT_DOUBLE_EQ(parse_bandwidth("400 Gbps").value, 50e9);
  EXPECT_DOUBLE_EQ(parse_bandwidth("400 Gbit/s").value, 50e9);
  EXPECT_DOUBLE_EQ(parse_bandwidth("50 GB/s").value, 50e9);
  EXPECT_DOUBLE_EQ(parse_bandwidth("50 GBps").value, 50e9);
  EXPECT_DOUBLE_EQ(parse_bandwidth("3.35 TB / s").value, 3.35e12);
  EXPECT_DOUBLE_EQ(parse_bandwidth("86.4 TB/day").value, 1e9);  // 86.4e12 / 86400
}

TEST(ParseComputeRate, AcceptsFloatingPointAndIntegerOperations) {
  EXPECT_DOUBLE_EQ(parse_compute_rate("989.4 TFLOPS").value, 989.4e12);
  EXPECT_DOUBLE_EQ(parse_compute_rate("624 TOPS").value, 624e12);
  EXPECT_DOUBLE_EQ(parse_compute_rate("2 PFLOP/s").value, 2e15);
}

TEST(ParseDuration, KnowsEverythingFromNanosecondsToYears) {
  EXPECT_DOUBLE_EQ(parse_duration("5 ns").value, 5e-9);
  EXPECT_DOUBLE_EQ(parse_duration("1.5 us").value, 1.5e-6);
  EXPECT_DOUBLE_EQ(parse_duration("1.5 \u00B5s").value, 1.5e-6);  // micro sign
  EXPECT_DOUBLE_EQ(parse_duration("1.5 \u03BCs").value, 1.5e-6);  // Greek mu
  EXPECT_DOUBLE_EQ(parse_duration("30 ms").value, 0.03);
  EXPECT_DOUBLE_EQ(parse_duration("2 min").value, 120);
  EXPECT_DOUBLE_EQ(parse_duration("24 h").value, 86400);
  EXPECT_DOUBLE_EQ(parse_duration("3 d").value, 259200);
  EXPECT_DOUBLE_EQ(parse_duration("1 day").value, 86400);
  EXPECT_DOUBLE_EQ(parse_duration("2 weeks").value, 1209600);
  EXPECT_DOUBLE_EQ(parse_duration("12 months").value, parse_duration("1 year").value);  // 12 * 730 h = 8760 h
  EXPECT_DOUBLE_EQ(parse_duration("3 years").value, 94608000);                          // 3 * 8760 * 3600
}

TEST(ParsePowerEnergyAndLength, KeepMilliAndMegaApart) {
  EXPECT_DOUBLE_EQ(parse_power("10.2 kW").value, 10200);
  EXPECT_DOUBLE_EQ(parse_power("5 mW").value, 0.005);
  EXPECT_DOUBLE_EQ(parse_power("5 MW").value, 5e6);
  EXPECT_DOUBLE_EQ(parse_energy("5 kWh").value, 18e6);  // 5000 W * 3600 s
  EXPECT_DOUBLE_EQ(parse_energy("2 kJ").value, 2000);
  EXPECT_DOUBLE_EQ(parse_length("120 km").value, 120000);
  EXPECT_DOUBLE_EQ(parse_length("3 m").value, 3);
  EXPECT_DOUBLE_EQ(parse_length("250 mm").value, 0.25);
}

TEST(ParseRate, AcceptsEventsPerTimeAndHertz) {
  EXPECT_DOUBLE_EQ(parse_rate("0.5 /s").value, 0.5);
  EXPECT_DOUBLE_EQ(parse_rate("12000/day").value, 12000.0 / 86400);
  EXPECT_DOUBLE_EQ(parse_rate("90 /min").value, 1.5);
  EXPECT_DOUBLE_EQ(parse_rate("36 requests/h").value, 0.01);
  EXPECT_DOUBLE_EQ(parse_rate("40 tok/s").value, 40);
  EXPECT_DOUBLE_EQ(parse_rate("2.6 GHz").value, 2.6e9);
}

TEST(ParseTemperature, MayBeBelowZeroButNotBelowAbsoluteZero) {
  EXPECT_DOUBLE_EQ(parse_temperature("27 C").value, 27);
  EXPECT_DOUBLE_EQ(parse_temperature("-5 °C").value, -5);
  EXPECT_DOUBLE_EQ(parse_temperature("27℃").value, 27);
  EXPECT_THROW(parse_temperature("-300 C"), UnitError);
}

TEST(UnitErrors, NameTheExpectedDimensionAndTheOneFound) {
  EXPECT_EQ(unit_error([] { parse_bandwidth("400 GB"); }),
            "expected a bandwidth such as \"400 Gb/s\", got \"400 GB\", an amount of bytes");
  EXPECT_EQ(unit_error([] { parse_power("5 kWh"); }), "expected a power such as \"10.2 kW\", got \"5 kWh\", an energy");
}

TEST(UnitErrors, ABareNumberHasNoUnit) {
  EXPECT_EQ(unit_error([] { parse_bytes("80"); }),
            "expected an amount of bytes such as \"80 GiB\", but \"80\" has no unit");
}

TEST(UnitErrors, SuggestTheRightCapitals) {
  EXPECT_EQ(unit_error([] { parse_bandwidth("400 gb/s"); }),
            "expected a bandwidth such as \"400 Gb/s\", got \"400 gb/s\"; \"gb/s\" is no known unit; did you mean "
            "\"GB/s\" or \"Gb/s\"?");
  EXPECT_NE(unit_error([] { parse_compute_rate("1 TFLOPs"); }).find("did you mean \"TFLOPS\"?"), std::string::npos);
}

TEST(UnitErrors, AskWhichKilobyteIsMeant) {
  EXPECT_NE(unit_error([] { parse_bytes("64 KB"); }).find("write kB for 1000 bytes or KiB for 1024"),
            std::string::npos);
}

TEST(UnitErrors, ExplainTheDecimalComma) {
  EXPECT_NE(unit_error([] { parse_bytes("1,5 TB"); }).find("the decimal point is \".\""), std::string::npos);
}

TEST(UnitErrors, RefuseNegativeNonFiniteAndOverflowingNumbers) {
  for (const char* text : {"-1 GB", "\u22121 GB", "nan GB", "inf GB", "1e999 GB", "1e300 EB", "", "  ", "GB", "0x10 GB",
                           "1 2 GB", "1.2.3 GB", "5 GB extra", "5 //", "5 /", "5 GB/s/s", "5 GB/GB"}) {
    EXPECT_THROW(parse_bytes(text), UnitError) << text;
  }
  EXPECT_FALSE(std::signbit(parse_bytes("-0 GB").value));
}

TEST(UnitErrors, NoTextCrashesTheParser) {
  std::mt19937 random(1);
  const std::string alphabet = "0123456789.,_eE+-/ kMGTPiBbsmhWJVACH\xC2\xB5\xE4\xB8\x87\xFF\x01";
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (auto left = random() % 12; left > 0; --left) text += alphabet[random() % alphabet.size()];
    try {
      const Bytes bytes = parse_bytes(text);
      EXPECT_TRUE(bytes.value >= 0 && std::isfinite(bytes.value)) << text;
    } catch (const UnitError&) {
    }
  }
}

TEST(Printing, PicksThePrefixThatPeopleWouldPick) {
  EXPECT_EQ(to_string(Bytes(89.12e9)), "89.1 GB");
  EXPECT_EQ(to_string(Bytes(0)), "0 B");
  EXPECT_EQ(to_string(3350_GBps), "3.35 TB/s");
  EXPECT_EQ(to_string(989_TFLOPS), "989 TFLOPS");
  EXPECT_EQ(to_string(Flops(73.3e9)), "73.3 GFLOP");
  EXPECT_EQ(to_string(Seconds(0.0179)), "17.9 ms");
  EXPECT_EQ(to_string(Seconds(1.5e-6)), "1.5 us");
  EXPECT_EQ(to_string(Seconds(90)), "1.5 min");
  EXPECT_EQ(to_string(24_hours), "24 h");
  EXPECT_EQ(to_string(72_hours), "3 days");
  EXPECT_EQ(to_string(8760_hours), "1 year");
  EXPECT_EQ(to_string(43800_hours), "5 years");
  EXPECT_EQ(to_string(10200_W), "10.2 kW");
  EXPECT_EQ(to_string(Metres(120)), "120 m");
  EXPECT_EQ(to_string(Celsius{27}), "27 C");
  EXPECT_EQ(count_text(1.2e6), "1.2 M");
  EXPECT_EQ(count_text(12), "12");
}

TEST(Printing, BinaryPrefixesKeepOneDecimal) {
  // 626.9 * 2^30 B.
  EXPECT_EQ(to_string_binary(Bytes(626.9 * 1073741824)), "626.9 GiB");
  EXPECT_EQ(to_string_binary(80_GiB), "80 GiB");
  EXPECT_EQ(to_string_binary(Bytes(1536)), "1.5 KiB");
  EXPECT_EQ(to_string_binary(Bytes(1023.99 * 1024)), "1 MiB");
}

TEST(Printing, EnergyChangesFromJoulesToWattHoursAtOneKilowattHour) {
  EXPECT_EQ(to_string(Joules(2.4)), "2.4 J");
  EXPECT_EQ(to_string(Joules(3.5e6)), "3.5 MJ");
  EXPECT_EQ(to_string(Joules(3.6e6)), "1 kWh");
  EXPECT_EQ(to_string(Joules(575e6 * 3600)), "575 MWh");
}

TEST(Printing, RoundingUpMovesToTheNextPrefix) {
  EXPECT_EQ(to_string(Bytes(999.4e9)), "999 GB");
  EXPECT_EQ(to_string(Bytes(999.6e9)), "1 TB");
  EXPECT_EQ(count_text(999.6), "1 k");
}

TEST(Printing, SurvivesWhatShouldNeverArrive) {
  for (const double value : {std::numeric_limits<double>::infinity(), std::nan(""), 1e300, 1e-300, -5.0}) {
    EXPECT_FALSE(to_string(Bytes(value)).empty());
    EXPECT_FALSE(to_string_binary(Bytes(value)).empty());
    EXPECT_FALSE(to_string(Seconds(value)).empty());
    EXPECT_FALSE(to_string(Joules(value)).empty());
    EXPECT_FALSE(count_text(value).empty());
  }
}

TEST(Printing, GroupsCountsByThousands) {
  EXPECT_EQ(grouped(671026419200), "671,026,419,200");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(-1000), "-1,000");
  EXPECT_EQ(grouped(LLONG_MIN), "-9,223,372,036,854,775,808");
}

TEST(Printing, IsReadBackWithinThreeDigits) {
  std::mt19937 random(7);
  std::uniform_real_distribution<double> exponent(-8, 17);
  for (int round = 0; round < 2000; ++round) {
    const double value = std::pow(10, exponent(random));
    const auto near = [&](double read) { return std::abs(read / value - 1) < 0.0051; };
    EXPECT_TRUE(near(parse_duration(to_string(Seconds(value))).value)) << to_string(Seconds(value));
    EXPECT_TRUE(near(parse_energy(to_string(Joules(value))).value)) << to_string(Joules(value));
    if (value < 1) continue;
    EXPECT_TRUE(near(parse_bytes(to_string(Bytes(value))).value)) << to_string(Bytes(value));
    EXPECT_TRUE(near(parse_bytes(to_string_binary(Bytes(value))).value)) << to_string_binary(Bytes(value));
    EXPECT_TRUE(near(parse_bandwidth(to_string(BytesPerSecond(value))).value)) << to_string(BytesPerSecond(value));
    EXPECT_TRUE(near(parse_compute_rate(to_string(FlopsPerSecond(value))).value));
  }
}

}  // namespace
}  // namespace fathom
