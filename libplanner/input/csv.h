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
};

struct CsvTable {
  std::string file;  // as the user named it
  std::vector<std::string> columns;
  std::vector<std::vector<CsvCell>> rows;  // each as long as `columns`

  int column(const std::string& name) const;  // -1 when there is none
};

// Throws InputError: invalid UTF-8, no header, a name twice in it, a row of another length, an open quote.
CsvTable parse_csv(const std::string& text, std::string file_name);
CsvTable read_csv(const std::filesystem::path& path);

// One cell as CSV wants it: quoted only where it must be.
std::string csv_cell(const std::string& text);

}  // namespace fathom
