#include "availability/k_of_n.h"

#include <gtest/gtest.h>

#include <numeric>
#include <stdexcept>

namespace fathom {
namespace {

double per_repair(double failures_per_1000_node_days, double mttr_hours) {
  return failures_per_1000_node_days / 1000 * mttr_hours / 24;
}

double markov(int k, int n, double mttr_hours) {
  return at_least(repaired(n, {.failures_per_repair = per_repair(6.5, mttr_hours), .crews = 1}), k);
}

TEST(KOfN, NinesAreHoursPerYear) {
  EXPECT_NEAR(downtime_per_year(0.999) / Seconds(3600), 8.76, 1e-9);
  EXPECT_NEAR(downtime_per_year(0.9995) / Seconds(3600), 4.38, 1e-9);
  EXPECT_NEAR(steady_availability(99_hours, 1_hours), 0.99, 1e-12);
}

// Three of four by hand at 0.9: 0.9^4 + 4*0.9^3*0.1 = 0.6561 + 0.2916.
TEST(KOfN, MatchesTheBinomialByHand) { EXPECT_NEAR(k_of_n(3, 4, 0.9), 0.9477, 1e-12); }

// A model over 76 homes with two spares, by the availability of one home; and the spares that 99.95 % would take.
TEST(KOfN, SeventySixHomesNeedMoreThanTwoSpares) {
  struct Case {
    double up, with_two;
    int spares;
  };
  for (const Case& c : {Case{.95, .24565, 12}, Case{.98, .79480, 7}, Case{.99, .95627, 5}, Case{.995, .99281, 4},
                        Case{.999, .99993, 2}}) {
    EXPECT_NEAR(k_of_n(76, 78, c.up), c.with_two, 5e-6) << c.up;
    EXPECT_EQ(spares_for(76, c.up, 0.9995), c.spares) << c.up;
  }
}

// One pool of 1,000 homes at 98 %: 12 replicas of 76 are 912 homes, 13 are 988 against a mean of 980.
TEST(KOfN, AThousandHomesHoldTwelveReplicasNotThirteen) {
  EXPECT_NEAR(k_of_n(912, 1000, 0.98), 1.0, 1e-9);
  EXPECT_NEAR(k_of_n(988, 1000, 0.98), 0.037605, 5e-7);
}

// Ten nodes at 6.5 failures per 1,000 node-days (Meta RSC-1), one crew, by hours to repair.
TEST(Repair, MatchesTheMarkovChainByMeanTimeToRepair) {
  EXPECT_NEAR(markov(10, 11, 24), 0.995416, 5e-7);
  EXPECT_NEAR(markov(10, 12, 24), 0.9996449, 5e-8);
  EXPECT_NEAR(markov(10, 11, 2.2), 0.999961, 5e-7);
  EXPECT_NEAR(markov(10, 11, 120), 0.89369, 5e-6);
  EXPECT_NEAR(markov(10, 12, 120), 0.9604506, 5e-8);
}

// The same ten nodes without spares and with a crew for each: (1 / (1 + lambda/mu))^10. A queue for one crew is worse.
TEST(Repair, AllTenNodesAreUpLessOftenThanOneMightThink) {
  EXPECT_NEAR(k_of_n(10, 10, 1 / (1 + per_repair(6.5, 24))), 0.93726, 5e-6);
  EXPECT_NEAR(k_of_n(10, 10, 1 / (1 + per_repair(6.5, 2.2))), 0.99406, 5e-6);
  EXPECT_NEAR(k_of_n(10, 10, 1 / (1 + per_repair(6.5, 120))), 0.72627, 5e-6);
  EXPECT_LT(markov(10, 10, 120), 0.72627);
}

// With a crew for everybody the chain is the binomial with A = 1/(1 + lambda/mu).
TEST(Repair, ManyCrewsAreIndependentRepairs) {
  const double ratio = 0.03;
  EXPECT_NEAR(at_least(repaired(40, {.failures_per_repair = ratio, .crews = 40}), 38), k_of_n(38, 40, 1 / (1 + ratio)),
              1e-12);
}

// 84 homes at 98 %, 76 needed: in four buildings whose switches are up 99.9 %, and one per building.
TEST(Domains, SpreadingOverBuildingsMattersMoreThanSpares) {
  EXPECT_NEAR(at_least(pooled(spread_over_domains(84, 21, 0.999), 0.98), 76), 0.99596, 5e-6);
  EXPECT_NEAR(at_least(pooled(spread_over_domains(84, 1, 0.999), 0.98), 76), 0.99993, 5e-6);
}

// Two domains of two by hand, members up 0.9, domains up 0.8: each gives 0 with 0.2 + 0.8 * 0.01 = 0.208, 1 with
// 0.8 * 0.18 = 0.144, 2 with 0.8 * 0.81 = 0.648; a third domain with one member gives 0 with 0.28, 1 with 0.72.
TEST(Domains, EqualOnesAreSummedAtOnceAndOthersOnTop) {
  const Distribution two = pooled(spread_over_domains(4, 2, 0.8), 0.9);
  EXPECT_NEAR(two[0], 0.208 * 0.208, 1e-12);
  EXPECT_NEAR(two[2], 2 * 0.208 * 0.648 + 0.144 * 0.144, 1e-12);
  EXPECT_NEAR(two[4], 0.648 * 0.648, 1e-12);
  const Distribution three = pooled(spread_over_domains(5, 2, 0.8), 0.9);
  EXPECT_NEAR(three[0], 0.208 * 0.208 * 0.28, 1e-12);
  EXPECT_NEAR(three[5], 0.648 * 0.648 * 0.72, 1e-12);
}

// The mean of what is up is n times both shares, whatever the size of the domains.
TEST(Domains, TenMillionNodesKeepTheirMean) {
  for (const int per_domain : {2, 20, 7001, 6'000'000}) {
    const Distribution up = pooled(spread_over_domains(10'000'000, per_domain, 0.999), 0.98);
    double mean = 0;
    for (std::size_t i = 0; i < up.size(); ++i) mean += up[i] * static_cast<double>(i);
    EXPECT_NEAR(mean / 1e7, 0.999 * 0.98, 1e-9) << per_domain;
  }
}

TEST(Domains, PerfectDomainsChangeNothing) {
  EXPECT_NEAR(at_least(pooled(spread_over_domains(84, 21, 1), 0.98), 80), k_of_n(80, 84, 0.98), 1e-12);
}

TEST(KOfN, DistributionsSumToOne) {
  for (const Distribution& d : {binomial(1000, 0.98), repaired(1000, {.failures_per_repair = 0.5, .crews = 3}),
                                pooled(spread_over_domains(1000, 20, 0.99), 0.97)}) {
    EXPECT_NEAR(std::accumulate(d.begin(), d.end(), 0.0), 1, 1e-9);
  }
}

TEST(KOfN, MoreSparesNeverLowerAvailability) {
  for (int spares = 0; spares < 20; ++spares) {
    EXPECT_LE(k_of_n(76, 76 + spares, 0.97), k_of_n(76, 77 + spares, 0.97));
    EXPECT_LE(markov(10, 10 + spares, 48), markov(10, 11 + spares, 48) + 1e-12);
  }
}

TEST(KOfN, EdgesAreExact) {
  EXPECT_EQ(k_of_n(0, 5, 0.1), 1);
  EXPECT_EQ(k_of_n(6, 5, 0.9), 0);
  EXPECT_EQ(k_of_n(5, 5, 1), 1);
  EXPECT_EQ(k_of_n(1, 5, 0), 0);
  EXPECT_THROW(k_of_n(1, 2, 1.5), std::invalid_argument);
  EXPECT_THROW(repaired(3, {.failures_per_repair = 0.1, .crews = 0}), std::invalid_argument);
}

}  // namespace
}  // namespace fathom
