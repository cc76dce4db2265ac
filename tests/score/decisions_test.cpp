// Which rows are choices between layouts, and when a choice counts as right.
#include "score/decisions.h"

#include <gtest/gtest.h>

#include <deque>

#include "score/score.h"
#include "support/measurement_table.h"

namespace fathom {
namespace {

// Rows whose prediction is stated, so that only the counting is under test.
class Rows {
 public:
  void add(const Cells& changes, double measured, double predicted) {
    const std::string id = "r-" + std::to_string(measurements_.size());
    Cells row = good_row(changes);
    row["id"] = id;
    row["value"] = std::to_string(measured);
    measurements_.push_back(parse_measurements(table_of({row}), "t.csv").front());
    rows_.push_back(
        {.row = &measurements_.back(), .prediction = {.min = 0, .likely = predicted, .max = 0, .longest = {}}});
  }
  std::vector<Decision> decided() const { return decide(rows_); }

 private:
  std::deque<Measurement> measurements_;
  std::vector<ScoredRow> rows_;
};

Cells layout(const std::string& tp, const Cells& more = {}) {
  Cells row = {{"tp", tp}, {"accelerators", tp}, {"scale_up", tp == "1" ? "none" : "nvlink4"}};
  for (const auto& [column, cell] : more) row[column] = cell;
  return row;
}

TEST(Decisions, AreJudgedByPredictionAndByWhatIsLost) {
  Rows close;  // predicted within 5 %, yet the wrong one costs a third
  close.add(layout("2"), 0.010, 0.0104);
  close.add(layout("4"), 0.015, 0.0100);
  const Decision d = close.decided().at(0);
  EXPECT_EQ(d.measured_best, "TP2");
  EXPECT_EQ(d.predicted_best, "TP4");
  EXPECT_TRUE(d.right);
  EXPECT_FALSE(d.right_by_regret);
  EXPECT_NEAR(d.regret, 0.5, 1e-9);

  Rows alike;  // predicted far apart, measured nearly the same
  alike.add(layout("2"), 0.0100, 0.02);
  alike.add(layout("4"), 0.0102, 0.01);
  EXPECT_FALSE(alike.decided().at(0).right);
  EXPECT_TRUE(alike.decided().at(0).right_by_regret);

  const DecisionSummary sum = summary_of({d, alike.decided().at(0)});
  EXPECT_EQ(sum.sets, 2);
  EXPECT_EQ(sum.right, 1);
  EXPECT_EQ(sum.right_by_regret, 1);
  EXPECT_NEAR(sum.mean_regret, (0.5 + 0.02) / 2, 1e-9);
}

TEST(Decisions, NeedTheSameConditionsAndSource) {
  for (const auto& [column, cell] : Cells{{"engine_version", "0.9"},
                                          {"input_len", "2000"},
                                          {"load_kind", "batch"},
                                          {"kv_format", "fp8"},
                                          {"prefix_hit", "0.5"},
                                          {"accept_len", "2"},
                                          {"offload", "experts"},
                                          {"host", "intel-n150"},
                                          {"source", "another paper"},
                                          {"metric", "ttft_s_mean"}}) {
    Rows rows;
    rows.add(layout("2"), 1, 1);
    rows.add(layout("4", {{column, cell}}), 1, 1);
    EXPECT_TRUE(rows.decided().empty()) << column;
  }
}

TEST(Decisions, LinksOfOtherMachinesMakeOtherChoices) {
  Rows rows;  // one card belongs to both
  rows.add(layout("1"), 0.02, 0.02);
  rows.add(layout("2"), 0.01, 0.01);
  rows.add(layout("2", {{"scale_up", "pcie4"}}), 0.03, 0.03);
  const std::vector<Decision> decided = rows.decided();
  ASSERT_EQ(decided.size(), 2u);
  EXPECT_EQ(decided[0].measured_best, "TP2");  // nvlink4
  EXPECT_EQ(decided[0].layouts, 2);
  EXPECT_EQ(decided[1].measured_best, "1 device");  // pcie4
}

TEST(Decisions, TheNumberOfNodesIsPartOfTheLayout) {
  const Cells two = {{"nodes", "2"}, {"scale_up", "unified"}, {"scale_out", "eth-1g"}},
              four = {{"nodes", "4"}, {"scale_up", "unified"}, {"scale_out", "eth-1g"}};
  Rows boards;
  boards.add(layout("2", two), 0.3, 0.3);
  boards.add(layout("4", four), 0.2, 0.2);
  ASSERT_EQ(boards.decided().size(), 1u);
  EXPECT_EQ(boards.decided()[0].measured_best, "TP4 on 4 nodes");

  Rows spread;  // the same degrees, once in a node and once over two
  spread.add(layout("4"), 0.1, 0.1);
  spread.add(layout("4", {{"nodes", "2"}, {"scale_out", "ib-400"}}), 0.2, 0.2);
  ASSERT_EQ(spread.decided().size(), 1u);
  EXPECT_EQ(spread.decided()[0].measured_best, "TP4");
}

TEST(Decisions, ALayoutMeasuredTwiceCountsWithItsMean) {
  Rows rows;
  rows.add(layout("2", {{"metric", "decode_tok_per_s"}, {"unit", "tok/s"}}), 90, 100);
  rows.add(layout("2", {{"metric", "decode_tok_per_s"}, {"unit", "tok/s"}}), 110, 100);
  rows.add(layout("4", {{"metric", "decode_tok_per_s"}, {"unit", "tok/s"}}), 80, 101);
  ASSERT_EQ(rows.decided().size(), 1u);
  EXPECT_EQ(rows.decided()[0].layouts, 2);
  EXPECT_NEAR(rows.decided()[0].regret, 100.0 / 80 - 1, 1e-9);
}

}  // namespace
}  // namespace fathom
