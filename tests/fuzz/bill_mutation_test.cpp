// Damage to bills, with a fixed seed: each is judged or refused with a place, and nothing else happens. Mends stay inside the
// file and lead to a bill again.
#include <gtest/gtest.h>

#include "bill/bill.h"
#include "check/bill_rules.h"
#include "check/mend.h"
#include "input/content.h"
#include "support/mutation.h"
#include "support/planning.h"

namespace fathom {
namespace {

const std::vector<std::string>& bills() {
  static const std::vector<std::string> texts = [] {
    std::vector<std::string> out;
    const std::filesystem::path root = FATHOM_SOURCE_DIR;
    for (const char* name : {"examples/r1-a100-kunpeng/bom.csv", "examples/community-1000-homes/bom.csv",
                             "examples/team-30-r1-32b/bom.csv", "examples/r1-appliance-h100/bom.csv",
                             "tests/data/bills/cluster.csv", "tests/data/bills/zh.csv"})
      out.push_back(text_of_file(root / name));
    return out;
  }();
  return texts;
}

// What people do to sheets: other separators, ranges, units, quotes, empty cells.
std::string edited(std::string text, std::mt19937& random) {
  static const std::vector<std::string> kPieces = {",",        ";",
                                                   "\t",       "\"",
                                                   "\"\"",     "\n",
                                                   "\r\n",     "万",
                                                   "亿",       "4-6",
                                                   "约",       "~",
                                                   "1e308",    "-",
                                                   "0",        "(5)",
                                                   "%",        "/m",
                                                   "/kWh",     "总计",
                                                   "VAT 13%",  "USD",
                                                   "¥",        "1,000",
                                                   "1.234,56", "\xEF\xBB\xBF",
                                                   "sep=;\n",  "方案 2\n",
                                                   "64x400G",  "80GB",
                                                   "W",        "9999999999999999999"};
  for (auto edits = 1 + random() % 4; edits > 0; --edits) {
    if (random() % 3 == 0) {
      text = mutated(std::move(text), random);
    } else {
      text.insert(random() % (text.size() + 1), kPieces[random() % kPieces.size()]);
    }
  }
  return text;
}

TEST(BillMutation, BillsAreJudgedOrRefused) {
  static const RuleBook book(shipped().data_dir());
  std::mt19937 random(31);
  int refused = 0, judged = 0;
  for (int round = 0; round < 4000 / kThinning; ++round) {
    const std::string text = edited(bills()[random() % bills().size()], random);
    SCOPED_TRACE(text);
    Findings findings(book, {}, "bom.csv");
    const bool no =
        refusal(text, [&] { check_bill(bill::read_bill(text, "bom.csv"), shipped(), findings); }).has_value();
    ++(no ? refused : judged);
    const MendedText mended = apply_mends(text, findings.sorted());
    if (!mended.edits.empty()) {
      EXPECT_NO_THROW(bill::read_bill(mended.text, "bom.csv"));
    }
  }
  EXPECT_GT(judged, 1000 / kThinning);
  EXPECT_GT(refused, 50 / kThinning);
}

}  // namespace
}  // namespace fathom
