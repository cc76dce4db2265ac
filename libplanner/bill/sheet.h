// A text as rows of cells, and the row that names the columns.
#pragma once

#include <string>
#include <vector>

#include "bill/bill.h"

namespace fathom::bill {

struct Sheet {
  std::vector<CsvRow> rows;
  std::size_t header = 0;
  std::size_t understood = 0;  // columns of the header
  bool decimal_comma = false;
};

// With the separator that makes the most of the header. Throws InputError where there is none, saying what was understood.
Sheet read_sheet(const std::string& text, const std::string& file, const ReadOptions& options);

}  // namespace fathom::bill
