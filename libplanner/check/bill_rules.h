// Rules on a bill of materials. docs/check.md#bills
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bill/parts.h"
#include "check/findings.h"

namespace fathom {

void check_bill(const bill::Bill& bill, const Catalog& catalog, Findings& findings);

namespace bill_rules {

struct Checked {
  const bill::Bill& bill;
  const Catalog& catalog;
  std::vector<bill::Part> parts;
};

void check_sums(const bill::Bill& bill, Findings& findings);        // totals, tax, shares
void check_lines(const Checked& checked, Findings& findings);       // quantities, duplicates, prices, currencies
void check_figures(const Checked& checked, Findings& findings);     // names and figures against the catalog
void check_prices(const Checked& checked, Findings& findings);      // against dated prices; licences; energy
void check_companions(const Checked& checked, Findings& findings);  // what goes with what, power, racks

inline Spot spot(const CsvCell& cell) { return {cell.at, cell.width}; }

// "42 万 USD": an amount as the cell next to it counts.
std::string counted(double amount, const bill::Amount& like);
std::string plain_number(double value);  // "1,342.05", at most three decimals

// What a line comes to by quantity and unit price, where both are stated; `exact` when the total on the line says the same.
struct Product {
  double low = 0, high = 0;
  double price_rounding = 0;  // how far the last place of the unit price reaches
  std::string equation;       // "120 km x 3.5 USD/m"
};
std::optional<Product> product_of(const bill::Bill& bill, const bill::Row& row);

// The number inside a cell, replaced by another in the same form: decimals, separators of thousands.
std::optional<Mend> mend_number(const bill::Amount& amount, double value, bool decimal_comma);

// "line 12 (GPU)"
std::string name_of(const bill::Row& row);

}  // namespace bill_rules
}  // namespace fathom
