// A cluster's bill: every part and service as a line with its price, or without one and then marked.
//
// Counts include spares. A node with a price is one line, unless its price does not cover its parts. Tax falls on
// hardware, installation on hardware with tax. All amounts are in finance.currency at the file's dated exchange rates;
// a missing rate is an InputError that names the pair and the line. Formulas: docs/formulas/cost.md.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bom/cluster.h"
#include "units/fact.h"
#include "units/money.h"

namespace fathom {

struct BillLine {
  std::string id;        // "gpu.node", "ib.leaf", "ib.gpu-leaf.optics"
  std::string what;      // for people
  std::string category;  // once: nodes, network, storage, items, software, tax, installation
                         // per year: software, staff, space, other, replacement
  double quantity = 1;
  std::string unit = "piece";
  std::optional<UnitPrice> unit_price = {};  // as quoted, in its own currency
  Money amount = {};                         // quantity * unit price, converted; zero when not priced
  std::optional<Money> low = {}, high = {};  // of the amount, where the source gives a range
  Origin origin = {};
  bool priced = false;
  bool hardware = false;                  // taxed, installed, resold
  std::optional<double> life_years = {};  // of items
};

struct Bill {
  std::string currency;
  std::vector<BillLine> once;
  std::vector<BillLine> yearly;

  Money capex() const;                        // C0: sum of `once`
  Money per_year() const;                     // sum of `yearly`; electricity is not in it
  Money hardware() const;                     // without tax and installation
  std::vector<std::string> unpriced() const;  // ids of lines without a price
};

Bill expand_bill(const Cluster& cluster);

// What the hardware is worth at the horizon: residual_share of its price; of an item that lives longer, the larger of
// that and the straight-line rest 1 - horizon/life.
Money residual_value(const Bill& bill, const Finance& finance);

}  // namespace fathom
