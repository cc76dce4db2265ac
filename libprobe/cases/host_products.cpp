#include "cases/host_products.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "cases/untouched.h"
#include "host/matmul_paths.h"
#include "host/team.h"

namespace fathom::probe {

namespace {

const char* name_of(host::Storage storage) {
  switch (storage) {
    case host::Storage::kFp32:
      return "fp32";
    case host::Storage::kBf16:
      return "bf16";
    case host::Storage::kFp8Block128:
      return "fp8-block128";
    case host::Storage::kInt4G128:
      return "int4-g128";
    case host::Storage::kInt4G128Asym:
      return "int4-g128-asym";
  }
  return "";
}

std::uint32_t hash(std::uint64_t i) {
  std::uint64_t x = (i + 1) * 0x9E3779B97F4A7C15ull;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  return static_cast<std::uint32_t>(x >> 32);
}

float small_number(std::uint64_t i) { return static_cast<float>(static_cast<std::int32_t>(hash(i))) * 0x1p-31f; }

// Weights of uniform numbers in (-1, 1), or of random codes with one scale where codes are all that is stored.
class Weights {
 public:
  Weights(host::Storage storage, std::int64_t rows, std::int64_t cols, host::Team& team)
      : Weights(storage, rows, cols, host::matrix_bytes(storage, rows, cols), team) {}

  host::Matrix matrix;
  double size = 0;  // bytes

 private:
  static constexpr std::uint32_t kOneAsFloat = 0x3F800000u;
  static constexpr std::uint32_t kTwoHalves = 0x2C002C00u;   // 1/16 twice in fp16
  static constexpr std::uint32_t kZeroPoints = 0x88888888u;  // 8, eight times

  static std::uint32_t bits(float value) {
    std::uint32_t out;
    std::memcpy(&out, &value, sizeof(out));
    return out;
  }

  static std::uint32_t word(host::Storage storage, std::uint64_t i) {
    switch (storage) {
      case host::Storage::kFp32:
        return bits(small_number(i));
      case host::Storage::kBf16:
        return (bits(small_number(2 * i)) >> 16) | (bits(small_number(2 * i + 1)) & 0xFFFF0000u);
      case host::Storage::kFp8Block128:
        return hash(i) & 0xBFBFBFBFu;  // below 2 in size, and so never one of the two NaN codes
      case host::Storage::kInt4G128:
      case host::Storage::kInt4G128Asym:
        return hash(i);
    }
    return 0;
  }

  Weights(host::Storage storage, std::int64_t rows, std::int64_t cols, const host::MatrixBytes& bytes, host::Team& team)
      : size(static_cast<double>(bytes.codes + bytes.scales + bytes.zeros)),
        codes_(bytes.codes / 4 + 1),
        scales_(bytes.scales / 4 + 1, storage == host::Storage::kFp8Block128 ? kOneAsFloat : kTwoHalves),
        zeros_(bytes.zeros / 4 + 1, kZeroPoints) {
    team.for_ranges(static_cast<std::int64_t>(codes_.size()), 65536, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) codes_.data()[i] = word(storage, static_cast<std::uint64_t>(i));
    });
    matrix = {.storage = storage,
              .rows = rows,
              .cols = cols,
              .codes = codes_.data(),
              .scales = scales_.data(),
              .zeros = zeros_.data()};
  }

  Untouched<std::uint32_t> codes_;
  std::vector<std::uint32_t> scales_, zeros_;
};

struct Shape {
  std::int64_t tokens = 1, rows = 0, cols = 0;
};

// The worst of some rows against sums in double, relative to the size of what was summed.
double worst_error(const host::Matrix& w, const std::vector<float>& x, const std::vector<float>& y,
                   const Shape& shape) {
  double worst = 0;
  for (std::uint64_t sample = 0; sample < 32; ++sample) {
    const std::int64_t row = hash(sample) % static_cast<std::uint64_t>(shape.rows);
    const std::int64_t token = hash(sample + 1000) % static_cast<std::uint64_t>(shape.tokens);
    double sum = 0, size = 0;
    for (std::int64_t col = 0; col < shape.cols; ++col) {
      const double term =
          static_cast<double>(x[static_cast<std::size_t>(token * shape.cols + col)]) * host::value(w, row, col);
      sum += term;
      size += std::abs(term);
    }
    const double got = y[static_cast<std::size_t>(token * shape.rows + row)];
    worst = std::max(worst, std::abs(got - sum) / std::max(size, 1e-30));
    if (!std::isfinite(got)) worst = 1e30;
  }
  return worst;
}

constexpr double kMostError = 1e-5;  // of sums of some thousand products in fp32: a hundred roundings, 6e-8 each

Result measure(const char* name, const host::MatmulPath& path, const Weights& weights, const Shape& shape, int threads,
               Unit unit, const HostRules& rules, const System& system) {
  Result result = without_figure(name, "host", Status::kNotRun, "");
  result.unit = unit;
  result.shape = {{"isa", path.name},
                  {"dtype", name_of(weights.matrix.storage)},
                  {"threads", fmt::format("{}", threads)},
                  {"m", fmt::format("{}", shape.tokens)},
                  {"n", fmt::format("{}", shape.rows)},
                  {"k", fmt::format("{}", shape.cols)}};
  std::vector<float> x(static_cast<std::size_t>(shape.tokens * shape.cols)),
      y(static_cast<std::size_t>(shape.tokens * shape.rows));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = small_number(i + 12345);
  host::Team team(threads);
  const Repeated timed = repeat_watched(rules, system, result, [&] {
    host::matmul_on(path, team, weights.matrix, x.data(), shape.cols, shape.tokens, y.data(), shape.rows);
  });
  const double products =
      2.0 * static_cast<double>(shape.tokens) * static_cast<double>(shape.rows) * static_cast<double>(shape.cols);
  fill(result, unit == Unit::kBytesPerSecond ? weights.size : products, timed, "random",
       unit == Unit::kBytesPerSecond ? cache_of(rules) : "the same weights each time");
  result.correctness = Correctness{.method = "32 elements against sums in double",
                                   .worst_error = worst_error(weights.matrix, x, y, shape)};
  result.correctness->correct = result.correctness->worst_error <= kMostError;
  if (!result.correctness->correct) {
    result.status = Status::kIncorrect;
    result.why = fmt::format("off by {:.2g} of the summed sizes", result.correctness->worst_error);
  }
  return result;
}

// Paths below the fastest are for comparison: all threads, and one format.
std::vector<Result> measure_all(const char* name, const Shape& shape, Unit unit, host::Storage storage, bool every_path,
                                const HostRules& rules, const System& system) {
  host::Team builders(rules.threads.back());
  const Weights weights(storage, shape.rows, shape.cols, builders);
  std::vector<Result> results;
  for (const host::MatmulPath& path : host::matmul_paths()) {
    const bool fastest = &path == &host::matmul_paths().front();
    for (int threads : rules.threads) {
      if (!fastest && (!every_path || threads != rules.threads.back())) continue;
      results.push_back(measure(name, path, weights, shape, threads, unit, rules, system));
    }
  }
  return results;
}

template <class ShapeOf>
std::vector<Result> over_formats(const char* name, Unit unit, const std::vector<host::Storage>& formats,
                                 const HostRules& rules, const System& system, ShapeOf shape_of) {
  std::vector<Result> results;
  for (host::Storage storage : formats) {
    const Shape shape = shape_of(storage);
    const std::vector<Result> more = measure_all(name, shape, unit, storage, storage == formats.front(), rules, system);
    results.insert(results.end(), more.begin(), more.end());
  }
  return results;
}

}  // namespace

std::vector<Result> measure_host_gemv(const HostRules& rules, const System& system,
                                      const std::vector<host::Storage>& formats) {
  const Bytes size = beyond_cache(rules.last_level_cache, rules.most_memory);
  if (size == Bytes(0)) {
    return {without_figure("host.gemv", "host", Status::kNotRun,
                           "there is not enough free memory for weights that no cache holds")};
  }
  return over_formats("host.gemv", Unit::kBytesPerSecond, formats, rules, system, [&](host::Storage storage) {
    constexpr std::int64_t kInputs = 4096;
    const double row_bytes = static_cast<double>(host::matrix_bytes(storage, 128, kInputs).codes) / 128;
    return Shape{.tokens = 1, .rows = static_cast<std::int64_t>(size.value / row_bytes) / 128 * 128, .cols = kInputs};
  });
}

std::vector<Result> measure_host_gemm(const HostRules& rules, const System& system,
                                      const std::vector<host::Storage>& formats) {
  return over_formats("host.gemm", Unit::kFlopsPerSecond, formats, rules, system,
                      [](host::Storage) { return Shape{.tokens = 96, .rows = 2048, .cols = 2048}; });
}

}  // namespace fathom::probe
