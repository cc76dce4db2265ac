#include <algorithm>

#include "bom/read_parts.h"
#include "units/number.h"

namespace fathom::bom {

namespace {

SwitchTier read_tier(const Context& at, const Catalog& catalog) {
  MapReader reader(at.file, at.value, "a tier of switches");
  SwitchTier tier;
  tier.role = reader.required<std::string>("role");
  tier.part = part_name<Switch>(reader, catalog);
  tier.count = count_in(reader, "count", 1, kMostNodes);
  tier.price = price_of(reader);
  reader.finish();
  return tier;
}

Link read_link(const Context& at, const Catalog& catalog, const std::vector<std::string>& ends) {
  MapReader reader(at.file, at.value, "a link");
  const auto end = [&](const char* key) {
    const Value& value = reader.need(key);
    std::string name;
    read(reader.context(value), name);
    check_reference(reader.context(value), name, ends, "group, switch role, storage or site");
    return name;
  };
  Link link;
  link.from = end("from");
  link.to = end("to");
  link.count = count_in(reader, "count", 1, 1'000'000'000);
  reader.need("rate");
  link.rate = *positive<BytesPerSecond>(reader, "rate");
  link.medium = part_name<Optic>(reader, catalog, "medium");
  link.fibre = reader.get<std::string>("fibre", "");
  link.length = positive<Metres>(reader, "length");
  link.price_each = price_of(reader, "price_each");
  link.price_per_end = price_of(reader, "price_per_end");
  link.price_per_metre = reader.optional<Fact<UnitPrice>>("price_per_metre");
  reader.finish();
  return link;
}

void check_roles(const Context& at, const std::vector<SwitchTier>& tiers) {
  for (std::size_t i = 0; i < tiers.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (tiers[i].role != tiers[j].role) continue;
      const Value& switches = *at.value.find("switches");
      Context{at.file, *switches.items[i].find("role")}.fail(
          "two tiers of this fabric are called " + in_quotes(tiers[i].role),
          "links name the tiers they join, so give each its own role");
    }
  }
}

}  // namespace

Fabric read_fabric(const Context& at, const Catalog& catalog, const Names& names) {
  static const std::vector<std::string> kKinds = {"infiniband", "roce", "ethernet", "hccs", "nvlink"};
  MapReader reader(at.file, at.value, "a fabric");
  Fabric fabric;
  fabric.at = at.value.at;
  fabric.id = reader.required<std::string>("id");
  fabric.kind = kKinds[reader.choice("kind", kKinds)];
  fabric.generation = reader.get<std::string>("generation", "");
  fabric.latency = reader.optional<Fact<Seconds>>("latency");
  fabric.oversubscription = number_in(reader, "oversubscription", 1, 1000, 1);
  fabric.switches = read_list(reader, "switches", [&](const Context& item) { return read_tier(item, catalog); });
  check_roles(at, fabric.switches);

  std::vector<std::string> ends = names.groups;
  for (const SwitchTier& tier : fabric.switches) ends.push_back(tier.role);
  ends.insert(ends.end(), names.storage.begin(), names.storage.end());
  ends.insert(ends.end(), names.sites.begin(), names.sites.end());
  fabric.links = read_list(reader, "links", [&](const Context& item) { return read_link(item, catalog, ends); });
  reader.finish();
  return fabric;
}

Storage read_storage(const Context& at) {
  MapReader reader(at.file, at.value, "storage");
  Storage storage;
  storage.id = reader.required<std::string>("id");
  storage.role = reader.get<std::string>("role", "");
  storage.scheme = reader.get<std::string>("scheme", "");
  reader.need("raw");
  storage.raw = *positive<Bytes>(reader, "raw");
  storage.read = positive<BytesPerSecond>(reader, "read");
  storage.price = price_of(reader);
  reader.finish();
  return storage;
}

}  // namespace fathom::bom
