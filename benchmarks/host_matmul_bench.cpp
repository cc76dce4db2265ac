// How close y = x W^T comes to what the processor can do, on all its cores. One token: the share of the memory
// bandwidth that the same run measures by only reading; goals: bf16 70 %, four bits 55 %. More tokens: GFLOP/s.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <vector>

#include "host/matrix.h"
#include "host/team.h"

namespace fathom::host {
namespace {

using Words = std::vector<std::uint64_t>;

Team& team() {
  static Team all(hardware_threads());
  return all;
}

std::uint64_t mixed(std::uint64_t x) {  // splitmix64
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
  x = (x ^ x >> 27) * 0x94d049bb133111ebu;
  return x ^ x >> 31;
}

// Random bits in `mask`, the others from `base`: never zeros, which a memory or a cache might fold.
Words random_words(std::size_t bytes, std::uint64_t mask, std::uint64_t base) {
  Words words((bytes + 7) / 8);
  team().for_ranges(static_cast<std::int64_t>(words.size()), 4096, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) words[i] = (mixed(static_cast<std::uint64_t>(i)) & mask) | base;
  });
  return words;
}

double seconds_of(const auto& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

std::uint64_t sum(const std::uint64_t* words, std::int64_t count) {
  using Eight = std::uint64_t __attribute__((vector_size(64), aligned(8)));
  Eight sums[2] = {};
  for (std::int64_t i = 0; i + 16 <= count; i += 16) {
    sums[0] += *reinterpret_cast<const Eight*>(words + i);
    sums[1] += *reinterpret_cast<const Eight*>(words + i + 8);
  }
  std::uint64_t total = 0;
  for (int lane = 0; lane < 8; ++lane) total += sums[0][lane] + sums[1][lane];
  return total;
}

// Bytes per second of all cores that only read 1 GiB; every call tries five times more, the best so far counts.
double read_bandwidth() {
  static const Words words = random_words(std::size_t{1} << 30, ~std::uint64_t{0}, 0);
  static double best = 0;
  for (int pass = 0; pass < 5; ++pass) {
    std::atomic<std::uint64_t> total = 0;
    const double seconds = seconds_of([&] {
      team().for_ranges(static_cast<std::int64_t>(words.size()), 4096,
                        [&](std::int64_t begin, std::int64_t end) { total += sum(&words[begin], end - begin); });
    });
    benchmark::DoNotOptimize(total.load());
    best = std::max(best, static_cast<double>(words.size()) * 8 / seconds);
  }
  return best;
}

struct Weights {
  MatrixBytes bytes;
  Words codes, scales, zeros;
  Matrix view;

  Weights(Storage storage, std::int64_t rows, std::int64_t cols)
      : bytes(matrix_bytes(storage, rows, cols)), zeros(random_words(bytes.zeros, ~std::uint64_t{0}, 0)) {
    constexpr std::uint64_t kFp32Mask = 0x807fffff807fffff, kFp32Half = 0x3f0000003f000000;  // +-[0.5, 1)
    switch (storage) {
      case Storage::kFp32:
        codes = random_words(bytes.codes, kFp32Mask, kFp32Half);
        break;
      case Storage::kBf16:
        codes = random_words(bytes.codes, 0x807f807f807f807f, 0x3f003f003f003f00);
        break;
      case Storage::kFp8Block128:
        codes = random_words(bytes.codes, 0xbfbfbfbfbfbfbfbf, 0);  // below 2: no NaN
        scales = random_words(bytes.scales, kFp32Mask, kFp32Half);
        break;
      case Storage::kInt4G128:
      case Storage::kInt4G128Asym:
        codes = random_words(bytes.codes, ~std::uint64_t{0}, 0);
        scales = random_words(bytes.scales, 0x03ff03ff03ff03ff, 0x2000200020002000);
        break;
    }
    view = {.storage = storage,
            .rows = rows,
            .cols = cols,
            .codes = codes.data(),
            .scales = scales.data(),
            .zeros = zeros.data()};
  }

  double total_bytes() const { return static_cast<double>(bytes.codes + bytes.scales + bytes.zeros); }
};

std::vector<float> random_floats(std::int64_t count) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(mixed(i) >> 40) * 0x1p-23f - 1;
  return values;
}

void read_memory(benchmark::State& state) {
  double best = 0;
  for (auto _ : state) best = read_bandwidth();
  state.counters["GB/s"] = best / 1e9;
}
BENCHMARK(read_memory)->Unit(benchmark::kMillisecond)->Iterations(3)->UseRealTime();

void one_token(benchmark::State& state, Storage storage) {
  constexpr std::int64_t kCols = 4096, kBytes = 210'000'000;  // beyond any cache
  const std::int64_t rows = kBytes / static_cast<std::int64_t>(matrix_bytes(storage, 1, kCols).codes) / 16 * 16;
  const Weights w(storage, rows, kCols);
  const std::vector<float> x = random_floats(kCols);
  std::vector<float> y(static_cast<std::size_t>(rows));
  double bandwidth = read_bandwidth();
  std::vector<double> seconds;
  for (auto _ : state) {
    seconds.push_back(seconds_of([&] { matmul(team(), w.view, x.data(), kCols, 1, y.data(), rows); }));
    state.SetIterationTime(seconds.back());
  }
  bandwidth = std::max(bandwidth, read_bandwidth());
  const double rate = w.total_bytes() / median(seconds);
  state.counters["GB/s"] = rate / 1e9;
  state.counters["best_GB/s"] = w.total_bytes() / *std::min_element(seconds.begin(), seconds.end()) / 1e9;
  state.counters["read_GB/s"] = bandwidth / 1e9;
  state.counters["share"] = rate / bandwidth;
  state.SetLabel(matmul_path());
}
BENCHMARK_CAPTURE(one_token, fp32, Storage::kFp32)->Unit(benchmark::kMillisecond)->Iterations(50)->UseManualTime();
BENCHMARK_CAPTURE(one_token, bf16, Storage::kBf16)->Unit(benchmark::kMillisecond)->Iterations(50)->UseManualTime();
BENCHMARK_CAPTURE(one_token, fp8, Storage::kFp8Block128)
    ->Unit(benchmark::kMillisecond)
    ->Iterations(50)
    ->UseManualTime();
BENCHMARK_CAPTURE(one_token, int4, Storage::kInt4G128)->Unit(benchmark::kMillisecond)->Iterations(50)->UseManualTime();
BENCHMARK_CAPTURE(one_token, int4_asymmetric, Storage::kInt4G128Asym)
    ->Unit(benchmark::kMillisecond)
    ->Iterations(50)
    ->UseManualTime();

void tokens_by_bf16(benchmark::State& state) {
  const std::int64_t rows = state.range(0), cols = state.range(1), tokens = state.range(2);
  const Weights w(Storage::kBf16, rows, cols);
  const std::vector<float> x = random_floats(tokens * cols);
  std::vector<float> y(static_cast<std::size_t>(tokens * rows));
  std::vector<double> seconds;
  for (auto _ : state) {
    seconds.push_back(seconds_of([&] { matmul(team(), w.view, x.data(), cols, tokens, y.data(), rows); }));
    state.SetIterationTime(seconds.back());
  }
  const double flops = 2.0 * static_cast<double>(rows * cols * tokens);
  state.counters["GFLOP/s"] = flops / median(seconds) / 1e9;
  state.counters["best_GFLOP/s"] = flops / *std::min_element(seconds.begin(), seconds.end()) / 1e9;
  state.SetLabel(matmul_path());
}
BENCHMARK(tokens_by_bf16)
    ->ArgNames({"rows", "cols", "tokens"})
    ->ArgsProduct({{4864}, {896}, {1, 2, 3, 4, 5, 6, 8, 12, 16, 64}})  // Qwen2.5-0.5B's MLP: 8.7 MB, may stay in cache
    ->ArgsProduct({{16384}, {4096}, {1, 2, 3, 4, 5, 6, 8, 12, 16, 64}})
    ->Unit(benchmark::kMillisecond)
    ->UseManualTime();

}  // namespace
}  // namespace fathom::host
