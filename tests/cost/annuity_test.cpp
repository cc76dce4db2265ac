#include "cost/annuity.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace fathom {
namespace {

const Term kThreeYears{.rate = 0.08, .years = 3};

Money usd(double amount) { return Money::from_major(amount, "USD"); }

// 0.08 / (1 - 1.08^-3) = 0.08 / (1 - 0.793832241).
TEST(Annuity, CapitalRecoveryFactorMatchesPublishedTables) {
  EXPECT_NEAR(capital_recovery_factor(kThreeYears), 0.388033514, 5e-10);
  EXPECT_NEAR(capital_recovery_factor({.rate = 0.08, .years = 4}), 0.301920804, 5e-10);
  EXPECT_DOUBLE_EQ(capital_recovery_factor({.rate = 0, .years = 4}), 0.25);
  EXPECT_NEAR(capital_recovery_factor({.rate = 1e-9, .years = 4}), 0.25, 1e-8);
}

TEST(Annuity, FourMillionOverThreeYears) {
  EXPECT_EQ(annuity(usd(4e6), usd(0), kThreeYears), usd(1552134.06));
  EXPECT_EQ(annuity(usd(4e6), usd(800'000), kThreeYears), usd(1305707.24));
}

// 100,000 a year for three years at 8 %: 92,592.59 + 85,733.88 + 79,383.22.
TEST(Annuity, PresentValueOfAYearlySum) {
  EXPECT_EQ(net_present_value(usd(0), usd(100'000), usd(0), kThreeYears), usd(257709.70));
}

TEST(Annuity, NpvTimesCrfIsTheAnnualTotal) {
  for (double rate : {0.0, 0.03, 0.08, 0.2}) {
    const Term term{.rate = rate, .years = 4.5};
    const Money npv = net_present_value(usd(4e6), usd(300'000), usd(700'000), term);
    const Money annual = annuity(usd(4e6), usd(700'000), term) + usd(300'000);
    EXPECT_NEAR(npv.times(capital_recovery_factor(term)).major(), annual.major(), 0.02) << rate;
  }
}

TEST(Annuity, NominalAddsUpWithoutInterest) { EXPECT_EQ(nominal_total(usd(1000), usd(100), usd(200), 3), usd(1100)); }

// 168 h of a week / 40 h = 4.2; with 15 % leave 4.94.
TEST(Annuity, ASeatAroundTheClockTakesFourToFivePeople) {
  EXPECT_NEAR(people_per_24x7_seat(), 4.2, 1e-12);
  EXPECT_NEAR(people_per_24x7_seat(0.15), 4.94, 5e-3);
}

TEST(Annuity, NonsenseIsRefused) {
  EXPECT_THROW(capital_recovery_factor({.rate = -0.1, .years = 3}), std::invalid_argument);
  EXPECT_THROW(capital_recovery_factor({.rate = 0.1, .years = 0}), std::invalid_argument);
}

}  // namespace
}  // namespace fathom
