// One measured figure with everything that is needed to compare it with another: what was measured on what, in which
// shape, by which protocol, how it scattered, and whether the data was right. A figure without its protocol is not
// comparable: zeros instead of random numbers alone make a matrix product 12 % faster on an H200 (power).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "harness/statistics.h"
#include "harness/status.h"
#include "units/quantity.h"

namespace fathom::probe {

// What the figures count, all in SI units.
enum class Unit { kBytesPerSecond, kFlopsPerSecond, kTime, kOperationsPerSecond, kTokensPerSecond, kWatts };
inline constexpr Unit kLastUnit = Unit::kWatts;

const char* key_of(Unit unit);                 // as files spell it, unit last: "bytes_per_s", "time_s"
std::string text_of(Unit unit, double value);  // for people: "43.4 GB/s"
constexpr bool more_is_better(Unit unit) { return unit != Unit::kTime && unit != Unit::kWatts; }

// How it was measured. Empty and absent: not known.
struct Protocol {
  std::string engine;   // who measured: "builtin", "fio-3.33", "nccl-tests 2.13"
  std::string kernel;   // of several that do the same: "cuBLASLt 13.0, algorithm 21"; another kernel is another figure
  std::string pattern;  // data: "random", "zeros", "counting"
  std::string cache;    // "beyond LLC": buffers of several times the last-level cache
  std::string launch;   // "threads", "eager", "graph"
  int warm_up_runs = 0;
  Seconds warm_up{};
  int repeats = 0;
  std::string statistic;           // "median"
  std::optional<Hertz> clock_low;  // clocks seen meanwhile
  std::optional<Hertz> clock_high;
  std::optional<Watts> power;                // mean, of the device
  std::optional<double> temperature;         // C, highest
  std::optional<unsigned> throttle_reasons;  // NVML's event reasons, or-ed over the whole measurement

  bool operator==(const Protocol&) const = default;
  std::string text() const;  // what tells two ways to measure one thing apart: "builtin, cudaMemcpyAsync, graph"
};

// What a protocol says of storage that was read past the page cache ("O_DIRECT") when the device's own count (/proc/diskstats) is known.
inline constexpr const char* kByDevice = "O_DIRECT, read from the device";
inline constexpr const char* kByCache = "O_DIRECT, answered by a cache";

// What was compared with what, and the worst relative error.
struct Correctness {
  std::string method;
  double worst_error = 0;
  bool correct = true;
};

struct Result {
  std::string name;                          // of the case: "host.memory.triad"
  std::string device;                        // "host", "gpu0", of a link "gpu0>gpu1", of a group "gpu0,gpu1"
  std::map<std::string, std::string> shape;  // "threads": "2", "dtype": "bf16", "m": "1"
  Status status = Status::kNotRun;
  std::string why;  // of every status but `passed`
  Unit unit = Unit::kBytesPerSecond;
  std::optional<Statistics> figure;
  Protocol protocol;
  std::optional<Correctness> correctness;
  std::vector<std::string> notes;

  std::string shape_text() const;  // "dtype bf16, m 1, threads 2"
};

// A result without a figure.
Result without_figure(std::string name, std::string device, Status status, std::string why);

inline constexpr double kLargestFigure = 1e24;  // in SI units, far outside of anything real

// What the samples say on their own: no data among them (zero, negative, absurd, not finite) is implausible; a middle half wider
// than 5 % of the median, or a drift of more, is unstable.
inline constexpr double kMostFlutter = 0.05;
void sum_up(Result& result, const std::vector<double>& samples);

// The physical limit of a figure and who says so. Of a time it is the shortest.
struct Peak {
  double value = 0;  // in the unit of the figure
  std::string source;
};
// No machine exceeds its peak; 2 % are for clocks that are not what they are called.
inline constexpr double kMostOfPeak = 1.02;
bool exceeds(const Result& result, const Peak& peak);
// Of storage and network, which no catalog knows: what no node does, so that a wrong unit is seen. Not a measure of speed.
std::optional<Peak> gross_limit(const Result& result);

std::vector<std::string> devices_of(const std::string& device);  // "gpu0>gpu1" and "gpu0,gpu1": both
bool is_gpu_key(const std::string& device);                      // "gpu0"; "gpu" and "2 nodes" are none

std::optional<double> number_of(const Result& result, const std::string& key);  // of its shape

bool is_wrong(const Result& result);  // what was moved or computed is not what it must be
bool was_on_zeros(
    const Result& result);  // where the case does not ask for zeros by its shape: products of them are 12 % faster
bool has_no_data(
    const Result&
        result);  // zeros and negatives beside a figure that was written, or among the data that it was measured on
// Measured, right, no zeros, within the limit: whether a figure may be compared, whatever status stands beside it.
bool is_usable(const Result& result, const std::optional<Peak>& peak);
// A figure that is not usable loses its status: wrong data is incorrect, zeros and the impossible are implausible.
void hold_against(Result& result, const std::optional<Peak>& peak);

}  // namespace fathom::probe
