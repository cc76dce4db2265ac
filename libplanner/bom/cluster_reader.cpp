#include <fmt/format.h>

#include <algorithm>

#include "bom/read_parts.h"
#include "units/number.h"

namespace fathom {

namespace bom {

namespace {

// "582 g/kWh", "0.582 kg/kWh".
double carbon_intensity(const Context& at) {
  std::string text;
  read(at, text);
  const std::optional<ScannedNumber> number = scan_number(text);
  if (number && number->in_range && number->value >= 0) {
    const bool kilograms = number->rest == "kg/kWh";
    if (kilograms || number->rest == "g/kWh") {
      const double grams = number->value * (kilograms ? 1000 : 1);
      check_range(at, grams, 0, 100'000, "a carbon intensity in g/kWh");
      return grams;
    }
  }
  at.fail("expected a carbon intensity, found " + in_quotes(text),
          "write it as 582 g/kWh, or name a region of the catalog");
}

Fact<double> read_carbon(const Context& at) {
  Fact<double> fact;
  if (at.value.kind != Value::Kind::kMapping) {
    fact.value = carbon_intensity(at);
    fact.origin.confidence = Confidence::kStated;
    return fact;
  }
  MapReader reader(at.file, at.value, "a carbon intensity");
  const auto part = [&](const char* key) -> std::optional<double> {
    const Value* value = reader.take(key);
    return value == nullptr ? std::nullopt : std::optional<double>(carbon_intensity(reader.context(*value)));
  };
  const char* main = reader.value().find("typical") != nullptr ? "typical" : "value";
  reader.need(main);
  fact.value = *part(main);
  fact.low = part("low");
  fact.high = part("high");
  fact.origin = read_origin(reader, Confidence::kStated);
  reader.finish();
  check_band(reader, fact);
  return fact;
}

void read_circuit(const Context& at, Site& site) {
  MapReader reader(at.file, at.value, "a branch circuit");
  reader.need("volts");
  reader.need("amps");
  site.circuit_volts = optional_number(reader, "volts", 1, 100'000);
  site.circuit_amps = optional_number(reader, "amps", 0.1, 100'000);
  reader.finish();
}

}  // namespace

Site read_site(const Context& at, const Catalog& catalog) {
  MapReader reader(at.file, at.value, "a site");
  Site site;
  site.at = at.value.at;
  site.id = reader.required<std::string>("id");
  site.kind = static_cast<SiteKind>(reader.choice("kind", {"datacentre", "office", "home"}, 0));
  site.count = count_in(reader, "count", 1, kMostNodes, 1);
  if (const Value* tariff = reader.take("electricity")) {
    site.electricity = names_entry(*tariff) ? find_entry<Tariff>(reader.context(*tariff), catalog).price
                                            : reader.required<Fact<UnitPrice>>("electricity");
    if (site.electricity->value.per != "kWh") {
      reader.context(*tariff).fail("electricity is priced per kWh, not per " + site.electricity->value.per);
    }
  }
  if (const Value* pue = reader.take("pue")) {
    site.pue =
        names_entry(*pue) ? find_entry<PueClass>(reader.context(*pue), catalog).value : *fact_in(reader, "pue", 1, 5);
  }
  if (const Value* carbon = reader.take("carbon")) {
    site.carbon_g_per_kwh = names_entry(*carbon)
                                ? find_entry<CarbonFactor>(reader.context(*carbon), catalog).grams_per_kwh
                                : read_carbon(reader.context(*carbon));
  }
  site.mains_availability = fact_in(reader, "mains_availability", kLeastAvailability, 1);
  site.rack_power = positive<Watts>(reader, "rack_power");
  site.rack_units = optional_count(reader, "rack_units", 1, 100);
  site.inlet = reader.optional<Celsius>("inlet");
  site.other_it_load = reader.get<Watts>("other_it_load", Watts{});
  site.liquid_cooling = reader.get<bool>("liquid_cooling", false);
  if (const Value* circuit = reader.take("circuit")) read_circuit(reader.context(*circuit), site);
  reader.finish();
  return site;
}

Group read_group(const Context& at, const Catalog& catalog, const Names& names) {
  static const std::vector<std::string> kRoles = {"serve", "prefill", "decode", "auto", "support"};
  MapReader reader(at.file, at.value, "a node group");
  reader.expect({"node"});
  Group group;
  group.at = at.value.at;
  group.id = reader.required<std::string>("id");
  if (names.sites.size() == 1) group.site = names.sites.front();  // the only one needs no naming
  if (const Value* site = names.sites.size() == 1 ? reader.take("site") : &reader.need("site")) {
    read(reader.context(*site), group.site);
    check_reference(reader.context(*site), group.site, names.sites, "site");
  }
  group.nodes = count_in(reader, "nodes", 1, kMostNodes);
  group.spares = count_in(reader, "spares", 0, group.nodes - 1, 0);
  group.node = read_node(reader.context(reader.need("node")), catalog, names);
  group.nodes_per_failure_domain = optional_count(reader, "nodes_per_failure_domain", 1, kMostNodes);
  group.availability = fact_in(reader, "availability", kLeastAvailability, 1);
  const bool accelerated = group.node.accelerator != nullptr;
  group.role = kRoles[reader.choice("role", kRoles, accelerated ? 0 : 4)];
  if (!accelerated && group.role != "support") {
    reader.context(reader.need("role"))
        .fail("a node without accelerators cannot take the role " + in_quotes(group.role),
              "leave the role out, or give the node its accelerator");
  }
  reader.finish();
  return group;
}

PoolChoice read_pool_choice(const Context& at, const Names& names) {
  static const std::vector<std::string> kRoles = {"serve", "prefill", "decode"};
  MapReader reader(at.file, at.value, "a layout choice");
  PoolChoice choice;
  const Value& group = reader.need("group");
  read(reader.context(group), choice.group);
  check_reference(reader.context(group), choice.group, names.groups, "group");
  choice.tp = optional_count(reader, "tp", 1, 65'536);
  choice.pp = optional_count(reader, "pp", 1, 65'536);
  choice.ep = optional_count(reader, "ep", 1, 65'536);
  choice.attention_dp = optional_count(reader, "attention_dp", 1, 65'536);
  choice.replicas = optional_count(reader, "replicas", 1, kMostNodes);
  if (const Value* weights = reader.take("weights")) choice.weights = read_weight_scheme(reader.context(*weights));
  if (const Value* kv = reader.take("kv")) choice.kv = read_kv_format(reader.context(*kv));
  if (reader.value().find("role") != nullptr) choice.role = kRoles[reader.choice("role", kRoles)];
  reader.finish();
  return choice;
}

}  // namespace bom

namespace {

using namespace bom;

std::map<std::string, std::string> read_sources(const Context& at) {
  MapReader reader(at.file, at.value, "the sources");
  std::map<std::string, std::string> sources;
  for (const Entry& entry : at.value.entries) sources[entry.key] = reader.required<std::string>(entry.key);
  reader.finish();
  return sources;
}

// A name in the catalog (Hugging Face repositories are names too), or the path of a config.json, which is read where the
// model is needed. What looks like a path is looked for beside the cluster file, then in the current folder.
std::optional<std::filesystem::path> find_model(const Context& at, const Catalog& catalog) {
  const std::filesystem::path named(at.value.text);
  const bool path_like = at.value.text.find('/') != std::string::npos || at.value.text.ends_with(".json");
  if (path_like) {
    for (const std::filesystem::path& place : {std::filesystem::path(at.file).parent_path() / named, named}) {
      std::error_code ignored;
      if (std::filesystem::exists(place, ignored)) return place;
    }
  }
  try {
    catalog.model(at.value.text);
  } catch (const LookupError&) {
    if (!path_like) find_entry<ModelEntry>(at, catalog);  // says what is near
    at.fail(fmt::format("there is no file \"{}\" and no model of that name", at.value.text),
            "paths are taken from the folder of this file, then from the current one");
  }
  return std::nullopt;
}

Cluster read_root(const Document& document, const Catalog& catalog) {
  MapReader root(document.file, document.root, "the cluster");
  root.choice("format", {"fathom-cluster/1"});

  Names names{.sites = unique_ids(document.file, document.root, "sites"),
              .groups = unique_ids(document.file, document.root, "groups"),
              .fabrics = unique_ids(document.file, document.root, "fabrics"),
              .storage = unique_ids(document.file, document.root, "storage")};
  for (const char* list : {"software", "yearly", "alternatives", "claims"})
    unique_ids(document.file, document.root, list);

  Cluster cluster;
  cluster.file = document.file;
  cluster.title = root.required<std::string>("title");
  cluster.date = date(root, "date");
  cluster.document = root.get<std::string>("document", "");
  if (const Value* sources = root.take("sources")) cluster.sources = read_sources(root.context(*sources));
  root.expect({"items"});
  if (root.need("sites").items.empty()) {
    root.context(root.need("sites")).fail("a cluster stands somewhere, but the list of sites is empty");
  }
  cluster.sites = read_list(root, "sites", [&](const Context& at) { return read_site(at, catalog); });
  if (root.need("groups").items.empty()) {
    root.context(root.need("groups")).fail("a cluster has nodes, but the list of groups is empty");
  }
  cluster.groups = read_list(root, "groups", [&](const Context& at) { return read_group(at, catalog, names); });
  cluster.fabrics = read_list(root, "fabrics", [&](const Context& at) { return read_fabric(at, catalog, names); });
  cluster.storage = read_list(root, "storage", [](const Context& at) { return read_storage(at); });
  cluster.items = read_list(root, "items", [](const Context& at) { return read_item(at); });
  cluster.software = read_list(root, "software", [](const Context& at) { return read_software(at); });
  cluster.yearly = read_list(root, "yearly", [](const Context& at) { return read_yearly(at); });
  const Value* finance = root.take("finance");
  cluster.finance = finance == nullptr ? default_finance() : read_finance(root.context(*finance));
  cluster.workload = read_workload(root.context(root.need("workload")));
  cluster.model_config = find_model(root.context(*document.root.find("workload")->find("model")), catalog);
  cluster.layout = read_list(root, "layout", [&](const Context& at) { return read_pool_choice(at, names); });
  if (const Value* input = root.take("availability")) cluster.availability = read_availability(root.context(*input));
  cluster.alternatives =
      read_list(root, "alternatives", [&](const Context& at) { return read_alternative(at, catalog); });
  cluster.claims = read_list(root, "claims", [](const Context& at) { return read_claim(at); });
  root.finish();
  return cluster;
}

// Counts of devices are ints everywhere, sums over all groups included.
void check_devices(const Document& document, const Cluster& cluster) {
  constexpr std::int64_t kMostDevices = 100'000'000;
  std::int64_t devices = 0;
  for (std::size_t i = 0; i < cluster.groups.size(); ++i) {
    const Group& group = cluster.groups[i];
    devices += std::int64_t{group.nodes} * group.node.accelerators;
    if (devices <= kMostDevices) continue;
    const Value& at = *document.root.find("groups")->items[i].find("nodes");
    Context{document.file, at}.fail("with this group the cluster has more than 100 million accelerators",
                                    "look for a digit too many in the nodes or the accelerators of a node");
  }
}

void check_whole(const Document& document, const Cluster& cluster) {
  const auto list = [&](const char* key) { return Context{document.file, *document.root.find(key)}; };
  const bool serves = std::any_of(cluster.groups.begin(), cluster.groups.end(),
                                  [](const Group& group) { return group.role != "support"; });
  if (!serves)
    list("groups").fail("no group can serve", "at least one needs accelerators and another role than support");
  check_devices(document, cluster);
  check_currencies(document.file, document.root, cluster);
}

}  // namespace

const Site& Cluster::site_of(const Group& group) const {
  return *std::find_if(sites.begin(), sites.end(), [&](const Site& site) { return site.id == group.site; });
}

const Fabric* Cluster::fabric(const std::string& id) const {
  for (const Fabric& candidate : fabrics) {
    if (candidate.id == id) return &candidate;
  }
  return nullptr;
}

Cluster read_cluster(const std::filesystem::path& path, const Catalog& catalog) {
  return read_cluster(read_yaml(path), catalog);
}

Cluster read_cluster(const Document& document, const Catalog& catalog) {
  Cluster cluster = read_root(document, catalog);
  check_whole(document, cluster);
  return cluster;
}

}  // namespace fathom
