// One request as it enters the simulation, and where requests come from.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "simulate/random.h"
#include "simulate/serving_pool.h"

namespace fathom {

struct SimulatedRequest {
  double arrival = 0;  // s
  int input = 1;       // tokens of the prompt
  int output = 1;      // tokens of the answer
  int priority = 0;    // the smaller goes first
  int in_trace = -1;   // its number there when the blocks of its prefix are known
};

// A recorded stream of requests, in the order of their arrival.
struct RequestTrace {
  std::vector<SimulatedRequest> requests;
  bool timed = true;                  // false: lengths only, their arrivals are made up
  int skipped = 0;                    // rows without an answer
  std::vector<std::uint64_t> blocks;  // of all requests, one after the other
  std::vector<int> block_ends;        // of each request in `blocks`
  int block_tokens = 512;

  std::span<const std::uint64_t> blocks_of(int request) const {
    const auto i = static_cast<std::size_t>(request);
    const auto begin = static_cast<std::size_t>(i > 0 ? block_ends[i - 1] : 0);
    return std::span(blocks).subspan(begin, static_cast<std::size_t>(block_ends[i]) - begin);
  }
};

enum class Arrivals { kPoisson, kGamma, kClosed, kTrace };

struct ArrivalPlan {
  Arrivals kind = Arrivals::kPoisson;
  double requests_per_s = 0;            // Poisson, gamma
  double variation = 1;                 // coefficient of variation between two arrivals, gamma
  double concurrency = 0;               // closed loop: requests in flight
  bool in_step = false;                 // closed loop: all start at once, as benchmark clients do
  double time_scale = 1;                // of a trace: 0.5 plays it twice as fast
  std::int64_t requests = 0;            // in all; of a trace at most
  bool until_steady = false;            // Poisson, gamma: more of them where a steady state takes more
  const RequestTrace* trace = nullptr;  // its lengths count for other arrivals as well
};

// Draws lengths; both streams of random numbers are apart from those of arrivals, so that two loads see the same
// requests.
class LengthSource {
 public:
  // Those of `trace`, over and over, when there is one.
  LengthSource(const ServingLoad& load, const RequestTrace* trace, double longest, std::uint64_t seed);
  void fill(SimulatedRequest& request);

 private:
  static int draw(const RequestLengths& lengths, Random& random, double most);

  ServingLoad load_;
  const RequestTrace* trace_;
  std::size_t next_ = 0;
  double longest_;
  Random input_, output_;
};

}  // namespace fathom
