#include <algorithm>
#include <cmath>

#include "model/format.h"
#include "units/number.h"
#include "workload/workload.h"

namespace fathom {

namespace {

constexpr double kZ99 = 2.3263478740408408;  // the 99th percentile of the standard normal distribution
constexpr double kMostTokens = 1e8;
constexpr double kMostRequests = 1e8;

double number_within(const Context& at, double lowest, double highest, const std::string& what) {
  double value = 0;
  read(at, value);
  check_range(at, value, lowest, highest, in_quotes(what));
  return value;
}

// ln n ~ N(mu, sigma): p50 = e^mu, p99 = e^(mu + z sigma), mean = e^(mu + sigma^2/2), E[n^2] = mean^2 e^(sigma^2).
LengthDistribution log_normal(double mu, double sigma) {
  const double mean = std::exp(mu + sigma * sigma / 2);
  return {.mean = mean,
          .p50 = std::exp(mu),
          .p99 = std::exp(mu + kZ99 * sigma),
          .second_moment = mean * mean * std::exp(sigma * sigma)};
}

// p99/mean = e^(z sigma - sigma^2/2) rises up to sigma = z, where it is e^(z^2/2) = 14.97; the smaller root is the one
// whose tail lies above its mean.
LengthDistribution from_mean_and_p99(const Context& p99_at, double mean, double p99) {
  const double log_ratio = std::log(p99 / mean);
  const double root = kZ99 * kZ99 - 2 * log_ratio;
  if (root < 0) {
    p99_at.fail("no log-normal distribution has a p99 of more than 14.9 times its mean",
                "give {p50, p99} when the lengths are that unequal");
  }
  const double sigma = kZ99 - std::sqrt(root);
  return log_normal(std::log(mean) - sigma * sigma / 2, sigma);
}

LengthDistribution read_lengths(const Context& at, const std::string& what) {
  if (at.value.kind != Value::Kind::kMapping) {
    const double n = number_within(at, 1, kMostTokens, what);
    return {.mean = n, .p50 = n, .p99 = n, .second_moment = n * n};
  }
  MapReader reader(at.file, at.value, "token counts");
  const Value* mean = reader.take("mean");
  const Value* p50 = reader.take("p50");
  const Value& p99 = reader.need("p99");
  reader.finish();
  if ((mean == nullptr) == (p50 == nullptr)) {
    reader.fail("token counts need either mean or p50 beside p99", "for example {mean: 1000, p99: 4000}");
  }
  const Value& centre = mean != nullptr ? *mean : *p50;
  const double low = number_within(reader.context(centre), 1, kMostTokens, what);
  const double high = number_within(reader.context(p99), 1, kMostTokens, what);
  if (high < low) {
    reader.context(p99).fail(
        "p99 is below the " + std::string(mean != nullptr ? "mean" : "median") + " of " + in_quotes(what),
        "99 of 100 requests are not longer than p99, so it is the larger of the two");
  }
  if (mean != nullptr) return from_mean_and_p99(reader.context(p99), low, high);
  return log_normal(std::log(low), std::log(high / low) / kZ99);
}

Seconds positive_time(const Context& at, const std::string& what) {
  Seconds time;
  read(at, time);
  if (!(time.value > 0)) at.fail(in_quotes(what) + " must be longer than zero");
  return time;
}

ServiceLevel read_slo(const Context& at) {
  MapReader reader(at.file, at.value, "a service level");
  ServiceLevel slo;
  const auto limit = [&](const char* key, std::optional<Seconds>& out) {
    if (const Value* value = reader.take(key)) out = positive_time(reader.context(*value), key);
  };
  limit("ttft", slo.ttft);
  limit("tpot", slo.tpot);
  limit("e2e", slo.e2e);
  if (const Value* value = reader.take("percentile")) {
    slo.percentile = number_within(reader.context(*value), 1, 99.99, "percentile");
  }
  reader.finish();
  if (!slo.ttft && !slo.tpot && !slo.e2e) {
    reader.fail("a service level needs at least one of ttft, tpot, e2e",
                "for example {ttft: 2 s, tpot: 50 ms, percentile: 99}");
  }
  return slo;
}

std::string known_word(const Context& at, const std::vector<std::string>& known, const std::string& what) {
  std::string word;
  read(at, word);
  if (std::find(known.begin(), known.end(), word) != known.end()) return word;
  const std::string close = did_you_mean(word, known);
  at.fail("unknown " + what + " " + in_quotes(word),
          close.empty() ? "known are " + listed(known, ", ") : "did you mean " + in_quotes(close) + "?");
}

// A list of words, or one word.
std::vector<std::string> words_of(MapReader& reader, const std::string& key, std::string (*read_word)(const Context&)) {
  std::vector<std::string> words;
  const Value* value = reader.take(key);
  if (value == nullptr) return words;
  if (value->kind != Value::Kind::kSequence) return {read_word(reader.context(*value))};
  if (value->items.empty())
    reader.context(*value).fail(in_quotes(key) + " is an empty list", "leave the key out to allow the default");
  for (const Value& item : value->items) {
    const std::string word = read_word(reader.context(item));
    if (std::find(words.begin(), words.end(), word) != words.end()) {
      reader.context(item).fail(in_quotes(word) + " stands twice in " + in_quotes(key));
    }
    words.push_back(word);
  }
  return words;
}

void read_load(MapReader& reader, Workload& workload) {
  const Value* concurrency = reader.take("concurrency");
  const Value* arrivals = reader.take("arrival_rate");
  if (concurrency == nullptr && arrivals == nullptr) {
    reader.fail("the workload needs a load: concurrency or arrival_rate",
                "concurrency: 32 keeps 32 requests in flight; arrival_rate: 2 /s lets them come at random");
  }
  if (concurrency != nullptr && arrivals != nullptr) {
    reader.context(*arrivals).fail("concurrency and arrival_rate are both given; one follows from the other",
                                   "keep the one that the design knows");
  }
  if (concurrency != nullptr) {
    workload.concurrency = number_within(reader.context(*concurrency), 1, kMostRequests, "concurrency");
    return;
  }
  Hertz rate;
  read(reader.context(*arrivals), rate);
  if (!(rate.value > 0) || rate.value > kMostRequests) {
    reader.context(*arrivals).fail("\"arrival_rate\" must be above zero and at most 100 million requests per second");
  }
  workload.arrival_rate = rate;
}

}  // namespace

std::string read_weight_scheme(const Context& at) {
  std::vector<std::string> names;
  for (const WeightScheme& scheme : weight_schemes()) names.push_back(scheme.name);
  return known_word(at, names, "weight scheme");
}

std::string read_kv_format(const Context& at) { return known_word(at, {"bf16", "fp8"}, "KV format"); }

Workload read_workload(const Context& at) {
  MapReader reader(at.file, at.value, "the workload");
  reader.expect({"output_tokens"});
  const auto share = [&](const char* key, double highest) -> std::optional<double> {
    const Value* value = reader.take(key);
    if (value == nullptr) return std::nullopt;
    return number_within(reader.context(*value), 0, highest, key);
  };
  Workload workload;
  workload.model = reader.required<std::string>("model");
  workload.engine = reader.get<std::string>("engine", "reference");
  if (const Value* engine = reader.take("engine")) workload.engine_at = engine->at;
  workload.input_tokens = read_lengths(reader.context(reader.need("input_tokens")), "input_tokens");
  workload.output_tokens = read_lengths(reader.context(reader.need("output_tokens")), "output_tokens");
  read_load(reader, workload);
  workload.prefix_cache_hit = share("prefix_cache_hit", 0.9999).value_or(0);
  if (const Value* slo = reader.take("slo")) workload.slo = read_slo(reader.context(*slo));
  if (reader.value().find("objective") != nullptr) {
    workload.objective =
        reader.choice("objective", {"latency", "capacity"}) == 0 ? Objective::kLatency : Objective::kCapacity;
  }
  workload.weights = words_of(reader, "weights", read_weight_scheme);
  workload.kv = words_of(reader, "kv", read_kv_format);
  if (const Value* context = reader.take("max_context")) {
    workload.max_context = number_within(reader.context(*context), 1, kMostTokens, "max_context");
  }
  workload.mtp_acceptance = share("mtp_acceptance", 1);
  workload.offload_experts = reader.get<bool>("offload_experts", false);
  reader.finish();
  return workload;
}

}  // namespace fathom
