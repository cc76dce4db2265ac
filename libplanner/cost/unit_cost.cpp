#include "cost/unit_cost.h"

#include <cmath>

#include "cost/priced_line.h"

namespace fathom {
namespace {

constexpr double kHoursPerYear = 8760;
constexpr double kSecondsPerYear = kHoursPerYear * 3600;

// Ratios keep millionths; through Money they would keep cents only.
UnitPrice in_report_currency(const UnitPrice& price, const Cluster& cluster, const std::string& what_for) {
  const double factor = in_currency(Money::from_major(1e6, price.currency), cluster, what_for).major() / 1e6;
  return {.micros = std::llround(static_cast<double>(price.micros) * factor),
          .currency = cluster.finance.currency,
          .per = price.per};
}

BreakEven rental(const Cluster& cluster, const Alternative& alternative, double annual, const Delivery& delivery) {
  BreakEven result{.id = alternative.id, .origin = alternative.per_gpu_hour->origin};
  result.gpu_hour = in_report_currency(alternative.per_gpu_hour->value, cluster, alternative.id);
  const double full_year = delivery.accelerators * kHoursPerYear * result.gpu_hour->major();
  if (full_year <= 0) {
    result.note = "nothing to compare: no accelerators in service, or a price of zero";
    return result;
  }
  result.utilisation = annual / full_year;
  result.feasible = *result.utilisation <= delivery.availability;
  if (delivery.utilisation > 0) result.saving = 1 - annual / (full_year * delivery.utilisation);
  return result;
}

std::optional<ApiPrices> api_prices(const Cluster& cluster, const Alternative& alternative, double cache_hit) {
  const bool input_needed = cluster.workload.input_tokens.mean > 0;
  if (!alternative.output || (input_needed && !alternative.input)) return std::nullopt;
  const auto price = [&](const std::optional<Fact<UnitPrice>>& fact) {
    return fact ? in_report_currency(fact->value, cluster, alternative.id).major() : 0;
  };
  const double input = price(alternative.input);
  const bool cached = cache_hit > 0 && alternative.cached_input;
  return ApiPrices{.input = input,
                   .cached_input = cached ? price(alternative.cached_input) : input,
                   .output = price(alternative.output)};
}

void judge(BreakEven& result, double annual, const Delivery& delivery) {
  if (!delivery.output_tok_per_s) return;
  const double tok_per_s = delivery.output_tok_per_s->likely;
  result.feasible = *result.output_mtok_per_year <= output_mtok_capacity(delivery, tok_per_s);
  const double requests = output_mtok_per_year(delivery, tok_per_s) * 1e6 / result.output_tokens;
  if (requests > 0) result.saving = 1 - annual / (requests * *result.price_per_request);
}

BreakEven api(const Cluster& cluster, const Alternative& alternative, double annual, const Delivery& delivery) {
  const Workload& work = cluster.workload;
  BreakEven result{
      .id = alternative.id, .input_tokens = work.input_tokens.mean, .output_tokens = work.output_tokens.mean};
  if (alternative.output) result.origin = alternative.output->origin;
  const std::optional<ApiPrices> prices = api_prices(cluster, alternative, work.prefix_cache_hit);
  if (!prices || work.output_tokens.mean <= 0) {
    result.note = "the price of input tokens is not stated, so a request has no price";
    return result;
  }
  result.price_per_request =
      price_per_request(*prices, result.input_tokens, result.output_tokens, work.prefix_cache_hit);
  if (*result.price_per_request <= 0) {
    result.note = "a free alternative is never met";
    return result;
  }
  result.requests_per_year = annual / *result.price_per_request;
  result.output_mtok_per_year = *result.requests_per_year * result.output_tokens / 1e6;
  judge(result, annual, delivery);
  return result;
}

}  // namespace

double per_mtok(double cost_per_hour, double tok_per_s) { return cost_per_hour / (3600 * tok_per_s) * 1e6; }

double output_mtok_capacity(const Delivery& delivery, double output_tok_per_s) {
  return output_tok_per_s * kSecondsPerYear * delivery.availability / 1e6;
}

double output_mtok_per_year(const Delivery& delivery, double output_tok_per_s) {
  return output_mtok_capacity(delivery, output_tok_per_s) * delivery.utilisation;
}

UnitCosts unit_costs(double annual_total, const Delivery& delivery) {
  UnitCosts costs;
  const double gpu_hours = delivery.accelerators * kHoursPerYear * delivery.availability;
  if (gpu_hours > 0) costs.gpu_hour_available = annual_total / gpu_hours;
  if (gpu_hours > 0 && delivery.utilisation > 0) costs.gpu_hour_used = *costs.gpu_hour_available / delivery.utilisation;
  if (!delivery.output_tok_per_s) return costs;
  const double mtok = output_mtok_per_year(delivery, delivery.output_tok_per_s->likely);
  if (!(mtok > 0)) return costs;
  costs.mtok_output = annual_total / mtok;
  costs.mtok_all = *costs.mtok_output / (1 + delivery.input_per_output);
  if (delivery.output_per_request > 0) costs.request = *costs.mtok_output * delivery.output_per_request / 1e6;
  return costs;
}

double price_per_request(const ApiPrices& prices, double input_tokens, double output_tokens, double cache_hit) {
  return (input_tokens * (1 - cache_hit) * prices.input + input_tokens * cache_hit * prices.cached_input +
          output_tokens * prices.output) /
         1e6;
}

std::vector<BreakEven> break_even(const Cluster& cluster, const Money& annual_total, const Delivery& delivery) {
  std::vector<BreakEven> rows;
  for (const Alternative& alternative : cluster.alternatives) {
    const double annual = annual_total.major();
    if (alternative.per_gpu_hour) rows.push_back(rental(cluster, alternative, annual, delivery));
    if (alternative.output || alternative.input) rows.push_back(api(cluster, alternative, annual, delivery));
  }
  return rows;
}

}  // namespace fathom
