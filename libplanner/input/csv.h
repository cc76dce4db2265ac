// Comma-separated tables (RFC 4180) whose first line names the columns: quoted fields may hold commas, quotes and line
// breaks. Rows remember where their cells stand, so that a complaint can point at one.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "input/error.h"

namespace fathom {

struct CsvCell {
  std::string text;
  Position at;
  int width = 0;  // code points in the file, quotes included; 0 when it goes over several lines
};
using CsvRow = std::vector<CsvCell>;

struct CsvTable {
  std::string file;  // as the user named it
  std::vector<std::string> columns;
  std::vector<CsvRow> rows;  // each as long as `columns`

  int column(const std::string& name) const;  // -1 when there is none
};

// Throws InputError: invalid UTF-8, no header, a name twice in it, a row of another length, an open quote.
CsvTable parse_csv(const std::string& text, std::string file_name);
CsvTable read_csv(const std::filesystem::path& path);

// A sheet as somebody saved it: any separator, rows of any length, blank lines as rows of one empty cell. Throws InputError
// for invalid UTF-8 and quotes that do not close.
std::vector<CsvRow> parse_csv_rows(const std::string& text, const std::string& file_name, char separator);

// One cell as CSV wants it: quoted only where it must be.
std::string csv_cell(const std::string& text);

}  // namespace fathom
