// The shipped examples are designs that somebody wrote. They must read, and their claims must be told apart: tests of the
// rules look each one up in claim_verdicts.csv, which says how a person judged it.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "bom/cluster.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = FATHOM_SOURCE_DIR;

std::vector<fs::path> example_files() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(kRoot / "examples")) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  }
  return files;
}

struct Verdict {
  std::string file;
  int line = 0;
  std::string about;
  std::string verdict;
};

// The first five columns; only the last one may be quoted.
std::map<std::string, Verdict> judged_claims() {
  std::ifstream file(kRoot / "tests/bom/claim_verdicts.csv");
  std::map<std::string, Verdict> verdicts;
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    std::istringstream columns(line);
    std::string id, where, number, about, verdict;
    for (std::string* column : {&id, &where, &number, &about, &verdict}) std::getline(columns, *column, ',');
    verdicts[id] = {where, std::stoi(number), about, verdict};
  }
  return verdicts;
}

TEST(Examples, CanBeRead) {
  const Catalog catalog(kRoot / "catalogs");
  const std::vector<fs::path> files = example_files();
  EXPECT_GE(files.size(), 11u);
  for (const fs::path& file : files) {
    SCOPED_TRACE(file);
    EXPECT_NO_THROW(read_cluster(file, catalog));
  }
}

TEST(Examples, HaveADesignAsStatedInEveryFolder) {
  for (const auto& entry : fs::directory_iterator(kRoot / "examples")) {
    if (!entry.is_directory() || entry.path().filename() == "ci") continue;  // jobs that check designs
    EXPECT_TRUE(fs::exists(entry.path() / "cluster.yaml")) << entry.path();
    EXPECT_TRUE(fs::exists(entry.path() / "README.md")) << entry.path();
  }
}

TEST(Examples, MakeOnlyClaimsThatSomebodyJudged) {
  const Catalog catalog(kRoot / "catalogs");
  const std::map<std::string, Verdict> verdicts = judged_claims();
  const std::set<std::string> words = {"right", "wrong", "inconsistent", "flag", "unverified"};
  std::set<std::string> seen;
  for (const fs::path& file : example_files()) {
    if (file.filename() == "corrected.yaml") continue;  // the same claims, mended: none of them may be wrong
    for (const Claim& claim : read_cluster(file, catalog).claims) {
      SCOPED_TRACE(claim.id);
      EXPECT_TRUE(seen.insert(claim.id).second) << "this id stands in two files";
      const auto found = verdicts.find(claim.id);
      ASSERT_NE(found, verdicts.end()) << "no line in claim_verdicts.csv";
      EXPECT_EQ(fs::relative(file, kRoot).string(), found->second.file);
      EXPECT_EQ(claim.line, found->second.line);
      EXPECT_EQ(claim.about, found->second.about);
      EXPECT_TRUE(words.contains(found->second.verdict)) << found->second.verdict;
    }
  }
  EXPECT_EQ(seen.size(), verdicts.size()) << "claim_verdicts.csv judges claims that no example makes";
}

TEST(Examples, KeepTheErrorsOfTheirDocument) {
  const Catalog catalog(kRoot / "catalogs");
  const Cluster a100 = read_cluster(kRoot / "examples/r1-a100-kunpeng/cluster.yaml", catalog);
  EXPECT_EQ(a100.fabrics[0].generation, "EDR") << "200 Gb/s would be HDR";
  EXPECT_EQ(a100.groups[0].node.nics[0].rate, 25_GBps);
  EXPECT_TRUE(a100.fabrics[0].switches.empty());

  // The document prints 4.2 x 10^4 USD for 120 km of fibre; its own unit price makes it 42.0.
  const Cluster homes = read_cluster(kRoot / "examples/community-1000-homes/cluster.yaml", catalog);
  const Link& fibre = homes.fabrics[0].links[0];
  EXPECT_EQ(fibre.price_per_metre->value.times(fibre.count * fibre.length->value), parse_money("420000 USD"));

  // 3 years: 1,200 + 360 + 240 + 180 + 120 + 60 = 2,160 x 10^4 CNY; electricity is computed and not part of the bill.
  const Cluster appliance = read_cluster(kRoot / "examples/r1-appliance-h100/cluster.yaml", catalog);
  Money bill = appliance.groups[0].node.price->value.times(appliance.groups[0].nodes);
  for (const YearlyCost& cost : appliance.yearly) bill += cost.annual->value.times(3);
  for (const Software& software : appliance.software) bill += software.annual->value.times(3);
  EXPECT_EQ(bill + parse_money("360 万 CNY"), parse_money("2160 万 CNY"));
}

}  // namespace
}  // namespace fathom
