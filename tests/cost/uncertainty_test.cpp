#include "cost/uncertainty.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace fathom {
namespace {

std::size_t at(Driver driver) { return static_cast<std::size_t>(driver); }

// The reference cluster: 3.69 M USD of hardware with 20 % left after three years at 8 %, 575 MWh at 0.088 USD.
CostModel model() {
  CostModel m{.drivers = {}, .residual_share = 0.2, .term = {.rate = 0.08, .years = 3}};
  m.drivers[at(Driver::kHardware)] = {.low = 2'950'080, .likely = 3'687'600, .high = 4'425'120};
  m.drivers[at(Driver::kElectricityPrice)] = {.low = 0.06, .likely = 0.088, .high = 0.176};
  m.drivers[at(Driver::kEnergy)] = {.low = 575'094, .likely = 575'094, .high = 575'094};
  m.drivers[at(Driver::kSoftware)] = {.low = 83'333.33, .likely = 83'333.33, .high = 83'333.33};
  m.drivers[at(Driver::kPeopleAndSpace)] = {.low = 194'444.45, .likely = 194'444.45, .high = 416'666.67};
  m.drivers[at(Driver::kUtilisation)] = {.low = 0.3, .likely = 0.5, .high = 0.8};
  m.drivers[at(Driver::kThroughput)] = {.low = 20'000, .likely = 28'400, .high = 30'000};
  return m;
}

// Low 0, mode 1, high 4: F(1) = 1/4; F^-1(0.25) = 1; F^-1(1/16) = sqrt(1/16 * 4 * 1) = 0.5.
TEST(Triangular, InvertsTheDistribution) {
  const Triangle t{.low = 0, .likely = 1, .high = 4};
  EXPECT_NEAR(triangular(t, 0), 0, 1e-12);
  EXPECT_NEAR(triangular(t, 0.0625), 0.5, 1e-12);
  EXPECT_NEAR(triangular(t, 0.25), 1, 1e-12);
  EXPECT_NEAR(triangular(t, 1), 4, 1e-12);
  EXPECT_EQ(triangular({.low = 7, .likely = 7, .high = 7}, 0.3), 7);
}

TEST(CostModel, TheLikelyOutcomeIsTheAnnualTotal) {
  const CostOutcome outcome = cost_outcome(model(), likely_values(model()));
  EXPECT_NEAR(outcome.annual, 1'532'117.56, 0.02);
  EXPECT_NEAR(outcome.mtok_output, 3.42, 5e-3);
}

// Hardware -20 % moves the total by -15.7 %, electricity x2 by +3.3 %, staff x3 (111,111 to 333,333) by +14.5 %.
TEST(Tornado, OneAtATime) {
  const double total = cost_outcome(model(), likely_values(model())).annual;
  for (const TornadoRow& row : tornado(model())) {
    if (row.driver == Driver::kHardware) {
      EXPECT_NEAR(row.annual_low / total - 1, -0.157, 5e-4);
    }
    if (row.driver == Driver::kElectricityPrice) {
      EXPECT_NEAR(row.annual_high / total - 1, 0.033, 5e-4);
    }
    if (row.driver == Driver::kPeopleAndSpace) {
      EXPECT_NEAR(row.annual_high / total - 1, 0.145, 5e-4);
    }
  }
}

TEST(Tornado, TheWidestSwingComesFirstAndFixedInputsAreLeftOut) {
  const std::vector<TornadoRow> rows = tornado(model());
  ASSERT_EQ(rows.size(), 5u);  // energy and software have no range
  EXPECT_EQ(rows.front().driver, Driver::kUtilisation);
  for (std::size_t i = 1; i < rows.size(); ++i) {
    EXPECT_GE(std::abs(rows[i - 1].mtok_high - rows[i - 1].mtok_low), std::abs(rows[i].mtok_high - rows[i].mtok_low));
  }
}

TEST(MonteCarlo, TheSameSeedDrawsTheSameNumbers) {
  const MonteCarlo a = monte_carlo(model());
  const MonteCarlo b = monte_carlo(model());
  EXPECT_EQ(a.draws, 10'000);
  EXPECT_EQ(a.annual.p50, b.annual.p50);
  EXPECT_EQ(a.mtok_output.p90, b.mtok_output.p90);
  EXPECT_NE(monte_carlo(model(), 10'000, 2).annual.p50, a.annual.p50);
}

TEST(MonteCarlo, PercentilesLieInOrderWithinTheBand) {
  const MonteCarlo result = monte_carlo(model());
  const CostBand band = cost_band(model());
  EXPECT_LT(band.low.annual, result.annual.p10);
  EXPECT_LT(result.annual.p10, result.annual.p50);
  EXPECT_LT(result.annual.p50, result.annual.p90);
  EXPECT_LT(result.annual.p90, band.high.annual);
  EXPECT_LT(band.low.mtok_output, result.mtok_output.p10);
  EXPECT_LT(result.mtok_output.p90, band.high.mtok_output);
}

// One driver alone: hardware 0 to 2 around 1 for one year without interest. P10 = sqrt(0.1 * 2 * 1), P50 = 1.
TEST(MonteCarlo, ConvergesToTheTriangle) {
  CostModel one{.drivers = {}, .term = {.rate = 0, .years = 1}};
  one.drivers[at(Driver::kHardware)] = {.low = 0, .likely = 1, .high = 2};
  const MonteCarlo result = monte_carlo(one, 100'000);
  EXPECT_NEAR(result.annual.p10, 0.4472, 0.01);
  EXPECT_NEAR(result.annual.p50, 1, 0.01);
  EXPECT_NEAR(result.annual.p90, 2 - 0.4472, 0.01);
}

TEST(MonteCarlo, NeedsADraw) { EXPECT_THROW(monte_carlo(model(), 0), std::invalid_argument); }

TEST(Spread, WeakerSourcesMayBeFurtherOff) {
  double before = 0;
  for (Confidence c : {Confidence::kMeasured, Confidence::kDatasheet, Confidence::kDerived, Confidence::kReported,
                       Confidence::kStated, Confidence::kAssumed}) {
    EXPECT_GE(default_spread(c), before);
    before = default_spread(c);
  }
}

}  // namespace
}  // namespace fathom
