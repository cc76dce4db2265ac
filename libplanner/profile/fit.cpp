#include "profile/fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <tuple>

#include "units/text.h"

namespace fathom {

// Of experts that are dealt out the time is the busiest rank's, and so is the work.
ProfileSample sample_of(const Operator& op, Seconds time) {
  const Work work = busiest_work(op);
  return {.name = plan_name(op),
          .kind = op.kind,
          .weights = profile_format(op.kind, op.weights),
          .bytes = work.weights + work.others,
          .flops = work.flops_done,
          .tokens = op.tokens,
          .time = time};
}

CollectiveSample collective_sample_of(const Operator& op, Seconds time) {
  return {.kind = op.kind, .ranks = op.ranks, .wire_bytes = wire_bytes(op), .time = time};
}

namespace {

// ---------------------------------------------------------------------------------------------------------------------
// Time as a sum of at most three terms with coefficients that are not negative

struct Point {
  double x = 0, y = 0;  // bytes and FLOP
  double tokens = 0;
  double time = 0;
};

using Terms = std::array<double, 3>;  // seconds per byte, per FLOP, and at least

// The coefficients of the terms in `used` (a bit each) that minimise sum of weight (terms / time - 1)^2; false when they
// are not determined or one is negative.
bool solve(const std::vector<Terms>& terms, const std::vector<double>& weight, unsigned used, Terms& out) {
  std::array<std::array<double, 4>, 3> m{};
  std::array<int, 3> column{};
  int n = 0;
  for (int k = 0; k < 3; ++k) {
    if (used >> k & 1u) column[n++] = k;
  }
  for (std::size_t i = 0; i < terms.size(); ++i) {
    for (int r = 0; r < n; ++r) {
      for (int c = 0; c < n; ++c) m[r][c] += weight[i] * terms[i][column[r]] * terms[i][column[c]];
      m[r][n] += weight[i] * terms[i][column[r]];
    }
  }
  for (int p = 0; p < n; ++p) {  // the normal equations, each row scaled by its diagonal first
    const double scale = m[p][p];
    if (!(scale > 0)) return false;
    for (int r = p + 1; r < n; ++r) {
      const double factor = m[r][p] / scale;
      const double before = m[r][r];
      for (int c = p; c <= n; ++c) m[r][c] -= factor * m[p][c];
      if (m[r][r] < 1e-9 * before) return false;  // two terms that cannot be told apart
    }
  }
  out = {};
  for (int p = n - 1; p >= 0; --p) {
    double value = m[p][n];
    for (int c = p + 1; c < n; ++c) value -= m[p][c] * out[column[c]];
    out[column[p]] = value / m[p][p];
    if (!(out[column[p]] >= 0)) return false;
  }
  return true;
}

// The mean error that a fit is judged by: large misses count, a wild sample does not rule.
double cost_of(double ratio) { return std::abs(std::log(ratio)); }

double value(const Terms& terms, const Terms& coefficients) {
  return terms[0] * coefficients[0] + terms[1] * coefficients[1] + terms[2] * coefficients[2];
}

// Least absolute relative errors by reweighting; `terms` are divided by the measured time.
Terms fit_terms(const std::vector<Terms>& terms) {
  Terms best{};
  double least = std::numeric_limits<double>::infinity();
  for (unsigned used = 1; used < 8; ++used) {
    std::vector<double> weight(terms.size(), 1);
    for (int round = 0; round < 20; ++round) {
      Terms found;
      if (!solve(terms, weight, used, found)) break;
      double cost = 0;
      for (std::size_t i = 0; i < terms.size(); ++i) {
        const double ratio = value(terms[i], found);
        cost += ratio > 0 ? cost_of(ratio) : 1e3;
        weight[i] = 1 / std::max(std::abs(ratio - 1), 0.01);
      }
      if (cost < least * (1 - 1e-9)) least = cost, best = found;
    }
  }
  return best;
}

// ---------------------------------------------------------------------------------------------------------------------
// One row

// A coefficient that rounding left is none: nothing reads 10^20 bytes a second.
double rate(double per_unit) { return per_unit > 1e-20 ? 1 / per_unit : std::numeric_limits<double>::infinity(); }

ProfileRow row_from(const Terms& t, ProfileForm form) {
  ProfileRow row;
  row.form = form;
  row.memory = BytesPerSecond(rate(t[0]));
  row.compute = FlopsPerSecond(rate(t[1]));
  row.floor = Seconds(t[2]);
  return row;
}

std::vector<double> ratios(const std::vector<Point>& points, const ProfileRow& row) {
  std::vector<double> result;
  for (const Point& p : points)
    result.push_back(p.time / profile_time(row, Bytes(p.x), Flops(p.y), p.tokens).total.value);
  return result;
}

double cost(const std::vector<Point>& points, const ProfileRow& row) {
  double sum = 0;
  for (const double ratio : ratios(points, row)) sum += std::isfinite(ratio) && ratio > 0 ? cost_of(ratio) : 1e3;
  return sum;
}

ProfileRow fit_sum(const std::vector<Point>& points) {
  std::vector<Terms> terms;
  for (const Point& p : points) terms.push_back({p.x / p.time, p.y / p.time, 1 / p.time});
  return row_from(fit_terms(terms), ProfileForm::kSum);
}

// Which of the two is the longer depends on FLOP per byte alone: above some intensity computing. So every way to part the
// samples, in the order of their intensity, is a linear problem, and the best of them is the fit.
ProfileRow fit_longest(std::vector<Point> points) {
  std::sort(points.begin(), points.end(), [](const Point& a, const Point& b) { return a.y * b.x < b.y * a.x; });
  ProfileRow best;
  double least = std::numeric_limits<double>::infinity();
  const std::size_t step = std::max<std::size_t>(1, points.size() / 64);  // a finer cut changes nothing that matters
  for (std::size_t cut = 0; cut <= points.size(); cut += step) {
    std::vector<Terms> terms;
    for (std::size_t i = 0; i < points.size(); ++i) {
      const Point& p = points[i];
      terms.push_back({i < cut ? p.x / p.time : 0, i < cut ? 0 : p.y / p.time, 1 / p.time});
    }
    const ProfileRow row = row_from(fit_terms(terms), ProfileForm::kLongest);
    const double now = cost(points, row);
    if (now < least * (1 - 1e-9)) least = now, best = row;
  }
  return best;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return quantile(values, 0.5);
}

// One point for each shape, at the median of its times: what disturbed one of several runs is gone before anything is fitted.
std::vector<Point> shapes_of(std::vector<Point> points) {
  const auto shape = [](const Point& p) { return std::tuple(p.x, p.y, p.tokens); };
  std::sort(points.begin(), points.end(), [&](const Point& a, const Point& b) { return shape(a) < shape(b); });
  std::vector<Point> shapes;
  for (std::size_t i = 0; i < points.size();) {
    std::vector<double> times;
    std::size_t end = i;
    for (; end < points.size() && shape(points[end]) == shape(points[i]); ++end) times.push_back(points[end].time);
    shapes.push_back({.x = points[i].x, .y = points[i].y, .tokens = points[i].tokens, .time = median(times)});
    i = end;
  }
  return shapes;
}

// ---------------------------------------------------------------------------------------------------------------------
// What the two rates of a row miss, by intensity, and by size where intensity says nothing

struct Alike {
  ProfileFactor of;            // without its factor
  std::vector<double> missed;  // logarithms of measured over fitted time, one for each shape
  double middle = 0;           // their median
};

// Shapes so near each other are one. Attention reads a short cache at a little less FLOP per byte than a long one, because of
// the queries and results beside it: its shapes are told apart by context and size instead, and operators without FLOP by size.
constexpr double kSameIntensity = 1.10, kSameAttention = 1.5, kSameContext = 1.3, kSameSize = 1.5, kSameCache = 1.3;

// Points in the order of `of`, cut where it has grown by more than `within`.
template <class Of>
std::vector<std::vector<Point>> cut_by(std::vector<Point> points, Of of, double within) {
  std::sort(points.begin(), points.end(), [&](const Point& a, const Point& b) { return of(a) < of(b); });
  std::vector<std::vector<Point>> groups;
  for (const Point& p : points) {
    if (groups.empty() || of(p) > of(groups.back().front()) * within) groups.emplace_back();
    groups.back().push_back(p);
  }
  return groups;
}

bool reads_a_cache(const ProfileRow& row) {
  return row.kind == OperatorKind::kAttention || row.kind == OperatorKind::kMlaAttention;
}

std::vector<Alike> alike(std::vector<Point> points, const ProfileRow& row) {
  std::erase_if(points, [](const Point& p) { return !(p.x > 0); });
  const bool cache = reads_a_cache(row);
  const auto intensity = [](const Point& p) { return p.y / p.x; };
  const auto per_token = [&](const Point& p) { return cache && p.tokens > 0 ? p.x / p.tokens : 0; };
  const bool by_size = cache || row.kind == OperatorKind::kGroupedLinear;
  const auto size = [&](const Point& p) { return by_size || p.y == 0 ? p.x : 0; };
  std::vector<Alike> all;
  for (const auto& same : cut_by(std::move(points), intensity, cache ? kSameAttention : kSameIntensity)) {
    for (const auto& context : cut_by(same, per_token, kSameContext)) {
      for (const auto& some : cut_by(context, size, cache ? kSameCache : kSameSize)) {
        Alike& one = all.emplace_back();
        one.of = {.flops_per_byte = intensity(same[same.size() / 2]),
                  .bytes_per_token = Bytes(per_token(context[context.size() / 2])),
                  .bytes = Bytes(size(some[some.size() / 2]))};
        for (const double ratio : ratios(some, row)) one.missed.push_back(std::log(ratio));
        one.middle = median(one.missed);
      }
    }
  }
  return all;
}

// Shapes that are alike scatter, and their median by so much less: a factor counts as far as it stands out of that.
std::vector<ProfileFactor> factors_of(const std::vector<Point>& points, const ProfileRow& row) {
  const std::vector<Alike> groups = alike(points, row);
  double scatter = 0, degrees = 0;
  for (const Alike& group : groups) {
    for (const double missed : group.missed) scatter += (missed - group.middle) * (missed - group.middle);
    degrees += static_cast<double>(group.missed.size()) - 1;
  }
  const bool by_size = reads_a_cache(row) || is_collective(row.kind);  // a few sizes, once each
  if (groups.size() < 2 || (degrees < 1 && !by_size)) return {};
  scatter /= std::max(degrees, 1.0);
  std::vector<ProfileFactor> factors;
  for (const Alike& group : groups) {
    const double squared = group.middle * group.middle;
    const double noise = scatter / static_cast<double>(group.missed.size());
    const double believed = squared > 0 ? squared / (squared + noise) : 0;
    factors.push_back(group.of);
    factors.back().factor = std::exp(group.middle * believed);
  }
  return factors;
}

// `times` of the shapes over the fitted ones.
ProfileFit fit_of(std::vector<double> times, std::size_t samples) {
  ProfileFit fit{.samples = static_cast<int>(samples)};
  std::sort(times.begin(), times.end());
  fit.fast = std::clamp(quantile(times, kTail), 0.01, 1 - kLeastSpread);
  fit.slow = std::clamp(quantile(times, 1 - kTail), 1 + kLeastSpread, 100.0);
  for (double& ratio : times) ratio = std::abs(ratio - 1);
  std::sort(times.begin(), times.end());
  fit.median_error = quantile(times, 0.5);
  fit.worst_error = times.back();
  return fit;
}

ProfileRow row_through(OperatorKind kind, Format weights, const std::vector<Point>& points) {
  const ProfileRow longest = fit_longest(points), sum = fit_sum(points);
  ProfileRow row = cost(points, sum) < cost(points, longest) ? sum : longest;
  row.kind = kind;
  row.weights = weights;
  row.factors = factors_of(points, row);
  return row;
}

// Of each point over the time of a row through the others.
std::vector<double> ratios_left_out(const std::vector<Point>& points, const ProfileRow& row) {
  std::vector<double> result;
  for (std::size_t i = 0; i < points.size(); ++i) {
    std::vector<Point> others = points;
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
    result.push_back(ratios({points[i]}, row_through(row.kind, row.weights, others)).front());
  }
  return result;
}

ProfileRow fit_row(OperatorKind kind, Format weights, const std::vector<Point>& samples, bool alone) {
  const std::vector<Point> points = shapes_of(samples);
  ProfileRow row = row_through(kind, weights, points);
  const bool leave_out = alone && points.size() > 1;
  row.fit = fit_of(leave_out ? ratios_left_out(points, row) : ratios(points, row), samples.size());
  return row;
}

ProfileCollective fit_collective(OperatorKind kind, int ranks, const std::vector<Point>& samples) {
  const std::vector<Point> points = shapes_of(samples);
  ProfileRow line = fit_sum(points);  // without FLOP
  line.kind = kind;
  const ProfileFit fit =
      fit_of(ratios(points, line), samples.size());  // factors go through every size: they would fit themselves
  line.factors = factors_of(points, line);
  return {.kind = kind,
          .ranks = ranks,
          .latency = line.floor,
          .bandwidth = line.memory,
          .factors = line.factors,
          .fit = fit};
}

// ---------------------------------------------------------------------------------------------------------------------
// All rows

bool usable(Seconds time) { return std::isfinite(time.value) && time > Seconds(0); }

std::string shapes_text(const ProfileRow& row, const std::vector<Point>& points, double least, double most) {
  const auto [low, high] =
      std::minmax_element(points.begin(), points.end(), [](const Point& a, const Point& b) { return a.x < b.x; });
  return fmt::format("{} {}: {} samples, {:g} to {:g} tokens, {} to {}", to_string(row.kind), to_string(row.weights),
                     points.size(), least, most, to_string(Bytes(low->x)), to_string(Bytes(high->x)));
}

void fit_operators(Profile& profile, const std::vector<ProfileSample>& samples, bool alone) {
  struct Set {
    std::vector<Point> points;
    double least_tokens = std::numeric_limits<double>::infinity(), most_tokens = 0;
  };
  std::map<std::pair<OperatorKind, Format>, Set> sets;
  for (const ProfileSample& s : samples) {
    if (!usable(s.time) || is_collective(s.kind)) continue;
    Set& set = sets[{s.kind, profile_format(s.kind, s.weights)}];
    set.points.push_back({.x = s.bytes.value, .y = s.flops.value, .tokens = s.tokens, .time = s.time.value});
    set.least_tokens = std::min(set.least_tokens, s.tokens);
    set.most_tokens = std::max(set.most_tokens, s.tokens);
  }
  for (const auto& [key, set] : sets) {
    profile.rows.push_back(fit_row(key.first, key.second, set.points, alone));
    profile.shapes.push_back(shapes_text(profile.rows.back(), set.points, set.least_tokens, set.most_tokens));
  }
}

// Parted in the middle, by ratio, of the most tokens without a time and the fewest beyond with one.
void find_parts(Profile& profile, const std::vector<ProfileSample>& samples) {
  std::map<std::string, double> most;  // tokens without a time
  for (const ProfileSample& s : samples) {
    if (s.time == Seconds(0) && !s.name.empty()) most[s.name] = std::max(most[s.name], s.tokens);
  }
  for (const auto& [name, tokens] : most) {
    double fewest = std::numeric_limits<double>::infinity();
    for (const ProfileSample& s : samples) {
      if (s.name == name && usable(s.time) && s.tokens > tokens) fewest = std::min(fewest, s.tokens);
    }
    profile.parts.push_back({.name = name, .tokens = std::sqrt(tokens * fewest)});
  }
}

void fit_collectives(Profile& profile, const std::vector<CollectiveSample>& samples) {
  std::map<std::pair<OperatorKind, int>, std::vector<Point>> sets;
  for (const CollectiveSample& s : samples) {
    if (usable(s.time)) sets[{s.kind, s.ranks}].push_back({.x = s.wire_bytes.value, .y = 0, .time = s.time.value});
  }
  for (const auto& [key, points] : sets) profile.collectives.push_back(fit_collective(key.first, key.second, points));
}

void fit_surfaces(Profile& profile, const std::vector<ProductSample>& samples) {
  std::map<Format, std::vector<ProductPoint>> sets;
  for (const ProductSample& s : samples) {
    if (usable(s.point.time)) sets[s.weights].push_back(s.point);
  }
  for (auto& [weights, points] : sets) {
    if (distinct_shapes(points) >= kLeastSurfacePoints)
      profile.surfaces.push_back(fit_surface(weights, std::move(points)));
  }
}

void fit_curves(Profile& profile, const std::vector<CollectiveSample>& samples) {
  std::map<std::tuple<OperatorKind, int, std::string>, std::vector<CurvePoint>> sets;
  for (const CollectiveSample& s : samples) {
    if (usable(s.time)) sets[{s.kind, s.ranks, s.way}].push_back({.bytes = s.wire_bytes, .time = s.time});
  }
  for (auto& [key, points] : sets) {
    if (distinct_sizes(points) < kLeastCurvePoints) continue;
    const auto& [kind, ranks, way] = key;
    profile.curves.push_back(fit_curve(kind, ranks, std::move(points)));
    profile.curves.back().way = way;
  }
}

void fit_step(Profile& profile, const std::vector<Seconds>& overheads) {
  std::vector<double> sorted;
  for (const Seconds time : overheads) {
    if (std::isfinite(time.value) && time >= Seconds(0)) sorted.push_back(time.value);
  }
  profile.step_samples = static_cast<int>(sorted.size());
  if (sorted.empty()) return;
  std::sort(sorted.begin(), sorted.end());
  const double likely = quantile(sorted, 0.5);
  profile.step_overhead = {.min = Seconds(std::min(quantile(sorted, kTail), likely * (1 - kLeastSpread))),
                           .likely = Seconds(likely),
                           .max = Seconds(std::max(quantile(sorted, 1 - kTail), likely * (1 + kLeastSpread))),
                           .confidence = Confidence::kMeasured};
}

}  // namespace

Profile fit_profile(const ProfileMeasurements& m) {
  Profile profile;
  profile.machine = m.machine;
  profile.backend = m.backend;
  profile.date = m.date;
  profile.accelerator = m.accelerator;
  profile.engine = m.engine;
  profile.alone = m.alone;
  profile.commands = m.commands;
  profile.watts = m.watts;
  profile.storage = m.storage;
  profile.rows = m.rows;
  fit_operators(profile, m.operators, m.alone);
  profile.parts = m.parts;
  find_parts(profile, m.operators);
  fit_collectives(profile, m.collectives);
  fit_surfaces(profile, m.products);
  fit_curves(profile, m.curves);
  fit_step(profile, m.step_overheads);
  return profile;
}

}  // namespace fathom
