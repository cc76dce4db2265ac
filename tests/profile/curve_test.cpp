// Curves of collectives: points are kept, neighbours make a line, and a summary tells what lies beyond.
#include "profile/curve.h"

#include <gtest/gtest.h>

#include <cmath>

#include "profile/fit.h"

namespace fathom {
namespace {

// 10 us and 100 GB/s up to 1 MB, then a way that starts later and is faster: 15 us and 400 GB/s.
Seconds two_ways(double bytes) {
  return bytes <= 1e6 ? 10_us + Bytes(bytes) / BytesPerSecond(100e9) : 15_us + Bytes(bytes) / BytesPerSecond(400e9);
}

std::vector<CurvePoint> points() {
  std::vector<CurvePoint> list;
  for (double bytes = 1000; bytes < 1e9; bytes *= 2) list.push_back({Bytes(bytes), two_ways(bytes)});
  return list;
}

MeasuredCurve curve() { return fit_curve(OperatorKind::kAllReduce, 4, points()); }

TEST(Curve, KeepsWhatWasMeasured) {
  for (const CurvePoint& point : points()) {
    const Figure figure = curve_time(curve(), point.bytes);
    EXPECT_EQ(figure.time, point.time);
    EXPECT_EQ(figure.origin, FigureOrigin::kMeasured);
  }
}

TEST(Curve, BetweenTwoSizesALineOfLatencyAndBandwidthIsExact) {
  const Figure figure = curve_time(curve(), Bytes(3e6));
  EXPECT_EQ(figure.origin, FigureOrigin::kInterpolated);
  EXPECT_NEAR(figure.time / two_ways(3e6), 1, 1e-9);
}

TEST(Curve, TheSummaryFindsBothWaysAndContinuesThem) {
  const MeasuredCurve c = curve();
  ASSERT_EQ(c.segments.size(), 2u);
  EXPECT_NEAR(c.segments[0].latency.value, 10e-6, 1e-9);
  EXPECT_NEAR(c.segments[1].bandwidth.value, 400e9, 1e6);
  const Figure beyond = curve_time(c, Bytes(8e9));
  EXPECT_EQ(beyond.origin, FigureOrigin::kExtrapolated);
  EXPECT_NEAR(beyond.time / two_ways(8e9), 1, 1e-6);
  EXPECT_NEAR(curve_time(c, Bytes(8)).time.value, 10e-6, 1e-8);
}

TEST(Curve, OnlyTheBreakIsMissedWhenLeftOut) {
  const LeftOut left_out = curve().left_out;
  EXPECT_EQ(left_out.points, static_cast<int>(points().size()) - 2);
  EXPECT_LT(left_out.median_error, 1e-9);
  EXPECT_LT(left_out.p90_error, 0.15);
}

TEST(Curve, OfTwoTimesAtOneSizeTheShorterCounts) {
  auto list = points();
  list.push_back({list[3].bytes, list[3].time * 2});
  EXPECT_EQ(curve_time(fit_curve(OperatorKind::kAllReduce, 4, list), list[3].bytes).time, list[3].time);
}

TEST(Curve, ScalesItsPartsApart) {
  MeasuredCurve c = curve();
  scale(c, 0.5, 1);  // 15 us of latency become 7.5
  EXPECT_NEAR(curve_time(c, points().back().bytes).time.value, two_ways(points().back().bytes.value).value - 7.5e-6,
              1e-9);
  c = curve();
  scale(c, 1, 2);
  EXPECT_NEAR(curve_time(c, Bytes(1000)).time.value, 10e-6 + 1000 / 200e9, 1e-10);
}

TEST(Curve, TimesThatFallWithSizeMakeNoNegativeRate) {
  const MeasuredCurve c =
      fit_curve(OperatorKind::kAllGather, 2,
                {{Bytes(1e3), 30_us}, {Bytes(2e3), 20_us}, {Bytes(4e3), 12_us}, {Bytes(8e3), 11_us}});
  for (const CurveSegment& segment : c.segments) {
    EXPECT_GE(segment.latency.value, 0);
    EXPECT_GT(segment.bandwidth.value, 0);
  }
  EXPECT_GT(curve_time(c, Bytes(1)).time.value, 0);
  EXPECT_GT(curve_time(c, Bytes(1e12)).time.value, 0);
}

// Two sizes twice each are no curve: nothing would be left to predict from.
TEST(MeasuredCurve, SizesCountOnce) {
  ProfileMeasurements m;
  for (const double bytes : {1e3, 1e3, 1e6, 1e6})
    m.curves.push_back(
        {.kind = OperatorKind::kAllReduce, .ranks = 2, .wire_bytes = Bytes(bytes), .time = Seconds(1e-5)});
  EXPECT_TRUE(fit_profile(m).curves.empty());
}

}  // namespace
}  // namespace fathom
