#include "profile/profile.h"

#include <algorithm>
#include <cmath>

namespace fathom {

namespace {

// Between two factors by the logarithm of the intensity, beyond the last the last.
double factor_at(const std::vector<ProfileFactor>& factors, double flops_per_byte) {
  if (factors.empty()) return 1;
  const auto above =
      std::find_if(factors.begin(), factors.end(), [&](const auto& f) { return f.flops_per_byte > flops_per_byte; });
  if (above == factors.begin()) return above->factor;
  const ProfileFactor& low = *(above - 1);
  if (above == factors.end() || !(low.flops_per_byte > 0)) return low.factor;
  const double share =
      std::log(flops_per_byte / low.flops_per_byte) / std::log(above->flops_per_byte / low.flops_per_byte);
  return low.factor + (above->factor - low.factor) * share;
}

}  // namespace

ProfileTime profile_time(const ProfileRow& row, Bytes bytes, Flops flops) {
  ProfileTime t{.memory = bytes / row.memory, .compute = flops / row.compute, .floor = row.floor};
  t.total = row.floor + (row.form == ProfileForm::kSum ? t.memory + t.compute : std::max(t.memory, t.compute));
  if (bytes > Bytes(0)) t.total *= factor_at(row.factors, flops.value / bytes.value);
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
