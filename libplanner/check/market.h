// What a part has cost: the dated prices of the catalog, and how far another price may lie from them.
#pragma once

#include <string>
#include <vector>

#include "catalog/field.h"
#include "check/claims.h"
#include "units/money.h"

namespace fathom {

struct MarketPrice {
  double low = 0, high = 0;  // of one, in the currency that was asked for; 0: no dated price is known
  std::string dates;
};

// Takes the dated ones in; what the parts cost their maker is no price. Throws MoneyError without an exchange rate.
void widen(MarketPrice& market, const std::vector<Price>& prices, const std::string& currency,
           const std::vector<ExchangeRate>& rates);

// Dated prices age: up to 30 % below the lowest or half above the highest may be another day or another dealer.
Verdict against_market(double each, const MarketPrice& market);

}  // namespace fathom
