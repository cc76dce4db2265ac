// The simulation against queues whose answer is known exactly.
#include <gtest/gtest.h>

#include <cmath>

#include "simulate/synthetic.h"

namespace fathom {
namespace {

constexpr std::int64_t kRequests = 1'000'000;

// Erlang's distribution of the wait in M/D/1 (A. K. Erlang, 1909): P(W <= t) = (1 - rho) sum over k up to t/D of
// (-lambda (t - k D))^k / k! e^(lambda (t - k D)).
double waits_less(double t, double rate, double service) {
  long double sum = 0;
  for (int k = 0; k <= static_cast<int>(t / service); ++k) {
    const long double x = rate * (t - k * service);
    long double term = std::exp(x);
    for (int i = 1; i <= k; ++i) term *= -x / i;
    sum += term;
  }
  return static_cast<double>((1 - rate * service) * sum);
}

template <class Below>
double percentile(double share, double top, Below below) {
  double low = 0, high = top;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (below(middle) < share ? low : high) = middle;
  }
  return low;
}

// One place, one step per request, of always the same length.
TEST(Queueing, OneServerWithConstantServiceIsMD1) {
  const double service = 0.01;
  for (const double load : {0.5, 0.8}) {
    ServingPool pool = synthetic_pool(constant_steps(service, 1));
    pool.most_sequences = 1;
    const double rate = load / service;
    const SimulationResult r = simulate(poisson(pool, rate, kRequests, 100, 1));
    const double wait = load * service / (2 * (1 - load));
    EXPECT_NEAR(r.ttft.mean.value, service + wait, 0.01 * (service + wait));
    EXPECT_NEAR(r.mean_waiting, rate * wait, 0.02 * rate * wait);  // Little
    EXPECT_NEAR(r.utilisation, load, 0.01 * load);
    for (const auto& [share, found] : {std::pair(0.5, r.ttft.p50), {0.9, r.ttft.p90}, {0.99, r.ttft.p99}}) {
      const double exact =
          service + percentile(share, 20 * service, [&](double t) { return waits_less(t, rate, service); });
      EXPECT_NEAR(found.value, exact, 0.03 * exact) << load << " " << share;
    }
  }
}

// Erlang's C: the chance that all c servers are busy.
double erlang_c(int servers, double offered) {
  double term = 1, sum = 0;
  for (int k = 0; k < servers; ++k) {
    sum += term;
    term *= offered / (k + 1);
  }
  term *= servers / (servers - offered);
  return term / (sum + term);
}

// c places in a batch whose steps are short and always equally long: a request holds its place for as many steps as
// it has tokens, which are geometric, the whole-numbered exponential.
TEST(Queueing, PlacesInABatchAreServersOfMMc) {
  constexpr double kStep = 1e-3, kTokens = 300;
  const int servers = 4;
  const double load = 0.8, service = kTokens * kStep, rate = load * servers / service;
  RequestTrace trace;
  Random random(7);
  double clock = 0;
  for (std::int64_t i = 0; i < kRequests; ++i) {
    clock += random.exponential(1 / rate);
    const int tokens = 1 + static_cast<int>(std::log(random.uniform()) / std::log(1 - 1 / kTokens));
    trace.requests.push_back({.arrival = clock, .input = 1, .output = tokens});
  }
  ServingPool pool = synthetic_pool(constant_steps(kStep, kStep));
  pool.most_sequences = servers;
  Scenario s = poisson(pool, rate, kRequests, 1, 1);
  s.arrivals = {.kind = Arrivals::kTrace, .trace = &trace};
  const SimulationResult r = simulate(s);

  const double waits = erlang_c(servers, load * servers), drain = servers / service - rate;
  const double mean = service + waits / drain;
  EXPECT_NEAR(r.e2e.mean.value, mean, 0.01 * mean);
  EXPECT_NEAR(r.mean_running, load * servers, 0.01 * load * servers);
  // P(sojourn > t) = (1 - C) e^(-mu t) + C times wait plus service, two exponentials one after the other.
  const double mu = 1 / service;
  const auto below = [&](double t) {
    const double both = (drain * std::exp(-mu * t) - mu * std::exp(-drain * t)) / (drain - mu);
    return 1 - (1 - waits) * std::exp(-mu * t) - waits * both;
  };
  for (const auto& [share, found] : {std::pair(0.5, r.e2e.p50), {0.9, r.e2e.p90}, {0.99, r.e2e.p99}}) {
    const double exact = percentile(share, 100 * service, below);
    EXPECT_NEAR(found.value, exact, 0.03 * exact) << share;
  }
}

}  // namespace
}  // namespace fathom
