#include "availability/reliability.h"

#include <stdexcept>

#include "availability/k_of_n.h"

namespace fathom {
namespace {

// Health checks every 5 minutes (Meta RSC).
constexpr Seconds kDetect(300);
// What the default safetensors loader reached on 8 x H200 for DeepSeek-R1: 688.6 GB in 160 s (InstantTensor README).
// The loader, not the disk, is often the limit.
constexpr BytesPerSecond kLoad(4.3e9);
// Process start, communicator, graph capture: a round figure, engines log between one and several minutes.
constexpr Seconds kStart(120);
constexpr double kDaysPerYear = kHoursPerYear / 24;

Seconds mtbf_of(double failures_per_1000_node_days) { return Seconds(86400.0 * 1000 / failures_per_1000_node_days); }

double availability_of(double failures_per_1000_node_days, Seconds mttr) {
  if (failures_per_1000_node_days == 0) return 1;
  return steady_availability(mtbf_of(failures_per_1000_node_days), mttr);
}

// A = MTBF/(MTBF + MTTR) solved for the rate: (1 - A)/(A * MTTR).
double rate_of(double availability, Seconds mttr) {
  if (!(availability > 0 && availability <= 1)) throw std::invalid_argument("a node's availability lies in (0, 1]");
  if (!(mttr.value > 0)) throw std::invalid_argument("the time to repair must be positive");
  return (1 - availability) / availability / (mttr / Seconds(86400)) * 1000;
}

Fact<double> derived_availability(const Fact<double>& rate, const Fact<Seconds>& mttr) {
  return {.value = availability_of(rate.value, mttr.value),
          .low = availability_of(rate.high_or_value(), mttr.high_or_value()),
          .high = availability_of(rate.low_or_value(), mttr.low_or_value()),
          .origin = {.source = "MTBF/(MTBF+MTTR)",
                     .date = {},
                     .confidence = weakest(rate.origin.confidence, mttr.origin.confidence)}};
}

Fact<double> derived_rate(const Fact<double>& availability, const Fact<Seconds>& mttr) {
  return {.value = rate_of(availability.value, mttr.value),
          .low = rate_of(availability.high_or_value(), mttr.value),
          .high = rate_of(availability.low_or_value(), mttr.value),
          .origin = {.source = "(1-A)/(A*MTTR)",
                     .date = {},
                     .confidence = weakest(availability.origin.confidence, mttr.origin.confidence)}};
}

}  // namespace

Fact<double> published_failures_per_1000_node_days() {
  return {.value = 4.0,
          .low = 2.34,
          .high = 6.50,
          .origin = {.source = "Meta RSC", .date = "2024", .confidence = Confidence::kAssumed}};
}

Fact<Seconds> published_time_to_repair() {
  return {.value = Seconds(24 * 3600.0),
          .low = Seconds(2.2 * 3600),
          .high = Seconds(120 * 3600.0),
          .origin = {.source = "arXiv 2503.11901", .date = "2025", .confidence = Confidence::kAssumed}};
}

NodeReliability node_reliability(const ReliabilityInput& input) {
  NodeReliability node;
  node.mttr = input.mttr.value_or(published_time_to_repair());
  node.availability_stated = input.availability.has_value();
  if (input.availability) {
    node.availability = *input.availability;
    node.failures_per_1000_node_days = input.failures_per_1000_node_days ? *input.failures_per_1000_node_days
                                                                         : derived_rate(node.availability, node.mttr);
    return node;
  }
  node.failures_per_1000_node_days =
      input.failures_per_1000_node_days.value_or(published_failures_per_1000_node_days());
  node.availability = derived_availability(node.failures_per_1000_node_days, node.mttr);
  return node;
}

double failures_per_node_year(double failures_per_1000_node_days) {
  return failures_per_1000_node_days / 1000 * kDaysPerYear;
}

Failover failover(const FailoverInput& input) {
  Failover result;
  result.detect = input.detect.value_or(kDetect);
  result.warm = input.reroute.has_value();
  if (result.warm) {
    result.start = *input.reroute;
    result.confidence = input.detect ? Confidence::kStated : Confidence::kAssumed;
    return result;
  }
  const BytesPerSecond load = input.load.value_or(kLoad);
  if (!(load.value > 0)) throw std::invalid_argument("the bandwidth that loads the weights must be positive");
  result.load = input.weights_per_node / load;
  result.start = input.start.value_or(kStart);
  const bool stated = input.detect && input.load && input.start;
  result.confidence = stated ? Confidence::kStated : Confidence::kAssumed;
  return result;
}

}  // namespace fathom
