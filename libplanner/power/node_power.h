// Watts of one node at the wall, idle, while a batch runs, and at worst; nameplate only where somebody states it.
//
//   P_dc   = accelerators + CPUs + memory + disks + network cards + scale-up switches + fans
//   P_wall = P_dc / eta_psu
//
// What the design states wins over the sum, with its confidence. Where CPU or memory are not stated, everything but the
// accelerators is 35 to 50 % of their TDP. Formulas and sources: docs/formulas/power.md.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "power/accelerator_power.h"
#include "power/psu.h"
#include "units/fact.h"
#include "units/quantity.h"

namespace fathom {

enum class Cooling { kAir, kLiquid, kDesktop };

// Stated at the wall, each optional. Where the parts are known, a stated mean is a claim to check and changes nothing.
struct StatedPower {
  std::optional<Fact<Watts>> rated = {}, peak = {}, idle = {};
  std::optional<Fact<Watts>> mean = {};      // stands in for `busy` and `idle` of a node whose parts are unknown
  std::optional<Fact<Watts>> overhead = {};  // everything but accelerators, under load
};

struct NicLoad {
  int count = 1;
  BytesPerSecond rate{};              // of one port in use: decides where nobody states the watts
  std::optional<Watts> typical = {};  // each, from the catalog
};

struct NodeParts {
  std::optional<AcceleratorPowerModel> accelerator = {};  // absent: no accelerators, or their TDP is unknown
  int accelerators = 0;
  std::optional<Watts> cpu_tdp = {};  // of one socket
  int cpus = 0;
  double cpu_load = 0.25;  // while a batch runs; one busy core per accelerator and the front end, of two sockets
  Bytes memory{};          // zero: not stated
  int disks = 0;
  std::vector<NicLoad> nics = {};
  bool scale_up_switches = false;  // NVSwitch or alike on the board
  Cooling cooling = Cooling::kAir;
  std::optional<PsuBank> psu = {};  // absent: efficiency 0.92 assumed
  StatedPower stated = {};
};

struct PowerTerm {
  std::string name;
  Watts watts{};
};

// One accelerator of the node, as its model has it.
struct AcceleratorDraw {
  Watts idle{}, busy{};  // likely
  Confidence confidence = Confidence::kAssumed;
  std::string source = {};
  std::optional<MeasuredWatts> measured = {};
};

struct NodeWatts {
  Estimate<Watts> idle, busy, peak;       // busy: while a batch runs
  std::optional<Watts> rated = {};        // absent: unknown, never guessed
  std::vector<PowerTerm> terms = {};      // of the likely `busy`; their sum is busy.likely
  std::vector<std::string> unknown = {};  // parts that are missing from the sums
  std::optional<AcceleratorDraw> accelerator = {};
};

NodeWatts node_power(const NodeParts& parts, const Activity& activity);

// busy * P_busy + (1 - busy) * P_idle.
Estimate<Watts> mean_power(const NodeWatts& node, double busy);

// One CPU at a load in [0, 1]: 12, 32, 75 and 102 % of TDP at 0, 10, 50 and 100 % (Boavizta), linear between.
Watts cpu_power(Watts tdp, double load);

}  // namespace fathom
