// How well curves and surfaces predict real figures that they have not seen: each is left out in turn. The figures are those
// of the repository: data/measurements, and what was measured on H200s (docs/measurements).
#include <gtest/gtest.h>

#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>

#include "profile/curve.h"
#include "profile/product_surface.h"
#include "score/measurement.h"

namespace fathom {
namespace {

using Json = nlohmann::json;

const std::filesystem::path kRoot = FATHOM_SOURCE_DIR;

// Errors of all series together; a series' own median and 90 % go to the test's output.
class Pool {
 public:
  void add(const std::string& name, const LeftOut& left_out, const std::vector<double>& ratios) {
    std::printf("%-60s %3d points %5.1f %% %5.1f %%\n", name.c_str(), left_out.points, left_out.median_error * 100,
                left_out.p90_error * 100);
    ratios_.insert(ratios_.end(), ratios.begin(), ratios.end());
  }
  LeftOut all() const {
    const LeftOut result = left_out(ratios_);
    std::printf("%-60s %3d points %5.1f %% %5.1f %%\n", "together", result.points, result.median_error * 100,
                result.p90_error * 100);
    return result;
  }

 private:
  std::vector<double> ratios_;
};

// ---- collectives

using Series = std::map<std::string, std::vector<CurvePoint>>;

std::optional<Seconds> time_of(const Measurement& row) {
  const std::string metric = row.metric->name;
  if (metric == "allreduce_s" || metric == "alltoall_s") return Seconds(row.value);
  const bool all_reduce = metric == "busbw_bytes_per_s" && row.word("op") == "all_reduce";
  if (!all_reduce || !row.accelerators || *row.accelerators < 2) return std::nullopt;
  const double n = *row.accelerators;
  return Seconds(2 * (n - 1) / n * *row.message_bytes / row.value);
}

Series published_series() {
  Series series;
  for (const Measurement& row : read_measurements(kRoot / "data/measurements/measurements.csv")) {
    if (row.role != MeasuredRole::kMicro || !row.message_bytes || row.engine != "nccl") continue;
    if (const auto time = time_of(row)) {
      const std::string key = row.group + " " + row.word("op") + row.word("algo") + row.word("mode");
      series[key].push_back({Bytes(*row.message_bytes), *time});
    }
  }
  return series;
}

Json lines_of(const std::filesystem::path& file) {
  std::ifstream in(kRoot / "docs/measurements" / file);
  return Json::parse(in)["lines"];
}

Series series_of_h200s() {
  Series series;
  for (const char* file : {"peers.json", "four/peers.json"}) {
    for (const Json& line : lines_of("2026-11-22-cuda-gpus-h200" / std::filesystem::path(file))) {
      const std::string key =
          std::string(file) + " " + line["what"].get<std::string>() + " " + std::to_string(line["ranks"].get<int>());
      series[key].push_back({Bytes(line["bytes"].get<double>()), Seconds(line["us"].get<double>() * 1e-6)});
    }
  }
  return series;
}

std::vector<double> ratios_of(const MeasuredCurve& curve) {
  std::vector<double> ratios;
  for (std::size_t i = 1; i + 1 < curve.points.size(); ++i) {
    auto others = curve.points;
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
    const MeasuredCurve without = fit_curve(curve.kind, curve.ranks, others);
    ratios.push_back(curve.points[i].time / curve_time(without, curve.points[i].bytes).time);
  }
  return ratios;
}

LeftOut score(const Series& series) {
  Pool pool;
  for (const auto& [name, points] : series) {
    if (points.size() < kLeastCurvePoints + 1) continue;
    const MeasuredCurve curve = fit_curve(OperatorKind::kAllReduce, 2, points);
    pool.add(name, curve.left_out, ratios_of(curve));
  }
  return pool.all();
}

// Most of them have four or five sizes, sixteen times apart, so a size that is left out is predicted over a step of 256.
TEST(PublishedFits, CollectivesThatOthersPublished) {
  const LeftOut all = score(published_series());
  EXPECT_GE(all.points, 50);
  EXPECT_LE(all.median_error, 0.10);
  EXPECT_LE(all.p90_error, 0.30);
}

// Sizes two to four times apart, as a probe measures them.
TEST(PublishedFits, CollectivesWithDenseSizes) {
  Series dense = series_of_h200s();
  for (auto& [name, points] : published_series()) {
    if (points.size() >= 10) dense[name] = points;
  }
  const LeftOut all = score(dense);
  EXPECT_GE(all.points, 100);
  EXPECT_LE(all.median_error, 0.04);
  EXPECT_LE(all.p90_error, 0.15);
}

// ---- products

struct Kernel {
  std::string format, name;
  bool operator<(const Kernel& other) const { return std::tie(format, name) < std::tie(other.format, other.name); }
};

std::map<Kernel, std::vector<ProductPoint>> products_of_h200() {
  std::map<Kernel, std::vector<ProductPoint>> kernels;
  for (const Json& line : lines_of("2026-11-22-cuda-kernels-h200/bench.json")) {
    const std::string kernel = line["kernel"], variant = line["variant"], text = line["shape"];
    if ((kernel != "linear" && kernel != "large") || variant.find("overlap") != std::string::npos) continue;
    double n = 0, k = 0, m = 0;
    const std::size_t at = text.find_last_of(' ', text.rfind(' ') - 1);
    if (std::sscanf(text.c_str() + at, " %lfx%lf T%lf", &n, &k, &m) != 3) continue;
    const ProductShape shape{
        .m = m, .n = n, .k = k, .bytes = Bytes(line["bytes"].get<double>()), .flops = Flops(2 * m * n * k)};
    kernels[{line["format"], kernel + " " + variant}].push_back({shape, Seconds(line["time_us"].get<double>() * 1e-6)});
  }
  return kernels;
}

std::vector<double> left_out_ratios(const std::vector<ProductPoint>& points) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < points.size(); ++i) {
    auto others = points;
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
    ratios.push_back(points[i].time / product_time(fit_surface(Format::kBf16, others), points[i].shape).figure.time);
  }
  return ratios;
}

// Kernels with several rows and matrices; one row of activations is one size.
TEST(PublishedFits, ProductsOnAnH200) {
  Pool pool;
  for (const auto& [kernel, points] : products_of_h200()) {
    const ProductSurface surface = fit_surface(Format::kBf16, points);
    if (surface.sites.size() * 3 > points.size()) continue;
    pool.add(kernel.format + " " + kernel.name, surface.left_out, left_out_ratios(points));
  }
  const LeftOut all = pool.all();
  EXPECT_GE(all.points, 400);
  EXPECT_LE(all.median_error, 0.06);
  EXPECT_LE(all.p90_error, 0.18);
}

// Four to twelve shapes each, rows of activations four times apart or 64 and 4,096 alone: sparser than a probe's.
TEST(PublishedFits, ProductsThatOthersPublished) {
  std::map<std::string, std::vector<ProductPoint>> sets;
  for (const Measurement& row : read_measurements(kRoot / "data/measurements/measurements.csv")) {
    if (row.role != MeasuredRole::kMicro || row.word("op") != "gemm" || !row.number("m")) continue;
    if (row.metric->name != std::string("gemm_s") && row.metric->name != std::string("gemm_flop_per_s")) continue;
    const double m = *row.number("m"), n = *row.number("n"), k = *row.number("k");
    const double weight_bytes = row.weight_format.starts_with("fp8") ? 1 : 2;
    const ProductShape shape{
        .m = m, .n = n, .k = k, .bytes = Bytes(weight_bytes * n * k + 2 * m * (n + k)), .flops = Flops(2 * m * n * k)};
    const bool time = row.metric->name == std::string("gemm_s");
    sets[row.accelerator + " " + row.engine + " " + row.weight_format].push_back(
        {shape, time ? Seconds(row.value) : shape.flops / FlopsPerSecond(row.value)});
  }
  Pool pool;
  for (const auto& [name, points] : sets) {
    if (points.size() < kLeastSurfacePoints) continue;
    pool.add(name, fit_surface(Format::kBf16, points).left_out, left_out_ratios(points));
  }
  const LeftOut all = pool.all();
  EXPECT_GE(all.points, 40);
  EXPECT_LE(all.median_error, 0.12);
  EXPECT_LE(all.p90_error, 0.40);
}

}  // namespace
}  // namespace fathom
