// The cases of the host on a small scale: that they measure something, say how, and check their data.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>

#include "cases/host_memory.h"
#include "cases/host_products.h"
#include "cases/network.h"
#include "cases/storage.h"
#include "harness/case_units.h"
#include "harness/contradictions.h"
#include "host/matmul_paths.h"
#include "input/content.h"
#include "support/fake_system.h"
#include "support/scratch_folder.h"
#include "support/tool_output.h"

namespace fathom::probe {
namespace {

HostRules quick() {
  return {.repeat = {.least = 3, .most = 3, .budget = Seconds(0), .warm_up = Seconds(0)},
          .last_level_cache = Bytes(1e6),
          .most_memory = Bytes(48e6),
          .threads = {1, 2}};
}

void expect_measured(const Result& r) {
  ASSERT_TRUE(r.figure) << r.name << ": " << r.why;
  EXPECT_GT(r.figure->median, 0) << r.name;
  EXPECT_EQ(unit_of(r), r.unit) << r.name;
  EXPECT_EQ(contradiction_in(r), "") << r.name;
  EXPECT_EQ(r.figure->samples, 3);
  EXPECT_TRUE(r.correctness->correct) << r.name << ": " << r.why;
  EXPECT_EQ(r.protocol.engine, "builtin");
  EXPECT_EQ(r.protocol.statistic, "median");
  EXPECT_FALSE(r.protocol.pattern.empty());
  EXPECT_FALSE(r.protocol.cache.empty());
}

TEST(HostCases, MemoryIsReadCopiedAndAddedByEveryNumberOfThreads) {
  const std::vector<Result> results = measure_host_memory(quick(), FakeSystem());
  ASSERT_EQ(results.size(), 6u);
  for (const Result& r : results) expect_measured(r);
  EXPECT_TRUE(find_twins(results).empty());
  EXPECT_EQ(results[3].shape.at("threads"), "2");
  EXPECT_EQ(results[5].name, "host.memory.triad");
}

TEST(HostCases, WithoutMemoryNothingIsMeasured) {
  HostRules rules = quick();
  rules.most_memory = Bytes(3e6);
  EXPECT_EQ(measure_host_memory(rules, FakeSystem()).at(0).status, Status::kNotRun);
  rules.last_level_cache = Bytes(1e9);
  rules.most_memory = Bytes(1e9);
  EXPECT_EQ(measure_host_gemv(rules, FakeSystem(), {host::Storage::kBf16}).at(0).status, Status::kNotRun);
}

TEST(HostCases, BuffersAreFourTimesTheCacheWhereThereIsRoom) {
  EXPECT_EQ(beyond_cache(Bytes(100e6), Bytes(1e9)), Bytes(400e6));
  EXPECT_EQ(beyond_cache(Bytes(100e6), Bytes(300e6)), Bytes(300e6));
  EXPECT_EQ(beyond_cache(Bytes(100e6), Bytes(199e6)), Bytes(0));
  EXPECT_EQ(beyond_cache(Bytes(0), Bytes(1e9)), Bytes(268435456));
}

TEST(HostCases, ACacheOfUnknownSizeIsSaidToBe) {
  HostRules rules = quick();
  EXPECT_EQ(cache_of(rules), std::string("beyond LLC"));
  rules.last_level_cache = Bytes(0);
  EXPECT_EQ(measure_host_memory(rules, FakeSystem()).at(0).protocol.cache, "LLC of unknown size");
}

TEST(HostCases, ProductsAreRightOnEveryInstructionSetAndFormat) {
  const std::vector<host::Storage> formats = {host::Storage::kBf16, host::Storage::kFp8Block128,
                                              host::Storage::kInt4G128, host::Storage::kFp32};
  const std::vector<Result> gemv = measure_host_gemv(quick(), FakeSystem(), formats);
  // The fastest path with one and two threads in every format; the others with two, in the first format.
  EXPECT_EQ(gemv.size(), 2 * formats.size() + host::matmul_paths().size() - 1);
  for (const Result& r : gemv) {
    expect_measured(r);
    EXPECT_EQ(r.unit, Unit::kBytesPerSecond);
  }
}

TEST(HostCases, StorageIsReadPastTheCacheOrSaysWhyNot) {
  const ScratchFolder folder;
  const StorageRules rules{
      .file = Bytes(64 * 1048576.0), .run = Seconds(0.4), .ramp = Seconds(0), .jobs = 1, .streams = 2};
  const std::vector<Result> results = measure_storage(rules, folder.path(), "ext4", FakeSystem());
  if (!results.front().figure) GTEST_SKIP() << "waived: " << results.front().why;
  ASSERT_EQ(results.size(), 2u);
  for (const Result& r : results) {
    EXPECT_EQ(r.protocol.engine, "builtin");
    EXPECT_TRUE(r.correctness->correct);
    EXPECT_EQ(unit_of(r), r.unit) << r.name;
    EXPECT_NE(r.status, Status::kIncorrect);
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path())) << "the file is removed";
}

TEST(HostCases, WhatIsNoStorageIsNotMeasured) {
  const ScratchFolder folder;
  EXPECT_EQ(measure_storage({}, folder.path(), "tmpfs", FakeSystem()).at(0).status, Status::kNotSupported);
  EXPECT_EQ(measure_storage({}, folder.path(), "overlay", FakeSystem()).at(0).status, Status::kNotSupported);
  EXPECT_EQ(measure_storage({}, folder.path() / "none", "ext4", FakeSystem()).at(0).status, Status::kUnknown);
  EXPECT_EQ(measure_storage({.file = Bytes(1e18)}, folder.path(), "ext4", FakeSystem()).at(0).status, Status::kUnknown);
}

TEST(HostCases, StorageGoesThroughFioWhereItIs) {
  const ScratchFolder folder;
  FakeSystem system;
  system.answers["fio --version"] = "fio-3.33\n";
  system.answers["fio --name=probe --unlink=1"] =  // its file goes whoever ends it
      text_of_file(std::filesystem::path(FATHOM_SOURCE_DIR) / "tests/data/tools/fio-3.33.json");
  const std::vector<Result> results = measure_storage({}, folder.path(), "ext4", system);
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[0].protocol.engine, "fio-3.33");
  system.answers["fio --name=probe --unlink=1"] = "fio: engine failed\n";
  EXPECT_THROW(measure_storage({}, folder.path(), "ext4", system), std::runtime_error) << "its case says so";
}

// The disk of a system whose /proc/diskstats grows by so many sectors with every look.
class CountingSystem : public FakeSystem {
 public:
  explicit CountingSystem(double bytes_each_time) : step_(bytes_each_time) {}
  std::optional<std::string> file(const std::string& path) const override {
    if (path == "/proc/self/mountinfo") return "36 35 259:3 / / rw - ext4 /dev/nvme0n1p3 rw\n";
    if (path != "/proc/diskstats") return std::nullopt;
    bytes_ += step_;
    return fmt::format(" 259 0 nvme0n1 1 0 9 5 0 0 0 0 0 5 5\n 259 3 nvme0n1p3 1 0 {:.0f} 5 0 0 0 0 0 5 5\n",
                       bytes_ / 512);
  }

 private:
  double step_;
  mutable double bytes_ = 0;
};

// fio's file says 71,824 operations/s of 4 KiB, for 5 s 1.47 GB.
TEST(HostCases, WhatTheDeviceDidNotReadWasAnsweredByACache) {
  const ScratchFolder folder;
  const auto cache = [&](double share) {
    const std::string said = text_of_file(std::filesystem::path(FATHOM_SOURCE_DIR) / "tests/data/tools/fio-3.33.json");
    FakeSystem quiet;
    quiet.answers = {{"fio --version", "fio-3.33\n"}, {"fio --name", said}};
    const Result known = measure_storage({}, folder.path(), "ext4", quiet).at(0);
    EXPECT_EQ(known.protocol.cache, "O_DIRECT") << "nobody counts";
    CountingSystem system(known.figure->median * 4096 * 5 * share);
    system.answers = quiet.answers;
    return measure_storage({}, folder.path(), "ext4", system).at(0).protocol.cache;
  };
  EXPECT_EQ(cache(1.2), kByDevice);
  EXPECT_EQ(cache(0.96), kByDevice);
  EXPECT_EQ(cache(0.94), kByCache);
  EXPECT_EQ(cache(0), kByCache);
}

// Readers of our own count what they asked for, the warm-up too.
TEST(HostCases, OurOwnReadersAreHeldAgainstTheDeviceToo) {
  const ScratchFolder folder;
  const StorageRules rules{
      .file = Bytes(64 * 1048576.0), .run = Seconds(0.2), .ramp = Seconds(0.1), .jobs = 1, .streams = 2};
  for (const auto& [bytes, cache] : {std::pair(1e15, kByDevice), std::pair(0.0, kByCache)}) {
    for (const Result& r : measure_storage(rules, folder.path(), "ext4", CountingSystem(bytes))) {
      if (!r.figure) GTEST_SKIP() << "waived: " << r.why;
      EXPECT_EQ(r.protocol.cache, cache);
    }
  }
}

TEST(HostCases, TheNetworkIsMeasuredBothWays) {
  FakeSystem system;
  EXPECT_EQ(measure_network({}, "node2", system).at(0).why, "iperf3 is not installed");
  const std::string own = text_of_file(std::filesystem::path(FATHOM_SOURCE_DIR) / "tests/data/tools/iperf-3.12.json");
  const std::string out = between_two_nodes(own);
  system.answers["iperf3 -J -c fd00::2 -P 8 -t 10 -O 3 -p 5999"] = out;
  system.answers["iperf3 -J -c node2 -P 8 -t 10 -O 3"] = out;
  const std::vector<Result> both = measure_network({}, "node2", system);
  ASSERT_EQ(both.size(), 2u);
  EXPECT_EQ(both[0].shape.at("direction"), "send");
  EXPECT_EQ(both[1].shape.at("direction"), "receive") << "though iperf3 does not say so";
  EXPECT_EQ(measure_network({}, "[fd00::2]:5999", system).size(), 2u);
  EXPECT_EQ(measure_network({}, "fd00::3", system).at(0).status, Status::kUnknown) << "asked for, and no iperf3";
  system.answers["iperf3 -J -c localhost"] = own;
  EXPECT_EQ(measure_network({}, "localhost", system).at(0).status, Status::kNotSupported);
}

}  // namespace
}  // namespace fathom::probe
