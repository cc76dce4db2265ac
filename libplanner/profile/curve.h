// Times of one collective against the bytes that a rank sends, as they were measured. Between sizes the two neighbours are a
// line: latency and bandwidth of the way that the library takes there. docs/formulas/profile.md#curves
#pragma once

#include <string>
#include <vector>

#include "operators/operator.h"
#include "profile/figure.h"
#include "units/quantity.h"

namespace fathom {

struct CurvePoint {
  Bytes bytes{};  // as wire_bytes() counts
  Seconds time{};
};

// From `from` bytes on: latency + bytes / bandwidth.
struct CurveSegment {
  Bytes from{};
  Seconds latency{};
  BytesPerSecond bandwidth{};  // infinite when the time does not follow the bytes
};

struct MeasuredCurve {
  OperatorKind kind = OperatorKind::kAllReduce;
  int ranks = 2;
  std::string way = {};                     // who sums, and how: "NCCL 2.28.9 graph"
  std::vector<CurvePoint> points;           // rising
  std::vector<CurveSegment> segments = {};  // at most three, rising: a summary, and what counts beyond the points
  LeftOut left_out = {};                    // of the points but the first and the last
};

inline constexpr std::size_t kLeastCurvePoints = 3;  // fewer leave nothing to be predicted from two neighbours

// How many sizes there are among them.
std::size_t distinct_sizes(std::vector<CurvePoint> points);

// Of several times at one size the shortest counts: engines choose between ways. At least kLeastCurvePoints sizes.
MeasuredCurve fit_curve(OperatorKind kind, int ranks, std::vector<CurvePoint> points);

Figure curve_time(const MeasuredCurve& curve, Bytes bytes);

// Every time as if latency and bandwidth were so many times what they are.
void scale(MeasuredCurve& curve, double latency, double bandwidth);

}  // namespace fathom
