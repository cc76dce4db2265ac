// A bill line from a price in any currency.
#pragma once

#include <optional>
#include <string>

#include "bom/cluster.h"
#include "cost/bill.h"
#include "units/fact.h"
#include "units/money.h"

namespace fathom {

// A price each, as a price per piece. Throws MoneyError beyond 9e12 of the currency.
UnitPrice per_piece(const Money& price);
std::optional<Fact<UnitPrice>> per_piece(const std::optional<Fact<Money>>& price);

// Fills price, amount, range and origin of a line that knows its id, words, category and quantity. Without a price the
// line stays unpriced at zero of the bill's currency.
BillLine priced(BillLine line, const std::optional<Fact<UnitPrice>>& price, const Cluster& cluster);

// Converts at the cluster's dated rates; a missing rate is an InputError that names the pair and `what_for`.
Money in_currency(const Money& money, const Cluster& cluster, const std::string& what_for);

}  // namespace fathom
