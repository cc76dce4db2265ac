// Which kinds of entries the catalogs hold, and where. A new kind is a struct with its `fields`, a line here and one in
// catalog.cpp.
#pragma once

#include <tuple>

#include "catalog/accelerator.h"
#include "catalog/cpu.h"
#include "catalog/market.h"
#include "catalog/measurements.h"
#include "catalog/model_entry.h"
#include "catalog/parts.h"
#include "catalog/products.h"
#include "catalog/storage_parts.h"

namespace fathom {

struct Kind {
  const char* name;     // on the command line and in aliases.yaml
  const char* file;     // without ".yaml"; several kinds may share one
  const char* section;  // the list in the file
  const char* noun;     // for messages
};

template <class T>
inline constexpr Kind kKind{};
// clang-format off
template <> inline constexpr Kind kKind<Accelerator>{"accelerators", "accelerators", "entries", "accelerator"};
template <> inline constexpr Kind kKind<Cpu>{"cpus", "cpus", "entries", "processor"};
template <> inline constexpr Kind kKind<ModelEntry>{"models", "models", "entries", "model"};
template <> inline constexpr Kind kKind<Server>{"servers", "servers", "entries", "server"};
template <> inline constexpr Kind kKind<NetworkCard>{"nics", "nics", "entries", "network card"};
template <> inline constexpr Kind kKind<Switch>{"switches", "switches", "entries", "switch"};
template <> inline constexpr Kind kKind<SwitchAsic>{"switch-asics", "switches", "asics", "switch ASIC"};
template <> inline constexpr Kind kKind<Optic>{"optics", "optics", "entries", "optic or cable"};
template <> inline constexpr Kind kKind<LinkGeneration>{"links", "fabrics", "links", "link"};
template <> inline constexpr Kind kKind<CollectiveCurve>{"collectives", "fabrics", "collectives", "collective curve"};
template <> inline constexpr Kind kKind<HealthThreshold>{"thresholds", "fabrics", "thresholds", "health threshold"};
template <> inline constexpr Kind kKind<CaseShare>{"probe-shares", "probe_shares", "entries", "share of a limit"};
template <> inline constexpr Kind kKind<NcclLatency>{"nccl-latency", "fabrics", "nccl_latency", "NCCL latency"};
template <> inline constexpr Kind kKind<DiskPart>{"disks", "storage", "disks", "disk"};
template <> inline constexpr Kind kKind<Redundancy>{"redundancy", "storage", "redundancy", "redundancy scheme"};
template <> inline constexpr Kind kKind<ModelLoad>{"loads", "storage", "loads", "model load"};
template <> inline constexpr Kind kKind<PsuEfficiency>{"psu", "psu", "entries", "power supply curve"};
template <> inline constexpr Kind kKind<PueClass>{"pue", "sites", "pue", "PUE class"};
template <> inline constexpr Kind kKind<Tariff>{"tariffs", "sites", "tariffs", "tariff"};
template <> inline constexpr Kind kKind<CarbonFactor>{"carbon", "sites", "carbon", "carbon factor"};
template <> inline constexpr Kind kKind<InletClass>{"inlet", "sites", "inlet", "inlet class"};
template <> inline constexpr Kind kKind<MainsQuality>{"mains", "sites", "mains", "mains quality"};
template <> inline constexpr Kind kKind<Licence>{"licences", "licences", "entries", "licence"};
template <> inline constexpr Kind kKind<RentalPrice>{"rental", "rental", "entries", "rental price"};
template <> inline constexpr Kind kKind<ApiPrice>{"api-prices", "api_prices", "entries", "API price"};
template <> inline constexpr Kind kKind<FailureRate>{"reliability", "reliability", "entries", "failure rate"};
template <> inline constexpr Kind kKind<PowerMeasurement>{"power", "power", "entries", "power measurement"};
template <> inline constexpr Kind kKind<Constant>{"constants", "constants", "entries", "constant"};
template <> inline constexpr Kind kKind<Product>{"products", "products", "entries", "product"};
template <> inline constexpr Kind kKind<Method>{"methods", "products", "methods", "method"};
template <> inline constexpr Kind kKind<Maker>{"makers", "products", "makers", "maker"};
// clang-format on

using AllKinds =
    std::tuple<Accelerator, Cpu, ModelEntry, Server, NetworkCard, Switch, SwitchAsic, Optic, LinkGeneration,
               CollectiveCurve, HealthThreshold, CaseShare, NcclLatency, DiskPart, Redundancy, ModelLoad, PsuEfficiency,
               PueClass, Tariff, CarbonFactor, InletClass, MainsQuality, Licence, RentalPrice, ApiPrice, FailureRate,
               PowerMeasurement, Constant, Product, Method, Maker>;

}  // namespace fathom
