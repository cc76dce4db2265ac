#include "profile/profile.h"

#include <algorithm>
#include <cmath>

namespace fathom {

namespace {

using Factor = std::vector<ProfileFactor>::const_iterator;

// At x between two points, by the logarithm of x.
double between(double x0, double y0, double x1, double y1, double x) {
  return x0 > 0 && x1 > x0 ? y0 + (y1 - y0) * (std::log(x / x0) / std::log(x1 / x0)) : y0;
}

// Of factors at one intensity; beyond the smallest and the largest size theirs.
double factor_of_size(Factor first, Factor last, Bytes bytes) {
  const Factor above = std::find_if(first, last, [&](const ProfileFactor& f) { return f.bytes > bytes; });
  if (above == first) return above->factor;
  const Factor low = above - 1;
  if (above == last) return low->factor;
  return between(low->bytes.value, low->factor, above->bytes.value, above->factor, bytes.value);
}

// Beyond the lowest and the highest intensity as there.
double factor_at(const std::vector<ProfileFactor>& factors, double flops_per_byte, Bytes bytes) {
  if (factors.empty()) return 1;
  const auto end_of_same = [&](Factor first) {
    return std::find_if(first, factors.end(), [&](const auto& f) { return f.flops_per_byte > first->flops_per_byte; });
  };
  Factor low = factors.begin(), high = end_of_same(low);
  while (high != factors.end() && high->flops_per_byte <= flops_per_byte) low = high, high = end_of_same(low);
  const double here = factor_of_size(low, high, bytes);
  if (high == factors.end() || flops_per_byte <= low->flops_per_byte) return here;
  return between(low->flops_per_byte, here, high->flops_per_byte, factor_of_size(high, end_of_same(high), bytes),
                 flops_per_byte);
}

}  // namespace

ProfileTime profile_time(const ProfileRow& row, Bytes bytes, Flops flops) {
  ProfileTime t{.memory = bytes / row.memory, .compute = flops / row.compute, .floor = row.floor};
  t.total = row.floor + (row.form == ProfileForm::kSum ? t.memory + t.compute : std::max(t.memory, t.compute));
  if (bytes > Bytes(0)) t.total *= factor_at(row.factors, flops.value / bytes.value, bytes);
  return t;
}

Seconds profile_time(const ProfileCollective& row, Bytes wire_bytes) {
  return row.latency + wire_bytes / row.bandwidth;
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

bool Profile::part_of_another(const std::string& name, double tokens) const {
  return std::any_of(parts.begin(), parts.end(),
                     [&](const ProfilePart& part) { return part.name == name && tokens <= part.tokens; });
}

}  // namespace fathom
