#include "units/fact.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

TEST(Confidence, EveryWordIsReadBackAsWritten) {
  for (int i = 0; i <= static_cast<int>(Confidence::kAssumed); ++i) {
    const auto confidence = static_cast<Confidence>(i);
    EXPECT_EQ(parse_confidence(to_string(confidence)), confidence);
  }
  EXPECT_EQ(parse_confidence("certain"), std::nullopt);
  EXPECT_EQ(parse_confidence(""), std::nullopt);
}

TEST(Confidence, AResultIsAsGoodAsItsWeakestTerm) {
  EXPECT_EQ(weakest(Confidence::kMeasured, Confidence::kAssumed), Confidence::kAssumed);
  EXPECT_EQ(weakest(Confidence::kDerived, Confidence::kDatasheet), Confidence::kDerived);
}

TEST(Fact, WithoutARangeIsItsOwnRange) {
  Fact<double> fact{.value = 2.0, .low = {}, .high = 3.0, .origin = {}};
  EXPECT_EQ(fact.low_or_value(), 2.0);
  EXPECT_EQ(fact.high_or_value(), 3.0);
}

}  // namespace
}  // namespace fathom
