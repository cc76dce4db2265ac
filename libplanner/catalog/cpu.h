// Processors, per socket. Peaks are cores x FLOP per cycle x base clock.
#pragma once

#include "catalog/accelerator.h"

namespace fathom {

struct FlopPerCycle {
  std::optional<int> fp32, bf16, int8;  // of one core
};
template <class Visit, Is<FlopPerCycle> F>
void fields(Visit& visit, F& flop) {
  visit("fp32", flop.fp32, between(1, 100'000));
  visit("bf16", flop.bf16, between(1, 100'000));
  visit("int8", flop.int8, between(1, 100'000));
}

struct Cpu {
  std::string id;
  std::string vendor;
  std::string name;
  std::string architecture;
  int year = 0;
  std::string form_factor;
  PartStatus status = PartStatus::kOk;
  std::optional<int> cores;
  std::optional<Fact<Hertz>> base_clock, boost_clock;
  int max_sockets = 1;
  std::optional<int> memory_channels;
  std::optional<int> memory_mts;  // megatransfers per second of the fastest supported memory
  std::string memory_type;
  std::optional<Fact<BytesPerSecond>> memory_bandwidth;  // all channels at that rate
  std::vector<std::string> instruction_sets;
  std::optional<FlopPerCycle> flop_per_cycle_core;
  Peaks peak;
  std::optional<Fact<Watts>> tdp;
  PcieSlot pcie;
  std::optional<bool> server_board;   // boards for it carry a management controller (BMC)
  std::optional<bool> uniform_cores;  // false: performance and efficiency cores on one die
  NamedFacts measured;
  std::vector<Price> price;
  Notes notes;
  SourceCodes source;
};
template <class Visit, Is<Cpu> C>
void fields(Visit& visit, C& cpu) {
  visit("id", cpu.id);
  visit("vendor", cpu.vendor);
  visit("name", cpu.name);
  visit("architecture", cpu.architecture);
  visit("year", cpu.year, between(2005, 2040));
  visit("form_factor", cpu.form_factor);
  visit("status", cpu.status);
  visit("cores", cpu.cores, between(1, 1024));
  visit("base_clock", cpu.base_clock, between(1e8, 1e10));
  visit("boost_clock", cpu.boost_clock, between(1e8, 1e10));
  visit("max_sockets", cpu.max_sockets, between(1, 16));
  visit("memory_channels", cpu.memory_channels, between(1, 32));
  visit("memory_mts", cpu.memory_mts, between(800, 30'000));
  visit("memory_type", cpu.memory_type);
  visit("memory_bandwidth", cpu.memory_bandwidth, between(1_GBps, 5000_GBps));
  visit("instruction_sets", cpu.instruction_sets);
  visit("flop_per_cycle_core", cpu.flop_per_cycle_core);
  visit("peak", cpu.peak, between(0.001_TFLOPS, 10'000_TFLOPS));
  visit("tdp", cpu.tdp, between(1_W, 1500_W));
  visit("pcie", cpu.pcie);
  visit("server_board", cpu.server_board);
  visit("uniform_cores", cpu.uniform_cores);
  visit("measured", cpu.measured);
  visit("price", cpu.price);
  visit("notes", cpu.notes);
  visit("source", cpu.source);
}

}  // namespace fathom
