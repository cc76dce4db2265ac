#include "input/csv.h"

#include <fmt/format.h>

#include <algorithm>

#include "input/content.h"
#include "input/utf8.h"

namespace fathom {

namespace {

class CsvReader {
 public:
  CsvReader(const std::string& text, const std::string& file, char separator = ',')
      : text_(text), file_(file), separator_(separator) {
    if (text_.compare(0, 3, "\xef\xbb\xbf") == 0) i_ = 3;  // spreadsheets write a byte-order mark
  }

  bool at_end() const { return i_ >= text_.size(); }

  CsvRow row() {
    CsvRow cells;
    do {
      const int line = here_.line;
      cells.push_back(cell());
      if (here_.line == line) cells.back().width = here_.column - cells.back().at.column;
    } while (!at_end() && text_[i_] == separator_ && step());
    if (!at_end() && text_[i_] == '\r') step();
    if (!at_end() && text_[i_] == '\n') step();
    return cells;
  }

 private:
  bool step() {
    const CodePoint c = code_point_at(text_, i_);
    if (c.length == 0) throw InputError(file_, here_, "the file is not valid UTF-8", "save the table as UTF-8");
    i_ += c.length;
    if (c.value == '\n') {
      ++here_.line;
      here_.column = 1;
    } else {
      ++here_.column;
    }
    return true;
  }

  bool at_end_of_cell() const { return at_end() || text_[i_] == separator_ || text_[i_] == '\r' || text_[i_] == '\n'; }

  CsvCell cell() {
    CsvCell cell{.text = {}, .at = here_, .width = 0};
    if (!at_end() && text_[i_] == '"') {
      step();
      while (true) {
        if (at_end()) throw InputError(file_, cell.at, "this quote is never closed");
        if (text_[i_] == '"') {
          step();
          if (at_end() || text_[i_] != '"') break;
        }
        append(cell.text);
      }
      if (!at_end_of_cell()) {
        throw InputError(file_, here_,
                         fmt::format("expected {} or the end of the line after a quoted cell",
                                     separator_ == ',' ? "a comma" : "a separator"),
                         "a quote inside a quoted cell is written twice");
      }
      return cell;
    }
    while (!at_end_of_cell()) append(cell.text);
    return cell;
  }

  void append(std::string& out) {
    const std::size_t first = i_;
    step();
    out.append(text_, first, i_ - first);
  }

  const std::string& text_;
  const std::string& file_;
  char separator_;
  std::size_t i_ = 0;
  Position here_{1, 1};
};

}  // namespace

int CsvTable::column(const std::string& name) const {
  const auto found = std::find(columns.begin(), columns.end(), name);
  return found == columns.end() ? -1 : static_cast<int>(found - columns.begin());
}

CsvTable parse_csv(const std::string& text, std::string file_name) {
  CsvTable table{.file = std::move(file_name), .columns = {}, .rows = {}};
  CsvReader reader(text, table.file);
  if (reader.at_end()) throw InputError(table.file, {1, 1}, "the table is empty", "its first line names the columns");
  for (CsvCell& cell : reader.row()) {
    if (table.column(cell.text) >= 0) {
      throw InputError(table.file, cell.at, fmt::format("column \"{}\" stands here twice", cell.text));
    }
    table.columns.push_back(std::move(cell.text));
  }
  while (!reader.at_end()) {
    CsvRow row = reader.row();
    if (row.size() == 1 && row.front().text.empty()) continue;  // a blank line
    if (row.size() != table.columns.size()) {
      throw InputError(table.file, row.front().at,
                       fmt::format("{} cells, but the first line names {} columns", row.size(), table.columns.size()),
                       "a cell that holds a comma stands between quotes");
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

std::vector<CsvRow> parse_csv_rows(const std::string& text, const std::string& file_name, char separator) {
  CsvReader reader(text, file_name, separator);
  std::vector<CsvRow> rows;
  while (!reader.at_end()) rows.push_back(reader.row());
  return rows;
}

CsvTable read_csv(const std::filesystem::path& path) { return parse_csv(text_of_file(path), path.string()); }

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

}  // namespace fathom
