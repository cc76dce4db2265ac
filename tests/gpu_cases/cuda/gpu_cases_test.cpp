// The cases themselves, briefly, on whatever GPUs there are: every figure is right, and what is planted is found.
#include "gpu_cases/gpu_cases.h"

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "cuda/random_numbers.h"
#include "cuda/start_latch.h"
#include "gpu_cases/card_weights.h"
#include "harness/case_units.h"
#include "harness/contradictions.h"

namespace fathom::probe {
namespace {

Cards cards() {
  int devices = 0;
  cudaGetDeviceCount(&devices);
  Cards all;
  for (int i = 0; i < devices; ++i) all.push_back(std::make_unique<Card>(i, std::nullopt));
  return all;
}

GpuRules brief() {
  return {.figure = Seconds(0.01),
          .point = Seconds(0),
          .settle = Seconds(0),
          .settle_products = Seconds(0),
          .most_settle = Seconds(0.3)};
}

// Small ones, so that the test is short.
ModelShapes small_shapes() {
  return {.products = {{.n = 640, .k = 1024}, {.n = 1280, .k = 512, .gated = true}},
          .experts = {{.held = 8, .all = 16, .chosen = 4, .hidden = 512, .inner = 256}},
          .heads = {{.heads = 8, .kv_heads = 2, .head_dim = 128}},
          .latents = {{.heads = 16}}};
}

void expect_right(const std::vector<Result>& results, std::size_t least) {
  std::size_t figures = 0;
  for (const Result& r : results) {
    if (r.status == Status::kNotSupported) continue;
    EXPECT_TRUE(has_data(r.status)) << r.name << ", " << r.shape_text() << ": " << to_string(r.status) << ": " << r.why;
    EXPECT_TRUE(!r.correctness || r.correctness->correct) << r.name << ", " << r.shape_text();
    EXPECT_EQ(unit_of(r), r.unit) << r.name << ", " << r.shape_text();
    EXPECT_EQ(contradiction_in(r), "") << r.name << ", " << r.shape_text();
    figures += r.figure.has_value() ? 1 : 0;
  }
  EXPECT_GE(figures, least);
  EXPECT_TRUE(find_twins(results).empty()) << "a record of them could not be read back";
}

TEST(GpuCases, MemoryIsReadWrittenAndCopied) { expect_right(measure_gpu_memory(cards(), brief()), 6 * cards().size()); }

TEST(GpuCases, ProductsOfSquaresAreRight) {
  GpuRules rules = brief();
  rules.sustained = Seconds(0.3);
  const std::vector<Result> results = measure_gpu_gemm(cards(), rules, {});
  expect_right(results, 3);
  EXPECT_EQ(std::count_if(results.begin(), results.end(), [](const Result& r) { return r.shape.contains("load"); }),
            std::ssize(cards()));
}

TEST(GpuCases, ProductsOfModelsAreRightByTheLibraryToo) {
  const std::vector<Result> results = measure_gpu_gemm(cards(), brief(), small_shapes());
  expect_right(results, 3 + 2 * 3 * 14);  // fp8 or int8 may be missing for some m
  std::set<std::string> types;
  for (const Result& r : results) {
    if (r.figure && r.shape.at("k") != r.shape.at("n")) types.insert(r.shape.at("dtype"));
  }
  EXPECT_GE(types.size(), 3u);
  EXPECT_FALSE(types.contains("bf16")) << "the engine has kernels of its own";
}

TEST(GpuCases, ProductsOfModelsAreRightInEveryFormat) {
  GpuRules rules = brief();
  rules.detail = Detail::kMany;
  const std::vector<Result> results = measure_gpu_linear(cards(), rules, small_shapes());
  expect_right(results, 2 * 3 * 15);  // the border between kernels is another size
}

TEST(GpuCases, ExpertsAreRightInEveryFormat) {
  GpuRules rules = brief();
  rules.detail = Detail::kMany;
  expect_right(measure_gpu_experts(cards(), rules, small_shapes()), 3 * 13);
}

TEST(GpuCases, AttentionIsRight) { expect_right(measure_gpu_attention(cards(), brief(), small_shapes()), 2 * (9 + 3)); }

TEST(GpuCases, LaunchesAreCounted) { expect_right(measure_gpu_launch(cards(), brief()), 4); }

TEST(GpuCases, CopiesArrive) { expect_right(measure_gpu_copies(cards(), brief()), 5); }

TEST(GpuCases, PeersAndCollectivesAreRightOrMissing) {
  const Cards all = cards();
  if (all.size() < 2) {
    EXPECT_EQ(measure_gpu_peers(all, brief()).front().status, Status::kNotSupported);
    GTEST_SKIP() << "waived: one device";
  }
  expect_right(measure_gpu_peers(all, brief()), 5);
  expect_right(measure_small_sums(all, brief()), 11);
  const std::vector<Result> results = measure_nccl(all, brief());
  if (results.front().figure) expect_right(results, 6 * 23);
}

// A queue that is held takes no time to fill: an empty kernel costs the device less than it costs the host to launch it.
TEST(TimeOnCard, DoesNotCountLaunching) {
  const Cards all = cards();
  Card& card = *all.front();
  card.use();
  const auto nothing = [](const cuda::Launch& how, int) { cuda::do_nothing(how, nullptr); };
  const auto time = [&](Launches launches) {
    const CardRules rules{.repeat = brief().repeat(), .least_runs = 300, .launches = launches};
    return median_of(time_on_card(card, rules, nothing).repeated.seconds);
  };
  EXPECT_LT(time(Launches::kGraph), time(Launches::kFree));
  EXPECT_LT(time(Launches::kEager), time(Launches::kFree));
}

TEST(TimeOnCard, AFailureOfOneCardIsAResult) {
  const Cards all = cards();
  const std::vector<Result> results = on_every_card(all, "gpu.invented", [](Card&) -> std::vector<Result> {
    CardMemory(std::size_t{1} << 50);
    return {};
  });
  ASSERT_EQ(results.size(), all.size());
  EXPECT_EQ(results.front().status, Status::kNotRun);
  EXPECT_EQ(results.front().device, "gpu0");
}

// A wrong element of a product is a hundred times beyond what rounding does.
TEST(CardWeights, AWrongElementIsSeen) {
  const Cards all = cards();
  all.front()->use();
  for (const cuda::WeightFormat format : kWeightFormats) {
    const CardWeights weights(*all.front(), format, 256, 4096);
    const std::vector<double> row = weights.row(200, 0), other = weights.row(201, 0);
    EXPECT_NE(weights.row(200, 1), row) << "of another turn";
    EXPECT_EQ(weights.row(200, weights.copies()), row);
    double sum = 0, wrong = 0;
    for (std::size_t i = 0; i < row.size(); ++i) {
      sum += row[i] * other[i];
      wrong += other[i] * other[i];
    }
    EXPECT_LT(product_error(sum, row, other), 1e-12);
    EXPECT_GT(product_error(wrong, row, other), kMostProductError) << name_of(format);
  }
}

}  // namespace
}  // namespace fathom::probe
