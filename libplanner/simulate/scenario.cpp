#include "simulate/scenario.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "units/text.h"

namespace fathom {

namespace {

constexpr double kMostRequests = 1e9;
constexpr double kMostAnswers = 1e10;  // tokens in all: half an hour when they come one at a time
constexpr double kRarest = 1e-3;       // of the requests that outlive failures, or there is nothing to wait for

[[noreturn]] void refuse(const std::string& why) { throw std::invalid_argument(why); }

void check(const ArrivalPlan& a) {
  if (a.trace != nullptr && a.trace->requests.empty()) refuse("the trace holds no request");
  if (a.kind == Arrivals::kTrace) {
    if (a.trace == nullptr) refuse("there is no trace to play");
    if (!a.trace->timed) refuse("the trace has no times: it needs a rate or a concurrency");
    return;
  }
  if (a.requests < 1) refuse("there are no requests to simulate");
  if (static_cast<double>(a.requests) > kMostRequests) refuse("more than a thousand million requests");
  if (a.kind == Arrivals::kClosed && a.concurrency < 1) refuse("a closed loop needs at least one request in flight");
  if (a.kind != Arrivals::kClosed && !(a.requests_per_s > 0)) refuse("arrivals need a rate above zero");
}

// Tokens of the mean request, and of all answers together.
struct Lengths {
  double input = 0, output = 0, answers = 0;
};

// What no cache holds is refused when it comes, and costs nothing.
Lengths recorded_lengths(const Scenario& s) {
  const ArrivalPlan& a = s.arrivals;
  double most = 0, input = 0, output = 0, held = 0;
  for (const ServingPool& pool : s.pools) most = std::max(most, pool.kv_tokens);
  for (const SimulatedRequest& request : a.trace->requests) {
    if (1.0 * request.input + request.output > most) continue;
    input += request.input;
    output += request.output;
    held += 1;
  }
  if (held == 0) return {};
  const auto all = static_cast<double>(a.trace->requests.size()), wanted = static_cast<double>(a.requests);
  const double times = a.kind != Arrivals::kTrace ? wanted / all : wanted > 0 ? std::min(1.0, wanted / all) : 1;
  return {.input = input / held, .output = output / held, .answers = output * times};
}

Lengths mean_lengths(const Scenario& s) {
  if (s.arrivals.trace != nullptr) return recorded_lengths(s);
  const double input = s.load.input.mean, output = s.load.output.mean;
  return {.input = input, .output = output, .answers = output * static_cast<double>(s.arrivals.requests)};
}

void check_lengths(const Scenario& s, const Lengths& mean) {
  if (s.arrivals.trace == nullptr) {  // a recorded request that is too long is refused alone
    for (const ServingPool& pool : s.pools) {
      const double longest = pool.max_context > 0 ? std::min(pool.max_context, pool.kv_tokens) : pool.kv_tokens;
      if (mean.input + mean.output <= longest) continue;
      refuse(fmt::format("requests of {:.0f} tokens in and {:.0f} out are longer than the {:.0f} tokens that {} takes",
                         mean.input, mean.output, longest, pool.name));
    }
  }
  if (mean.answers > kMostAnswers) {
    refuse(
        fmt::format("the answers have {:.2g} tokens in all, more than the {:.0g} that are simulated: ask for fewer "
                    "requests or shorter ones",
                    mean.answers, kMostAnswers));
  }
}

// Of a request that has the replica for itself.
Seconds time_alone(const ServingPool& pool, const Lengths& of) {
  double seconds = 0;
  if (pool.part != PoolPart::kDecode) {
    const double chunk = pool.chunk_tokens * pool.micro_batches, groups = pool.attention_groups;
    for (double read = 0; read < of.input; read += chunk) {
      const double tokens = std::min(chunk, of.input - read);
      seconds += pool.step_times.seconds({.prompt_tokens = tokens * groups, .prompt_context = read});
    }
  }
  if (pool.part != PoolPart::kPrefill && of.output > 1) {
    const StepWork step{.sequences = 1, .context = of.input + of.output / 2};
    seconds += (of.output - 1) / pool.tokens_per_step * pool.step_times.seconds(step);
  }
  return Seconds(seconds);
}

void check_failures(const Scenario& s, const Lengths& mean) {
  if (!s.mtbf) return;
  for (const ServingPool& pool : s.pools) {
    const Seconds alone = time_alone(pool, mean);
    if (std::exp(-(alone / *s.mtbf)) >= kRarest) continue;
    refuse(
        fmt::format("a replica fails every {} and an answer takes it {} even alone: fewer than one in {:.0f} would be "
                    "finished",
                    to_string(*s.mtbf), to_string(alone), 1 / kRarest));
  }
}

}  // namespace

double longest_request(const std::vector<ServingPool>& pools) {
  double longest = 1e8;
  for (const ServingPool& pool : pools) {
    if (pool.max_context > 0) longest = std::min(longest, pool.max_context);
    longest = std::min(longest, std::floor(pool.kv_tokens / 16) * 16);
  }
  return longest;
}

void check(const Scenario& scenario) {
  if (scenario.pools.empty()) refuse("there is no pool to simulate");
  check(scenario.arrivals);
  const Lengths mean = mean_lengths(scenario);
  check_lengths(scenario, mean);
  check_failures(scenario, mean);
}

}  // namespace fathom
