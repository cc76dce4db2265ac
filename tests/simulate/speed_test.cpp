// A minute of one core is what a simulation may take, however many requests or replicas.
#include <gtest/gtest.h>

#include <ctime>

#include "simulate/synthetic.h"

namespace fathom {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr std::int64_t kThinned = 20;
#else
constexpr std::int64_t kThinned = 1;
#endif
constexpr double kMinute = 60;

template <class Run>
double processor_seconds(Run run) {
  const std::clock_t begin = std::clock();
  run();
  return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}

TEST(SimulationSpeed, AMillionRequestsOnOneReplicaTakeLessThanAMinute) {
  const std::int64_t requests = 1'000'000 / kThinned;
  EXPECT_LT(processor_seconds([&] {
              EXPECT_EQ(simulate(poisson(synthetic_pool(linear_steps()), 40, requests, 512, 128)).finished, requests);
            }),
            kMinute);
}

TEST(SimulationSpeed, AThousandReplicasTakeLessThanAMinute) {
  const std::int64_t requests = 100'000 / kThinned;
  ServingPool pool = synthetic_pool(linear_steps());
  pool.replicas = 1000;
  EXPECT_LT(
      processor_seconds([&] { EXPECT_EQ(simulate(poisson(pool, 20'000, requests, 512, 128)).finished, requests); }),
      kMinute);
}

}  // namespace
}  // namespace fathom
