// The harness and the cases that need no tensor cores, on an emulated device: what a result carries, and that wrong data is seen.
#include <gtest/gtest.h>

#include <algorithm>

#include "executor/cuda/emulated/launches.h"
#include "gpu_cases/cuda/emulated/faults.h"
#include "gpu_cases/gpu_cases.h"
#include "harness/case_units.h"
#include "harness/contradictions.h"

namespace fathom::probe {
namespace {

constexpr std::size_t kFree = std::size_t{16} << 20;

class EmulatedCases : public testing::Test {
 protected:
  EmulatedCases() {
    emulated::free_bytes = kFree;
    cards_.push_back(std::make_unique<Card>(0, std::nullopt));
  }
  ~EmulatedCases() override {
    emulated::faults = {};
    emulated::copies_lose_a_byte = false;
  }

  static GpuRules brief() {
    return {.figure = Seconds(0),
            .point = Seconds(0),
            .settle = Seconds(0),
            .settle_products = Seconds(0),
            .most_settle = Seconds(0.01)};
  }

  static const Result& find(const std::vector<Result>& results, const std::string& name) {
    const auto found = std::find_if(results.begin(), results.end(), [&](const Result& r) { return r.name == name; });
    if (found == results.end()) throw std::runtime_error(name + " is missing");
    return *found;
  }

  Cards cards_;
};

TEST_F(EmulatedCases, MemoryHasFiguresWithTheirProtocol) {
  const std::vector<Result> results = measure_gpu_memory(cards_, brief());
  const Result& read = find(results, "gpu.memory.read");
  EXPECT_EQ(read.device, "gpu0");
  EXPECT_TRUE(has_data(read.status)) << read.why;
  EXPECT_EQ(read.shape.at("bytes"), std::to_string(kFree / 8));
  EXPECT_EQ(read.protocol.engine, "builtin");
  EXPECT_EQ(read.protocol.launch, "graph");
  EXPECT_EQ(read.protocol.statistic, "median");
  EXPECT_GE(read.protocol.repeats, 9);
  EXPECT_FALSE(read.protocol.power) << "nobody watched";
  EXPECT_EQ(find(results, "gpu.memory.copy").protocol.launch, "eager, held");
  for (const Result& r : results) {
    EXPECT_TRUE(r.correctness && r.correctness->correct) << r.name;
    EXPECT_EQ(unit_of(r), r.unit) << r.name;
  }
  EXPECT_TRUE(find_twins(results).empty());
}

TEST_F(EmulatedCases, AReadThatMissesAWordIsWrong) {
  emulated::faults.reads_miss_a_word = true;
  EXPECT_EQ(find(measure_gpu_memory(cards_, brief()), "gpu.memory.read").status, Status::kIncorrect);
}

TEST_F(EmulatedCases, AWriteThatMissesAWordIsWrong) {
  emulated::faults.writes_miss_a_word = true;
  EXPECT_EQ(find(measure_gpu_memory(cards_, brief()), "gpu.memory.write").status, Status::kIncorrect);
}

TEST_F(EmulatedCases, ACopyThatLosesAByteIsWrong) {
  emulated::copies_lose_a_byte = true;
  EXPECT_EQ(find(measure_gpu_memory(cards_, brief()), "gpu.memory.copy").status, Status::kIncorrect);
}

TEST_F(EmulatedCases, LostLaunchesAreCounted) {
  EXPECT_TRUE(find(measure_gpu_launch(cards_, brief()), "gpu.launch.eager").correctness->correct);
  emulated::faults.launches_are_lost = true;
  EXPECT_EQ(find(measure_gpu_launch(cards_, brief()), "gpu.launch.eager").status, Status::kIncorrect);
}

TEST_F(EmulatedCases, ACardAloneHasNoPeer) {
  const std::vector<Result> results = measure_gpu_peers(cards_, brief());
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].status, Status::kNotSupported);
  EXPECT_EQ(results[0].device, "gpu0");
}

// A sample has the runs that were asked for, whatever a run takes, and the runs are numbered.
TEST_F(EmulatedCases, ASampleHasItsLeastRuns) {
  std::vector<int> seen;
  const CardBody body = [&](const cuda::Launch&, int run) { seen.push_back(run); };
  CardRules rules{.repeat = brief().repeat(), .least_runs = 7, .launches = Launches::kEager};
  rules.repeat.least_sample = Seconds(0);
  const TimedOnCard timed = time_on_card(*cards_[0], rules, body);
  EXPECT_GE(timed.repeated.seconds.size(), 9u);
  EXPECT_EQ(*std::max_element(seen.begin(), seen.end()), 6);
  EXPECT_EQ(seen.back(), 6);
  EXPECT_EQ(timed.last_run, 6) << "whose output is checked";
}

TEST_F(EmulatedCases, AFailureIsAResultOfItsCard) {
  const auto fails = [](Card&) -> std::vector<Result> { throw std::runtime_error("planted"); };
  const std::vector<Result> results = on_every_card(cards_, "gpu.invented", fails);
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].status, Status::kUnknown);
  EXPECT_EQ(results[0].why, "planted");
  EXPECT_EQ(results[0].device, "gpu0");
}

// Zeros would be no data; copies that leave the cache are three times its size.
TEST_F(EmulatedCases, OperandsTakeTurnsUntilTheyLeaveTheCache) {
  const std::size_t cache = cards_[0]->second_level_cache();
  EXPECT_EQ(copies_beyond_cache(*cards_[0], cache), 4);
  EXPECT_EQ(copies_beyond_cache(*cards_[0], 10 * cache), 2);
  EXPECT_EQ(cache_of(*cards_[0], cache, 4), "beyond L2");
  EXPECT_EQ(cache_of(*cards_[0], cache, 2), "partly in L2");
}

}  // namespace
}  // namespace fathom::probe
