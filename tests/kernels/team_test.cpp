#include "host/team.h"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace fathom::host {
namespace {

using Range = std::pair<std::int64_t, std::int64_t>;

std::set<Range> ranges_of(Team& team, std::int64_t count, std::int64_t grain) {
  std::mutex mutex;
  std::set<Range> ranges;
  team.for_ranges(count, grain, [&](std::int64_t begin, std::int64_t end) {
    const std::lock_guard<std::mutex> lock(mutex);
    ranges.insert({begin, end});
  });
  return ranges;
}

TEST(Team, CoversEveryCountOnceInPartsOfWholeGrains) {
  for (int size = 1; size <= 5; ++size) {
    Team team(size);
    for (std::int64_t grain : {1, 4, 16}) {
      for (std::int64_t count = 0; count < 70; ++count) {
        std::int64_t next = 0;
        const std::set<Range> ranges = ranges_of(team, count, grain);
        ASSERT_LE(ranges.size(), static_cast<std::size_t>(size));
        for (const auto& [begin, end] : ranges) {
          ASSERT_EQ(begin, next);
          ASSERT_LT(begin, end);
          ASSERT_TRUE(end == count || (end - begin) % grain == 0);
          next = end;
        }
        ASSERT_EQ(next, count);
        ASSERT_EQ(ranges_of(team, count, grain), ranges) << "parts depend on count, grain and size only";
      }
    }
  }
}

// 10 items in grains of 4 are 3 units: two workers take 4 and 6.
TEST(Team, SharesByGrains) {
  Team team(2);
  EXPECT_EQ(ranges_of(team, 10, 4), (std::set<Range>{{0, 4}, {4, 10}}));
}

TEST(Team, RunsOneGrainOnTheCallersThread) {
  Team team(3);
  std::thread::id where;
  team.for_ranges(8, 8, [&](std::int64_t, std::int64_t) { where = std::this_thread::get_id(); });
  EXPECT_EQ(where, std::this_thread::get_id());
}

TEST(Team, CarriesResultsFromOneLoopToTheNext) {
  Team team(4);
  std::vector<std::int64_t> a(1000, 1), b(1000);
  for (int round = 0; round < 2000; ++round) {
    team.for_ranges(1000, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) b[i] = a[999 - i] + 1;  // written by another worker, plain memory
    });
    std::swap(a, b);
  }
  for (std::int64_t value : a) ASSERT_EQ(value, 2001);
}

TEST(Team, RethrowsAndWorksOn) {
  for (int size : {1, 4}) {
    Team team(size);
    for (int round = 0; round < 20; ++round) {
      EXPECT_THROW(team.for_ranges(100, 1,
                                   [&](std::int64_t begin, std::int64_t) {
                                     if (begin == 0 || round % 2 == 0) throw std::runtime_error("no");
                                   }),
                   std::runtime_error);
      std::atomic<std::int64_t> sum = 0;
      team.for_ranges(100, 1, [&](std::int64_t begin, std::int64_t end) { sum += end - begin; });
      ASSERT_EQ(sum, 100);
    }
  }
}

// A sharded run in one process has a team per rank: far more threads than cores, all of them in loops.
TEST(Team, FinishesWhenThreadsOutnumberCores) {
  std::vector<std::thread> ranks;
  std::atomic<std::int64_t> sum = 0;
  for (int rank = 0; rank < 8; ++rank) {
    ranks.emplace_back([&sum] {
      Team team(6);
      for (int round = 0; round < 200; ++round) {
        team.for_ranges(60, 1, [&](std::int64_t begin, std::int64_t end) { sum += end - begin; });
      }
    });
  }
  for (std::thread& rank : ranks) rank.join();
  EXPECT_EQ(sum, 8 * 200 * 60);
}

TEST(Team, OfOneOrLessIsTheCaller) {
  EXPECT_EQ(Team(0).size(), 1);
  EXPECT_EQ(Team(1).size(), 1);
}

TEST(HardwareThreads, AreAtLeastOneAndNoMoreThanTheMachineHas) {
  EXPECT_GE(hardware_threads(), 1);
  EXPECT_LE(hardware_threads(), static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace
}  // namespace fathom::host
