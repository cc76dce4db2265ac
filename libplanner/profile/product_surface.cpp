#include "profile/product_surface.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <tuple>

namespace fathom {

namespace {

using Site = ProductSurface::Site;

Seconds roofline(const ProductSurface& s, const ProductShape& shape) {
  return s.start + std::max(shape.bytes / s.memory, shape.flops / s.compute);
}

// ---------------------------------------------------------------------------------------------------------------------
// Utilisation at a shape, as a logarithm

bool covers(const Site& site, double m) { return site.rows.front().m <= m && m <= site.rows.back().m; }

// Between two measured m in a straight line, beyond the ends as there. Straight in m rather than ln m: kernels go in tiles of
// rows, and leave-one-out errors of the mma kernels on an H200 fell from 4.2 to 2.8 % (bf16) and 7.4 to 4.0 % (fp8).
double between(const Site::Row& low, const Site::Row& high, double m) {
  return low.log_utilisation + (high.log_utilisation - low.log_utilisation) * ((m - low.m) / (high.m - low.m));
}

std::vector<Site::Row>::const_iterator row_from(const Site& site, double m) {
  return std::lower_bound(site.rows.begin(), site.rows.end(), m,
                          [](const Site::Row& row, double value) { return row.m < value; });
}

double at_rows(const Site& site, double m) {
  if (m <= site.rows.front().m) return site.rows.front().log_utilisation;
  if (m >= site.rows.back().m) return site.rows.back().log_utilisation;
  const auto high = row_from(site, m);
  return between(*(high - 1), *high, m);
}

constexpr std::size_t kNeighbours = 4;
constexpr double kSameMatrix = 0.01;  // squared: matrices within a tenth of each other count alike

// The mean of `value` over the nearest sites that have one, weighted by the inverse square of ln n and ln k.
template <class Value>
std::optional<double> of_neighbours(const ProductSurface& s, double n, double k, Value value) {
  struct Near {
    double distance, value;
  };
  std::vector<Near> near;
  for (const Site& site : s.sites) {
    const std::optional<double> found = value(site);
    if (!found) continue;
    const double rows = std::log(site.n / n), columns = std::log(site.k / k);
    near.push_back({rows * rows + columns * columns, *found});
  }
  if (near.empty()) return std::nullopt;
  const auto end = near.begin() + static_cast<std::ptrdiff_t>(std::min(kNeighbours, near.size()));
  std::partial_sort(near.begin(), end, near.end(),
                    [](const Near& a, const Near& b) { return a.distance < b.distance; });
  double sum = 0, weights = 0;
  for (auto one = near.begin(); one != end; ++one) {
    const double weight = 1 / (one->distance + kSameMatrix);
    sum += weight * one->value, weights += weight;
  }
  return sum / weights;
}

struct Found {
  double log_utilisation = 0;
  FigureOrigin origin = FigureOrigin::kInterpolated;
};

// How far other matrices that have rows between two m are from the straight line there: kernels begin and end at the same m for all.
double bend_of_neighbours(const ProductSurface& s, const Site& site, const Site::Row& low, const Site::Row& high,
                          double m) {
  const std::optional<double> bend = of_neighbours(s, site.n, site.k, [&](const Site& other) -> std::optional<double> {
    const auto inner = row_from(other, std::nextafter(low.m, high.m));
    const bool tells = covers(other, low.m) && covers(other, high.m) && inner != other.rows.end() && inner->m < high.m;
    if (!tells) return std::nullopt;
    const Site::Row first{low.m, at_rows(other, low.m)}, last{high.m, at_rows(other, high.m)};
    return at_rows(other, m) - between(first, last, m);
  });
  return bend.value_or(0);
}

// What other matrices reach at m, of those that were measured there.
std::optional<double> of_others(const ProductSurface& s, const Site* but, double n, double k, double m) {
  return of_neighbours(s, n, k, [&](const Site& other) {
    return &other != but && covers(other, m) ? std::optional(at_rows(other, m)) : std::nullopt;
  });
}

// Of a matrix that was measured. Beyond its own m as there and then as other matrices go on, and at twice or half of it half as those are themselves:
// with the first alone one row of four bits, which has a kernel of its own, was missed by 30 % (two H200, each point left out in turn).
Found at_site(const ProductSurface& s, const Site& site, double m) {
  if (covers(site, m)) {
    const auto high = row_from(site, m);
    if (high->m == m) return {high->log_utilisation, FigureOrigin::kMeasured};
    const Site::Row& low = *(high - 1);
    return {between(low, *high, m) + bend_of_neighbours(s, site, low, *high, m), FigureOrigin::kInterpolated};
  }
  const double edge = std::clamp(m, site.rows.front().m, site.rows.back().m);
  const std::optional<double> change = of_neighbours(s, site.n, site.k, [&](const Site& other) {
    return covers(other, m) && covers(other, edge) ? std::optional(at_rows(other, m) - at_rows(other, edge))
                                                   : std::nullopt;
  });
  const double gone_on = at_rows(site, edge) + change.value_or(0);
  const double others = of_others(s, &site, site.n, site.k, m).value_or(gone_on);
  const double share = 0.5 * std::min(1.0, std::abs(std::log2(m / edge)));  // none at the edge itself
  return {gone_on + share * (others - gone_on), FigureOrigin::kExtrapolated};
}

bool within_sites(const ProductSurface& s, double n, double k) {
  const auto any = [&](auto test) { return std::any_of(s.sites.begin(), s.sites.end(), test); };
  return any([&](const Site& a) { return a.n <= n; }) && any([&](const Site& a) { return a.n >= n; }) &&
         any([&](const Site& a) { return a.k <= k; }) && any([&](const Site& a) { return a.k >= k; });
}

Found between_sites(const ProductSurface& s, const ProductShape& shape) {
  if (const std::optional<double> covered = of_others(s, nullptr, shape.n, shape.k, shape.m)) {
    const bool within = within_sites(s, shape.n, shape.k);
    return {*covered, within ? FigureOrigin::kInterpolated : FigureOrigin::kExtrapolated};
  }
  return {*of_neighbours(s, shape.n, shape.k, [&](const Site& site) { return std::optional(at_rows(site, shape.m)); }),
          FigureOrigin::kExtrapolated};
}

bool before(const Site& site, const ProductShape& shape) {
  return std::tuple(site.n, site.k) < std::tuple(shape.n, shape.k);
}

Found find(const ProductSurface& s, const ProductShape& shape) {
  const auto site = std::lower_bound(s.sites.begin(), s.sites.end(), shape, before);
  const bool measured = site != s.sites.end() && site->n == shape.n && site->k == shape.k;
  return measured ? at_site(s, *site, shape.m) : between_sites(s, shape);
}

// ---------------------------------------------------------------------------------------------------------------------
// Points to sites

using Points = std::vector<ProductPoint>;

auto key(const ProductShape& shape) { return std::tuple(shape.n, shape.k, shape.m); }

Points one_of_each_shape(Points points) {
  std::sort(points.begin(), points.end(), [](const ProductPoint& a, const ProductPoint& b) {
    return key(a.shape) < key(b.shape) || (key(a.shape) == key(b.shape) && a.time < b.time);
  });
  const auto same = [](const ProductPoint& a, const ProductPoint& b) { return key(a.shape) == key(b.shape); };
  points.erase(std::unique(points.begin(), points.end(), same), points.end());
  return points;
}

ProductSurface surface_of(Format weights, const Points& points) {
  ProductSurface s{.weights = weights, .points = static_cast<int>(points.size())};
  s.start = Seconds(std::numeric_limits<double>::infinity());
  for (const ProductPoint& p : points) {
    s.start = std::min(s.start, p.time / 2);
    s.memory = std::max(s.memory, p.shape.bytes / p.time);
    s.compute = std::max(s.compute, p.shape.flops / p.time);
  }
  for (const ProductPoint& p : points) {
    const bool same = !s.sites.empty() && s.sites.back().n == p.shape.n && s.sites.back().k == p.shape.k;
    if (!same) s.sites.push_back({.n = p.shape.n, .k = p.shape.k});
    s.sites.back().rows.push_back({.m = p.shape.m, .log_utilisation = std::log(roofline(s, p.shape) / p.time)});
  }
  return s;
}

constexpr std::size_t kMostLeftOut = 400;  // evenly among more; each is a fit of its own

LeftOut leave_each_out(Format weights, const Points& points) {
  std::vector<double> ratios;
  const std::size_t step = (points.size() + kMostLeftOut - 1) / kMostLeftOut;
  for (std::size_t i = 0; i < points.size(); i += step) {
    Points others = points;
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
    ratios.push_back(points[i].time / product_time(surface_of(weights, others), points[i].shape).figure.time);
  }
  return left_out(std::move(ratios));
}

}  // namespace

// Heads that multiply apart are a matrix of blocks: its inputs are those that one output has.
ProductShape product_shape(const Operator& op) {
  const Work work = busiest_work(op);
  return {.m = op.tokens,
          .n = op.width_out,
          .k = op.width_out > 0 ? op.weight_elements / op.width_out : 0,
          .bytes = work.weights + work.others,
          .flops = work.flops_done};
}

std::size_t distinct_shapes(std::vector<ProductPoint> points) { return one_of_each_shape(std::move(points)).size(); }

bool reaches(const ProductSurface& s, double m) {
  constexpr double kNear = 2;
  return std::any_of(s.sites.begin(), s.sites.end(), [&](const Site& site) { return m <= kNear * site.rows.back().m; });
}

ProductSurface fit_surface(Format weights, std::vector<ProductPoint> points) {
  points = one_of_each_shape(std::move(points));
  ProductSurface surface = surface_of(weights, points);
  surface.left_out = leave_each_out(weights, points);
  return surface;
}

ProductTime product_time(const ProductSurface& s, const ProductShape& shape) {
  const Found found = find(s, shape);
  ProductTime t{.start = s.start, .memory = shape.bytes / s.memory, .compute = shape.flops / s.compute};
  const Seconds predicted = roofline(s, shape) / std::exp(found.log_utilisation);
  t.figure = figure_of(std::max({predicted, t.memory, t.compute}), found.origin, s.left_out);
  return t;
}

}  // namespace fathom
