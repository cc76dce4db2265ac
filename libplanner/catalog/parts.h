// Parts of a bill of materials other than accelerators and processors: servers, network, storage, power supplies.
#pragma once

#include "catalog/accelerator.h"

namespace fathom {

struct ServerPsu {
  int count = 1;
  Fact<Watts> rated;                      // of one supply
  std::optional<std::string> redundancy;  // "4+2"
  std::optional<int> needed_to_boot;
};
template <class Visit, Is<ServerPsu> P>
void fields(Visit& visit, P& psu) {
  visit("count", psu.count, between(1, 32));
  visit("rated", psu.rated, between(50_W, 20'000_W));
  visit("redundancy", psu.redundancy);
  visit("needed_to_boot", psu.needed_to_boot, between(1, 32));
}

struct Server {
  std::string id;
  std::optional<std::string> vendor;
  std::string name;
  std::optional<std::string> accelerator;  // catalog id
  std::optional<int> accelerators;
  std::optional<std::string> cpu;  // catalog id when the catalog holds it, else words
  std::optional<int> cpus;
  std::optional<Fact<Bytes>> memory;
  std::optional<int> height_u;
  std::optional<Fact<double>> mass_kg;
  std::optional<ServerPsu> psu;
  std::optional<Fact<Watts>> power_max;            // nameplate: sizes circuits
  std::optional<Fact<Watts>> power_peak_measured;  // worst workload at the wall
  std::optional<Fact<Watts>> power_typical, power_capped, power_managed, power_static, power_min, power_idle;
  std::optional<Fact<Watts>> accelerator_idle, accelerator_prefill, accelerator_decode;  // each
  std::optional<std::string> network, storage;
  NamedFacts measured;
  std::vector<Price> price;
  Notes notes;
  SourceCodes source;
};
template <class Visit, Is<Server> S>
void fields(Visit& visit, S& s) {
  const Range power = between(10_W, 200'000_W);
  visit("id", s.id);
  visit("vendor", s.vendor);
  visit("name", s.name);
  visit("accelerator", s.accelerator);
  visit("accelerators", s.accelerators, between(1, 1024));
  visit("cpu", s.cpu);
  visit("cpus", s.cpus, between(1, 64));
  visit("memory", s.memory, between(1_GB, 100'000_GB));
  visit("height_u", s.height_u, between(1, 60));
  visit("mass_kg", s.mass_kg, between(1.0, 5000.0));
  visit("psu", s.psu);
  visit("power_max", s.power_max, power);
  visit("power_peak_measured", s.power_peak_measured, power);
  visit("power_typical", s.power_typical, power);
  visit("power_capped", s.power_capped, power);
  visit("power_managed", s.power_managed, power);
  visit("power_static", s.power_static, power);
  visit("power_min", s.power_min, power);
  visit("power_idle", s.power_idle, power);
  visit("accelerator_idle", s.accelerator_idle, between(1_W, 3000_W));
  visit("accelerator_prefill", s.accelerator_prefill, between(1_W, 3000_W));
  visit("accelerator_decode", s.accelerator_decode, between(1_W, 3000_W));
  visit("network", s.network);
  visit("storage", s.storage);
  visit("measured", s.measured);
  visit("price", s.price);
  visit("notes", s.notes);
  visit("source", s.source);
}

inline Range port_rate() { return between(0.001_GBps, 1000_GBps); }

struct NetworkCard {
  std::string id;
  std::string vendor;
  std::string name;
  PartStatus status = PartStatus::kOk;
  std::vector<std::string> protocols;  // "infiniband", "ethernet", "roce"
  std::optional<int> ports;
  std::optional<Fact<BytesPerSecond>> rate;  // fastest rate of one port, one direction
  std::vector<BytesPerSecond> port_rates;    // all rates that a port can run at
  std::optional<PcieSlot> pcie;
  std::optional<std::string> form;
  std::optional<Fact<Watts>> power_typical, power_max;
  std::vector<Price> price;
  Notes notes;
  SourceCodes source;
};
template <class Visit, Is<NetworkCard> N>
void fields(Visit& visit, N& card) {
  visit("id", card.id);
  visit("vendor", card.vendor);
  visit("name", card.name);
  visit("status", card.status);
  visit("protocols", card.protocols);
  visit("ports", card.ports, between(1, 16));
  visit("rate", card.rate, port_rate());
  visit("port_rates", card.port_rates, port_rate());
  visit("pcie", card.pcie);
  visit("form", card.form);
  visit("power_typical", card.power_typical, between(1_W, 500_W));
  visit("power_max", card.power_max, between(1_W, 500_W));
  visit("price", card.price);
  visit("notes", card.notes);
  visit("source", card.source);
}

struct SwitchPorts {
  int count = 0;
  BytesPerSecond rate{};
  std::optional<std::string> form;
};
template <class Visit, Is<SwitchPorts> P>
void fields(Visit& visit, P& ports) {
  visit("count", ports.count, between(1, 1024));
  visit("rate", ports.rate, port_rate());
  visit("form", ports.form);
}

struct Switch {
  std::string id;
  std::string vendor;
  std::string name;
  std::optional<std::string> asic;
  std::string protocol;                   // "infiniband" or "ethernet"
  std::optional<std::string> generation;  // InfiniBand: "HDR"
  std::vector<SwitchPorts> ports;
  std::optional<int> height_u;
  std::optional<Fact<double>> mass_kg;
  std::optional<Fact<Watts>> power_max, power_typical;
  std::vector<Price> price;
  Notes notes;
  SourceCodes source;
};
template <class Visit, Is<Switch> S>
void fields(Visit& visit, S& s) {
  visit("id", s.id);
  visit("vendor", s.vendor);
  visit("name", s.name);
  visit("asic", s.asic);
  visit("protocol", s.protocol);
  visit("generation", s.generation);
  visit("ports", s.ports);
  visit("height_u", s.height_u, between(1, 60));
  visit("mass_kg", s.mass_kg, between(0.1, 1000.0));
  visit("power_max", s.power_max, between(1_W, 50'000_W));
  visit("power_typical", s.power_typical, between(1_W, 50'000_W));
  visit("price", s.price);
  visit("notes", s.notes);
  visit("source", s.source);
}

// Which switch series carry which ASIC.
struct SwitchAsic {
  std::string id;
  std::vector<std::string> products;
  SourceCodes source;
};
template <class Visit, Is<SwitchAsic> A>
void fields(Visit& visit, A& asic) {
  visit("id", asic.id);
  visit("products", asic.products);
  visit("source", asic.source);
}

enum class OpticKind { kOptic, kDac, kAoc };
constexpr std::array<std::string_view, 3> words(OpticKind) { return {"optic", "dac", "aoc"}; }

struct Optic {
  std::string id;
  OpticKind kind = OpticKind::kOptic;
  std::optional<Fact<BytesPerSecond>> rate;
  std::string fibre;  // "SMF", "MMF", "copper"; "fixed" for active cables
  std::optional<std::string> connector;
  std::map<std::string, Fact<Metres>> reach;  // by fibre grade: OM3, OM4, OS2
  std::optional<Fact<Watts>> power;           // of one end
  std::vector<Price> price;                   // of one end
  Notes notes;
  SourceCodes source;
};
template <class Visit, Is<Optic> O>
void fields(Visit& visit, O& optic) {
  visit("id", optic.id);
  visit("kind", optic.kind);
  visit("rate", optic.rate, port_rate());
  visit("fibre", optic.fibre);
  visit("connector", optic.connector);
  visit("reach", optic.reach, between(0.1, 200'000.0));
  visit("power", optic.power, between(0.1, 100.0));
  visit("price", optic.price);
  visit("notes", optic.notes);
  visit("source", optic.source);
}

// 80 PLUS: efficiency at shares of the rated load.
struct PsuEfficiency {
  std::string id;
  std::string standard;  // "internal-redundant-230v" is what servers have
  std::string grade;     // "gold", "platinum", "titanium"
  std::vector<double> loads, efficiencies;
  Origin origin;
};
template <class Visit, Is<PsuEfficiency> P>
void fields(Visit& visit, P& psu) {
  visit("id", psu.id);
  visit("standard", psu.standard);
  visit("grade", psu.grade);
  visit("loads", psu.loads, between(0.01, 1.0));
  visit("efficiencies", psu.efficiencies, between(0.5, 1.0));
  visit.origin(psu.origin);
}
inline std::string contradiction(const PsuEfficiency& psu) {
  return psu.loads.size() == psu.efficiencies.size() ? "" : "loads and efficiencies have different lengths";
}

}  // namespace fathom
