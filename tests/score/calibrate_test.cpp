// Profiles fitted to rows whose answer is known: the catalog's own predictions, moved on purpose.
#include "score/calibrate.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <map>
#include <stdexcept>
#include <utility>

#include "input/content.h"
#include "input/value.h"
#include "score/engine_versions.h"
#include "support/measurement_table.h"
#include "support/planning.h"
#include "support/scratch_folder.h"

namespace fathom {
namespace {

// What the catalog says about one request at a time at several lengths, times `factor`.
std::vector<Measurement> rows_at(double factor, const Cells& changes = {}) {
  std::vector<Cells> cells;
  for (int i = 0; i < 6; ++i) {
    cells.push_back(good_row({{"id", fmt::format("t-{}", i)},
                              {"group", fmt::format("b/test/{}", i / 2)},
                              {"input_len", std::to_string(200 << i)}}));
    for (const auto& [column, cell] : changes) cells.back()[column] = cell;
  }
  EngineBook engines(shipped().data_dir());
  std::vector<Measurement> rows = parse_measurements(table_of(cells), "t.csv");
  const Score now = score(rows, shipped(), engines, {});
  for (std::size_t i = 0; i < rows.size(); ++i)
    cells[i]["value"] = fmt::format("{:.9f}", now.details.at(i).prediction.likely * factor);
  return parse_measurements(table_of(cells), "t.csv");
}

Calibration fitted(double factor, const CalibrationOptions& options = {.engine = "vllm"}) {
  EngineBook engines(shipped().data_dir());
  return calibrate(rows_at(factor), shipped(), engines, options);
}

TEST(Calibrate, LeavesAProfileAloneThatIsRight) {
  const Calibration c = fitted(1);
  EXPECT_EQ(c.rows, 6);
  EXPECT_EQ(c.groups, 3);
  EXPECT_LT(c.before.median_abs_ln, 1e-4);
  for (const CalibratedParameter& p : c.parameters)
    EXPECT_NEAR(p.after, p.before, 1e-3 * p.before) << p.parameter->name << " " << p.device;
}

TEST(Calibrate, MovesTowardsSlowerMeasurements) {
  const Calibration c = fitted(1.15);
  EXPECT_NEAR(c.before.median_abs_ln, std::log(1.15), 1e-3);
  EXPECT_LT(c.after.median_abs_ln, 0.6 * c.before.median_abs_ln);
  ASSERT_FALSE(c.parameters.empty());
  for (const CalibratedParameter& p : c.parameters) {
    EXPECT_GE(p.after, p.parameter->least) << p.parameter->name;
    EXPECT_LE(p.after, p.parameter->most) << p.parameter->name;
  }
}

TEST(Calibrate, FixedParametersStay) {
  for (const CalibratedParameter& p : fitted(1.15, {.engine = "vllm", .fixed = {"memory_share"}}).parameters) {
    if (std::string(p.parameter->name) == "memory_share") {
      EXPECT_DOUBLE_EQ(p.after, p.before) << p.device;
    }
  }
}

TEST(Calibrate, BeforeAndAfterAreOfTheNewestVersionInAnyOrderOfRows) {
  std::vector<Measurement> rows = rows_at(1.15);
  rows.front().engine_version = "0.6.0";
  EngineBook engines(shipped().data_dir());
  const Calibration first = calibrate(rows, shipped(), engines, {.engine = "vllm"});
  std::reverse(rows.begin(), rows.end());
  const Calibration last = calibrate(rows, shipped(), engines, {.engine = "vllm"});
  const EngineProfile newest = *engines.find("vllm", "0.10.2"), oldest = *engines.find("vllm", "0.6.0");
  ASSERT_NE(newest.most_sequences, oldest.most_sequences);  // or the order would not show
  for (const Calibration& c : {first, last}) EXPECT_EQ(c.engine.most_sequences, newest.most_sequences);
}

TEST(Calibrate, SaysWhenThereIsNothingToFitTo) {
  EXPECT_THROW(fitted(1, {.engine = "sglang"}), std::invalid_argument);
  EXPECT_THROW(fitted(1, {.engine = "vllm", .since = "99"}), std::invalid_argument);
}

TEST(Calibrate, WritesAnEntryForTheCatalog) {
  const CalibrationOptions options = {.engine = "vllm", .since = "0.10"};
  const EntryOrigin origin = {.source = "rows of \"ours\": 3",
                              .date = "2026-01: {late}, or so",
                              .span = {.id = "vllm", .since = "0.10", .before = "", .released = "2025-07"}};
  const std::string yaml = as_yaml(fitted(1.15, options), origin);
  EXPECT_EQ(yaml.rfind("  - id: vllm\n", 0), 0u) << yaml;
  EXPECT_NE(yaml.find("since: \"0.10\""), std::string::npos) << yaml;
  EXPECT_NE(yaml.find("released: \"2025-07\""), std::string::npos) << yaml;
  const Document read = parse_yaml("entries:\n" + yaml, "engines.yaml");
  const Value* factors = read.root.find("entries")->items.front().find("factors");
  ASSERT_NE(factors, nullptr) << yaml;
  ASSERT_FALSE(factors->items.empty()) << yaml;
  EXPECT_EQ(factors->items.front().find("source")->text, origin.source);
  EXPECT_EQ(factors->items.front().find("date")->text, origin.date);
}

// The shipped catalog with an entry behind it.
class Appended {
 public:
  explicit Appended(const std::string& entry) {
    scratch_.write("engines.yaml", text_of_file(shipped().data_dir() / "engines.yaml") + entry);
  }
  EngineProfile engine(const std::string& id, const std::string& version) const {
    return read_engine_profile(scratch_.path(), id, version);
  }

 private:
  ScratchFolder scratch_;
};

double predicted_with(const EngineProfile& engine, const Cells& cells) {
  const std::vector<Measurement> rows = parse_measurements(table_of({cells}), "t.csv");
  SetupBuilder builder(shipped());
  const auto setup = builder.build(rows.front());
  return predicted_value(std::get<Setup>(setup), on_device(engine, std::get<Setup>(setup).device())).value();
}

// A device that was not measured stays where the catalog has it, whatever the catalog found of it.
TEST(Calibrate, RowsOfOneArchitectureMoveNoOther) {
  for (const auto& [engine, version] :
       {std::pair("vllm", "0.10.2"), std::pair("calm", ""), std::pair("fathom-cuda", "")}) {
    SCOPED_TRACE(engine);
    Cells one = good_row({{"engine", engine}, {"engine_version", version}});
    EngineBook engines(shipped().data_dir());
    const Calibration c = calibrate(rows_at(1.2, {{"engine", engine}, {"engine_version", version}}), shipped(), engines,
                                    {.engine = engine});
    const Appended catalog(
        as_yaml(c, {.source = "ours", .date = "2026-01", .span = {.id = engine, .since = {}, .before = {}}}));
    const EngineProfile before = *engines.find(engine, version), after = catalog.engine(engine, version);
    for (const char* other : {"nvidia-a100-sxm4-80gb", "nvidia-b200-sxm-180gb", "nvidia-l40s-48gb"}) {
      one["accelerator"] = other;
      EXPECT_DOUBLE_EQ(predicted_with(after, one), predicted_with(before, one)) << other;
    }
    one["accelerator"] = "nvidia-h100-sxm5-80gb";
    EXPECT_GT(predicted_with(after, one) / predicted_with(before, one), 1.05);
    EXPECT_LT(predicted_with(after, one) / predicted_with(before, one), 1.21);
    for (const CalibratedParameter& p : c.parameters) EXPECT_EQ(p.device, "Hopper GH100");
  }
}

TEST(Calibrate, AnArchitectureWithACommaInItsNameIsOne) {  // "Broadcom BCM2712, 4x Cortex-A76"
  const Cells pi = {{"category", "e"},         {"engine", "distributed-llama"},
                    {"engine_version", ""},    {"accelerator", "raspberry-pi-5-8gb"},
                    {"model", "llama-2-7b"},   {"weight_format", "q4_0"},
                    {"kv_format", "fp32"},     {"scale_up", "unified"},
                    {"metric", "tpot_s_mean"}, {"output_len", "16"}};
  EngineBook engines(shipped().data_dir());
  const Calibration c = calibrate(rows_at(1.3, pi), shipped(), engines, {.engine = "distributed-llama"});
  const Appended catalog(as_yaml(
      c, {.source = "ours", .date = "2026-01", .span = {.id = "distributed-llama", .since = {}, .before = {}}}));
  EXPECT_GT(predicted_with(catalog.engine("distributed-llama", ""), good_row(pi)) /
                predicted_with(*engines.find("distributed-llama", ""), good_row(pi)),
            1.05);
}

TEST(Calibrate, HeldOutRowsArePredictedByTheOthers) {
  const std::vector<Measurement> rows = rows_at(1);
  const Score held_out = score_held_out(rows, shipped(), 3);
  EXPECT_EQ(held_out.rows, 6);
  EXPECT_EQ(held_out.predicted, 6);
  for (std::size_t i = 1; i < held_out.details.size(); ++i)
    EXPECT_LT(held_out.details[i - 1].row->line, held_out.details[i].row->line);
}

// Some rows of every n-th serving group of the public table: engines, devices and versions that share levels of a fit.
std::vector<Measurement> public_rows() {
  constexpr int kEvery = 9, kOfEach = 3;
  std::vector<Measurement> rows = read_measurements(
      std::filesystem::path(FATHOM_SOURCE_DIR) / "data/measurements/measurements.csv", shipped().data_dir());
  std::map<std::string, int> taken;
  for (const Measurement& row : rows) {
    if (row.completeness == Completeness::kFull && row.category <= "c") taken[row.group] = 0;
  }
  int next = 0;
  std::erase_if(taken, [&](const auto&) { return next++ % kEvery != 0; });
  std::erase_if(rows, [&](const Measurement& row) {
    const auto group = taken.find(row.group);
    return row.completeness != Completeness::kFull || group == taken.end() || ++group->second > kOfEach;
  });
  return rows;
}

std::map<std::string, std::vector<double>> held_out_by_group(const std::vector<Measurement>& rows) {
  std::map<std::string, std::vector<double>> out;
  for (const ScoredRow& row : score_held_out(rows, shipped(), 2).details) {
    const RowPrediction& p = row.prediction;
    out[row.row->group].insert(out[row.row->group].end(), {p.min, p.likely, p.max});
  }
  return out;
}

// What was measured of a group must not reach the profiles that foretell it, and has to reach those that foretell others.
TEST(Calibrate, NoGroupHelpsToPredictItself) {
  const std::vector<Measurement> rows = public_rows();
  const std::map<std::string, std::vector<double>> before = held_out_by_group(rows);
  ASSERT_GE(before.size(), 10u);
  for (const std::string& own : {before.begin()->first, std::next(before.begin())->first}) {  // one of each fold
    SCOPED_TRACE(own);
    std::vector<Measurement> moved = rows;
    for (Measurement& row : moved) row.value *= row.group == own ? 1.5 : 1;
    const std::map<std::string, std::vector<double>> after = held_out_by_group(moved);
    EXPECT_EQ(after.at(own), before.at(own));
    int others = 0;
    for (const auto& [group, predictions] : after) others += predictions != before.at(group) ? 1 : 0;
    EXPECT_GT(others, 0);
    EXPECT_LE(others, static_cast<int>(before.size() + 1) / 2);  // its fold was predicted without it
  }
}

// Two engines of the same values on two devices, an eighth slower on one of them, where only the first was measured.
std::vector<Cells> two_engines(double on_h100) {
  std::vector<Cells> cells;
  const auto add = [&](const std::string& engine, const std::string& version, const std::string& device, int count) {
    for (int i = 0; i < count; ++i) {
      cells.push_back(good_row({{"id", fmt::format("t-{}", cells.size())},
                                {"group", fmt::format("b/{}/{}/{}", engine, device, i / 2)},
                                {"engine", engine},
                                {"engine_version", version},
                                {"accelerator", device},
                                {"input_len", std::to_string(200 << (i % 5))}}));
    }
  };
  add("vllm", "0.10.2", "nvidia-h100-sxm5-80gb", 8);
  add("vllm", "0.10.2", "nvidia-a100-sxm4-80gb", 8);
  add("sglang", "0.5.2", "nvidia-a100-sxm4-80gb", 8);
  EngineBook engines(shipped().data_dir() / "priors");
  const Score now = score(parse_measurements(table_of(cells), "t.csv"), shipped(), engines, {});
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const double factor = cells[i]["accelerator"] == "nvidia-h100-sxm5-80gb" ? on_h100 : 1;
    cells[i]["value"] = fmt::format("{:.9f}", now.details.at(i).prediction.likely * factor);
  }
  return cells;
}

TEST(CalibrateAll, AnEngineTakesOverWhatOthersWereFoundToDoOnADevice) {
  std::vector<Cells> cells = two_engines(1.125);
  const std::vector<Measurement> rows = parse_measurements(table_of(cells), "t.csv");
  const EnginesCalibration c = calibrate_all(rows, shipped());
  EXPECT_EQ(c.rows, 24);
  EXPECT_EQ(c.groups, 12);
  EXPECT_LT(c.after.median_abs_ln, c.before.median_abs_ln + 1e-3);

  const std::filesystem::path priors = shipped().data_dir() / "priors";
  ScratchFolder scratch;
  scratch.write("engines.yaml", as_yaml(c, text_of_file(priors / "engines.yaml"), "FIT", "2026-01"));
  Cells never = good_row({{"engine", "sglang"}, {"engine_version", "0.5.2"}});
  const double before = predicted_with(read_engine_profile(priors, "sglang", "0.5.2"), never);
  const double after = predicted_with(read_engine_profile(scratch.path(), "sglang", "0.5.2"), never);
  EXPECT_GT(after / before, 1.03);
  EXPECT_LT(after / before, 1.125);
  never["accelerator"] = "nvidia-a100-sxm4-80gb";
  EXPECT_NEAR(predicted_with(read_engine_profile(scratch.path(), "sglang", "0.5.2"), never) /
                  predicted_with(read_engine_profile(priors, "sglang", "0.5.2"), never),
              1, 0.03);
}

TEST(CalibrateAll, RightProfilesKeepTheTextOfTheirFile) {
  const EnginesCalibration c = calibrate_all(parse_measurements(table_of(two_engines(1)), "t.csv"), shipped());
  const std::string priors = text_of_file(shipped().data_dir() / "priors" / "engines.yaml");
  EXPECT_EQ(as_yaml(c, priors, "FIT", "2026-01"), priors);
}

// One fit, once held out and once read back from the file that it becomes: values and bands are the same.
TEST(CalibrateAll, WhatIsHeldOutIsWhatShips) {
  std::vector<Cells> cells = two_engines(1.125);
  const std::vector<Measurement> rows = parse_measurements(table_of(cells), "t.csv");
  const Score held_out = score_held_out(rows, shipped(), 2);
  std::map<std::string, int> fold_of;
  for (const Measurement& row : rows) fold_of[row.group] = 0;
  int next = 0;
  for (auto& [group, fold] : fold_of) fold = next++ % 2;
  std::erase_if(cells, [&](Cells& row) { return fold_of.at(row["group"]) == 1; });

  ScratchFolder scratch;
  scratch.write("engines.yaml",
                as_yaml(calibrate_all(parse_measurements(table_of(cells), "t.csv"), shipped()),
                        text_of_file(shipped().data_dir() / "priors" / "engines.yaml"), "FIT", "2026-01"));
  EngineBook engines(scratch.path());
  const Score as_shipped = score(rows, shipped(), engines, {});
  ASSERT_EQ(as_shipped.details.size(), held_out.details.size());
  int compared = 0;
  for (std::size_t i = 0; i < held_out.details.size(); ++i) {
    const ScoredRow &a = held_out.details[i], &b = as_shipped.details[i];
    ASSERT_EQ(a.row->id, b.row->id);
    if (fold_of.at(a.row->group) == 0) continue;
    ++compared;
    EXPECT_NEAR(a.prediction.min / b.prediction.min, 1, 1e-9) << a.row->id;
    EXPECT_NEAR(a.prediction.likely / b.prediction.likely, 1, 1e-9) << a.row->id;
    EXPECT_NEAR(a.prediction.max / b.prediction.max, 1, 1e-9) << a.row->id;
  }
  EXPECT_EQ(compared, 12);
}

double furthest(const FittedFactors& a, const FittedFactors& b) {
  double most = 0;
  for (const auto& [level, factors] : a) {
    for (const auto& [parameter, factor] : factors) {
      double other = 1;
      for (const auto& [p, f] : b.at(level)) other = p == parameter ? f : other;
      most = std::max(most, std::abs(std::log(factor / other)));
    }
  }
  return most;
}

TEST(CalibrateAll, TheOrderOfRowsSaysNothing) {
  std::vector<Cells> cells;
  for (int i = 0; i < 8; ++i) {  // of two versions with ranges of their own
    cells.push_back(good_row({{"id", fmt::format("t-{}", i)},
                              {"group", fmt::format("b/{}", i)},
                              {"engine_version", i % 2 == 0 ? "0.6.0" : "0.10.2"},
                              {"metric", "ttft_s_mean"},
                              {"input_len", "200"},
                              {"value", "0.06"}}));
  }
  const FittedFactors forwards = calibrate_all(parse_measurements(table_of(cells), "t.csv"), shipped()).factors;
  std::reverse(cells.begin(), cells.end());
  const FittedFactors backwards = calibrate_all(parse_measurements(table_of(cells), "t.csv"), shipped()).factors;
  ASSERT_FALSE(forwards.at({"vllm", {}, {}}).empty());
  EXPECT_LT(furthest(forwards, backwards), 1e-6);
  EXPECT_LT(furthest(backwards, forwards), 1e-6);
}

// They say what a device does to an engine that takes no factors, and others would inherit it.
TEST(CalibrateAll, RowsOfAnUnfittedEngineMoveNobody) {
  std::vector<Cells> cells = two_engines(1.125);
  const FittedFactors without = calibrate_all(parse_measurements(table_of(cells), "t.csv"), shipped()).factors;
  const std::size_t fitted = cells.size();
  for (int i = 0; i < 4; ++i)
    cells.push_back(good_row({{"id", fmt::format("own-{}", i)},
                              {"group", "b/own"},
                              {"engine", "fathom-cuda"},
                              {"engine_version", ""},
                              {"value", "0.03"}}));
  const std::vector<Measurement> rows = parse_measurements(table_of(cells), "t.csv");
  const EnginesCalibration with = calibrate_all(rows, shipped());
  EXPECT_EQ(with.rows, static_cast<int>(fitted));
  EXPECT_EQ(furthest(without, with.factors), 0);
  EXPECT_EQ(furthest(with.factors, without), 0);
  EXPECT_EQ(score_held_out(rows, shipped(), 2).predicted,
            static_cast<int>(cells.size()));  // and are scored all the same
}

TEST(CalibrateAll, SaysWhenThereIsNothingToFitTo) {
  EXPECT_THROW(
      calibrate_all(parse_measurements(table_of({good_row({{"engine", "no-such-engine"}})}), "t.csv"), shipped()),
      std::invalid_argument);
}

}  // namespace
}  // namespace fathom
