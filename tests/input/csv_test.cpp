#include "input/csv.h"

#include <gtest/gtest.h>

#include "support/scratch_folder.h"

namespace fathom {
namespace {

std::vector<std::string> texts(const std::vector<CsvCell>& row) {
  std::vector<std::string> out;
  for (const CsvCell& cell : row) out.push_back(cell.text);
  return out;
}

using Texts = std::vector<std::string>;

// Line and column of the complaint about `text`, and part of what it says.
void refused(const std::string& text, int line, int column, const std::string& says) {
  try {
    parse_csv(text, "t.csv");
    ADD_FAILURE() << "read: " << text;
  } catch (const InputError& error) {
    EXPECT_EQ(error.at().line, line) << text;
    EXPECT_EQ(error.at().column, column) << text;
    EXPECT_NE(error.message().find(says), std::string::npos) << error.message();
  }
}

TEST(Csv, TheFirstLineNamesTheColumns) {
  const CsvTable t = parse_csv("a,b\n1,2\n3,\n", "t.csv");
  EXPECT_EQ(t.columns, (Texts{"a", "b"}));
  ASSERT_EQ(t.rows.size(), 2u);
  EXPECT_EQ(texts(t.rows[1]), (Texts{"3", ""}));
  EXPECT_EQ(t.column("b"), 1);
  EXPECT_EQ(t.column("c"), -1);
}

TEST(Csv, QuotedCellsHoldCommasQuotesAndLineBreaks) {
  const CsvTable t = parse_csv("a,b\n\"1,5\",\"say \"\"x\"\"\"\n\"two\nlines\",y\nz,\"\"\n", "t.csv");
  ASSERT_EQ(t.rows.size(), 3u);
  EXPECT_EQ(texts(t.rows[0]), (Texts{"1,5", "say \"x\""}));
  EXPECT_EQ(texts(t.rows[1]), (Texts{"two\nlines", "y"}));
  EXPECT_EQ(texts(t.rows[2]), (Texts{"z", ""}));
  EXPECT_EQ(t.rows[1][1].at.line, 4);  // after the break inside the cell before
  EXPECT_EQ(t.rows[2][0].at.line, 5);
}

TEST(Csv, FilesOfSpreadsheetsAreRead) {  // a byte-order mark, CRLF, no line end at the end
  const CsvTable t = parse_csv(
      "\xEF\xBB\xBF"
      "a,b\r\n1,2\r\n\r\n3,4",
      "t.csv");
  EXPECT_EQ(t.columns, (Texts{"a", "b"}));
  ASSERT_EQ(t.rows.size(), 2u);
  EXPECT_EQ(texts(t.rows[1]), (Texts{"3", "4"}));
}

TEST(Csv, CellsRememberWhereTheyStand) {
  const CsvTable t = parse_csv("a,b\n\u00B5\u4E07,x\n", "t.csv");
  EXPECT_EQ(t.rows[0][1].at.line, 2);
  EXPECT_EQ(t.rows[0][1].at.column, 4);  // code points, as editors count
}

TEST(Csv, SheetsHaveAnySeparatorAndRowsOfAnyLength) {
  const std::vector<CsvRow> rows = parse_csv_rows(
      "\xEF\xBB\xBF"
      "a;\"b;c\"\n\n1;2;3\n",
      "t.csv", ';');
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(texts(rows[0]), (Texts{"a", "b;c"}));
  EXPECT_EQ(rows[0][1].width, 5);  // with its quotes
  EXPECT_EQ(texts(rows[1]), Texts{""});
  EXPECT_EQ(rows[2].size(), 3u);
}

TEST(Csv, ComplaintsPointAtTheirPlace) {
  refused("", 1, 1, "empty");
  refused("a,b,a\n", 1, 5, "twice");
  refused("a,b\n1,2\n1,2,3\n", 3, 1, "3 cells");
  refused("a,b\n1\n", 2, 1, "1 cells");
  refused("a,b\n1,\"open\n2,3\n", 2, 3, "never closed");
  refused("a,b\n\"1\"2,3\n", 2, 4, "comma");
  refused("a,b\n1,\xFF\n", 2, 3, "UTF-8");
}

TEST(Csv, WhatIsWrittenIsReadBack) {
  for (const std::string cell : {"plain", "with, comma", "with \"quotes\"", "two\nlines", "r\r\nn", ""}) {
    const CsvTable t = parse_csv("a,b\n" + csv_cell(cell) + ",x\n", "t.csv");
    ASSERT_EQ(t.rows.size(), 1u) << cell;
    EXPECT_EQ(t.rows[0][0].text, cell);
  }
  EXPECT_EQ(csv_cell("plain"), "plain");
}

TEST(Csv, AMissingFileIsSaidToBeMissing) {
  const ScratchFolder folder;
  EXPECT_THROW(read_csv(folder.path() / "gone.csv"), InputError);
  EXPECT_THROW(read_csv(folder.path()), InputError);
  EXPECT_EQ(read_csv(folder.write("t.csv", "a\n1\n")).rows.size(), 1u);
}

}  // namespace
}  // namespace fathom
