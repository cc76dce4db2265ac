// Entries as programs and people get them.
#include "catalog/print.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/scratch_folder.h"

namespace fathom {
namespace {

const std::filesystem::path kSource = FATHOM_SOURCE_DIR;

const Catalog& shipped() {
  static const Catalog catalog(kSource / "catalogs");
  return catalog;
}

nlohmann::json entry(const std::string& kind, const std::string& id) {
  const Kind& found = find_kind(kind);
  return nlohmann::json::parse(entry_json(shipped(), found, find_entry(shipped(), found, id)));
}

// Renew with: ./fathom catalog show accelerators nvidia-rtx-2080ti-11gb -f json
TEST(CatalogJson, OfAnAcceleratorIsTheGoldenOne) {
  const std::string expected = content_of(kSource / "tests/catalog/golden/nvidia-rtx-2080ti-11gb.json");
  const Kind& kind = find_kind("accelerators");
  EXPECT_EQ(entry_json(shipped(), kind, find_entry(shipped(), kind, "RTX 2080 Ti")), expected);
}

TEST(CatalogJson, FactsAreSiNumbersUnderAKeyThatEndsInTheUnit) {
  const nlohmann::json h100 = entry("accelerators", "H100 SXM5");
  EXPECT_EQ(h100["memory_bytes"]["value"], 85899345920);  // 80 x 2^30
  EXPECT_EQ(h100["memory_bytes"]["unit"], "B");
  EXPECT_EQ(h100["memory_bandwidth_bytes_per_s"]["value"], 3350000000000);
  EXPECT_EQ(h100["peak_bf16_flops_per_s"]["value"], 989400000000000);
  EXPECT_EQ(h100["tdp_w"]["value"], 700);
  EXPECT_EQ(h100["tdp_w"]["confidence"], "reported");
  EXPECT_FALSE(h100["tdp_w"]["source"].get<std::string>().empty());
  EXPECT_EQ(h100["scale_up"]["bandwidth_per_direction_bytes_per_s"]["value"], 450000000000);
}

TEST(CatalogJson, TellsWhatTheSourceCodesStandFor) {
  const Kind& kind = find_kind("pue");
  const nlohmann::json pue =
      nlohmann::json::parse(entry_json(shipped(), kind, find_entry(shipped(), kind, "survey-2024")));
  EXPECT_EQ(pue["sources"].size(), 1u);
  EXPECT_EQ(pue["sources"]["UPT"]["title"], "Uptime Institute Global Data Center Survey");
}

TEST(CatalogJson, UnknownNumbersAreAbsent) {
  const nlohmann::json ppu = entry("accelerators", "thead-ppu-96gb");
  EXPECT_FALSE(ppu.contains("memory_bandwidth_bytes_per_s"));
  EXPECT_FALSE(ppu.contains("peak_bf16_flops_per_s"));
}

TEST(CatalogJson, OfAModelHoldsTheComputedSizes) {
  const nlohmann::json r1 = entry("models", "deepseek-r1");
  EXPECT_EQ(r1["parameters"], 671026419200);
  EXPECT_EQ(r1["active_parameters"], 37552297472);
  EXPECT_EQ(r1["kv_bytes_per_token"], 70272);  // 61 layers x 576 values x 2 B
  EXPECT_EQ(r1["weights_fp8_bytes"], 673150611808);
}

TEST(CatalogJson, OfEveryKindParses) {
  for (const Kind& kind : catalog_kinds()) {
    const std::vector<AnyEntry> entries = entries_of(shipped(), kind);
    const nlohmann::json list = nlohmann::json::parse(list_json(kind, entries));
    EXPECT_EQ(list["entries"].size(), entries.size()) << kind.name;
    for (const AnyEntry& one : entries) EXPECT_EQ(rows(one).front().key, "id") << kind.name;
  }
}

TEST(CatalogFilter, KeepsWhatMatchesAll) {
  const Kind& kind = find_kind("accelerators");
  std::vector<std::string> found;
  for (const AnyEntry& one : entries_of(shipped(), kind)) {
    if (passes(one, {.vendor = "amd", .architecture = {}, .year = 2024, .min_memory = 200_GiB})) {
      found.push_back(rows(one).front().value);
    }
  }
  EXPECT_EQ(found, std::vector<std::string>{"amd-mi325x-256gb"});
}

TEST(CatalogFilter, RefusesAPropertyThatTheKindLacks) {
  const Kind& kind = find_kind("pue");
  EXPECT_THROW(
      passes(entries_of(shipped(), kind).front(), {.vendor = "x", .architecture = {}, .year = {}, .min_memory = {}}),
      LookupError);
}

TEST(CatalogFilter, TakesTheFamilyOfAModelForItsArchitecture) {
  const Kind& kind = find_kind("models");
  const std::string r1 = "DeepSeek_V3";
  EXPECT_TRUE(passes(find_entry(shipped(), kind, "deepseek-r1"),
                     {.vendor = {}, .architecture = r1, .year = {}, .min_memory = {}}));
  EXPECT_FALSE(passes(find_entry(shipped(), kind, "qwen3-235b-a22b"),
                      {.vendor = {}, .architecture = r1, .year = {}, .min_memory = {}}));
}

std::string row(const std::string& kind, const std::string& id, const std::string& key) {
  for (const CatalogRow& one : rows(find_entry(shipped(), find_kind(kind), id))) {
    if (one.key == key) return one.value;
  }
  return "no such row";
}

TEST(CatalogRows, RatesOfNetworkGearAreInBitsAndOfDevicesInBytes) {
  EXPECT_EQ(row("nic", "connectx-7", "rate"), "400 Gb/s");
  EXPECT_EQ(row("optic", "100g-lr4", "rate"), "100 Gb/s");
  EXPECT_EQ(row("switch", "cisco-93180yc-ex", "ports"), "48 x 25 Gb/s SFP28, 6 x 100 Gb/s QSFP28");
  EXPECT_EQ(row("link", "ethernet-2.5g", "rate"), "2.5 Gb/s");
  EXPECT_EQ(row("link", "nvlink-h100", "rate"), "450 GB/s");
  EXPECT_EQ(row("accelerator", "nvidia-h20-sxm5-96gb", "memory_bandwidth"), "4 TB/s");
}

TEST(CatalogKinds, AreFoundByNameInEitherNumberOrNoun) {
  EXPECT_STREQ(find_kind("accelerator").name, "accelerators");
  EXPECT_STREQ(find_kind("api_prices").name, "api-prices");
  EXPECT_STREQ(find_kind("api-price").name, "api-prices");
  EXPECT_STREQ(find_kind("Network Card").name, "nics");
  for (const Kind& kind : catalog_kinds()) {
    std::string one = kind.name;
    if (one.ends_with("ches")) one.pop_back(), one.pop_back();
    if (one.ends_with('s')) one.pop_back();
    EXPECT_STREQ(find_kind(one).name, kind.name) << one;
  }
  EXPECT_THROW(find_kind("acelerators"), LookupError);
}

}  // namespace
}  // namespace fathom
