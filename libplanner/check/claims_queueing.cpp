// Rates, latencies and requests in flight: Little's law, and means against percentiles.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "check/claims_terms.h"
#include "units/text.h"

namespace fathom::claims {

namespace {

// Figures of a table are rounded and measured on different days: a fifth is within that.
constexpr double kSlack = 0.2;

std::string per_second(double rate) { return fmt::format("{} /s", number(rate)); }

Seconds positive_latency(Terms& claim) {
  const Seconds latency = claim.need<Seconds>("latency");
  if (!(latency > Seconds(0))) claim.fail_term("latency", "a request takes some time");
  return latency;
}

Judgement little(Terms& claim) {
  const double in_flight = claim.count("in_flight");
  const Seconds latency = positive_latency(claim);
  const Hertz stated = claim.value<Hertz>();
  const double rate = in_flight / latency.value;
  const std::string text =
      fmt::format("{} in flight / {} = {}", number(in_flight), to_string(latency), per_second(rate));
  if (std::abs(stated.value - rate) <= kSlack * rate) return holds(text);
  return contradicted(fmt::format("{}, not {}, which would be {} in flight", text, claim.value_text(),
                                  number(stated.value * latency.value)));
}

Judgement at_least(Terms& claim) {
  const double in_flight = claim.count("in_flight");
  const Seconds latency = positive_latency(claim);
  const Hertz stated = claim.value<Hertz>();
  const double rate = in_flight / latency.value;
  const std::string text = fmt::format("{} in flight / {} = {}, {} per day, for {}", number(in_flight),
                                       to_string(latency), per_second(rate), number(rate * 86400), claim.value_text());
  return stated.value <= rate * (1 + 1e-9) ? holds(text) : contradicted(text);
}

// A busy hour has several times the mean, not hundreds of times.
Judgement peak(Terms& claim) {
  constexpr double kMostPeaks = 20;
  const Hertz rate = claim.need<Hertz>("rate");
  const Seconds latency = positive_latency(claim);
  const double stated = claim.number_value();
  const double mean = rate.value * latency.value;
  if (!(mean > 0)) claim.fail_term("rate", "a rate of nothing has no peak");
  const std::string text =
      fmt::format("{} x {} = {} in flight on average; {} at once are {}", claim.need<std::string>("rate"),
                  to_string(latency), number(mean), number(stated), times(stated / mean));
  if (stated < mean * (1 - kSlack)) return contradicted(text);
  return stated > mean * kMostPeaks ? misleading(text) : holds(text);
}

Judgement percentile(Terms& claim) {
  const Seconds p99 = claim.need<Seconds>("p99"), mean = claim.value<Seconds>();
  if (!(p99 > Seconds(0))) claim.fail_term("p99", "a request takes some time");
  const std::string text = fmt::format("a mean of {} and a P99 of {}", to_string(mean), to_string(p99));
  if (mean > p99) return contradicted(text + ": the mean lies above");
  const double spread = 1 - mean / p99;
  if (spread >= 0.1) return holds(text);
  return misleading(fmt::format("{}: {} apart, as if all requests were alike", text, percent(spread)));
}

// Throughput and latency before and after: together they say whether more or fewer requests were in flight.
Judgement speedup(Terms& claim) {
  const Seconds before = claim.need<Seconds>("before"), after = claim.need<Seconds>("after");
  const double batch = claim.count("batch", 1);
  const double stated = claim.number_value();
  if (!(before > Seconds(0))) claim.fail_term("before", "a request takes some time");
  if (!(after > Seconds(0))) claim.fail_term("after", "a request takes some time");
  const double in_flight = stated * (after / before);
  const std::string text = fmt::format("{} x {} / {} = {} of the requests in flight before", number(stated),
                                       to_string(after), to_string(before), number(in_flight));
  if (batch > 1 && in_flight < 1)
    return misleading(fmt::format("{}, although the batch grew to {}; a whole batch in {} would be {} x {} = {} times",
                                  text, number(batch), to_string(after), number(batch), number(before / after),
                                  number(batch * (before / after))));
  return holds(text);
}

}  // namespace

std::vector<Subject> queueing_claims() {
  return {{"queueing.little", little},
          {"queueing.at_least", at_least},
          {"queueing.peak", peak},
          {"queueing.percentile", percentile},
          {"queueing.speedup", speedup}};
}

}  // namespace fathom::claims
