// The bill of materials and everything around it, as `cluster.yaml` states it: sites, node groups, fabrics, storage,
// software, people, money, the workload, and the claims that the design makes about itself.
//
// Values are what the file says, each with its origin; what a part can do comes from the catalog (part ids are resolved
// by cluster_reader.cpp, so that an unknown part is a located error). Nothing here computes.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "input/error.h"
#include "units/fact.h"
#include "units/money.h"
#include "units/quantity.h"
#include "workload/workload.h"

namespace fathom {

struct Document;  // input/value.h

enum class SiteKind { kDatacentre, kOffice, kHome };

struct Site {
  std::string id;
  SiteKind kind = SiteKind::kDatacentre;
  int count = 1;                               // how many such places (1,000 homes)
  std::optional<Fact<UnitPrice>> electricity;  // per kWh
  std::optional<Fact<double>> pue;             // site energy / IT energy
  std::optional<Fact<double>> carbon_g_per_kwh;
  std::optional<Fact<double>> mains_availability;  // share of the year
  std::optional<Watts> rack_power;                 // limit per rack
  std::optional<int> rack_units;
  std::optional<Celsius> inlet;  // highest air temperature at the rack inlet
  Watts other_it_load{};         // switches, management, storage that no other line carries
  bool liquid_cooling = false;
  std::optional<double> circuit_volts, circuit_amps;  // one branch circuit (homes, offices)
  Position at;
};

struct Psu {
  int count = 1;
  int needed = 1;  // how many must work: count 4, needed 2 is 2+2
  Watts rated{};
  std::string grade;  // "gold", "platinum", "titanium" (catalog psu curves); empty: unknown
};

struct NodePower {                   // any of them may be absent; stated values override the model
  std::optional<Fact<Watts>> rated;  // nameplate: sizes circuits
  std::optional<Fact<Watts>> peak;   // worst workload at the wall
  std::optional<Fact<Watts>> mean;   // as the design states it
  std::optional<Fact<Watts>> idle;
  std::optional<Fact<Watts>> overhead;  // everything but accelerators, at the wall, under load
};

struct Nic {
  std::string part;  // catalog id when known, else the writer's words
  int count = 1;
  BytesPerSecond rate{};             // one direction, per port in use
  std::string fabric;                // id of the fabric it plugs into
  std::optional<Fact<Money>> price;  // each
};

struct Disk {
  std::string part;
  int count = 1;
  Bytes capacity{};
  std::optional<BytesPerSecond> read;
  std::string use;                   // "model", "cache", "system" …
  std::optional<Fact<Money>> price;  // each
};

struct Node {
  const Accelerator* accelerator = nullptr;  // nullptr: a node without accelerators
  int accelerators = 0;
  std::optional<Fact<Money>> accelerator_price;  // each
  const Cpu* cpu = nullptr;
  int cpus = 0;
  std::optional<Fact<Money>> cpu_price;            // each
  Bytes memory{};                                  // host DRAM; zero when not stated
  std::optional<BytesPerSecond> memory_bandwidth;  // all sockets; default: from the CPU
  std::optional<Fact<Money>> memory_price;
  std::vector<Nic> nics;
  std::vector<Disk> disks;
  std::optional<Psu> psu;
  NodePower power;
  std::optional<int> scale_up_domain;  // accelerators joined by the scale-up link; default: from the catalog
  std::optional<bool> scale_up;        // are the cards joined by it? default: yes on boards, no where it takes a bridge
  std::optional<double> height_u;
  std::optional<Fact<Money>>
      price;  // whole node or chassis; parts priced above come on top only if `price_covers_parts` is false
  bool price_covers_parts = true;
};

struct Group {
  std::string id;
  std::string site;
  int nodes = 0;
  int spares = 0;  // of them, nodes held back
  Node node;
  std::optional<int> nodes_per_failure_domain;  // nodes that fail together (a building, a rack); default 1
  std::optional<Fact<double>> availability;     // of one node, mains and owner included
  std::string role;  // "serve", "prefill", "decode", "auto", or "support" (takes no part in serving)
  Position at;
};

struct SwitchTier {
  std::string role;  // "access", "leaf", "spine"
  std::string part;
  int count = 0;
  std::optional<Fact<Money>> price;  // each
};

struct Link {
  std::string from, to;
  int count = 0;
  BytesPerSecond rate{};
  std::string medium;  // optic or cable id: "100G-LR4"
  std::string fibre;   // "OM4", "SMF", empty for copper
  std::optional<Metres> length;
  std::optional<Fact<Money>> price_each;     // one link, both ends
  std::optional<Fact<Money>> price_per_end;  // one optic
  std::optional<Fact<UnitPrice>> price_per_metre;
};

struct Fabric {
  std::string id;
  std::string kind;                      // "infiniband", "roce", "ethernet" (kernel TCP), "hccs" …
  std::string generation;                // "HDR", "EDR", "10GbE"; checked against the rate by `check`
  std::optional<Fact<Seconds>> latency;  // one message, application to application
  double oversubscription = 1;           // leaf down : up
  std::vector<SwitchTier> switches;
  std::vector<Link> links;
  Position at;
};

struct Item {  // any other line of the bill: racks, retrofits, cooling
  std::string what;
  double count = 1;
  std::optional<Fact<Money>> price;  // each; absent: listed as not priced
  std::optional<double> life_years;
  Position at;
};

struct Storage {
  std::string id;
  std::string role;    // "model-load", "logs"
  std::string scheme;  // "raid1", "replica-3", "ec-8+3"
  Bytes raw{};
  std::optional<BytesPerSecond> read;  // towards one node
  std::optional<Fact<Money>> price;
};

struct Software {
  std::string id;
  std::string unit;                      // "gpu", "core", "host", "cluster"
  double units = 0;                      // how many the design buys
  std::optional<Fact<UnitPrice>> price;  // per unit-year or per unit ("per: piece" is once)
  std::optional<Fact<Money>> annual;     // when only a yearly sum is known
  std::optional<Fact<Money>> once;
};

struct YearlyCost {  // staff, space, support, network service
  std::string id;
  std::string category;  // "staff", "space", "other"
  std::optional<Fact<Money>> annual;
};

struct Finance {
  double horizon_years = 3;
  double discount_rate = 0;
  double residual_share = 0;  // of the purchase price at the end
  double tax = 0;             // added to every hardware price
  double install_share = 0;   // of the hardware price
  Fact<double> utilisation;   // share of the year that the load is there; default 0.5 assumed
  std::string currency = "USD";
  std::vector<ExchangeRate> exchange;
};

struct AvailabilityInput {
  std::optional<Fact<double>> target;  // 0.999
  std::optional<Fact<double>> failures_per_1000_node_days;
  std::optional<Fact<Seconds>> mttr;
  std::optional<Seconds> detect, reroute;     // failover: detection, switching to a spare
  std::optional<BytesPerSecond> weight_load;  // towards one node; default from disks and network
};

struct Alternative {  // renting or an API, to break even with
  std::string id;
  std::optional<Fact<UnitPrice>> per_gpu_hour;
  std::optional<Fact<UnitPrice>> input, cached_input, output;  // per Mtok
};

// What the design says about itself: data for `fathom check`.
struct Claim {
  std::string id;     // "000-15"
  int line = 0;       // of the source document
  std::string quote;  // the document's words
  std::string about;  // what it is a claim of: a plan key ("power.it_peak_w"), or a rule family ("arithmetic.sum")
  std::string value;  // as written, with unit
  std::map<std::string, std::string>
      terms;  // named inputs of an arithmetic claim: {quantity: "120 km", unit_price: "3.5 USD/m"}
  Position at;
};

struct PoolChoice {  // pins or restricts the search for one group
  std::string group;
  std::optional<int> tp, pp, ep, attention_dp, replicas;
  std::optional<std::string> weights, kv, role;
};

struct Cluster {
  std::string title;
  std::string date;
  std::string document;  // which design this file transcribes
  std::map<std::string, std::string> sources;
  std::vector<Site> sites;
  std::vector<Group> groups;
  std::vector<Fabric> fabrics;
  std::vector<Storage> storage;
  std::vector<Item> items;
  std::vector<Software> software;
  std::vector<YearlyCost> yearly;
  Finance finance;
  Workload workload;
  std::vector<PoolChoice> layout;
  AvailabilityInput availability;
  std::vector<Alternative> alternatives;
  std::vector<Claim> claims;
  std::optional<std::filesystem::path> model_config;  // of the workload's model, when it is not one of the catalog
  std::string file;                                   // as the user named it

  const Site& site_of(const Group& group) const;
  const Fabric* fabric(const std::string& id) const;  // nullptr when absent
};

// Reads and resolves `cluster.yaml`. Throws InputError. The catalog must outlive the cluster.
Cluster read_cluster(const std::filesystem::path& path, const Catalog& catalog);
Cluster read_cluster(const Document& document, const Catalog& catalog);  // for those who need the text as well

}  // namespace fathom
