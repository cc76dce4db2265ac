#include "cases/host_memory.h"

#include <fmt/format.h>

#include <atomic>
#include <cmath>
#include <cstdint>
#include <numeric>

#include "cases/untouched.h"
#include "host/team.h"

namespace fathom::probe {

namespace {

constexpr std::int64_t kGrain = 4096;  // elements: a page of memory and more per worker
constexpr double kScale = 3;

// Whole numbers below 2^20 that look random: sums and products of a few stay exact.
double pattern(std::int64_t i) {
  auto x = static_cast<std::uint64_t>(i) * 0x9E3779B97F4A7C15ull;
  x ^= x >> 29;
  return static_cast<double>(x & 0xFFFFF);
}

// Sixteen sums at once: with eight, a core would wait for its additions and not for memory.
double sum_of(const double* x, std::int64_t begin, std::int64_t end) {
  constexpr int kLanes = 16;
  double sum[kLanes] = {};
  std::int64_t i = begin;
  for (; i + kLanes <= end; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) sum[lane] += x[i + lane];
  }
  for (; i < end; ++i) sum[0] += x[i];
  return std::accumulate(sum, sum + kLanes, 0.0);
}

class MemoryCase {
 public:
  MemoryCase(const HostRules& rules, const System& system, std::int64_t elements, int threads)
      : rules_(rules),
        system_(system),
        n_(elements),
        team_(threads),
        a_(static_cast<std::size_t>(n_)),
        b_(a_.size()),
        c_(a_.size()) {
    team_.for_ranges(n_, kGrain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        a_.data()[i] = 0;
        b_.data()[i] = pattern(i);
        c_.data()[i] = pattern(i + n_);
      }
    });
  }

  Result read() {
    std::atomic<double> total = 0;
    return measure(
        "host.memory.read", 8, "the sum of all elements",
        [&] {
          total = 0;
          team_.for_ranges(n_, kGrain,
                           [&](std::int64_t begin, std::int64_t end) { total += sum_of(b_.data(), begin, end); });
        },
        [&] { return std::abs(total - expected_sum()) / expected_sum(); });
  }

  Result copy() {
    return measure(
        "host.memory.copy", 16, "every element",
        [&] {
          const double* from = b_.data();
          double* to = a_.data();
          team_.for_ranges(n_, kGrain, [=](std::int64_t begin, std::int64_t end) {
            for (std::int64_t i = begin; i < end; ++i) to[i] = from[i];
          });
        },
        [&] { return worst([&](std::int64_t i) { return pattern(i); }); });
  }

  Result triad() {
    return measure(
        "host.memory.triad", 24, "every element",
        [&] {
          const double *b = b_.data(), *c = c_.data();
          double* a = a_.data();
          team_.for_ranges(n_, kGrain, [=](std::int64_t begin, std::int64_t end) {
            for (std::int64_t i = begin; i < end; ++i) a[i] = b[i] + kScale * c[i];
          });
        },
        [&] { return worst([&](std::int64_t i) { return pattern(i) + kScale * pattern(i + n_); }); });
  }

 private:
  template <class Body, class Error>
  Result measure(const char* name, int bytes_per_element, const char* compared, Body body, Error error) {
    Result result = without_figure(name, "host", Status::kNotRun, "");
    result.shape = {{"threads", fmt::format("{}", team_.size())}, {"array_bytes", fmt::format("{}", n_ * 8)}};
    const Repeated timed = repeat_watched(rules_, system_, result, body);
    fill(result, static_cast<double>(n_) * bytes_per_element, timed, "whole numbers below 2^20", cache_of(rules_));
    const double wrong = error();
    result.correctness = Correctness{.method = compared, .worst_error = wrong, .correct = wrong < 1e-12};
    if (!result.correctness->correct) {
      result.status = Status::kIncorrect;
      result.why = "the memory does not hold what was written";
    }
    return result;
  }

  // Sums of whole numbers below 2^53 are exact, in whatever order.
  double expected_sum() {
    std::atomic<double> total = 0;
    team_.for_ranges(n_, kGrain, [&](std::int64_t begin, std::int64_t end) {
      double part = 0;
      for (std::int64_t i = begin; i < end; ++i) part += pattern(i);
      total += part;
    });
    return total;
  }

  template <class Expected>
  double worst(Expected expected) {
    std::atomic<std::int64_t> wrong = 0;
    team_.for_ranges(n_, kGrain, [&](std::int64_t begin, std::int64_t end) {
      std::int64_t here = 0;
      for (std::int64_t i = begin; i < end; ++i) here += a_.data()[i] != expected(i);
      wrong += here;
    });
    return static_cast<double>(wrong) / static_cast<double>(n_);
  }

  const HostRules& rules_;
  const System& system_;
  std::int64_t n_;
  host::Team team_;
  Untouched<double> a_, b_, c_;
};

}  // namespace

std::vector<Result> measure_host_memory(const HostRules& rules, const System& system) {
  const Bytes array = beyond_cache(rules.last_level_cache, rules.most_memory / 3);
  const auto elements = static_cast<std::int64_t>(array.value / 8);
  if (elements < kGrain) {
    return {without_figure("host.memory", "host", Status::kNotRun,
                           "there is not enough free memory for three arrays that no cache holds")};
  }
  std::vector<Result> results;
  for (int threads : rules.threads) {
    MemoryCase measured(rules, system, elements, threads);
    results.push_back(measured.read());
    results.push_back(measured.copy());
    results.push_back(measured.triad());
  }
  return results;
}

}  // namespace fathom::probe
