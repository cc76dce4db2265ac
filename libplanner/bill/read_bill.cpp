#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "bill/bill.h"
#include "bill/columns.h"
#include "bill/sheet.h"
#include "input/reader.h"
#include "input/utf8.h"
#include "units/number.h"

namespace fathom::bill {

namespace {

bool contains_any(const std::string& text, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return text.find(word) != std::string::npos; });
}

// Latin words alone, without digits: "total", "sub-total".
bool starts_with_any(const std::string& text, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) {
    if (!text.starts_with(word)) return false;
    const bool latin = word.back() >= 'a' && word.back() <= 'z';
    return !latin || text.size() == word.size() || !(text[word.size()] >= 'a' && text[word.size()] <= 'z');
  });
}

// ---------------------------------------------------------------------------------------------------------------------
// Rows

constexpr std::size_t kMostRows = 20'000;

bool is_nothing(const std::string& text) {
  return text.empty() || text == "-" || text == "--" || text == "/" || text == "n/a" || text == "na" || text == "无";
}

bool is_open(const std::string& text) {
  return contains_any(text, {"若干", "待定", "tbd", "t.b.d", "按需", "as needed", "面议", "视情况"});
}

bool is_included(const std::string& text) {
  return contains_any(text, {"included", "incl.", "赠送", "已含", "包含", "免费", "free", "利旧", "自有", "existing"});
}

// 方案 1, "Option B": another way to buy the same, not more of it.
bool names_option(const std::string& text) {
  return contains_any(text, {"方案", "选项", "option ", "alternative", "variant"}) ||
         (text.starts_with("配置") && text.size() < 20);
}

class Reader {
 public:
  Reader(const std::string& file, const ReadOptions& options, bool comma) : options_(options), comma_(comma) {
    bill_.file = file;
    bill_.rates = options.rates;
    bill_.decimal_comma = comma;
  }

  Bill run(const Sheet& sheet) {
    for (std::size_t i = 0; i < sheet.rows.size(); ++i) {
      const CsvRow& row = sheet.rows[i];
      note_date(row);
      note_rate(row);
      if (i < sheet.header) {
        preamble(row);
      } else if (const auto fields = fields_of(row, options_);
                 i == sheet.header || (is_header(fields) && !has_figures(row))) {
        open_table(row, fields);
      } else {
        add_row(row);
      }
    }
    find_unknown(sheet);
    return std::move(bill_);
  }

 private:
  static std::optional<CsvCell> first_of(const CsvRow& row) {
    for (const CsvCell& cell : row) {
      if (!is_nothing(lower(cell.text))) return cell;
    }
    return std::nullopt;
  }

  bool has_figures(const CsvRow& row) const {
    return std::any_of(row.begin(), row.end(), [&](const CsvCell& cell) {
      return read_figure(cell.text, FigureKind::kMoney, comma_).has_value();
    });
  }

  // "单位：万元" above the table counts for all of it.
  void preamble(const CsvRow& row) {
    for (const CsvCell& cell : row) {
      const std::string text = lower(cell.text);
      if (text.empty()) continue;
      if (contains_any(text, {"单位:", "币种:", "currency:", "unit:", "amounts in", "prices in"}))
        sheet_ = counting_in(text);
      if (names_option(text)) open_option();
    }
  }

  void open_option() { option_ = ++options_seen_; }

  void open_table(const CsvRow& row, const std::vector<std::optional<Field>>& fields) {
    table_ = fields;
    columns_.assign(row.size(), {});
    std::vector<Column> known;
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (!fields[i]) continue;
      columns_[i] = {.field = *fields[i], .header = row[i], .counting = counting_in(row[i].text)};
      if (columns_[i].counting.currency.empty()) columns_[i].counting.currency = sheet_.currency;
      if (columns_[i].counting.scale == 1 && counting_in(row[i].text).currency.empty())
        columns_[i].counting.scale = sheet_.scale;
      known.push_back(columns_[i]);
    }
    for (const CsvCell& cell : row) {
      if (contains_any(lower(cell.text), {"折扣", "折后", "discount"})) bill_.discounts = true;
    }
    bill_.tables.push_back(std::move(known));
  }

  void add_row(const CsvRow& cells) {
    const auto first = first_of(cells);
    if (!first) return;
    Row row;
    row.first = *first;
    for (std::size_t i = 0; i < std::min(cells.size(), table_.size()); ++i) {
      if (table_[i] && !plain_text(cells[i].text).empty()) row.cells[*table_[i]] = cells[i];
    }
    classify(row, cells);
    if (row.kind == RowKind::kSection) {
      ++section_;
      if (names_option(lower(row.first.text))) open_option();
    }
    row.section = section_;
    row.option = option_;
    bill_.rows.push_back(std::move(row));
  }

  void classify(Row& row, const CsvRow& cells) {
    const std::string label = lower(row.first.text);
    if (starts_with_any(label, {"小计", "分项合计", "subtotal", "sub-total", "sub total", "本节合计", "本页小计"})) {
      row.kind = RowKind::kSubtotal;
    } else if (starts_with_any(label, {"总计", "合计", "共计", "总价", "总额", "总金额", "总投资", "总成本", "总费用",
                                       "汇总", "价税合计", "含税总", "total", "grand total", "sum", "overall"})) {
      row.kind = RowKind::kTotal;
    } else if (starts_with_any(label, {"增值税", "税额", "税金", "税费", "vat", "gst", "sales tax", "tax"})) {
      row.kind = RowKind::kTax;
    } else if (starts_with_any(label, {"其中", "of which", "including"})) {
      row.kind = RowKind::kAside;
    }
    if (row.kind == RowKind::kItem) {
      read_item(row);
      const bool figures = row.quantity || row.price || row.total || row.share;
      const auto filled =
          std::count_if(cells.begin(), cells.end(), [](const CsvCell& cell) { return !is_nothing(lower(cell.text)); });
      if (!figures && filled == 1) row.kind = RowKind::kSection;
      return;
    }
    row.total = amount(row, Field::kTotal);
    if (!row.total) row.total = amount(row, Field::kPrice);
    if (!row.total) row.total = amount_in_label(row);
    row.share = share(row);
    if (row.kind != RowKind::kAside && !row.total && !row.share)
      row.kind = RowKind::kSection;  // 总体说明, "Total solution": words
  }

  void read_item(Row& row) {
    row.quantity = quantity(row);
    if (const auto term = read_figure(row.text(Field::kTerm), FigureKind::kCount, comma_)) row.term = term->low;
    row.price = amount(row, Field::kPrice);
    row.total = amount(row, Field::kTotal);
    row.share = share(row);
    for (const Field field : {Field::kPrice, Field::kTotal, Field::kNotes}) {
      const auto cell = row.cells.find(field);
      if (cell != row.cells.end() && is_included(lower(cell->second.text))) row.priced_elsewhere = true;
    }
  }

  const Counting* counting_of(Field field) const {
    for (const Column& column : columns_) {
      if (!column.header.text.empty() && column.field == field) return &column.counting;
    }
    return nullptr;
  }

  std::optional<Quantity> quantity(const Row& row) const {
    const auto cell = row.cells.find(Field::kQuantity);
    if (cell == row.cells.end() || is_nothing(lower(cell->second.text))) return std::nullopt;
    Quantity out{.low = 0, .high = 0, .unit = row.text(Field::kUnit), .open = false, .cell = cell->second};
    const auto figure = read_figure(cell->second.text, FigureKind::kCount, comma_);
    if (!figure) {
      out.open = true;
      return is_open(lower(cell->second.text)) ? std::optional(out) : std::nullopt;
    }
    out.low = figure->low;
    out.high = figure->high;
    out.open = figure->is_range() || figure->about;
    const std::string behind = lower(figure->unit);
    for (const std::string_view times : {"x", "×", "*"}) {  // "16 x 2"
      if (!behind.starts_with(times) || figure->is_range()) continue;
      const auto other = read_figure(std::string_view(behind).substr(times.size()), FigureKind::kCount, comma_);
      if (!other || other->is_range()) continue;
      out.low = out.high = figure->low * other->low;
      return out;
    }
    if (!figure->unit.empty()) out.unit = figure->unit;
    return out;
  }

  std::optional<Amount> as_amount(const CsvCell& cell, std::string_view text, const Counting* counting) const {
    const auto figure = read_figure(text, FigureKind::kMoney, comma_);
    if (!figure) return std::nullopt;
    Amount out{.low = figure->low,
               .high = figure->high,
               .half_place = figure->half_place,
               .scale = figure->scale,
               .currency = figure->currency,
               .per = figure->per,
               .about = figure->about,
               .cell = cell};
    // A cell that says what it counts in needs no header: 429.4万美元 below 总价(万$).
    if (figure->scale == 1 && counting != nullptr && counting->scale != 1) {
      out.low *= counting->scale;
      out.high *= counting->scale;
      out.half_place *= counting->scale;
      out.scale = counting->scale;
    }
    if (out.currency.empty() && counting != nullptr) out.currency = counting->currency;
    if (out.currency.empty()) out.currency = sheet_.currency;
    return out;
  }

  std::optional<Amount> amount(const Row& row, Field field) const {
    const auto cell = row.cells.find(field);
    if (cell == row.cells.end() || is_nothing(lower(cell->second.text))) return std::nullopt;
    auto out = as_amount(cell->second, cell->second.text, counting_of(field));
    if (!out) return out;
    if (const std::string named = row.text(Field::kCurrency); !named.empty()) {
      const Counting counting = counting_in(named);
      if (!counting.currency.empty()) out->currency = counting.currency;
    }
    return out;
  }

  // "总投资估算:429.4万美元" in one cell.
  std::optional<Amount> amount_in_label(const Row& row) const {
    const std::string text = plain_text(row.first.text);
    const std::size_t colon = text.find(':');
    if (colon == std::string::npos) return std::nullopt;
    return as_amount(row.first, std::string_view(text).substr(colon + 1), counting_of(Field::kTotal));
  }

  std::optional<Share> share(const Row& row) const {
    const auto cell = row.cells.find(Field::kShare);
    if (cell == row.cells.end()) return std::nullopt;
    const auto figure = read_figure(cell->second.text, FigureKind::kCount, comma_);
    if (!figure || figure->is_range()) return std::nullopt;
    const bool percent = figure->unit.starts_with("%") || figure->low > 1 ||
                         cell->second.text.find('%') != std::string::npos || header_has_percent();
    const double scale = percent ? 1 : 100;
    return Share{.percent = figure->low * scale, .half_place = figure->half_place * scale, .cell = cell->second};
  }

  bool header_has_percent() const {
    return std::any_of(columns_.begin(), columns_.end(), [](const Column& column) {
      return column.field == Field::kShare && column.header.text.find('%') != std::string::npos;
    });
  }

  // 2025-03, 2025年3月, 2025/3/1: any day or month makes prices comparable.
  void note_date(const CsvRow& row) {
    for (const CsvCell& cell : row) {
      if (bill_.date) return;
      const std::string text = plain_text(cell.text);
      for (std::size_t at = text.find("20"); at != std::string::npos; at = text.find("20", at + 1)) {
        const auto digit = [&](std::size_t i) { return i < text.size() && text[i] >= '0' && text[i] <= '9'; };
        if ((at > 0 && digit(at - 1)) || !digit(at + 2) || !digit(at + 3) || digit(at + 4)) continue;
        const std::string_view behind = std::string_view(text).substr(at + 4);
        if (behind.starts_with("年") ||
            ((behind.starts_with("-") || behind.starts_with("/") || behind.starts_with(".")) && digit(at + 5)))
          bill_.date = cell;
      }
    }
  }

  // "1 USD = 7.2 CNY", 汇率：1美元=7.2元.
  void note_rate(const CsvRow& row) {
    for (const CsvCell& cell : row) {
      const std::string text = plain_text(cell.text);
      const std::size_t equals = text.find('=');
      if (equals == std::string::npos) continue;
      std::size_t start = text.rfind('1', equals);
      if (start == std::string::npos) continue;
      const auto left = read_figure(std::string_view(text).substr(start, equals - start), FigureKind::kMoney, comma_);
      const auto right = read_figure(std::string_view(text).substr(equals + 1), FigureKind::kMoney, comma_);
      if (!left || !right || left->low != 1 || !(right->low > 0) || left->currency.empty() || right->currency.empty() ||
          left->currency == right->currency)
        continue;
      bill_.rates.push_back({.from = left->currency, .to = right->currency, .rate = right->low, .date = {}});
    }
  }

  // Columns of figures below a header that says nothing to us: what they count may matter.
  void find_unknown(const Sheet& sheet) {
    const CsvRow& header = sheet.rows[sheet.header];
    const auto fields = fields_of(header, options_);
    for (std::size_t i = 0; i < header.size(); ++i) {
      if (fields[i] || field_of(header[i].text) || is_known_to_be_unused(header[i].text) ||
          plain_text(header[i].text).empty())
        continue;
      int figures = 0, others = 0;
      for (std::size_t r = sheet.header + 1; r < sheet.rows.size(); ++r) {
        if (i >= sheet.rows[r].size() || is_nothing(lower(sheet.rows[r][i].text))) continue;
        ++(read_figure(sheet.rows[r][i].text, FigureKind::kMoney, comma_) ? figures : others);
      }
      if (figures > others) bill_.unknown.push_back(header[i]);
    }
  }

  const ReadOptions& options_;
  bool comma_;
  Bill bill_;
  Counting sheet_;  // of the lines above the table
  std::vector<std::optional<Field>> table_;
  std::vector<Column> columns_;  // by position; without a header where nothing is understood
  int section_ = 0, option_ = 0, options_seen_ = 0;
};

}  // namespace

std::string Row::text(Field field) const {
  const auto found = cells.find(field);
  return found == cells.end() ? std::string() : plain_text(found->second.text);
}

std::string Row::name() const {
  for (const Field field : {Field::kItem, Field::kModel, Field::kSpec, Field::kCategory}) {
    if (std::string out = text(field); !is_nothing(lower(out))) return out;
  }
  return plain_text(first.text);
}

std::string Row::words() const {
  std::string out;
  for (const Field field : {Field::kVendor, Field::kItem, Field::kModel, Field::kSpec, Field::kCategory, Field::kNotes})
    out += (out.empty() ? "" : " ") + text(field);
  return out;
}

const CsvCell& Row::cell(Field field) const {
  const auto found = cells.find(field);
  return found == cells.end() ? first : found->second;
}

const Column* Bill::column(Field field) const {
  for (const std::vector<Column>& table : tables) {
    for (const Column& column : table) {
      if (column.field == field) return &column;
    }
  }
  return nullptr;
}

std::vector<std::pair<Field, std::string>> parse_columns(const std::string& text, const std::string& option) {
  std::vector<std::pair<Field, std::string>> out;
  constexpr auto kWords = words(Field{});
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find(',', start), text.size());
    const std::string_view entry = std::string_view(text).substr(start, end - start);
    const std::size_t equals = entry.find('=');
    const std::string_view field = trimmed(entry.substr(0, equals));
    const auto fail = [&](const std::string& message, const std::string& hint) {
      InputError error(option, {1, code_points(text.substr(0, start)) + 1}, message, hint);
      error.quoting(text);
      throw error;
    };
    if (equals == std::string_view::npos || trimmed(entry.substr(equals + 1)).empty())
      fail("expected FIELD=HEADER", "qty=数量,unit_price=Price each");
    const auto known = std::find(kWords.begin(), kWords.end(), field);
    if (known == kWords.end()) {
      const std::string close = did_you_mean(field, {kWords.begin(), kWords.end()});
      fail("unknown field " + in_quotes(field),
           close.empty() ? "fields are " + listed(kWords, " and ") : fmt::format("did you mean \"{}\"?", close));
    }
    out.emplace_back(static_cast<Field>(known - kWords.begin()), trimmed(entry.substr(equals + 1)));
    start = end + 1;
  }
  return out;
}

Bill read_bill(const std::string& text, const std::string& file, const ReadOptions& options) {
  const Sheet sheet = read_sheet(text, file, options);
  if (sheet.rows.size() > kMostRows)
    throw InputError(file, {1, 1}, fmt::format("{} lines: no bill is that long", sheet.rows.size()));
  return Reader(file, options, sheet.decimal_comma).run(sheet);
}

}  // namespace fathom::bill
