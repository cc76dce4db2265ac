// What the probe measures with: numbers that are known, loops that see every byte, products that are right, a latch that holds.
#include <algorithm>
#include <chrono>
#include <numeric>

#include "cuda/gemm_proposals.h"
#include "cuda/memory_loops.h"
#include "cuda/random_numbers.h"
#include "cuda/start_latch.h"
#include "on_device.h"

namespace fathom::cuda {
namespace {

constexpr std::size_t kBytes = 5 * kMemoryPart;

using Sum = OnDevice<unsigned long long>;

TEST(CudaRandomNumbers, AreTheSameEveryTimeAndOthersForAnotherSeed) {
  const OnDevice<std::uint32_t> a(1000), b(1000), c(1000);
  fill_random({}, a.data(), a.bytes(), 0xffff, 0, 5);
  fill_random({}, b.data(), b.bytes(), 0xffff, 0, 5);
  fill_random({}, c.data(), c.bytes(), 0xffff, 0, 1u << 20);
  EXPECT_EQ(a.values(), b.values());
  EXPECT_NE(a.values(), c.values());
}

TEST(CudaRandomNumbers, KeepMaskAndBase) {
  const OnDevice<std::uint16_t> a(1000);
  fill_random({}, a.data(), a.bytes(), 0x0070, 0x3f80);
  for (const std::uint16_t v : a.values()) EXPECT_EQ(v & ~0x70, 0x3f80);
}

TEST(CudaRandomNumbers, AWrongWordIsCounted) {
  const OnDevice<std::uint32_t> a(100'000);
  const Sum others(1);
  fill_random({}, a.data(), a.bytes(), 0xffff, 0, 9);
  for (const std::uint32_t planted : {0u, 1u}) {
    if (planted != 0) ok(cudaMemcpy(a.data() + 77'777, &planted, sizeof planted, cudaMemcpyHostToDevice));
    others.clear();
    count_others({}, a.data(), a.bytes(), 9, others.data());
    EXPECT_EQ(others.values()[0], planted);
  }
}

TEST(CudaRandomNumbers, NormalOnesAreNormal) {
  constexpr std::size_t kCount = 1 << 20;
  const OnDevice<float> a(kCount);
  fill_normal({}, a.data(), kCount, NumberType::kFp32, 3);
  double sum = 0, squares = 0;
  for (const float v : a.values()) {
    sum += v;
    squares += static_cast<double>(v) * v;
  }
  EXPECT_NEAR(sum / kCount, 0, 5e-3);
  EXPECT_NEAR(squares / kCount, 1, 1e-2);
  const OnDevice<std::uint16_t> b(kCount);
  fill_normal({}, b.data(), kCount, NumberType::kBf16, 3);
  EXPECT_LT(distance(widened(b.values()), a.values()), 3e-3);  // the same, rounded
}

TEST(CudaMemoryLoops, ReadEveryWordWithEveryGrid) {
  const OnDevice<std::uint8_t> memory(kBytes);
  fill_random({}, memory.data(), kBytes, 0xffff, 0, 4);
  const Sum sums(2);
  for (const int blocks : {0, 1, 8}) {
    for (const int loads : {4, 8}) {
      sums.clear();
      read_memory({}, {blocks, loads}, memory.data(), kBytes, 3, sums.data());
      sum_random({}, kBytes, 4, sums.data() + 1);
      const auto got = sums.values();
      EXPECT_EQ(got[0], 3 * got[1]) << blocks << " blocks, " << loads << " loads";
    }
  }
}

TEST(CudaMemoryLoops, WriteEveryWordAndNoOther) {
  for (const int blocks : {0, 1, 8}) {
    const OnDevice<std::uint32_t> memory(kBytes / 4 + 8);
    write_memory({}, {blocks, 4}, memory.data(), kBytes, 0x12345678u);
    const auto got = memory.values();
    EXPECT_EQ(std::count(got.begin(), got.end(), 0x12345678u), static_cast<std::ptrdiff_t>(kBytes / 4));
    EXPECT_EQ(got.back(), 0xffffffffu);
  }
}

// Every proposal, of every type that the device has.
TEST(CudaGemmProposals, AreRight) {
  constexpr std::int64_t kRows = 128, kCols = 256, kTokens = 64;
  const OnDevice<std::uint8_t> workspace(std::size_t{32} << 20);
  const OnDevice<float> w(kRows * kCols), x(kTokens * kCols), y(kTokens * kRows);
  fill_normal({}, w.data(), kRows * kCols, NumberType::kFp32, 1);
  fill_normal({}, x.data(), kTokens * kCols, NumberType::kFp32, 1u << 20);
  const auto a = w.values(), b = x.values();
  std::vector<float> wanted;
  for (std::int64_t t = 0; t < kTokens; ++t) {
    for (std::int64_t r = 0; r < kRows; ++r) {
      wanted.push_back(std::inner_product(&a[r * kCols], &a[r * kCols] + kCols, &b[t * kCols], 0.0f));
    }
  }
  const GemmProposals proposals(NumberType::kFp32, kRows, kCols, kTokens, workspace.data(), workspace.bytes());
  ASSERT_GT(proposals.count(), 0);
  for (int i = 0; i < proposals.count(); ++i) {
    y.poison();
    proposals.run(i, w.data(), x.data(), y.data(), nullptr);
    EXPECT_LT(distance(y.values(), wanted), 2e-3) << "proposal " << i << ", algorithm " << proposals.algorithm(i);
  }
}

// What is behind it starts when the gate opens, and also when nobody opens it.
TEST(CudaStartLatch, HoldsUntilItIsOpened) {
  void* memory = nullptr;
  ok(cudaMallocHost(&memory, sizeof(std::uint32_t)));
  auto* gate = static_cast<volatile std::uint32_t*>(memory);
  *gate = 6;
  const OnDevice<std::uint32_t> launches(1);
  launches.clear();
  start_latch({}, gate, 7, 5'000'000'000);
  do_nothing({}, launches.data());
  cudaEvent_t after;
  ok(cudaEventCreate(&after));
  ok(cudaEventRecord(after, nullptr));
  EXPECT_EQ(cudaEventQuery(after), cudaErrorNotReady);
  *gate = 7;
  EXPECT_EQ(launches.values()[0], 1u);

  const auto begin = std::chrono::steady_clock::now();
  start_latch({}, gate, 8, 20'000'000);
  ok(cudaDeviceSynchronize());
  const std::chrono::duration<double> waited = std::chrono::steady_clock::now() - begin;
  EXPECT_GE(waited.count(), 0.019);
  EXPECT_LT(waited.count(), 2);
  cudaEventDestroy(after);
  cudaFreeHost(memory);
}

}  // namespace
}  // namespace fathom::cuda
