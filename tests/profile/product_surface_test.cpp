// Surfaces of products: what was measured is returned, between shapes utilisation is, and no time beats the best rates seen.
#include "profile/product_surface.h"

#include <gtest/gtest.h>

#include <cmath>

namespace fathom {
namespace {

ProductShape shape(double m, double n, double k) {
  return {.m = m, .n = n, .k = k, .bytes = Bytes(2 * n * k + 2 * m * (n + k)), .flops = Flops(2 * m * n * k)};
}

// A machine of 3 TB/s and 600 TFLOPS that starts in 4 us and loses to tiles of 64 rows.
Seconds law(const ProductShape& s) {
  const double rows = std::ceil(s.m / 64) * 64;
  return 4_us + std::max(s.bytes / BytesPerSecond(3e12), Flops(2 * rows * s.n * s.k) / FlopsPerSecond(600e12));
}

std::vector<ProductPoint> points() {
  std::vector<ProductPoint> list;
  for (const double n : {1024, 4096, 14336}) {
    for (const double k : {2048, 4096, 14336}) {
      for (double m = 1; m <= 8192; m *= 2) list.push_back({shape(m, n, k), law(shape(m, n, k))});
    }
  }
  return list;
}

const ProductSurface& surface() {
  static const ProductSurface fitted = fit_surface(Format::kBf16, points());
  return fitted;
}

Figure at(double m, double n, double k) { return product_time(surface(), shape(m, n, k)).figure; }

TEST(ProductSurface, ReturnsWhatWasMeasured) {
  for (const ProductPoint& point : points()) {
    const Figure figure = product_time(surface(), point.shape).figure;
    EXPECT_NEAR(figure.time / point.time, 1, 1e-9);
    EXPECT_EQ(figure.origin, FigureOrigin::kMeasured);
  }
}

TEST(ProductSurface, SaysWhereAShapeLies) {
  EXPECT_EQ(at(3, 4096, 4096).origin, FigureOrigin::kInterpolated);      // between rows
  EXPECT_EQ(at(4, 6144, 4096).origin, FigureOrigin::kInterpolated);      // between matrices
  EXPECT_EQ(at(4, 128256, 4096).origin, FigureOrigin::kExtrapolated);    // wider than any
  EXPECT_EQ(at(32768, 4096, 4096).origin, FigureOrigin::kExtrapolated);  // more rows than any
}

TEST(ProductSurface, IsNearTheLawBetweenAndBeyondShapes) {
  for (const ProductShape& s : {shape(24, 4096, 4096), shape(4, 6144, 4096), shape(1500, 5120, 8192),
                                shape(1, 128256, 4096), shape(16384, 4096, 14336)}) {
    EXPECT_NEAR(product_time(surface(), s).figure.time / law(s), 1, 0.12) << s.m << " " << s.n << " " << s.k;
  }
}

// A cautious law: utilisation of a narrow matrix carried to a wide one must not give more than the best product reached.
TEST(ProductSurface, NeverBeatsTheBestRates) {
  for (double m = 1; m <= 65536; m *= 3) {
    for (const double n : {64.0, 3000.0, 50000.0}) {
      const ProductShape s = shape(m, n, 9000);
      const Seconds time = product_time(surface(), s).figure.time;
      EXPECT_GE(time, s.bytes / surface().memory);
      EXPECT_GE(time, s.flops / surface().compute);
    }
  }
}

TEST(ProductSurface, ItsBandIsWhatLeavingOutShows) {
  EXPECT_GT(surface().left_out.points, 100);
  EXPECT_LT(surface().left_out.median_error, 0.05);
  EXPECT_EQ(at(24, 4096, 4096).slow, surface().left_out.slow);
  EXPECT_EQ(at(32, 4096, 4096).slow, 1 + kLeastSpread);
}

TEST(ProductSurface, OfTwoKernelsTheFasterCounts) {
  auto list = points();
  list.push_back({list[5].shape, list[5].time * 3});
  const ProductSurface two = fit_surface(Format::kBf16, list);
  EXPECT_NEAR(product_time(two, list[5].shape).figure.time / list[5].time, 1, 1e-9);
}

// A kernel ends at 128 rows, and the next begins with 1.6 times the time: the matrix that was not measured there bends as the others do.
TEST(ProductSurface, BetweenItsRowsAMatrixBendsAsOthersDo) {
  const auto time = [](const ProductShape& s) { return law(s) * (s.m > 64 && s.m <= 128 ? 1.6 : 1.0); };
  std::vector<ProductPoint> all;
  for (const ProductPoint& point : points()) all.push_back({point.shape, time(point.shape)});
  const ProductShape left_out = shape(128, 4096, 4096);
  std::erase_if(all, [&](const ProductPoint& p) {
    return p.shape.m == left_out.m && p.shape.n == left_out.n && p.shape.k == left_out.k;
  });
  const Figure figure = product_time(fit_surface(Format::kBf16, all), left_out).figure;
  EXPECT_EQ(figure.origin, FigureOrigin::kInterpolated);
  EXPECT_NEAR(figure.time / time(left_out), 1, 0.1);
}

TEST(ProductSurface, AMatrixWithFewRowsGoesOnAsOthersDo) {
  auto list = points();
  std::erase_if(list, [](const ProductPoint& p) { return p.shape.n == 4096 && p.shape.k == 4096 && p.shape.m > 16; });
  const ProductSurface some = fit_surface(Format::kBf16, list);
  const Figure figure = product_time(some, shape(4096, 4096, 4096)).figure;
  EXPECT_EQ(figure.origin, FigureOrigin::kExtrapolated);
  EXPECT_NEAR(figure.time / law(shape(4096, 4096, 4096)), 1, 0.15);
}

}  // namespace
}  // namespace fathom
