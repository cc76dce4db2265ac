#include "profile/profile.h"

#include <algorithm>

namespace fathom {

ProfileTime profile_time(const ProfileRow& row, Bytes bytes, Flops flops) {
  ProfileTime t{.memory = bytes / row.memory, .compute = flops / row.compute, .floor = row.floor};
  t.total = row.floor + (row.form == ProfileForm::kSum ? t.memory + t.compute : std::max(t.memory, t.compute));
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

}  // namespace fathom
