// What a catalog file must not hold, and where the complaint points.
#include "catalog/entry_reader.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>

#include "catalog/catalog.h"
#include "input/error.h"
#include "support/scratch_folder.h"

namespace fathom {
namespace {

constexpr const char* kHeader =
    "format: fathom-catalog/1\n"
    "kind: psu\n"
    "sources:\n"
    "  TOM: {title: a table, date: 2024}\n"
    "entries:\n";
constexpr const char* kEntry =
    "  - {id: gold, standard: s, grade: gold, loads: [0.5], efficiencies: [0.92], source: TOM, confidence: "
    "datasheet}\n";

class Loader : public testing::Test {
 protected:
  Loader() { write("aliases", "format: fathom-catalog/1\nkind: aliases\nsources: {}\n"); }

  void write(const std::string& name, const std::string& text) { folder_.write(name + ".yaml", text); }

  // "line:column message | hint", or "no complaint".
  std::string complaint(const std::function<void(const Catalog&)>& use) {
    try {
      use(Catalog(dir_));
    } catch (const InputError& error) {
      std::string out =
          std::to_string(error.at().line) + ":" + std::to_string(error.at().column) + " " + error.message();
      return error.hint().empty() ? out : out + " | " + error.hint();
    }
    return "no complaint";
  }
  std::string psu(const std::string& text) {
    write("psu", text);
    return complaint([](const Catalog& catalog) { catalog.all<PsuEfficiency>(); });
  }
  // A constant is the shortest entry with a fact.
  std::string constant(const std::string& value) {
    write("constants",
          "format: fathom-catalog/1\nkind: constants\nsources: {TOM: {title: a table}}\nentries:\n"
          "  - {id: one, what: something, value: " +
              value + "}\n");
    return complaint([](const Catalog& catalog) { catalog.all<Constant>(); });
  }
  std::string pue(const std::string& value) {
    write("sites",
          "format: fathom-catalog/1\nkind: sites\nsources: {TOM: {title: a table}}\n"
          "pue:\n  - {id: one, name: one, value: " +
              value + "}\n");
    return complaint([](const Catalog& catalog) { catalog.all<PueClass>(); });
  }

  ScratchFolder folder_;
  const std::filesystem::path dir_ = folder_.path();
};

TEST_F(Loader, AcceptsWhatIsRight) {
  EXPECT_EQ(psu(std::string(kHeader) + kEntry), "no complaint");
  EXPECT_EQ(constant("{value: 0.284 W, low: 0.2 W, source: TOM, date: 2024-08, confidence: measured}"), "no complaint");
}

TEST_F(Loader, RefusesAnotherFormatOrKind) {
  EXPECT_EQ(psu("format: fathom-catalog/2\nkind: psu\nsources: {}\nentries: []\n"),
            "1:9 expected the format fathom-catalog/1, found \"fathom-catalog/2\"");
  EXPECT_EQ(psu("format: fathom-catalog/1\nkind: nics\nsources: {}\nentries: []\n"),
            "2:7 expected the kind psu, found \"nics\"");
}

TEST_F(Loader, RefusesUnknownAndDuplicateKeys) {
  EXPECT_EQ(
      psu(std::string(kHeader) + "  - {id: gold, standart: s, grade: gold, source: TOM, confidence: datasheet}\n"),
      "6:16 this power supply curve needs the key \"standard\", found \"standart\" | did you mean \"standard\"?");
  EXPECT_NE(psu(std::string(kHeader) + "  - {id: gold, id: gold}\n").find("6:16 duplicate key \"id\""),
            std::string::npos);
  EXPECT_NE(psu(std::string(kHeader) + kEntry + "extra: []\n").find("7:1 unknown key \"extra\""), std::string::npos);
}

TEST_F(Loader, RefusesDuplicateIds) {
  EXPECT_EQ(psu(std::string(kHeader) + kEntry + kEntry), "7:10 two entries have the id \"gold\"");
}

TEST_F(Loader, RefusesAValueWithoutKnownSource) {
  EXPECT_EQ(constant("0.5"),
            "5:39 a catalog value needs its source | write {value: …, source: …, date: …, confidence: …}");
  EXPECT_EQ(constant("{value: 0.5, confidence: measured}"),
            "5:39 this value has no source | name a code of the table \"sources\"");
  EXPECT_EQ(constant("{value: 0.5, source: TOM}"), "5:39 this value has no confidence");
  EXPECT_EQ(constant("{value: 0.5, source: TMO, confidence: measured}"),
            "5:60 unknown source \"TMO\" | did you mean TOM?");
  EXPECT_EQ(constant("{value: 0.5, source: TOM+WIKI, confidence: measured}"),
            "5:60 unknown source \"WIKI\" | add it to the table \"sources\" at the top of the file");
}

TEST_F(Loader, RefusesWrongWordsDatesAndUnits) {
  EXPECT_NE(constant("{value: 0.5, source: TOM, confidence: sure}").find("sure"), std::string::npos);
  EXPECT_NE(constant("{value: 0.5, source: TOM, date: May, confidence: measured}").find("expected a date"),
            std::string::npos);
  EXPECT_EQ(constant("{value: 3 parsecs, source: TOM, confidence: measured}"),
            "5:47 expected a number with a unit, found \"3 parsecs\"");
}

TEST_F(Loader, RefusesValuesOutsideTheirRange) {
  EXPECT_EQ(pue("{value: 0.9, source: TOM, confidence: measured}"),
            "5:33 \"value\" must lie between 1 and 4, found 0.9 | a wrong unit or a digit too many?");
  EXPECT_EQ(pue("{value: 1.5, high: 15, source: TOM, confidence: measured}"),
            "5:33 \"value\" must lie between 1 and 4, found 15 | a wrong unit or a digit too many?");
}

TEST_F(Loader, RefusesContradictionsInsideAnEntry) {
  EXPECT_EQ(psu(std::string(kHeader) + "  - {id: gold, standard: s, grade: gold, loads: [0.5, 1], efficiencies: [0.9], "
                                       "source: TOM, confidence: derived}\n"),
            "6:5 loads and efficiencies have different lengths");
}

// An accelerator with 80 TiB is a slip of the unit; the message prints both bounds with theirs.
TEST_F(Loader, PrintsRangesWithUnits) {
  std::string text = content_of(std::filesystem::path(FATHOM_SOURCE_DIR) / "catalogs" / "accelerators.yaml");
  text.replace(text.find("40 GiB"), 6, "40 TiB");
  write("accelerators", text);
  const std::string complaint_text = complaint([](const Catalog& catalog) { catalog.all<Accelerator>(); });
  EXPECT_NE(complaint_text.find("\"memory\" must lie between 1.07 GB and 1.1 TB, found 44 TB"), std::string::npos)
      << complaint_text;
}

// A plan needs a few files; a broken one elsewhere must not stop it.
TEST_F(Loader, ReadsOnlyTheFilesThatAreAskedFor) {
  write("accelerators", "not a catalog");
  EXPECT_EQ(psu(std::string(kHeader) + kEntry), "no complaint");
}

TEST_F(Loader, AMissingFileIsAnInputError) {
  EXPECT_EQ(complaint([](const Catalog& catalog) { catalog.all<Switch>(); }), "0:0 there is no such file");
}

TEST_F(Loader, TheDataDirectoryIsFoundInOrder) {
  EXPECT_THROW(find_data_dir("/nowhere/fathom", dir_), std::runtime_error);  // no accelerators.yaml in it
  write("accelerators", "x");
  EXPECT_EQ(find_data_dir("/nowhere/fathom", dir_), dir_);
  setenv("FATHOM_DATA_DIR", dir_.c_str(), 1);
  EXPECT_EQ(find_data_dir("/nowhere/fathom", std::nullopt), dir_);
  unsetenv("FATHOM_DATA_DIR");
}

// build/release/fathom finds ../../catalogs, bin/fathom finds ../share/fathom.
TEST_F(Loader, TheDataDirectoryLiesNextToTheProgram) {
  const std::filesystem::path root = std::filesystem::canonical(dir_);
  const auto touch = [&](const std::string& file) {
    std::filesystem::create_directories((root / file).parent_path());
    return folder_.write(file, "x");
  };
  touch("tree/catalogs/accelerators.yaml");
  touch("usr/share/fathom/accelerators.yaml");
  EXPECT_EQ(find_data_dir(touch("tree/build/release/fathom"), std::nullopt), root / "tree/catalogs");
  EXPECT_EQ(find_data_dir(touch("usr/bin/fathom"), std::nullopt), root / "usr/share/fathom");
  EXPECT_THROW(find_data_dir(touch("elsewhere/bin/fathom"), std::nullopt), std::runtime_error);
}

}  // namespace
}  // namespace fathom
