// A bill of materials as somebody hands it in: a sheet of lines with names, quantities and amounts, saved as CSV. What it
// says, row by row, with the place of every cell; whether it is right is for check/ to say. docs/check.md#bills
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bill/figures.h"
#include "input/csv.h"
#include "units/money.h"

namespace fathom::bill {

// What a column holds; the words are those of --columns.
enum class Field {
  kItem,
  kModel,
  kSpec,
  kCategory,
  kVendor,
  kQuantity,
  kUnit,
  kTerm,  // years or months that a line is bought for
  kPrice,
  kTotal,
  kShare,
  kPower,
  kHeight,
  kCurrency,
  kDate,
  kNotes
};
constexpr std::array<std::string_view, 16> words(Field) {
  return {"item",       "model", "spec",  "category", "vendor", "qty",      "unit", "term",
          "unit_price", "total", "share", "power",    "height", "currency", "date", "notes"};
}

struct ReadOptions {
  std::vector<std::pair<Field, std::string>> columns = {};  // headers that the user named, over those that are known
  std::vector<ExchangeRate> rates = {};
};

// "qty=数量,unit_price=Price each". Throws InputError in the name of the option.
std::vector<std::pair<Field, std::string>> parse_columns(const std::string& text, const std::string& option);

struct Column {
  Field field{};
  CsvCell header;     // as the file has it
  Counting counting;  // of its amounts
};

struct Quantity {
  double low = 0, high = 0;  // equal unless it is open
  std::string unit;          // "台", "km"; of the cell, else of the unit column
  bool open = false;         // a range, 若干, TBD
  CsvCell cell;
};

// Money in whole units of its currency.
struct Amount {
  double low = 0, high = 0;
  double half_place = 0;  // half a unit of the last decimal that is written
  double scale = 1;       // what the cell counts in: 1e4 for 万
  std::string currency;   // empty when the file names none
  std::string per;        // "m" of "3.5/m"
  bool about = false;
  CsvCell cell;

  bool is_range() const { return low != high; }
};

struct Share {
  double percent = 0, half_place = 0;
  CsvCell cell;
};

enum class RowKind {
  kItem,
  kSection,   // words alone
  kSubtotal,  // of the lines since the last one
  kTotal,
  kTax,
  kAside  // 其中, "of which": speaks of lines above and adds nothing
};

struct Row {
  RowKind kind = RowKind::kItem;
  int section = 0;                 // counts from 0 in the order of the file
  int option = 0;                  // of alternatives (方案 1, option B); 0 outside of them
  std::map<Field, CsvCell> cells;  // those that are not empty
  CsvCell first;                   // the first cell that is not empty
  std::optional<Quantity> quantity;
  std::optional<double> term;
  std::optional<Amount> price, total;
  std::optional<Share> share;
  bool priced_elsewhere = false;  // "included", 赠送

  std::string text(Field field) const;     // as people read it, "" when there is none
  std::string name() const;                // item, else model, else category
  std::string words() const;               // everything that says what it is, notes last
  const CsvCell& cell(Field field) const;  // the row's first one when there is none
};

struct Bill {
  std::string file;
  std::vector<std::vector<Column>> tables;  // columns of each header row
  std::vector<CsvCell> unknown;             // headers of columns with figures that nobody understands
  std::vector<Row> rows;
  std::vector<ExchangeRate> rates;  // given, or stated in the sheet
  std::optional<CsvCell> date;      // the first cell that names a day
  bool discounts = false;           // a column of them: totals may lie below quantity x price
  bool decimal_comma = false;

  const Column* column(Field field) const;  // of the first header that has it
};

// Throws InputError: no UTF-8, quotes that do not close, or no row that names the columns of a bill.
Bill read_bill(const std::string& text, const std::string& file, const ReadOptions& options = {});

// Whether the text has a header with a quantity and a price or total: what tells a bill from any other table.
bool looks_like_bill(const std::string& text);

}  // namespace fathom::bill
