// What can be measured: the names and units of a table, and the classes that errors are reported by.
// docs/measurements-csv.md#metrics
#pragma once

#include <string>
#include <vector>

namespace fathom {

// What a metric is a measure of; errors are reported per class.
enum class MetricClass {
  kThroughput,
  kSingleStream,
  kPrefill,
  kTtft,
  kTpot,
  kEndToEnd,
  kNetwork,
  kMemory,
  kCollective,
  kBandwidth,
  kGemm,
  kAttention,
  kPower,
  kEnergy,
  kFleet,
};
std::string to_string(MetricClass c);

// "d" -> "CPU and offload"; empty for a category of somebody's own.
std::string category_title(const std::string& category);

struct Metric {
  const char* name;
  const char* unit;
  MetricClass kind;
  double percentile = 0;  // 0: a mean, or a figure that has none
};
const std::vector<Metric>& metrics();
const Metric* find_metric(const std::string& name);

}  // namespace fathom
