// Random damage to the examples, with a fixed seed: the readers refuse or read, and never do anything else.
#include <gtest/gtest.h>

#include "support/mutation.h"

namespace fathom {
namespace {

TEST(RandomBytes, TheParserReadsOrRefuses) {
  std::mt19937 random(1);
  int refused = 0;
  for (int round = 0; round < 20000; ++round) {
    const std::string& whole = example_texts()[random() % example_texts().size()];
    const std::size_t start = random() % whole.size();
    std::string text = whole.substr(start, 50 + random() % 1000);
    for (auto edits = 1 + random() % 6; edits > 0; --edits) text = mutated(std::move(text), random);
    SCOPED_TRACE(round);
    refused += refusal(text, [&] { parse_yaml(text, "random.yaml"); }).has_value();
  }
  EXPECT_GT(refused, 2000);
}

TEST(RandomBytes, TheClusterReaderReadsOrRefuses) {
  std::mt19937 random(2);
  int refused = 0;
  for (int round = 0; round < 600; ++round) {
    std::string text = example_texts()[random() % example_texts().size()];
    for (auto edits = 1 + random() % 3; edits > 0; --edits) text = mutated(std::move(text), random);
    SCOPED_TRACE(round);
    refused += refusal(text, [&] { read_cluster_text(text); }).has_value();
  }
  EXPECT_GT(refused, 200);
  EXPECT_LT(refused, 600);
}

}  // namespace
}  // namespace fathom
