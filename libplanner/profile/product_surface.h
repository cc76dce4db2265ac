// Times of products [m, k] x [k, n] with weights of one format, as they were measured, and between them by utilisation: the
// share of a roofline, which changes little from shape to shape. docs/formulas/profile.md#surfaces
#pragma once

#include <string>
#include <vector>

#include "model/format.h"
#include "operators/operator.h"
#include "profile/figure.h"
#include "units/quantity.h"

namespace fathom {

struct ProductShape {
  double m = 1, n = 1, k = 1;  // rows of activations, outputs, inputs
  Bytes bytes{};               // weights and activations, as the planner counts them
  Flops flops{};
};
ProductShape product_shape(const Operator& op);  // of a linear

struct ProductPoint {
  ProductShape shape;
  Seconds time{};
};

struct ProductSurface {
  Format weights = Format::kBf16;
  Seconds start{};           // half of the shortest time
  BytesPerSecond memory{};   // the most that any product reached
  FlopsPerSecond compute{};  // the same
  struct Site {              // one matrix of weights
    double n = 1, k = 1;
    struct Row {
      double m = 1, log_utilisation = 0;  // ln of roofline over measured time
    };
    std::vector<Row> rows = {};  // by m, rising
  };
  std::vector<Site> sites = {};  // by n, then k
  int points = 0;
  LeftOut left_out = {};
};

inline constexpr std::size_t kLeastSurfacePoints = 4;

// How many shapes there are among them: the same one may be there several times.
std::size_t distinct_shapes(std::vector<ProductPoint> points);

// Of several times of one shape the shortest counts: engines choose between kernels. At least kLeastSurfacePoints shapes.
ProductSurface fit_surface(Format weights, std::vector<ProductPoint> points);

struct ProductTime {
  Seconds start{}, memory{}, compute{};  // terms of the roofline
  Figure figure = {};
};
ProductTime product_time(const ProductSurface& surface, const ProductShape& shape);

// Whether so many rows are near those that were measured: of many more, kernels are others, and bound by something else.
bool reaches(const ProductSurface& surface, double m);

}  // namespace fathom
