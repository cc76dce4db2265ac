// What rooms, electricity, licences, rented accelerators and served tokens cost or promise. Every price has its day.
#pragma once

#include <array>
#include <string_view>

#include "catalog/field.h"

namespace fathom {

struct PueClass {
  std::string id;
  std::string name;
  Fact<double> value;
  Notes notes;
};
template <class Visit, Is<PueClass> P>
void fields(Visit& visit, P& pue) {
  visit("id", pue.id);
  visit("name", pue.name);
  visit("value", pue.value, between(1.0, 4.0));
  visit("notes", pue.notes);
}

struct Tariff {
  std::string id;      // "cn-industrial"
  std::string region;  // ISO country, with a state where needed
  std::string kind;    // "industrial", "business", "household"
  Fact<UnitPrice> price;
  Notes notes;
};
template <class Visit, Is<Tariff> T>
void fields(Visit& visit, T& tariff) {
  visit("id", tariff.id);
  visit("region", tariff.region);
  visit("kind", tariff.kind);
  visit("price", tariff.price);
  visit("notes", tariff.notes);
}

struct CarbonFactor {
  std::string id;  // "cn"
  std::string region;
  Fact<double> grams_per_kwh;
  Notes notes;
};
template <class Visit, Is<CarbonFactor> C>
void fields(Visit& visit, C& carbon) {
  visit("id", carbon.id);
  visit("region", carbon.region);
  visit("grams_per_kwh", carbon.grams_per_kwh, between(1.0, 2000.0));
  visit("notes", carbon.notes);
}

// Air at the rack inlet: ASHRAE's recommended range and allowable classes.
struct InletClass {
  std::string id;
  Fact<Celsius> low, high;
  Notes notes;
  SourceCodes source;
};
template <class Visit, Is<InletClass> I>
void fields(Visit& visit, I& inlet) {
  visit("id", inlet.id);
  visit("low", inlet.low, between(-20.0, 60.0));
  visit("high", inlet.high, between(-20.0, 60.0));
  visit("notes", inlet.notes);
  visit("source", inlet.source);
}

struct MainsQuality {
  std::string id;
  std::string region;
  Fact<double> availability;                   // share of the year
  std::optional<Fact<double>> hours_per_year;  // without supply, as published
  Notes notes;
};
template <class Visit, Is<MainsQuality> M>
void fields(Visit& visit, M& mains) {
  visit("id", mains.id);
  visit("region", mains.region);
  visit("availability", mains.availability, between(0.5, 1.0));
  visit("hours_per_year", mains.hours_per_year, between(0.0, 8760.0));
  visit("notes", mains.notes);
}

struct Licence {
  std::string id;
  std::string vendor;
  std::string name;
  std::string unit;                      // what is counted: "gpu", "core", "host", "cluster"
  std::optional<Fact<UnitPrice>> price;  // absent: unknown, not free
  std::optional<Fact<UnitPrice>> price_education, price_five_years, price_perpetual, price_cloud;
  std::optional<int> minimum_cores_per_cpu, minimum_order_cores;
  Notes notes;
  SourceCodes source;
};
template <class Visit, Is<Licence> L>
void fields(Visit& visit, L& licence) {
  visit("id", licence.id);
  visit("vendor", licence.vendor);
  visit("name", licence.name);
  visit("unit", licence.unit);
  visit("price", licence.price);
  visit("price_education", licence.price_education);
  visit("price_five_years", licence.price_five_years);
  visit("price_perpetual", licence.price_perpetual);
  visit("price_cloud", licence.price_cloud);
  visit("minimum_cores_per_cpu", licence.minimum_cores_per_cpu, between(1, 1024));
  visit("minimum_order_cores", licence.minimum_order_cores, between(1, 100'000));
  visit("notes", licence.notes);
  visit("source", licence.source);
}

enum class RentalKind { kOnDemand, kReserved1y, kSpot, kCapacityBlock };
constexpr std::array<std::string_view, 4> words(RentalKind) {
  return {"on-demand", "reserved-1y", "spot", "capacity-block"};
}

struct RentalPrice {
  std::string id;
  std::string provider;
  std::string instance;
  std::optional<std::string> accelerator;  // catalog id
  int accelerators = 1;                    // of the instance
  RentalKind kind = RentalKind::kOnDemand;
  std::optional<std::string> region;
  Fact<UnitPrice> price;  // per "h" of the instance, or per "gpu-hour"
  Notes notes;
};
template <class Visit, Is<RentalPrice> R>
void fields(Visit& visit, R& rental) {
  visit("id", rental.id);
  visit("provider", rental.provider);
  visit("instance", rental.instance);
  visit("accelerator", rental.accelerator);
  visit("accelerators", rental.accelerators, between(1, 1024));
  visit("kind", rental.kind);
  visit("region", rental.region);
  visit("price", rental.price);
  visit("notes", rental.notes);
}
inline std::string contradiction(const RentalPrice& rental) {
  const std::string& per = rental.price.value.per;
  return per == "h" || per == "gpu-hour" ? "" : "a rental price is per h or per gpu-hour, not per " + per;
}
Fact<UnitPrice> per_gpu_hour(const RentalPrice& rental);  // the instance's price shared among its accelerators

struct ApiPrice {
  std::string id;
  std::string provider;
  std::string model;  // catalog id where the catalog holds it, else the provider's name
  std::optional<Fact<UnitPrice>> input_cached;
  Fact<UnitPrice> input, output;  // per Mtok
  std::optional<std::string> valid_until;
  Notes notes;
};
template <class Visit, Is<ApiPrice> A>
void fields(Visit& visit, A& api) {
  visit("id", api.id);
  visit("provider", api.provider);
  visit("model", api.model);
  visit("input_cached", api.input_cached);
  visit("input", api.input);
  visit("output", api.output);
  visit("valid_until", api.valid_until);
  visit("notes", api.notes);
}
inline std::string contradiction(const ApiPrice& api) {
  return api.input.value.per == "Mtok" && api.output.value.per == "Mtok" ? "" : "API prices are per Mtok";
}

}  // namespace fathom
