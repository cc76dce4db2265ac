// Measurements whose source names no version are dated.
#include "score/engine_versions.h"

#include <gtest/gtest.h>

#include "support/measurement_table.h"

namespace fathom {
namespace {

std::string version_on(const Cells& changes) {
  std::vector<Measurement> rows = parse_measurements(table_of({good_row(changes)}), "t.csv");
  date_versions(rows, {{.id = "vllm", .since = "", .before = "0.8"},
                       {.id = "vllm", .since = "0.8", .before = "1.0", .released = "2025-03"},
                       {.id = "vllm", .since = "1.0", .before = "", .released = "2026-01"},
                       {.id = "sglang", .since = "0.5", .before = "", .released = "2025-09"}});
  return rows.front().engine_version;
}

TEST(DateVersions, TakesTheNewestThatWasOut) {
  EXPECT_EQ(version_on({{"engine_version", ""}, {"date", "2025-05-05"}}), "0.8");
  EXPECT_EQ(version_on({{"engine_version", ""}, {"date", "2025-03-18"}}), "0.8");
  EXPECT_EQ(version_on({{"engine_version", ""}, {"date", "2026-02"}}), "1.0");
}

TEST(DateVersions, LeavesWhatIsStatedOldOrUndated) {
  EXPECT_EQ(version_on({{"engine_version", "0.7.3"}, {"date", "2026-02"}}), "0.7.3");
  EXPECT_EQ(version_on({{"engine_version", ""}, {"date", "2024-06"}}), "");
  EXPECT_EQ(version_on({{"engine_version", ""}, {"date", ""}}), "");
}

}  // namespace
}  // namespace fathom
