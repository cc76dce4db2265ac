#include "profile/curve.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <limits>

namespace fathom {

namespace {

using Points = std::vector<CurvePoint>;

Seconds time_of(const CurveSegment& s, Bytes bytes) { return s.latency + bytes / s.bandwidth; }

Seconds on_segments(const std::vector<CurveSegment>& segments, Bytes bytes) {
  const auto after = std::find_if(segments.begin() + 1, segments.end(),
                                  [&](const CurveSegment& segment) { return segment.from > bytes; });
  return time_of(*(after - 1), bytes);
}

Seconds between(const CurvePoint& low, const CurvePoint& high, Bytes bytes) {
  return low.time + (high.time - low.time) * ((bytes - low.bytes) / (high.bytes - low.bytes));
}

// ---------------------------------------------------------------------------------------------------------------------
// At most three lines

struct Line {
  CurveSegment segment;
  double cost = 0;  // sum of squared relative errors
};

double cost_of(const CurveSegment& segment, Points::const_iterator first, Points::const_iterator last) {
  double sum = 0;
  for (auto p = first; p != last; ++p) {
    const double error = time_of(segment, p->bytes) / p->time - 1;
    sum += error * error;
  }
  return sum;
}

// The line that minimises sum ((a + b bytes) / time - 1)^2 with a, b >= 0: where the best has a negative one, it is left out.
Line fit_line(Points::const_iterator first, Points::const_iterator last) {
  const Eigen::Index n = last - first;
  Eigen::MatrixX2d terms(n, 2);
  for (Eigen::Index i = 0; i < n; ++i) {
    terms(i, 0) = 1 / first[i].time.value;
    terms(i, 1) = first[i].bytes.value / 1e9 / first[i].time.value;
  }
  const Eigen::VectorXd ones = Eigen::VectorXd::Ones(n);
  Eigen::Vector2d best = terms.colPivHouseholderQr().solve(ones);
  if (!(best.minCoeff() >= 0)) {
    const double alone = terms.col(0).sum() / terms.col(0).squaredNorm();
    const double per_byte = terms.col(1).sum() / terms.col(1).squaredNorm();
    const bool flat = (terms.col(0) * alone - ones).squaredNorm() <= (terms.col(1) * per_byte - ones).squaredNorm();
    best = flat ? Eigen::Vector2d(alone, 0) : Eigen::Vector2d(0, per_byte);
  }
  const double bandwidth = best[1] > 0 ? 1e9 / best[1] : std::numeric_limits<double>::infinity();
  const CurveSegment segment{.from = first->bytes, .latency = Seconds(best[0]), .bandwidth = BytesPerSecond(bandwidth)};
  return {.segment = segment, .cost = cost_of(segment, first, last)};
}

constexpr std::size_t kLeastOfSegment = 3;  // two fit any line
constexpr std::size_t kMostSegments = 3;

// The cheapest way to cut points[from..] into `count` runs of kLeastOfSegment or more.
struct Cut {
  std::vector<CurveSegment> segments;
  double cost = std::numeric_limits<double>::infinity();
};
Cut cut(const Points& points, std::size_t from, std::size_t count) {
  if (count == 1) {
    const Line line = fit_line(points.begin() + static_cast<std::ptrdiff_t>(from), points.end());
    return {.segments = {line.segment}, .cost = line.cost};
  }
  Cut best;
  for (std::size_t to = from + kLeastOfSegment; to + kLeastOfSegment * (count - 1) <= points.size(); ++to) {
    const Line line =
        fit_line(points.begin() + static_cast<std::ptrdiff_t>(from), points.begin() + static_cast<std::ptrdiff_t>(to));
    if (line.cost >= best.cost) continue;
    Cut rest = cut(points, to, count - 1);
    if (line.cost + rest.cost >= best.cost) continue;
    best = {.segments = std::move(rest.segments), .cost = line.cost + rest.cost};
    best.segments.insert(best.segments.begin(), line.segment);
  }
  return best;
}

// Mean |ln| error of each point under the segments of the others: more segments fit what they have seen better, always.
double error_left_out(const Points& points, std::size_t count) {
  double sum = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    Points others = points;
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
    const Seconds predicted = on_segments(cut(others, 0, count).segments, points[i].bytes);
    sum += std::abs(std::log(predicted / points[i].time));
  }
  return sum / static_cast<double>(points.size());
}

constexpr std::size_t kMostForSegments = 40;  // powers of two from 8 B to 1 GiB are 28; the search grows with the cube

Points thinned(const Points& points) {
  if (points.size() <= kMostForSegments) return points;
  Points some;
  for (std::size_t i = 0; i < kMostForSegments; ++i)
    some.push_back(points[i * (points.size() - 1) / (kMostForSegments - 1)]);
  return some;
}

constexpr double kBetter = 0.9;  // one segment more for a tenth of the error at least

std::vector<CurveSegment> segments_of(const Points& all) {
  const Points points = thinned(all);
  std::size_t best = 1;
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t count = 1; count <= kMostSegments && points.size() > count * kLeastOfSegment; ++count) {
    const double error = error_left_out(points, count);
    if (error < least * kBetter) least = error, best = count;
  }
  return cut(points, 0, best).segments;
}

// ---------------------------------------------------------------------------------------------------------------------
// Points

Points one_of_each_size(Points points) {
  std::sort(points.begin(), points.end(), [](const CurvePoint& a, const CurvePoint& b) {
    return a.bytes < b.bytes || (a.bytes == b.bytes && a.time < b.time);
  });
  const auto same = [](const CurvePoint& a, const CurvePoint& b) { return a.bytes == b.bytes; };
  points.erase(std::unique(points.begin(), points.end(), same), points.end());
  return points;
}

LeftOut inner_left_out(const Points& points) {
  std::vector<double> ratios;
  for (std::size_t i = 1; i + 1 < points.size(); ++i)
    ratios.push_back(points[i].time / between(points[i - 1], points[i + 1], points[i].bytes));
  return left_out(std::move(ratios));
}

}  // namespace

std::size_t distinct_sizes(std::vector<CurvePoint> points) { return one_of_each_size(std::move(points)).size(); }

MeasuredCurve fit_curve(OperatorKind kind, int ranks, std::vector<CurvePoint> points) {
  MeasuredCurve curve{.kind = kind, .ranks = ranks, .points = one_of_each_size(std::move(points))};
  curve.segments = segments_of(curve.points);
  curve.left_out = inner_left_out(curve.points);
  return curve;
}

Figure curve_time(const MeasuredCurve& curve, Bytes bytes) {
  const CurvePoint &first = curve.points.front(), &last = curve.points.back();
  if (bytes < first.bytes || bytes > last.bytes) {
    const CurvePoint& end = bytes < first.bytes ? first : last;
    const double grown = on_segments(curve.segments, bytes) / on_segments(curve.segments, end.bytes);
    return figure_of(end.time * grown, FigureOrigin::kExtrapolated, curve.left_out);
  }
  const auto high = std::lower_bound(curve.points.begin(), curve.points.end(), bytes,
                                     [](const CurvePoint& point, Bytes value) { return point.bytes < value; });
  if (high->bytes == bytes) return figure_of(high->time, FigureOrigin::kMeasured, curve.left_out);
  return figure_of(between(*(high - 1), *high, bytes), FigureOrigin::kInterpolated, curve.left_out);
}

void scale(MeasuredCurve& curve, double latency, double bandwidth) {
  const std::vector<CurveSegment> before = curve.segments;
  for (CurveSegment& segment : curve.segments) segment.latency *= latency, segment.bandwidth *= bandwidth;
  for (CurvePoint& point : curve.points)
    point.time *= on_segments(curve.segments, point.bytes) / on_segments(before, point.bytes);
}

}  // namespace fathom
