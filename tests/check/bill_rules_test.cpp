// One fault at a time in a bill that has none: the rule that finds it, and the cell it points at. Then the bills of the shipped
// designs against what a person found in them.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "check/check.h"
#include "check/mend.h"
#include "input/content.h"
#include "support/planning.h"
#include "support/scratch_folder.h"

namespace fathom {
namespace {

const std::filesystem::path kRoot = FATHOM_SOURCE_DIR;

const RuleBook& book() {
  static const RuleBook rules(shipped().data_dir());
  return rules;
}

CheckedFile check_text(const std::string& text, const CheckOptions& options = {}) {
  const ScratchFolder folder;
  return check_file(folder.write("bom.csv", text), shipped(), book(), options);
}

std::string all_of(const CheckedFile& file) {
  std::string out;
  for (const Finding& f : file.findings) out += std::to_string(f.spot.at.line) + " " + f.rule + ": " + f.message + "\n";
  return out;
}

const std::string kRight = text_of_file(kRoot / "tests/data/bills/cluster.csv");

TEST(BillRules, RightBillsAreSilent) {
  for (const char* name : {"cluster.csv", "zh.csv"}) {
    const CheckedFile found = check_file(kRoot / "tests/data/bills" / name, shipped(), book(), {});
    EXPECT_EQ(found.kind, "bill");
    EXPECT_EQ(all_of(found), "") << name;
  }
}

struct Fault {
  const char* rule;
  const char* before;
  const char* after;
  const char* line;  // words of the line that is to blame, as it stands after
};

std::ostream& operator<<(std::ostream& out, const Fault& fault) { return out << fault.rule << " " << fault.after; }

class PlantedInBill : public testing::TestWithParam<Fault> {};

TEST_P(PlantedInBill, IsFoundWhereItStands) {
  const Fault& fault = GetParam();
  std::string text = kRight;
  const std::size_t at = text.find(fault.before);
  ASSERT_NE(at, std::string::npos) << fault.before;
  text.replace(at, std::string(fault.before).size(), fault.after);
  const CheckedFile found = check_text(text);
  ASSERT_FALSE(found.unreadable) << all_of(found);
  const auto end = text.begin() + static_cast<std::ptrdiff_t>(text.find(fault.line));
  const int line = 1 + static_cast<int>(std::count(text.begin(), end, '\n'));
  const bool there = std::any_of(found.findings.begin(), found.findings.end(),
                                 [&](const Finding& f) { return f.rule == fault.rule && f.spot.at.line == line; });
  EXPECT_TRUE(there) << "line " << line << "\n" << all_of(found);
}

INSTANTIATE_TEST_SUITE_P(
    BillRules, PlantedInBill,
    testing::Values(Fault{"arithmetic.product", "\"72,000.00\"", "\"7,200.00\"", "Processor"},
                    Fault{"arithmetic.product", "8,pcs,\"9,000.00\"", "9,pcs,\"9,000.00\"", "Processor"},
                    Fault{"arithmetic.product", "4.2/m,\"6,300\"", "4.2/m,6.3", "Fibre"},
                    Fault{"arithmetic.sum", "\"1,326,080\"", "\"1,362,080\"", "\"1,362,080\""},
                    Fault{"arithmetic.sum", "\"1,915,327.40\"", "\"1,915,372.40\"", "Grand total"},
                    Fault{"bill.tax", "VAT (13%),,,,,\"220,347.40\"", "VAT (13%),,,,,\"203,347.40\"", "VAT"},
                    Fault{"bill.quantity", "GPU server,Barebone 8U with 8x H100 SXM,4,",
                          "GPU server,Barebone 8U with 8x H100 SXM,,", "GPU server"},
                    Fault{"bill.quantity", "7.68TB,16,", "7.68TB,16.5,", "NVMe SSD"},
                    Fault{"bom.count", "7.68TB,16,", "7.68TB,14-16,", "NVMe SSD"},
                    Fault{"bill.duplicate", "Optical transceiver,",
                          "Fibre,OS2 MPO trunk,1.5,km,4.2/m,\"6,300\",single-mode\nOptical transceiver,",
                          "Fibre,OS2 MPO trunk,1.5,km,4.2/m,\"6,300\",single-mode\nSub"},
                    Fault{"bill.unpriced", "16,pcs,900,\"14,400\"", "16,pcs,,", "NVMe SSD"},
                    Fault{"bill.currency", "16,pcs,900,\"14,400\"", "16,pcs,¥6500,\"¥104,000\"", "NVMe SSD"},
                    Fault{"price.dated", "Quotation 2025-06-12", "Quotation", "Item,Model"},
                    Fault{"price.market", "\"300,000\",\"1,200,000\"", "\"30,000\",\"120,000\"", "GPU server"},
                    Fault{"part.cores", "56 cores", "65 cores", "Processor"},
                    Fault{"nic.rate", "ConnectX-7 400G,32", "ConnectX-7 800G,32", "InfiniBand NIC"},
                    Fault{"part.ports", "QM9700 64x400G", "QM9700 128x400G", "InfiniBand switch"},
                    Fault{"link.rate", "\"48,000\",NDR 400", "\"48,000\",HDR 400", "InfiniBand NIC"},
                    Fault{"link.fibre", "OS2 MPO trunk,1.5,km,4.2/m,\"6,300\",single-mode",
                          "OM4 MPO trunk,1.5,km,4.2/m,\"6,300\",multimode", "Optical transceiver"},
                    Fault{"fabric.ports", "ConnectX-7 400G,32", "ConnectX-7 400G,96", "InfiniBand switch"},
                    Fault{"bill.switches",
                          "InfiniBand switch,QM9700 64x400G,1,pcs,\"38,000\",\"38,000\",NDR 400 Gb/s\n", "",
                          "InfiniBand NIC"},
                    Fault{"licence.count", "per GPU,32,", "per GPU,16,", "AI Enterprise"},
                    Fault{"bill.power", "PDU,34 kW,2", "PDU,10 kW,2", "PDU"},
                    Fault{"bill.racks", "Rack,42U,2", "Rack,12U,2", "Rack"},
                    Fault{"bill.absent", "Support,3 years on site", "Freight,by road", "GPU server"},
                    Fault{"bill.columns", "Item,Model,Qty", "Item,Model,Menge", "Item,Model"}));

TEST(BillRules, SmallBillsWithOneFault) {
  const auto finds = [](const std::string& rule, int line, const std::string& text) {
    const CheckedFile found = check_text(text);
    EXPECT_TRUE(std::any_of(found.findings.begin(), found.findings.end(),
                            [&](const Finding& f) { return f.rule == rule && f.spot.at.line == line; }))
        << rule << "\n"
        << all_of(found);
  };
  finds("part.memory", 2, "item,qty,unit price\nH100 SXM 96GB,8,1\n");
  finds("part.power", 2, "item,qty,unit price,power (W)\nRTX 4090,8,1,850\n");
  finds("part.base_clock", 2, "item,qty,unit price,notes\nEPYC 7302P CPU,8,1,6.3GHz\n");
  finds("part.name", 2, "名称,数量,单价\nNYUDA H100 SXM,8,1\n");
  finds("part.variant", 2, "名称,数量,单价\nA100 GPU,8,1\n");
  finds("part.asic", 2, "item,qty,unit price\nSpectrum-4 SN4600C switch,2,1\n");
  finds("bill.hosts", 2, "item,qty,unit price\nH100 SXM GPU,8,1\nInfiniBand NIC,8,1\n");
  finds("bill.companions", 2, "item,qty,unit price\nQM8700 switch,2,1\n");
  finds("power.supply", 4, "item,model,qty,unit price\nGPU,RTX 4090,4,1\n机箱,4U,1,1\n电源,1000W,1,1\n");
  finds("arithmetic.share", 2, "item,total,share\na,30,20%\nb,70,70%\n");
  finds("energy.cost", 3, "项目,数量,单价($),总价(万$)\n服务器,1000,10,1\n电费 800W,,0.15/kWh,97.5\n");
}

TEST(BillRules, WhatIsRoundedOrOpenIsNoError) {
  const auto silent = [](const std::string& text) {
    for (const Finding& f : check_text("报价 2025-01-02\n" + text).findings)
      EXPECT_FALSE(f.rule.starts_with("arithmetic.") || f.rule == "bill.tax") << f.rule << ": " << f.message << "\n"
                                                                              << text;
  };
  silent("item,qty,单价(万元),总价(万元)\na,30,0.33,10.0\n合计,,,10.0\n");        // the price is rounded
  silent("item,qty,unit price,total\na,3,1.005,3.02\nb,1,1,1\ntotal,,,4.02\n");   // cents
  silent("item,qty,unit price,total\na,2-3,10,20-30\ntotal,,,20-30\n");           // ranges
  silent("item,qty,unit price,total\na,2,10,20\nb,1,TBD,\ntotal,,,50\n");         // a line without a price
  silent("item,qty,unit price,total\na,2,10,20\nVAT 13%,,,2.6\ntotal,,,22.6\n");  // with tax
  silent("item,qty,unit price,total\na,2,10,20\nof which VAT,,,2.3\ntotal,,,20\n");
  silent("item,qty,unit price,total\nA,,,\na,2,10,20\nSubtotal,,,20\nB,,,\nb,1,5,5\nSubtotal,,,5\nTotal,,,25\n");
  silent("item,qty,unit price,discount,total\na,2,10,10%,18\ntotal,,,,18\n");
  silent("item,qty,unit price,years,total\na,2,10,3,60\ntotal,,,,60\n");
  silent("item,total,share\na,1,33.3%\nb,1,33.3%\nc,1,33.3%\n");
  silent("1 USD = 7 CNY,,\nitem,qty,unit price,total\na,2,$10,¥140\ntotal,,,¥140\n");
  silent(
      "方案 1,,,\nitem,qty,unit price,total\na,2,10,20\ntotal,,,20\n方案 2,,,\nitem,qty,unit "
      "price,total\na,3,10,30\ntotal,,,30\n");
}

TEST(BillRules, MendsOnlyWhatCannotMeanAnythingElse) {
  const auto mended = [](const std::string& text) { return apply_mends(text, check_text(text).findings).text; };
  const std::string sum = "item,qty,unit price,total\na,2,10,20\nb,3,\"1,000\",\"3,000\"\ntotal,,,\"3,200\"\n";
  EXPECT_EQ(mended(sum), "item,qty,unit price,total\na,2,10,20\nb,3,\"1,000\",\"3,000\"\ntotal,,,\"3,020\"\n");
  // The total says that the line is wrong, not the price.
  const std::string line = "item,qty,unit price,total\na,2,10,200\nb,3,100,300\ntotal,,,320\n";
  EXPECT_EQ(mended(line), "item,qty,unit price,total\na,2,10,20\nb,3,100,300\ntotal,,,320\n");
  // Nothing says which of the three is wrong.
  const std::string open = "item,qty,unit price,total\na,2,10,200\nb,3,100,300\ntotal,,,500\n";
  EXPECT_EQ(mended(open), open);
  const std::string unverified = "item,total\na,20\nb,30\ntotal,60\n";
  EXPECT_EQ(mended(unverified), unverified);
}

TEST(BillRules, CommentsSettingsAndColumnsOfTheUser) {
  const CheckedFile off =
      check_text("item,qty,unit price\nA100 GPU,8,1\n",
                 {.levels = {{"part", Severity::kOff}, {"price", Severity::kOff}, {"bill", Severity::kOff}}});
  EXPECT_EQ(all_of(off), "");
  const CheckedFile named =
      check_text("Artikel,Stueck,Preis\nA100 GPU,8,1\n",
                 {.levels = {},
                  .bill = {.columns = bill::parse_columns("item=Artikel,qty=Stueck,unit_price=Preis", "--columns")}});
  EXPECT_FALSE(named.unreadable) << all_of(named);
}

// What a person found in the tables of the documents, by line.
TEST(BillRules, BillsOfTheExamplesKeepTheErrorsOfTheirDocuments) {
  using Errors = std::set<std::pair<int, std::string>>;
  const std::map<std::string, Errors> kExpected = {
      {"r1-a100-kunpeng", {{2, "part.name"}, {3, "part.name"}, {4, "link.rate"}}},
      {"community-1000-homes",
       {{5, "arithmetic.product"}, {6, "link.fibre"}, {7, "part.asic"}, {8, "part.ports"}, {15, "arithmetic.sum"}}},
      {"r1-appliance-h100",
       {{2, "arithmetic.share"}, {3, "arithmetic.share"}, {6, "arithmetic.share"}, {7, "arithmetic.sum"}}},
      {"team-30-r1-32b", {}}};
  const std::map<std::string, Errors> kWarnings = {
      {"r1-a100-kunpeng", {{2, "part.variant"}, {2, "bill.hosts"}, {4, "bill.switches"}}},
      {"community-1000-homes", {{14, "energy.cost"}}},
      {"r1-appliance-h100", {}},
      {"team-30-r1-32b", {{12, "bom.count"}, {12, "bill.hosts"}}}};
  for (const auto& [name, expected] : kExpected) {
    const CheckedFile found = check_file(kRoot / "examples" / name / "bom.csv", shipped(), book(), {});
    Errors errors, warnings;
    for (const Finding& f : found.findings) {
      if (f.severity == Severity::kError) errors.emplace(f.spot.at.line, f.rule);
      if (f.severity == Severity::kWarning) warnings.emplace(f.spot.at.line, f.rule);
    }
    EXPECT_EQ(errors, expected) << name << "\n" << all_of(found);
    EXPECT_EQ(warnings, kWarnings.at(name)) << name << "\n" << all_of(found);
  }
}

}  // namespace
}  // namespace fathom
