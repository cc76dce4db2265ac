#include "harness/result.h"

#include <gtest/gtest.h>

#include <cmath>

#include "harness/repeat.h"

namespace fathom::probe {
namespace {

Result measured(const std::vector<double>& samples, Unit unit = Unit::kBytesPerSecond) {
  Result result = without_figure("gpu.memory.read", "gpu0", Status::kNotRun, "");
  result.unit = unit;
  sum_up(result, samples);
  return result;
}

TEST(ProbeResult, ZerosAreNoData) {
  for (const std::vector<double>& samples :
       {std::vector<double>{}, {0, 0, 0}, {1, 2, 0}, {1, -1}, {1, std::nan("")}, {1, INFINITY}}) {
    const Result result = measured(samples);
    EXPECT_EQ(result.status, Status::kImplausible);
    EXPECT_EQ(result.why, "zeros are no data");
    EXPECT_FALSE(result.figure);
  }
}

TEST(ProbeResult, AbsurdFiguresAreNone) {
  EXPECT_EQ(measured({1e9, 1e30}).status, Status::kImplausible);
  EXPECT_FALSE(measured({1e30}).figure);
}

TEST(ProbeResult, SamplesThatScatterOrDriftAreUnstable) {
  EXPECT_EQ(measured({100, 101, 100, 99, 100, 101, 100, 99}).status, Status::kPassed);
  EXPECT_EQ(measured({100, 80, 120, 90, 110, 130, 70, 100}).status, Status::kUnstable);
  std::vector<double> steps(40, 100);
  steps[38] = steps[39] = 80;  // two of the last five: their median has not moved
  EXPECT_EQ(measured(steps).status, Status::kPassed);
  steps[37] = 80;
  EXPECT_EQ(measured(steps).status, Status::kUnstable);
}

TEST(ProbeResult, NothingIsFasterThanTheHardware) {
  const Peak peak{.value = 100, .source = "a data sheet"};
  Result at_the_edge = measured({101.9});
  hold_against(at_the_edge, peak);
  EXPECT_EQ(at_the_edge.status, Status::kPassed);
  Result beyond = measured({102.1});
  hold_against(beyond, peak);
  EXPECT_EQ(beyond.status, Status::kImplausible);
  EXPECT_NE(beyond.why.find("a data sheet"), std::string::npos);
  hold_against(at_the_edge, std::nullopt);
  EXPECT_EQ(at_the_edge.status, Status::kPassed);
}

TEST(ProbeResult, ATimeIsImpossibleWhenItIsTooShort) {
  const Peak shortest{.value = 1e-3, .source = "links"};
  Result fast = measured({0.9e-3}, Unit::kTime), slow = measured({2e-3}, Unit::kTime);
  hold_against(fast, shortest);
  hold_against(slow, shortest);
  EXPECT_EQ(fast.status, Status::kImplausible);
  EXPECT_EQ(slow.status, Status::kPassed);
}

TEST(ProbeResult, EveryStatusHasAWord) {
  const std::vector<std::string> words = status_words();
  EXPECT_EQ(words.size(), static_cast<std::size_t>(kLastStatus) + 1);
  EXPECT_EQ(words.back(), "unknown");
  for (const std::string& word : words) EXPECT_FALSE(word.empty());
}

// A clock that moves by `step` per look and by `body` per run.
struct FakeClock {
  double time = 0;
  double run = 1e-3;
  Now now() {
    return [this] { return time; };
  }
  std::function<void()> body() {
    return [this] { time += run; };
  }
};

TEST(Repeat, EndsWhenTheMedianIsKnown) {
  FakeClock clock;
  const Repeated timed = repeat({.budget = Seconds(100), .warm_up = Seconds(0.01)}, clock.now(), clock.body());
  EXPECT_EQ(timed.seconds.size(), 30u);  // all alike: settled as soon as there are enough
  EXPECT_EQ(timed.warm_up_runs, 10);
}

TEST(Repeat, TakesTheLeastSamplesEvenWithoutTime) {
  FakeClock clock{.run = 5};
  const Repeated timed = repeat({.least = 7, .budget = Seconds(0.1)}, clock.now(), clock.body());
  EXPECT_EQ(timed.seconds.size(), 7u);
  EXPECT_DOUBLE_EQ(timed.seconds.front(), 5);
}

TEST(Repeat, MakesASampleOfManyShortRuns) {
  FakeClock clock{.run = 1e-6};
  const Repeated timed = repeat({.budget = Seconds(1), .warm_up = Seconds(1e-5), .least_sample = Seconds(2e-4)},
                                clock.now(), clock.body());
  EXPECT_NEAR(timed.seconds.front(), 1e-6, 1e-9);
  EXPECT_GE(clock.time, 30 * 2e-4);
}

}  // namespace
}  // namespace fathom::probe
