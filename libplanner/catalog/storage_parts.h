// Disks, redundancy schemes, and how long loading a model took somebody.
#pragma once

#include "catalog/field.h"

namespace fathom {

struct DiskPart {
  std::string id;
  std::string vendor;
  std::string name;
  std::string interface;
  std::vector<Bytes> capacities;                    // sizes that exist; empty: not listed
  std::optional<Fact<BytesPerSecond>> read, write;  // sequential
  std::optional<Fact<Hertz>> read_iops, write_iops;
  std::optional<Fact<Watts>> power_idle, power_active;
  std::optional<Fact<Seconds>> mttf, read_latency;
  std::vector<Price> price;
  Notes notes;
  SourceCodes source;
};
template <class Visit, Is<DiskPart> D>
void fields(Visit& visit, D& disk) {
  const Range rate = between(0.01_GBps, 100_GBps);
  visit("id", disk.id);
  visit("vendor", disk.vendor);
  visit("name", disk.name);
  visit("interface", disk.interface);
  visit("capacities", disk.capacities, between(1_GB, 1'000'000_GB));
  visit("read", disk.read, rate);
  visit("write", disk.write, rate);
  visit("read_iops", disk.read_iops, between(10.0, 1e8));
  visit("write_iops", disk.write_iops, between(10.0, 1e8));
  visit("power_idle", disk.power_idle, between(0.1, 100.0));
  visit("power_active", disk.power_active, between(0.1, 100.0));
  visit("mttf", disk.mttf, between(1000_hours, 100'000'000_hours));
  visit("read_latency", disk.read_latency, between(1_us, 1_s));
  visit("price", disk.price);
  visit("notes", disk.notes);
  visit("source", disk.source);
}

struct Redundancy {
  std::string id;                      // "raid1", "replica-3", "ec-8+3"
  Fact<double> usable;                 // share of the raw capacity
  std::optional<int> failure_domains;  // at least
  std::optional<int> survives;         // failures of a domain
  Notes notes;
  SourceCodes source;
};
template <class Visit, Is<Redundancy> R>
void fields(Visit& visit, R& scheme) {
  visit("id", scheme.id);
  visit("usable", scheme.usable, between(0.01, 1.0));
  visit("failure_domains", scheme.failure_domains, between(1, 1000));
  visit("survives", scheme.survives, between(0, 100));
  visit("notes", scheme.notes);
  visit("source", scheme.source);
}

struct ModelLoad {
  std::string id;
  std::optional<std::string> model;  // catalog id
  std::string hardware;
  std::string loader;
  std::optional<Fact<Bytes>> bytes;
  std::optional<Fact<Seconds>> time;
  std::optional<Fact<BytesPerSecond>> rate;
  Notes notes;
  SourceCodes source;
};
template <class Visit, Is<ModelLoad> L>
void fields(Visit& visit, L& load) {
  visit("id", load.id);
  visit("model", load.model);
  visit("hardware", load.hardware);
  visit("loader", load.loader);
  visit("bytes", load.bytes, between(1_GB, 100'000_GB));
  visit("time", load.time, between(0.1, 1e6));
  visit("rate", load.rate, between(0.01_GBps, 10'000_GBps));
  visit("notes", load.notes);
  visit("source", load.source);
}

}  // namespace fathom
