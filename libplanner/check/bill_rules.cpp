#include "check/bill_rules.h"

namespace fathom {

void check_bill(const bill::Bill& bill, const Catalog& catalog, Findings& findings) {
  using namespace bill_rules;
  const Checked checked{bill, catalog, bill::parts_of(bill, catalog)};
  check_sums(bill, findings);
  check_lines(checked, findings);
  check_figures(checked, findings);
  check_prices(checked, findings);
  check_companions(checked, findings);
}

}  // namespace fathom
