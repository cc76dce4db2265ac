// The figures of a record as rows to be read by people: of a case with many shapes on one device one row for all of them.
#pragma once

#include <string>
#include <vector>

#include "print/probe_report.h"

namespace fathom::probe {

struct FigureRow {
  std::string name, device, shape;
  std::string median;    // of several "3.5 us to 18.2 ms"
  std::string interval;  // of the median, 95 %; empty for several
  std::string samples, by;
  std::string reference;  // share of it; of several the least
  std::string status;     // what is not "passed"
};

// With `all` a row for each figure. The report must be judged.
std::vector<FigureRow> figure_rows(const ProbeReport& report, bool all);

}  // namespace fathom::probe
