// What scripts may rely on when they score and calibrate: exit codes, JSON keys, files that are whole.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "input/csv.h"
#include "support/measurement_table.h"
#include "support/program.h"
#include "support/scratch_folder.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

class ScoreVerb : public ::testing::Test {
 protected:
  std::string table() {
    return scratch_
        .write("m.csv", table_of({good_row({{"id", "t-1"}}), good_row({{"id", "t-2"}, {"input_len", "4000"}}),
                                  good_row({{"id", "t-3"}, {"group", "b/other"}, {"model", "no-such-model"}}),
                                  good_row({{"id", "t-4"}, {"completeness", "partial"}})}))
        .string();
  }

  ScratchFolder scratch_;
};

TEST_F(ScoreVerb, PrintsTheKeysOfTheContract) {
  const Answer run = run_program("score " + table() + " -f json --details");
  EXPECT_EQ(run.code, 0) << run.err;
  const Json json = Json::parse(run.out);
  EXPECT_EQ(json.at("format_version"), "1.0");
  EXPECT_EQ(json.at("rows"), 3);
  EXPECT_EQ(json.at("predicted"), 2);
  for (const char* key : {"median_abs_ln", "p90_abs_ln", "bias_ln", "within_20"})
    EXPECT_TRUE(json.at("overall").at(key).is_number()) << key;
  EXPECT_TRUE(json.at("interval_coverage").is_number());
  for (const char* key : {"categories", "metrics", "accelerators", "engines", "models"}) {
    ASSERT_EQ(json.at(key).size(), 1u) << key;
    EXPECT_TRUE(json.at(key).at(0).at("name").is_string());
    EXPECT_TRUE(json.at(key).at(0).at("median_abs_ln").is_number());
    EXPECT_TRUE(json.at(key).at(0).at("each").at("mape").is_number());
  }
  ASSERT_EQ(json.at("unpredicted").size(), 1u);
  EXPECT_EQ(json.at("unpredicted").at(0).at("count"), 1);
  EXPECT_TRUE(json.at("unpredicted").at(0).at("reason").is_string());
  EXPECT_EQ(json.at("unpredicted").at(0).at("ids"), Json({"t-3"}));
  ASSERT_EQ(json.at("rows_detail").size(), 2u);
  const Json& row = json.at("rows_detail").at(0);
  EXPECT_EQ(row.at("id"), "t-1");
  EXPECT_EQ(row.at("metric"), "tpot_s_mean");
  for (const char* key : {"measured", "predicted", "min", "max", "ln_error"})
    EXPECT_TRUE(row.at(key).is_number()) << key;
  EXPECT_FALSE(Json::parse(run_program("score " + table() + " -f json").out).contains("rows_detail"));
}

TEST_F(ScoreVerb, PrintsForPeopleUnlessAsked) {
  const Answer run = run_program("score " + table());
  EXPECT_EQ(run.code, 0);
  EXPECT_NE(run.out.find("2 of 3 rows predicted"), std::string::npos) << run.out;
  EXPECT_NE(run.out.find("median error"), std::string::npos) << run.out;
  EXPECT_NE(run.out.find("no-such-model"), std::string::npos) << run.out;
  EXPECT_NE(run_program("score " + table() + " -f md").out.find("## By category"), std::string::npos);
  EXPECT_NE(run_program("score " + table() + " --details").out.find("Every row"), std::string::npos);
}

TEST_F(ScoreVerb, WritesSeveralFilesAtOnce) {
  const fs::path csv = scratch_.path() / "s.csv", svg = scratch_.path() / "s.svg", json = scratch_.path() / "s.json";
  const Answer run = run_program(
      fmt::format("score {} -f csv={} -f svg={} -f json={}", table(), csv.string(), svg.string(), json.string()));
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(run.out, "");
  EXPECT_EQ(read_csv(csv).rows.size(), 3u);
  EXPECT_EQ(content_of(svg).rfind("<svg ", 0), 0u);
  EXPECT_EQ(Json::parse(content_of(json)).at("rows"), 3);
}

TEST_F(ScoreVerb, ScoresPartialAndHeldOutRows) {
  EXPECT_EQ(Json::parse(run_program("score " + table() + " --partial -f json").out).at("rows"), 1);
  const Answer held_out = run_program("score " + table() + " --kfold group");
  EXPECT_EQ(held_out.code, 0) << held_out.err;
  EXPECT_NE(held_out.out.find("held out"), std::string::npos) << held_out.out;
}

TEST_F(ScoreVerb, SaysWhatItLeavesOut) {
  const Json json = Json::parse(run_program("score " + table() + " -f json").out);
  EXPECT_EQ(json.at("not_scored"), Json({{"partial", 1}}));
  EXPECT_NE(run_program("score " + table()).out.find("Not scored: 1 partial row (--partial)"), std::string::npos);
  for (const char* key : {"sets", "right", "right_by_regret", "mean_regret"})
    EXPECT_TRUE(json.at("decision_summary").at(key).is_number()) << key;
}

TEST_F(ScoreVerb, FiguresOfNothingAreNull) {
  const std::string none = scratch_.write("n.csv", table_of({good_row({{"model", "no-such-model"}})})).string();
  const Json json = Json::parse(run_program("score " + none + " -f json").out);
  EXPECT_EQ(json.at("predicted"), 0);
  EXPECT_TRUE(json.at("interval_coverage").is_null());
  for (const char* key : {"median_abs_ln", "p90_abs_ln", "bias_ln", "within_20", "interval_coverage"})
    EXPECT_TRUE(json.at("overall").at(key).is_null()) << key;
}

TEST_F(ScoreVerb, NothingToScoreIsWrongInput) {
  const Answer empty = run_program("score " + scratch_.write("e.csv", table_of({})).string());
  EXPECT_EQ(empty.code, 2);
  EXPECT_EQ(empty.out, "");
  EXPECT_NE(empty.err.find("the table holds no measurement"), std::string::npos) << empty.err;
  const std::string partial = scratch_.write("p.csv", table_of({good_row({{"completeness", "partial"}})})).string();
  const Answer refused = run_program("score " + partial);
  EXPECT_EQ(refused.code, 2);
  EXPECT_NE(refused.err.find("no full row to score: 0 full, 1 partial, 0 context"), std::string::npos) << refused.err;
  EXPECT_NE(refused.err.find("--partial"), std::string::npos) << refused.err;
  EXPECT_EQ(run_program("score " + partial + " --kfold group").code, 2);
  EXPECT_EQ(run_program("score " + partial + " --partial").code, 0);
}

TEST_F(ScoreVerb, ABandHoldsTheSameShareWhereverItStands) {
  const Json json = Json::parse(run_program("score " + table() + " -f json").out);
  const double share = json.at("interval_coverage");
  EXPECT_EQ(json.at("overall").at("interval_coverage"), share);
  EXPECT_EQ(json.at("categories").at(0).at("interval_coverage"), share);  // the only one
  EXPECT_EQ(json.at("categories").at(0).at("each").at("interval_coverage"), share);
}

TEST_F(ScoreVerb, WrongInputIsTwo) {
  EXPECT_EQ(run_program("score gone.csv").code, 2);
  EXPECT_EQ(run_program("score " + table() + " -f yaml").code, 2);
  EXPECT_EQ(run_program("score " + table() + " --kfold row").code, 2);
  EXPECT_EQ(run_program("score " + table() + " -f csv=" + table()).code, 2);  // would overwrite the input
  const std::string wrong = scratch_.write("w.csv", table_of({good_row({{"metric", "tpot_s_meen"}})})).string();
  const Answer run = run_program("score " + wrong);
  EXPECT_EQ(run.code, 2);
  EXPECT_EQ(run.out, "");
  EXPECT_NE(run.err.find("w.csv:2:"), std::string::npos) << run.err;
  EXPECT_NE(run.err.find("did you mean \"tpot_s_mean\"?"), std::string::npos) << run.err;
}

TEST_F(ScoreVerb, CalibratePrintsAnEntryAndWhatMoved) {
  const std::string rows = table();
  const Answer run = run_program("calibrate " + rows + " --engine vllm --date 2026-01");
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(run.out.rfind("  - id: vllm\n", 0), 0u) << run.out;
  EXPECT_NE(run.err.find("2 rows in 1 group:"), std::string::npos) << run.err;
  const fs::path file = scratch_.path() / "vllm.yaml";
  const Answer quiet =
      run_program(fmt::format("calibrate {} --engine vllm --date 2026-01 -q -o {}", rows, file.string()));
  EXPECT_EQ(quiet.code, 0);
  EXPECT_EQ(quiet.out + quiet.err, "");
  EXPECT_EQ(content_of(file), run.out);
}

TEST_F(ScoreVerb, CalibrateNamesWhatItDoesNotKnow) {
  const std::string rows = table();
  const Answer engine = run_program("calibrate " + rows + " --engine vlm");
  EXPECT_EQ(engine.code, 2);
  EXPECT_NE(engine.err.find("vllm, sglang"), std::string::npos) << engine.err;
  EXPECT_EQ(run_program("calibrate " + rows + " --engine vllm --since new").code, 2);
  EXPECT_EQ(run_program("calibrate " + rows + " --engine vllm --before 1..2").code, 2);
  EXPECT_EQ(run_program("calibrate " + rows + " --engine vllm --fix speed").code, 2);
  EXPECT_EQ(run_program("calibrate " + rows + " --engine vllm --since 99").code, 2);
  EXPECT_EQ(run_program("calibrate " + rows + " --engine vllm -o " + rows).code, 2);
}

TEST_F(ScoreVerb, CalibrateSaysWhatItsHeldOutErrorStartsFrom) {
  const std::string rows =
      scratch_.write("two.csv", table_of({good_row({{"id", "1"}}), good_row({{"id", "2"}, {"group", "b/other"}})}))
          .string();
  const Answer run = run_program("calibrate " + rows + " --engine vllm");
  EXPECT_NE(run.err.find("held out, starting from the priors, "), std::string::npos) << run.err;
}

TEST_F(ScoreVerb, CalibrateWithoutAnEnginePrintsTheWholeFile) {
  const std::string rows = table();
  const fs::path file = scratch_.path() / "engines.yaml";
  const Answer run = run_program(fmt::format("calibrate {} --date 2026-01 -o {}", rows, file.string()));
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_NE(run.err.find("2 rows in 1 group:"), std::string::npos) << run.err;
  const std::string text = content_of(file);
  EXPECT_EQ(text.rfind("# Serving engines", 0), 0u) << text.substr(0, 200);
  EXPECT_NE(text.find("date: 2026-01"), std::string::npos);
  EXPECT_NE(text.find("source: \"fathom calibrate m.csv: 2 rows in 1 group\""), std::string::npos);
  EXPECT_EQ(text.find("source: FIT"), std::string::npos);  // these are not the shipped factors
  EXPECT_NE(run.err.find("starts from catalogs/priors"), std::string::npos) << run.err;
  EXPECT_NE(run.err.find("--engine"), std::string::npos) << run.err;
  for (const char* alone : {"--since 0.8", "--before 1.0", "--fix memory_share", "--one-for-all"})
    EXPECT_EQ(run_program(fmt::format("calibrate {} {}", rows, alone)).code, 2) << alone;
  const Answer folds = run_program("calibrate " + rows + " --folds 3");
  EXPECT_EQ(folds.code, 2);
  EXPECT_NE(folds.err.find("--kfold group"), std::string::npos) << folds.err;
}

}  // namespace
}  // namespace fathom
