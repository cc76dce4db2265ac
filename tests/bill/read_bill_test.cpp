#include <gtest/gtest.h>

#include "bill/bill.h"
#include "bill/columns.h"
#include "input/content.h"
#include "input/error.h"

namespace fathom::bill {
namespace {

const std::filesystem::path kRoot = FATHOM_SOURCE_DIR;

TEST(ReadBill, HeadersInTwoLanguagesNameTheirFields) {
  const std::pair<const char*, Field> kHeaders[] = {
      {"硬件名称", Field::kItem},    {"名称", Field::kItem},          {"组件", Field::kItem},
      {"成本项", Field::kItem},      {"型号", Field::kModel},         {"型号与规格", Field::kModel},
      {"规格", Field::kSpec},        {"数量", Field::kQuantity},      {"数量（台）", Field::kQuantity},
      {"单位", Field::kUnit},        {"单价（万元）", Field::kPrice}, {"含税单价", Field::kPrice},
      {"总价(万$)", Field::kTotal},  {"小计", Field::kTotal},         {"三年总成本(万元)", Field::kTotal},
      {"备注", Field::kNotes},       {"补充信息", Field::kNotes},     {"功耗(W)", Field::kPower},
      {"生产厂家", Field::kVendor},  {"占比", Field::kShare},         {"分类", Field::kCategory},
      {"Item", Field::kItem},        {"Part number", Field::kModel},  {"Qty", Field::kQuantity},
      {"Qty.", Field::kQuantity},    {"Unit", Field::kUnit},          {"Unit Price (USD)", Field::kPrice},
      {"Price each", Field::kPrice}, {"Ext. Price", Field::kTotal},   {"Extended price", Field::kTotal},
      {"Line total", Field::kTotal}, {"Total", Field::kTotal},        {"Power (W)", Field::kPower},
      {"Remarks", Field::kNotes},    {"Vendor", Field::kVendor},      {"Share of total", Field::kShare},
      {"Height (U)", Field::kHeight}};
  for (const auto& [header, field] : kHeaders) {
    const auto found = field_of(header);
    ASSERT_TRUE(found) << header;
    EXPECT_EQ(*found, field) << header;
  }
  EXPECT_FALSE(field_of("序号"));
  EXPECT_FALSE(field_of("Lead time"));
}

TEST(ReadBill, ASheetOfADesignIsReadWithItsPlaces) {
  const std::string file = kRoot / "examples/r1-a100-kunpeng/bom.csv";
  const Bill bill = read_bill(text_of_file(file), file);
  ASSERT_EQ(bill.rows.size(), 5u);
  const Row& gpu = bill.rows[0];
  EXPECT_EQ(gpu.name(), "NYUDA A100 GPU");
  EXPECT_DOUBLE_EQ(gpu.quantity->low, 32);
  EXPECT_DOUBLE_EQ(gpu.price->low, 85000);
  EXPECT_EQ(gpu.price->currency, "CNY");
  EXPECT_DOUBLE_EQ(gpu.total->low, 2.72e6);
  EXPECT_EQ(gpu.total->cell.at.line, 2);
  EXPECT_EQ(gpu.total->cell.at.column, 29);
  EXPECT_EQ(gpu.total->cell.width, 5);
  EXPECT_EQ(bill.rows[4].kind, RowKind::kTotal);
  EXPECT_FALSE(bill.date);
}

TEST(ReadBill, SeparatorsTitlesAndDecimalCommasOfSpreadsheets) {
  const std::string file = kRoot / "tests/data/bills/zh.csv";
  const Bill bill = read_bill(text_of_file(file), file);
  EXPECT_TRUE(bill.decimal_comma);
  EXPECT_TRUE(bill.date);
  ASSERT_EQ(bill.rows.size(), 9u);
  EXPECT_DOUBLE_EQ(bill.rows[1].price->low, 185000);  // the sheet counts in 万元
  EXPECT_EQ(bill.rows[1].price->currency, "CNY");
  EXPECT_EQ(bill.rows[3].price->per, "m");
  EXPECT_TRUE(bill.rows[7].priced_elsewhere);
  EXPECT_EQ(bill.rows[8].kind, RowKind::kTotal);
  EXPECT_DOUBLE_EQ(bill.rows[8].total->low, 5255800);
  for (const char* separator : {",", ";", "\t", "|"}) {
    const std::string s = separator;
    const Bill small =
        read_bill("\xEF\xBB\xBFItem" + s + "Qty" + s + "Unit price\r\nGPU" + s + "4" + s + "9000\r\n", "b.csv");
    ASSERT_EQ(small.rows.size(), 1u);
    EXPECT_DOUBLE_EQ(small.rows[0].price->low, 9000);
  }
}

TEST(ReadBill, RowsAreToldApart) {
  const Bill bill = read_bill(
      "item,qty,unit price,total\nSection A,,,\nGPU,2,10,20\n\nSubtotal,,,20\nOption B,,,\nGPU,1-2,10,\nVAT "
      "13%,,,2.6\nTotal,,,22.6\n",
      "b.csv");
  const std::vector<RowKind> kinds = {RowKind::kSection, RowKind::kItem, RowKind::kSubtotal, RowKind::kSection,
                                      RowKind::kItem,    RowKind::kTax,  RowKind::kTotal};
  ASSERT_EQ(bill.rows.size(), kinds.size());
  for (std::size_t i = 0; i < kinds.size(); ++i) EXPECT_EQ(bill.rows[i].kind, kinds[i]) << i;
  EXPECT_EQ(bill.rows[1].option, 0);
  EXPECT_EQ(bill.rows[4].option, 1);
  EXPECT_TRUE(bill.rows[4].quantity->open);
}

TEST(ReadBill, HeadersThatNobodyKnowsAreNamedByTheUser) {
  const std::string text = "Artikel,Stueck,Preis\nGPU,4,9000\n";
  try {
    read_bill(text, "b.csv");
    FAIL() << "read";
  } catch (const InputError& error) {
    EXPECT_EQ(error.at().line, 1);
    EXPECT_NE(error.message().find("understood of this one: nothing"), std::string::npos) << error.message();
    EXPECT_NE(error.hint().find("--columns"), std::string::npos);
  }
  const Bill bill =
      read_bill(text, "b.csv", {.columns = parse_columns("item=Artikel,qty=Stueck, unit_price=Preis", "--columns")});
  ASSERT_EQ(bill.rows.size(), 1u);
  EXPECT_DOUBLE_EQ(bill.rows[0].price->low, 9000);
}

TEST(ReadBill, ColumnsOfTheUserAreChecked) {
  const auto refused = [](const char* text, int column) {
    try {
      parse_columns(text, "--columns");
      ADD_FAILURE() << text;
    } catch (const InputError& error) {
      EXPECT_EQ(error.at().column, column) << error.message();
    }
  };
  refused("qty", 1);
  refused("qty=a,price=b", 7);
  refused("qty=", 1);
}

TEST(ReadBill, WhatIsNoBillIsRefusedOnce) {
  for (const char* text : {"", "a,b\n1,2\n", "\"open\nItem,Qty\n", "Item\nGPU\n", "\xFF\xFE"})
    EXPECT_THROW(read_bill(text, "b.csv"), InputError) << text;
  EXPECT_FALSE(looks_like_bill("t_s,input_tokens,output_tokens\n0,1,2\n"));
  EXPECT_FALSE(looks_like_bill("model,total\na,1\n"));
  EXPECT_TRUE(looks_like_bill("名称,数量,单价\nGPU,1,2\n"));
}

TEST(ReadBill, AnExchangeRateInTheSheetCounts) {
  const Bill bill = read_bill("汇率：1 USD = 7.2 CNY,,\nitem,qty,unit price\nGPU,1,$5\n", "b.csv");
  ASSERT_EQ(bill.rates.size(), 1u);
  EXPECT_EQ(bill.rates[0].from, "USD");
  EXPECT_DOUBLE_EQ(bill.rates[0].rate, 7.2);
}

}  // namespace
}  // namespace fathom::bill
