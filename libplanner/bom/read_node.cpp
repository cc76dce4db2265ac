#include <fmt/format.h>

#include "bom/read_parts.h"

namespace fathom::bom {

namespace {

void read_accelerator(const Context& at, const Catalog& catalog, Node& node) {
  MapReader reader(at.file, at.value, "the accelerators of a node");
  node.accelerator = &find_entry<Accelerator>(reader.context(reader.need("part")), catalog);
  node.accelerators = count_in(reader, "count", 1, 1024);
  node.accelerator_price = price_of(reader);
  reader.finish();
}

void read_cpu(const Context& at, const Catalog& catalog, Node& node) {
  MapReader reader(at.file, at.value, "the processors of a node");
  node.cpu = &find_entry<Cpu>(reader.context(reader.need("part")), catalog);
  node.cpus = count_in(reader, "count", 1, 64, 1);
  node.cpu_price = price_of(reader);
  reader.finish();
}

// `memory: 512 GB`, or {size, bandwidth, price}.
void read_memory(const Context& at, Node& node) {
  if (at.value.kind != Value::Kind::kMapping) return read(at, node.memory);
  MapReader reader(at.file, at.value, "the memory of a node");
  node.memory = reader.required<Bytes>("size");
  node.memory_bandwidth = positive<BytesPerSecond>(reader, "bandwidth");
  node.memory_price = price_of(reader);
  reader.finish();
}

Nic read_nic(const Context& at, const Catalog& catalog, const Names& names) {
  MapReader reader(at.file, at.value, "a network card");
  Nic nic;
  nic.part = part_name<NetworkCard>(reader, catalog);
  nic.count = count_in(reader, "count", 1, 256, 1);
  reader.need("rate");
  nic.rate = *positive<BytesPerSecond>(reader, "rate");
  if (const Value* fabric = reader.take("fabric")) {
    read(reader.context(*fabric), nic.fabric);
    check_reference(reader.context(*fabric), nic.fabric, names.fabrics, "fabric");
  }
  nic.price = price_of(reader);
  reader.finish();
  return nic;
}

Disk read_disk(const Context& at, const Catalog& catalog) {
  MapReader reader(at.file, at.value, "a disk");
  Disk disk;
  disk.part = part_name<DiskPart>(reader, catalog);
  disk.count = count_in(reader, "count", 1, 4096, 1);
  reader.need("capacity");
  disk.capacity = *positive<Bytes>(reader, "capacity");
  disk.read = positive<BytesPerSecond>(reader, "read");
  disk.use = reader.get<std::string>("use", "");
  disk.price = price_of(reader);
  reader.finish();
  return disk;
}

Psu read_psu(const Context& at) {
  static const std::vector<std::string> kGrades = {"", "bronze", "silver", "gold", "platinum", "titanium"};
  MapReader reader(at.file, at.value, "a power supply");
  Psu psu;
  psu.count = count_in(reader, "count", 1, 64, 1);
  if (psu.count > 1 && reader.value().find("needed") == nullptr) {
    reader.fail(fmt::format("how many of the {} supplies must work?", psu.count),
                fmt::format("needed: {} has one in reserve, needed: {} has none", psu.count - 1, psu.count));
  }
  psu.needed = count_in(reader, "needed", 1, psu.count, 1);
  reader.need("rated");
  psu.rated = *positive<Watts>(reader, "rated");
  psu.grade = kGrades[reader.choice("grade", kGrades, 0)];
  reader.finish();
  return psu;
}

NodePower read_power(const Context& at) {
  MapReader reader(at.file, at.value, "the power of a node");
  NodePower power;
  power.rated = reader.optional<Fact<Watts>>("rated");
  power.peak = reader.optional<Fact<Watts>>("peak");
  power.mean = reader.optional<Fact<Watts>>("mean");
  power.idle = reader.optional<Fact<Watts>>("idle");
  power.overhead = reader.optional<Fact<Watts>>("overhead");
  reader.finish();
  return power;
}

}  // namespace

Node read_node(const Context& at, const Catalog& catalog, const Names& names) {
  MapReader reader(at.file, at.value, "a node");
  Node node;
  if (const Value* part = reader.take("accelerator")) read_accelerator(reader.context(*part), catalog, node);
  if (const Value* part = reader.take("cpu")) read_cpu(reader.context(*part), catalog, node);
  if (const Value* memory = reader.take("memory")) read_memory(reader.context(*memory), node);
  node.nics = read_list(reader, "nics", [&](const Context& item) { return read_nic(item, catalog, names); });
  node.disks = read_list(reader, "disks", [&](const Context& item) { return read_disk(item, catalog); });
  if (const Value* psu = reader.take("psu")) node.psu = read_psu(reader.context(*psu));
  if (const Value* power = reader.take("power")) node.power = read_power(reader.context(*power));
  node.scale_up = reader.optional<bool>("scale_up");
  node.scale_up_domain = optional_count(reader, "scale_up_domain", 1, 4096);
  node.height_u = optional_number(reader, "height_u", 0, 100);
  node.price = price_of(reader);
  node.price_covers_parts = reader.get<bool>("price_covers_parts", true);
  reader.finish();
  return node;
}

}  // namespace fathom::bom
