// Single lines of a bill: what they come to, and what they leave open.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "check/bill_rules.h"
#include "input/utf8.h"
#include "units/number.h"

namespace fathom::bill_rules {

namespace {

using namespace bill;

// How many of `unit` one `per` is: metres in a kilometre. Things are counted one by one.
double units_per(const std::string& per, const std::string& unit) {
  struct Scale {
    std::initializer_list<std::string_view> names;
    int kind;
    double size;
  };
  static const Scale kScales[] = {{{"m", "米", "meter", "metre"}, 1, 1},
                                  {{"km", "公里", "千米"}, 1, 1000},
                                  {{"年", "year", "years", "yr", "a"}, 2, 12},
                                  {{"月", "个月", "month", "months", "mo"}, 2, 1},
                                  {{"kwh", "度"}, 3, 1},
                                  {{"mwh"}, 3, 1000},
                                  {{"gb"}, 4, 1},
                                  {{"tb"}, 4, 1000}};
  const auto find = [](const std::string& name) -> const Scale* {
    for (const Scale& scale : kScales) {
      if (std::find(scale.names.begin(), scale.names.end(), name) != scale.names.end()) return &scale;
    }
    return nullptr;
  };
  const Scale *a = find(per), *b = find(lower(unit));
  return a != nullptr && b != nullptr && a->kind == b->kind ? b->size / a->size : 1;
}

bool counts_pieces(const std::string& unit) {
  static const std::set<std::string> kPieces = {"",       "台",  "块", "张",   "个",   "套",    "片",  "根",
                                                "条",     "只",  "颗", "件",   "把",   "pc",    "pcs", "piece",
                                                "pieces", "set", "ea", "pcs.", "unit", "units", "each"};
  return kPieces.contains(lower(unit));
}

void quantities(const Bill& bill, Findings& out) {
  for (const Row& row : bill.rows) {
    if (row.kind != RowKind::kItem) continue;
    if (!row.quantity) {
      // A sum for everything together needs no quantity, and energy is priced per kWh.
      if (!row.price || !row.total || !row.price->per.empty() || row.price->is_range()) continue;
      const double ratio = row.price->low != 0 ? row.total->low / row.price->low : 1;
      if (std::abs(ratio - 1) < 1e-6) continue;
      out.add("bill.quantity", spot(row.cell(Field::kQuantity)),
              {.message = fmt::format("{}: a unit price and a total, but no quantity", row.name()),
               .terms = {fmt::format("{} / {} = {}", row.total->cell.text, row.price->cell.text, plain_number(ratio))},
               .help = "the quantity"});
    } else if (row.quantity->open) {
      out.add("bom.count", spot(row.quantity->cell),
              {.message = fmt::format("{}: {} leaves the number open", row.name(), in_quotes(row.quantity->cell.text)),
               .help = "one number, or one bill for each"});
    } else if (row.quantity->low < 0 ||
               (row.quantity->low != std::floor(row.quantity->low) && counts_pieces(row.quantity->unit))) {
      out.add("bill.quantity", spot(row.quantity->cell),
              {.message = fmt::format("{}: nobody delivers {} of it", row.name(), row.quantity->cell.text)});
    }
  }
}

// The same line again in the same part of the bill: bought twice, or typed twice.
void duplicates(const Bill& bill, Findings& out) {
  std::map<std::string, const Row*> seen;
  for (const Row& row : bill.rows) {
    if (row.kind != RowKind::kItem || (!row.quantity && !row.total)) continue;
    std::string key = fmt::format("{}|{}", row.section, row.option);
    for (const Field field :
         {Field::kCategory, Field::kItem, Field::kModel, Field::kSpec, Field::kVendor, Field::kPrice, Field::kNotes})
      key += "|" + lower(row.text(field));
    const auto [it, fresh] = seen.emplace(std::move(key), &row);
    if (fresh) continue;
    out.add("bill.duplicate", spot(row.first),
            {.message =
                 fmt::format("{} stands here a second time, first on line {}", row.name(), it->second->first.at.line),
             .help = "one line with the quantity of both, or what makes them different"});
  }
}

// Where other lines have a price, one without is missing in the total.
void unpriced(const Bill& bill, Findings& out) {
  const bool priced =
      std::any_of(bill.rows.begin(), bill.rows.end(), [](const Row& row) { return row.price || row.total; });
  if (!priced) return;
  for (const Row& row : bill.rows) {
    if (row.kind != RowKind::kItem || row.price || row.total || row.priced_elsewhere || !row.quantity) continue;
    out.add("bill.unpriced", spot(row.first),
            {.message = fmt::format("{} has no price", row.name()),
             .help = "a price, or a word such as \"included\" (赠送, 已含) where another line pays for it"});
  }
}

void dates(const Bill& bill, Findings& out) {
  if (bill.date) return;
  const Column* column = bill.column(Field::kPrice);
  if (column == nullptr) column = bill.column(Field::kTotal);
  if (column == nullptr) return;
  out.add("price.dated", spot(column->header),
          {.message = "no price has a day: nothing in the file says when they were asked for",
           .help = "a line such as 报价日期：2025-03-01 above the table, or a column of dates"});
}

void currencies(const Bill& bill, Findings& out) {
  struct Seen {
    const Amount* first = nullptr;
    int count = 0;
  };
  std::map<std::string, Seen> seen;
  for (const Row& row : bill.rows) {
    for (const auto* amount : {&row.price, &row.total}) {
      if (!*amount || (*amount)->currency.empty()) continue;
      Seen& one = seen[(*amount)->currency];
      if (one.first == nullptr) one.first = &**amount;
      ++one.count;
    }
  }
  if (seen.size() < 2) return;
  // The one that most amounts are in is the bill's own.
  const std::string base = std::max_element(seen.begin(), seen.end(), [](const auto& a, const auto& b) {
                             return a.second.count < b.second.count;
                           })->first;
  for (const auto& [currency, one] : seen) {
    if (currency == base) continue;
    try {
      convert(Money::from_major(1, currency), base, bill.rates);
    } catch (const MoneyError&) {
      out.add("bill.currency", spot(one.first->cell),
              {.message =
                   fmt::format("amounts in {} and in {}, and no exchange rate: they cannot be added", base, currency),
               .help = "a line such as 1 USD = 7.2 CNY with its day, or bill: {rates: …} in .fathom.yaml"});
    }
  }
}

void unknown_columns(const Bill& bill, Findings& out) {
  if (bill.unknown.empty() || bill.tables.empty()) return;
  std::vector<std::string> known, unknown;
  constexpr auto kWords = words(Field{});
  for (const Column& column : bill.tables.front())
    known.push_back(
        fmt::format("{} = {}", kWords[static_cast<std::size_t>(column.field)], plain_text(column.header.text)));
  for (const CsvCell& header : bill.unknown) unknown.push_back(plain_text(header.text));
  out.add("bill.columns", spot(bill.unknown.front()),
          {.message = fmt::format("figures that nobody understands: the column{} {}", unknown.size() == 1 ? "" : "s",
                                  listed(unknown, " and ")),
           .terms = {"understood: " + listed(known, ", ")},
           .help = fmt::format("--columns 'qty={}' where it matters; fields are {}", unknown.front(),
                               listed(kWords, " and "))});
}

std::string with_per(const Amount& price) { return price.per.empty() ? "" : "/" + price.per; }

}  // namespace

std::string plain_number(double value) {
  std::string text = fmt::format("{:.3f}", value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  const std::size_t start = text.starts_with('-') ? 1 : 0;
  for (std::size_t at = std::min(text.find('.'), text.size()); at > start + 3;) text.insert(at -= 3, ",");
  return text;
}

std::string counted(double amount, const Amount& like) {
  std::string out = plain_number(amount / like.scale);
  for (const auto& [scale, word] : {std::pair{1e3, "k"}, {1e4, "万"}, {1e6, "M"}, {1e8, "亿"}}) {
    if (like.scale == scale) out += std::string(" ") + word;
  }
  return like.currency.empty() ? out : out + " " + like.currency;
}

std::string name_of(const Row& row) { return fmt::format("line {} ({})", row.first.at.line, row.name()); }

// By the month, the hour or the kilowatt-hour: how often it is paid stands in a column that is none of ours.
bool paid_by_use(const Row& row) {
  const std::string per = lower(row.price->per);
  if (per == lower(row.quantity->unit)) return false;
  for (const char* word : {"月", "month", "mo", "小时", "时", "hour", "hr", "h", "天", "日", "day", "kwh", "度"}) {
    if (per == word) return true;
  }
  return false;
}

std::optional<Product> product_of(const Bill& bill, const Row& row) {
  if (!row.quantity || !row.price || (row.quantity->open && row.quantity->low == row.quantity->high) ||
      paid_by_use(row))
    return std::nullopt;
  double rate = 1;
  if (row.total && !row.total->currency.empty() && !row.price->currency.empty() &&
      row.total->currency != row.price->currency) {
    try {
      rate = convert(Money::from_major(1e6, row.price->currency), row.total->currency, bill.rates).major() / 1e6;
    } catch (const MoneyError&) {
      return std::nullopt;
    }
  }
  const double factor = rate * units_per(row.price->per, row.quantity->unit);
  const std::string unit =
      row.quantity->unit.empty() || counts_pieces(row.quantity->unit) ? "" : " " + row.quantity->unit;
  return Product{.low = row.quantity->low * row.price->low * factor,
                 .high = row.quantity->high * row.price->high * factor,
                 .price_rounding = row.quantity->high * row.price->half_place * factor,
                 .equation = fmt::format("{}{} x {}{}", plain_number(row.quantity->low), unit,
                                         counted(row.price->low, *row.price), with_per(*row.price))};
}

std::optional<Mend> mend_number(const Amount& amount, double value, bool decimal_comma) {
  const std::string& text = amount.cell.text;
  const std::size_t start = text.find_first_of("0123456789");
  if (start == std::string::npos || amount.cell.width == 0) return std::nullopt;
  const std::size_t end = std::min(text.find_first_not_of("0123456789.,", start), text.size());
  const std::string old = text.substr(start, end - start);
  if (text.find_first_of("0123456789", end) != std::string::npos || decimal_comma) return std::nullopt;
  const std::size_t point = old.find('.');
  const int places = point == std::string::npos ? 0 : static_cast<int>(old.size() - point - 1);
  std::string now = fmt::format("{:.{}f}", value / amount.scale, places);
  if (std::abs(std::stod(now) * amount.scale - value) > 1e-6 * std::abs(value))
    return std::nullopt;  // takes more places
  if (old.find(',') != std::string::npos) {
    for (std::size_t at = std::min(now.find('.'), now.size()); at > 3;) now.insert(at -= 3, ",");
  }
  const int quote = code_points(text) < amount.cell.width ? 1 : 0;
  const int column = amount.cell.at.column + quote + code_points(std::string_view(text).substr(0, start));
  return Mend{{{amount.cell.at.line, column}, code_points(old)}, now};
}

void check_lines(const Checked& checked, Findings& findings) {
  quantities(checked.bill, findings);
  duplicates(checked.bill, findings);
  unpriced(checked.bill, findings);
  dates(checked.bill, findings);
  currencies(checked.bill, findings);
  unknown_columns(checked.bill, findings);
}

}  // namespace fathom::bill_rules
