#include "check/market.h"

#include <algorithm>

namespace fathom {

void widen(MarketPrice& market, const std::vector<Price>& prices, const std::string& currency,
           const std::vector<ExchangeRate>& rates) {
  for (const Price& price : prices) {
    if (price.kind.find("bill of materials") != std::string::npos || price.origin.date.empty()) continue;
    const auto in_currency = [&](const Money& money) { return convert(money, currency, rates).major(); };
    const double low = in_currency(price.low.value_or(price.amount)),
                 high = in_currency(price.high.value_or(price.amount));
    market.low = market.low == 0 ? low : std::min(market.low, low);
    market.high = std::max(market.high, high);
    if (market.dates.find(price.origin.date) == std::string::npos)
      market.dates += (market.dates.empty() ? "" : ", ") + price.origin.date;
  }
}

Verdict against_market(double each, const MarketPrice& market) {
  if (market.high == 0) return Verdict::kCannotBeChecked;
  if (each < 0.7 * market.low) return Verdict::kContradicted;
  return each < 0.85 * market.low || each > 1.5 * market.high ? Verdict::kMisleading : Verdict::kHolds;
}

}  // namespace fathom
