#include "plan/host_device.h"

namespace fathom {

bool runs_on_host(const Node& node) { return node.accelerator != nullptr && node.accelerator->id == kHostAccelerator; }

namespace {

// What the file states of the whole node, or else the catalog's assumption; divided among the ranks.
template <class T>
void share_out(Fact<T>& fact, T stated, int ranks) {
  if (stated > T{}) {
    fact = {.value = stated,
            .low = {},
            .high = {},
            .origin = {.source = "node", .date = {}, .confidence = Confidence::kStated}};
  }
  fact.value /= ranks;
  if (fact.low) *fact.low /= ranks;
  if (fact.high) *fact.high /= ranks;
}

}  // namespace

Accelerator host_device(const Pool& pool) {
  Accelerator device = *pool.accelerator;
  share_out(device.memory, pool.host_memory, pool.per_node);
  if (device.memory_bandwidth) share_out(*device.memory_bandwidth, pool.host_memory_bandwidth, pool.per_node);
  for (auto& [rate, fact] : device.peak) share_out(fact, pool.host_compute, pool.per_node);
  return device;
}

Node with_processor_once(Node node) {
  if (!runs_on_host(node)) return node;
  if (node.cpu == nullptr) {
    node.accelerators = 1;  // however many ranks share it
  } else {
    node.accelerator = nullptr;
    node.accelerators = 0;
  }
  return node;
}

}  // namespace fathom
