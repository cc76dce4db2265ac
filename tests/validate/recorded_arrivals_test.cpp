// What docs/measurements/arrivals.sh found on one H200 and on 16 threads: requests that came by the clock, simulated again from the plan that
// was made with the machine's profile, against what was served.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "compare/arrivals.h"
#include "plan/read_plan.h"
#include "validate/arriving_requests.h"

namespace fathom {
namespace {

using Json = nlohmann::json;

const std::filesystem::path kMeasurements = FATHOM_SOURCE_DIR "/docs/measurements";

// Beside requests that were answered at made-up times: only what is simulated counts.
std::vector<ComparedTimes> simulated(const SavedPlan& plan, const Json& served) {
  const SavedPool& pool = plan.pools.front();
  const ServingPool replica = replica_to_serve(plan, pool, std::nullopt);
  ArrivalPlan arrivals{.kind = Arrivals::kPoisson, .requests = served["run"]["requests"]};
  const std::string how = served["arrivals"];  // "Poisson, 5.922 requests/s"
  arrivals.requests_per_s = std::stod(how.substr(how.find(',') + 1));
  const RequestTrace requests = arriving_requests(replica, plan.asked, arrivals, served["seed"]);
  ServedRun run;
  for (const SimulatedRequest& r : requests.requests) {
    run.requests.push_back({.arrival = r.arrival, .input = r.input, .token_times = {r.arrival + 1, r.arrival + 2}});
  }
  return compare_arrivals(plan, pool, replica, requests, run, 0.1, std::nullopt).times;
}

class RecordedArrivals : public testing::TestWithParam<const char*> {};

TEST_P(RecordedArrivals, AreAsSimulatedAtThreeLoads) {
  const std::filesystem::path folder = kMeasurements / GetParam();
  const SavedPlan plan = read_plan(folder / "plan.json");
  for (const std::string share : {"30", "60", "85"}) {
    const Json served = Json::parse(std::ifstream(folder / ("load-" + share + ".json")));
    for (const ComparedTimes& times : simulated(plan, served)) {
      if (!times.judged) continue;
      SCOPED_TRACE(share + " %, " + times.key);
      const Json& found = served[times.key + "_s"]["measured"];
      EXPECT_EQ(found["count"], times.predicted.count);
      EXPECT_NEAR(found["p50"].get<double>() / times.predicted.p50.value, 1, 0.10);
      EXPECT_NEAR(found["p99"].get<double>() / times.predicted.p99.value, 1, 0.20);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Machines, RecordedArrivals,
                         testing::Values("2026-11-22-cuda-arrivals-h200", "2026-11-23-host-arrivals-16-threads"));

}  // namespace
}  // namespace fathom
