#include "profile/profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace fathom {

namespace {

using Factor = std::vector<ProfileFactor>::const_iterator;
using Keys = std::array<double, 3>;

Keys keys(const ProfileFactor& f) { return {f.flops_per_byte, f.bytes_per_token.value, f.bytes.value}; }

// At x between two points, by the logarithm of x.
double between(double x0, double y0, double x1, double y1, double x) {
  return x0 > 0 && x1 > x0 ? y0 + (y1 - y0) * (std::log(x / x0) / std::log(x1 / x0)) : y0;
}

// Of factors that agree in the keys before `level`; beyond the least and the greatest of a key as there.
double factor_at(Factor first, Factor last, const Keys& at, std::size_t level) {
  if (level == at.size()) return first->factor;
  const auto end_of_same = [&](Factor f) {
    return std::find_if(f, last, [&](const auto& other) { return keys(other)[level] > keys(*f)[level]; });
  };
  Factor low = first, high = end_of_same(low);
  while (high != last && keys(*high)[level] <= at[level]) low = high, high = end_of_same(low);
  const double here = factor_at(low, high, at, level + 1);
  if (high == last || at[level] <= keys(*low)[level]) return here;
  return between(keys(*low)[level], here, keys(*high)[level], factor_at(high, end_of_same(high), at, level + 1),
                 at[level]);
}

}  // namespace

ProfileTime profile_time(const ProfileRow& row, Bytes bytes, Flops flops, double tokens) {
  ProfileTime t{.memory = bytes / row.memory, .compute = flops / row.compute, .floor = row.floor};
  t.total = row.floor + (row.form == ProfileForm::kSum ? t.memory + t.compute : std::max(t.memory, t.compute));
  if (bytes > Bytes(0) && !row.factors.empty()) {
    const Keys at{flops.value / bytes.value, tokens > 0 ? bytes.value / tokens : 0, bytes.value};
    t.total *= factor_at(row.factors.begin(), row.factors.end(), at, 0);
  }
  return t;
}

bool reaches(const ProfileRow& row, Bytes bytes, Flops flops) {
  if (row.factors.empty() || bytes <= Bytes(0)) return true;
  constexpr double kNear = 2;
  double most = 0;
  for (const ProfileFactor& f : row.factors) most = std::max(most, f.flops_per_byte);
  return flops.value / bytes.value <= kNear * most;
}

Seconds profile_time(const ProfileCollective& row, Bytes wire_bytes) {
  const Seconds line = row.latency + wire_bytes / row.bandwidth;
  if (wire_bytes <= Bytes(0) || row.factors.empty()) return line;
  return line * factor_at(row.factors.begin(), row.factors.end(), {0, 0, wire_bytes.value}, 0);
}

Format profile_format(OperatorKind kind, Format weights) {
  const bool matters = kind == OperatorKind::kLinear || kind == OperatorKind::kGroupedLinear ||
                       kind == OperatorKind::kRouter || kind == OperatorKind::kEmbed;
  return matters ? weights : Format::kBf16;
}

const ProfileRow* Profile::find(OperatorKind kind, Format weights) const {
  const Format format = profile_format(kind, weights);
  for (const ProfileRow& row : rows) {
    if (row.kind == kind && row.weights == format) return &row;
  }
  return nullptr;
}

const ProfileCollective* Profile::find(OperatorKind kind, int ranks) const {
  for (const ProfileCollective& row : collectives) {
    if (row.kind == kind && row.ranks == ranks) return &row;
  }
  return nullptr;
}

// Kernels that expand four bits in groups of 128 read them with and without zero points, which are 4 bits beside 528 of a group.
const ProductSurface* Profile::surface(Format weights) const {
  for (const ProductSurface& surface : surfaces) {
    if (surface.weights == weights) return &surface;
  }
  if (weights == Format::kInt4G128Asym) return surface(Format::kInt4G128);
  return nullptr;
}

std::optional<Figure> Profile::on_curves(OperatorKind kind, int ranks, Bytes wire_bytes) const {
  std::optional<Figure> best;
  for (const MeasuredCurve& curve : curves) {
    if (curve.kind != kind || curve.ranks != ranks || wire_bytes < curve.points.front().bytes) continue;
    const Figure here = curve_time(curve, wire_bytes);
    const bool outside = here.origin == FigureOrigin::kExtrapolated;
    const bool best_outside = best && best->origin == FigureOrigin::kExtrapolated;
    const bool better = !best || (outside != best_outside ? best_outside : outside == (here.time > best->time));
    if (better) best = here;
  }
  return best;
}

std::vector<std::string> fit_texts(const Profile& profile) {
  std::vector<std::string> texts;
  const auto say = [&](const std::string& what, std::size_t points, const LeftOut& left_out) {
    texts.push_back(fmt::format("{}: {} shapes, left out one by one {:.1f} % off (median), {:.1f} % (90 % of them)",
                                what, points, left_out.median_error * 100, left_out.p90_error * 100));
  };
  for (const ProductSurface& s : profile.surfaces)
    say("linear " + to_string(s.weights), static_cast<std::size_t>(s.points), s.left_out);
  for (const ProfileRow& row : profile.rows) {
    if (profile.alone) {
      texts.push_back(fmt::format("{} {}: {} samples, left out one by one {:.1f} % off (median)", to_string(row.kind),
                                  to_string(row.weights), row.fit.samples, row.fit.median_error * 100));
    }
  }
  for (const MeasuredCurve& c : profile.curves)
    say(fmt::format("{} over {} ranks{}{}", to_string(c.kind), c.ranks, c.way.empty() ? "" : ", ", c.way),
        c.points.size(), c.left_out);
  return texts;
}

bool Profile::part_of_another(const std::string& name, double tokens) const {
  return std::any_of(parts.begin(), parts.end(),
                     [&](const ProfilePart& part) { return part.name == name && tokens <= part.tokens; });
}

}  // namespace fathom
