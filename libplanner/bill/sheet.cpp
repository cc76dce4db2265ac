#include "bill/sheet.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "bill/columns.h"
#include "units/number.h"

namespace fathom::bill {

namespace {

constexpr std::size_t kMostRowsBeforeHeader = 60;  // titles, addresses and terms stand above a quotation

std::size_t count_understood(const std::vector<std::optional<Field>>& fields) {
  return static_cast<std::size_t>(
      std::count_if(fields.begin(), fields.end(), [](const auto& field) { return field.has_value(); }));
}

// The row that names the most columns of a bill; `understood` is 0 when none does.
void find_header(Sheet& sheet, const ReadOptions& options) {
  for (std::size_t i = 0; i < std::min(sheet.rows.size(), kMostRowsBeforeHeader); ++i) {
    const auto fields = fields_of(sheet.rows[i], options);
    if (!is_header(fields) || count_understood(fields) <= sheet.understood) continue;
    sheet.header = i;
    sheet.understood = count_understood(fields);
    break;  // the first: later ones head tables of their own
  }
}

constexpr char kSeparators[] = {',', ';', '\t', '|'};

// Excel's own hint: a first line "sep=;".
std::optional<char> stated_separator(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  if (!text.starts_with("sep=") || text.size() < 5) return std::nullopt;
  return text[4];
}

// With the right separator the header is understood best.
Sheet split(const std::string& text, const std::string& file, const ReadOptions& options, char& separator) {
  Sheet best;
  std::optional<InputError> trouble;
  const auto stated = stated_separator(text);
  std::size_t most = 0;
  for (const char candidate : kSeparators) {
    if (stated && candidate != *stated) continue;
    const auto seen = static_cast<std::size_t>(std::count(text.begin(), text.end(), candidate));
    try {
      Sheet sheet{.rows = parse_csv_rows(text, file, candidate), .header = 0, .understood = 0, .decimal_comma = false};
      find_header(sheet, options);
      const std::size_t width = sheet.rows.empty() ? 0 : sheet.rows.front().size();
      const bool wider = sheet.understood == best.understood && !best.rows.empty() && width > best.rows.front().size();
      if (best.rows.empty() || sheet.understood > best.understood || (wider && sheet.understood == 0)) {
        best = std::move(sheet);
        separator = candidate;
      }
    } catch (const InputError& error) {
      if (!trouble || seen > most) trouble = error;
      most = std::max(most, seen);
    }
  }
  // A quote that never closes is told, unless another separator makes a bill of the text.
  if (best.understood == 0 && trouble) throw *trouble;
  return best;
}

std::string headers_in(const CsvRow& row, const ReadOptions& options) {
  std::vector<std::string> understood;
  const auto fields = fields_of(row, options);
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (fields[i])
      understood.push_back(fmt::format("{} = {}", words(Field{})[static_cast<std::size_t>(*fields[i])],
                                       in_quotes(plain_text(row[i].text))));
  }
  return understood.empty() ? "nothing" : listed(understood, ", ");
}

[[noreturn]] void refuse(const Sheet& sheet, const std::string& file, const ReadOptions& options) {
  const CsvRow* closest = nullptr;
  std::size_t most = 0;
  for (const CsvRow& row : sheet.rows) {
    // Headers hold words; a line with figures is one of what is bought.
    const bool figures = std::any_of(row.begin(), row.end(), [](const CsvCell& cell) {
      return read_figure(cell.text, FigureKind::kMoney, false).has_value();
    });
    if (figures && closest != nullptr) continue;
    const auto filled = std::count_if(row.begin(), row.end(), [](const CsvCell& cell) { return !cell.text.empty(); });
    const std::size_t score = 100 * count_understood(fields_of(row, options)) + static_cast<std::size_t>(filled);
    if (score <= most) continue;
    most = score;
    closest = &row;
  }
  if (closest == nullptr) throw InputError(file, {1, 1}, "the table is empty", "one of its lines names the columns");
  const auto fields = fields_of(*closest, options);
  const auto unknown = std::find(fields.begin(), fields.end(), std::nullopt);
  const auto at = unknown == fields.end() ? 0 : static_cast<std::size_t>(unknown - fields.begin());
  throw InputError(
      file, (*closest)[at].at,
      fmt::format("no line names the columns of a bill (what, and how many or how much); understood of this one: {}",
                  headers_in(*closest, options)),
      fmt::format("--columns 'item={},qty=…,unit_price=…', or bill: {{columns: …}} in .fathom.yaml; fields are {}",
                  plain_text((*closest)[at].text).substr(0, 40), listed(words(Field{}), " and ")));
}

bool uses_decimal_comma(const Sheet& sheet, char separator) {
  if (separator == ',') return false;
  for (const CsvRow& row : sheet.rows) {
    for (const CsvCell& cell : row) {
      const std::string text = plain_text(cell.text);
      const auto figure = read_figure(text, FigureKind::kMoney, true);
      if (figure && has_decimal_comma(text.substr(0, text.find_last_of("0123456789") + 1))) return true;
    }
  }
  return false;
}

}  // namespace

Sheet read_sheet(const std::string& text, const std::string& file, const ReadOptions& options) {
  char separator = ',';
  Sheet sheet = split(text, file, options, separator);
  if (sheet.understood == 0) refuse(sheet, file, options);
  sheet.decimal_comma = uses_decimal_comma(sheet, separator);
  return sheet;
}

bool looks_like_bill(const std::string& text) {
  try {
    char separator = ',';
    const Sheet sheet = split(text, "", {}, separator);
    if (sheet.understood < 3) return false;
    const auto fields = fields_of(sheet.rows[sheet.header], {});
    const auto has = [&](Field field) { return std::find(fields.begin(), fields.end(), field) != fields.end(); };
    return has(Field::kQuantity) && (has(Field::kPrice) || has(Field::kTotal));
  } catch (const InputError&) {
    return false;
  }
}

}  // namespace fathom::bill
