// Names as people write them.
#include "catalog/catalog.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

const Catalog& shipped() {
  static const Catalog catalog(std::filesystem::path(FATHOM_SOURCE_DIR) / "catalogs");
  return catalog;
}

TEST(Lookup, SpellingOfCaseBlanksHyphensAndUnderscoresDoesNotMatter) {
  for (const char* name : {"nvidia-h100-sxm5-80gb", "H100 SXM5", "h100sxm5", "H100_SXM5_80GB", "NVIDIA H100 SXM5 80GB",
                           "h100-sxm5-80gb"}) {
    EXPECT_EQ(shipped().accelerator(name).id, "nvidia-h100-sxm5-80gb") << name;
  }
}

TEST(Lookup, VendorSpellingsOfDesignDocumentsAreUnderstood) {
  EXPECT_EQ(shipped().accelerator("NYUDA A100 80GB SXM4").id, "nvidia-a100-sxm4-80gb");
  EXPECT_EQ(shipped().accelerator("寒武纪MLU370-X8").id, "cambricon-mlu370-x8");
  EXPECT_EQ(shipped().accelerator("天数智芯 BI-V100").id, "iluvatar-bi-v100");
  EXPECT_EQ(shipped().accelerator("异腾910B3").id, "huawei-ascend-910b3-64gb");
  EXPECT_EQ(shipped().cpu("Kumpeng 920 7260").id, "huawei-kunpeng-920-7260");
  EXPECT_EQ(shipped().cpu("鲲鹏920 7260").id, "huawei-kunpeng-920-7260");
  EXPECT_EQ(shipped().cpu("飞腾D2000").id, "phytium-d2000-8");
}

TEST(Lookup, UsualShortNamesAreUnderstood) {
  EXPECT_EQ(shipped().accelerator("RTX 2080 Ti").id, "nvidia-rtx-2080ti-11gb");
  EXPECT_EQ(shipped().accelerator("L40S").id, "nvidia-l40s-48gb");
  EXPECT_EQ(shipped().accelerator("RTX 6000 Ada").id, "nvidia-rtx-6000-ada-48gb");
  EXPECT_EQ(shipped().cpu("i7-12700K").id, "intel-core-i7-12700k");
  EXPECT_EQ(shipped().cpu("EPYC 7302P").id, "amd-epyc-7302p");
  EXPECT_EQ(shipped().cpu("Xeon Gold 6330").id, "intel-xeon-gold-6330");
  EXPECT_EQ(shipped().cpu("Xeon Platinum 8380").id, "intel-xeon-platinum-8380");
  EXPECT_EQ(shipped().cpu("8480+").id, "intel-xeon-platinum-8480plus");
  EXPECT_EQ(shipped().model("deepseek-ai/DeepSeek-R1").id, "deepseek-r1");
  EXPECT_EQ(shipped().model("Llama-3.3-70B").id, "llama-3.1-70b");
}

template <class Find>
LookupError refusal(Find find) {
  try {
    find();
  } catch (const LookupError& error) {
    return error;
  }
  return {"found", {}};
}

TEST(Lookup, AnAmbiguousNameListsWhatItMayMean) {
  const LookupError error = refusal([] { shipped().accelerator("A100 80GB"); });
  EXPECT_STREQ(error.what(), "the accelerator \"A100 80GB\" may be nvidia-a100-sxm4-80gb or nvidia-a100-pcie-80gb");
  EXPECT_EQ(error.candidates, (std::vector<std::string>{"nvidia-a100-sxm4-80gb", "nvidia-a100-pcie-80gb"}));
  EXPECT_EQ(refusal([] { shipped().accelerator("昇腾910B"); }).candidates.size(), 4u);
}

TEST(Lookup, AnUnknownNameNamesTheNearestOne) {
  const LookupError error = refusal([] { shipped().accelerator("nvidia-h100-smx5-80gb"); });
  EXPECT_STREQ(error.what(), "there is no accelerator \"nvidia-h100-smx5-80gb\" in the catalog");
  EXPECT_EQ(error.candidates, std::vector<std::string>{"nvidia-h100-sxm5-80gb"});
  EXPECT_TRUE(refusal([] { shipped().accelerator("abacus"); }).candidates.empty());
  EXPECT_TRUE(refusal([] { shipped().accelerator(""); }).candidates.empty());
}

// A name may belong to two entries; then it must not silently mean the first.
TEST(Lookup, ASharedNameIsAmbiguousAndAnAliasDecides) {
  NameIndex index("part");
  index.add_id("one-x");
  index.add_id("two-x");  // both ids end in "x"
  EXPECT_EQ(refusal([&] { index.find("x"); }).candidates, (std::vector<std::string>{"one-x", "two-x"}));
  index.add_alias("X", {"two-x"});
  EXPECT_EQ(index.find("x"), 1u);
}

}  // namespace
}  // namespace fathom
