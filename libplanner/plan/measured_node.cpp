#include "plan/measured_node.h"

#include "plan/host_device.h"
#include "power/from_cluster.h"

namespace fathom {

namespace {

// Busy as the activity of a plan counts it: shares of the data sheet's peaks.
std::optional<MeasuredWatts> measured_watts(const Accelerator& a, const Profile& profile) {
  const Fact<FlopsPerSecond>* bf16 = peak(a, Dtype::kBf16);
  if (!profile.watts || !a.memory_bandwidth || bf16 == nullptr) return std::nullopt;
  const ProfileWatts& w = *profile.watts;
  return MeasuredWatts{.idle = w.idle,
                       .reading = w.reading,
                       .multiplying = w.multiplying,
                       .memory = w.memory / a.memory_bandwidth->value,
                       .compute = w.compute / bf16->value,
                       .limit = w.limit};
}

}  // namespace

bool is_measured(const Node& node, const Profile* profile) {
  return profile != nullptr && node.accelerator != nullptr && node.accelerator->id == profile->accelerator;
}

NodeParts parts_of(const Group& group, const Cluster& cluster, const Catalog& catalog, const Profile* profile) {
  const Node node = with_processor_once(group.node);
  NodeParts parts = node_parts(node, cluster.site_of(group), catalog);
  if (!parts.accelerator || !is_measured(node, profile)) return parts;
  if (const auto watts = measured_watts(*node.accelerator, *profile))
    parts.accelerator = through_measured(*parts.accelerator, *watts);
  return parts;
}

std::optional<BytesPerSecond> weight_read(const Node& node, const Profile* profile) {
  if (is_measured(node, profile) && profile->storage) return profile->storage;
  std::optional<BytesPerSecond> sum;
  for (const Disk& disk : node.disks) {
    if (disk.read && (disk.use == "model" || disk.use.empty()))
      sum = sum.value_or(BytesPerSecond(0)) + *disk.read * disk.count;
  }
  return sum;
}

}  // namespace fathom
