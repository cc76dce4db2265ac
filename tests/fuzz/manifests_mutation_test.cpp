// Damage to manifests, alert rules and scripts, with a fixed seed: each is judged or refused; nothing else happens, and what
// is found stands inside the file.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "input/content.h"
#include "manifests/judge.h"
#include "support/mutation.h"
#include "support/planning.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> fixtures() {
  std::vector<fs::path> files;
  for (const char* folder : {"good", "bad"}) {
    for (const auto& entry :
         fs::recursive_directory_iterator(fs::path(FATHOM_SOURCE_DIR) / "tests/fixtures" / folder)) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

TEST(ManifestsMutation, FilesOfOperationsAreJudgedOrRefused) {
  std::mt19937 random(31);
  int judged = 0;
  for (const fs::path& file : fixtures()) {
    const std::string whole = text_of_file(file);
    const auto kind = manifests::kind_of_file(file.string(), whole);
    ASSERT_TRUE(kind) << file;
    for (int round = 0; round < 400 / kThinning; ++round) {
      std::string text = whole;
      for (auto edits = 1 + random() % 4; edits > 0; --edits) text = mutated(std::move(text), random);
      SCOPED_TRACE(text);
      const auto lines = static_cast<int>(std::count(text.begin(), text.end(), '\n')) + 1;
      const auto refused = refusal(text, [&] {
        for (const manifests::Remark& r : manifests::judge(*kind, file.string(), text, shipped())) {
          ASSERT_GE(r.mark.at.line, 1) << r.rule;
          ASSERT_LE(r.mark.at.line, lines) << r.rule;
          ASSERT_GE(r.mark.at.column, 1) << r.rule;
          ASSERT_FALSE(r.message.empty()) << r.rule;
        }
      });
      judged += refused ? 0 : 1;
    }
  }
  EXPECT_GT(judged, 1000 / kThinning);
}

}  // namespace
}  // namespace fathom
