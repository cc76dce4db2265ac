// Profiles fitted to rows whose answer is known: the catalog's own predictions, moved on purpose.
#include "score/calibrate.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "input/content.h"
#include "input/value.h"
#include "support/measurement_table.h"
#include "support/planning.h"
#include "support/scratch_folder.h"

namespace fathom {
namespace {

// What the catalog says about one request at a time at several lengths, times `factor`.
std::vector<Measurement> rows_at(double factor) {
  std::vector<Cells> cells;
  for (int i = 0; i < 6; ++i) {
    cells.push_back(good_row({{"id", fmt::format("t-{}", i)},
                              {"group", fmt::format("b/test/{}", i / 2)},
                              {"input_len", std::to_string(200 << i)}}));
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

TEST(Calibrate, SaysWhenThereIsNothingToFitTo) {
  EXPECT_THROW(fitted(1, {.engine = "sglang"}), std::invalid_argument);
  EXPECT_THROW(fitted(1, {.engine = "vllm", .since = "99"}), std::invalid_argument);
}

TEST(Calibrate, WritesAnEntryForTheCatalog) {
  const CalibrationOptions options = {.engine = "vllm", .since = "0.10"};
  const EntryOrigin origin = {.source = "rows of \"ours\": 3",
                              .date = "2026-01",
                              .span = {.id = "vllm", .since = "0.10", .before = "", .released = "2025-07"}};
  const std::string yaml = as_yaml(fitted(1.15, options), origin);
  EXPECT_EQ(yaml.rfind("  - id: vllm\n", 0), 0u) << yaml;
  EXPECT_NE(yaml.find("since: \"0.10\""), std::string::npos) << yaml;
  EXPECT_NE(yaml.find("released: \"2025-07\""), std::string::npos) << yaml;
  const Document read = parse_yaml("entries:\n" + yaml, "engines.yaml");
  std::vector<std::string> sources;
  for (const Entry& e : read.root.find("entries")->items.front().entries) {
    if (const Value* source = e.value.find("source")) sources.push_back(source->text);
  }
  ASSERT_FALSE(sources.empty()) << yaml;
  EXPECT_EQ(sources.front(), origin.source);
}

TEST(Calibrate, HeldOutRowsArePredictedByTheOthers) {
  const std::vector<Measurement> rows = rows_at(1);
  const Score held_out = score_held_out(rows, shipped(), 3);
  EXPECT_EQ(held_out.rows, 6);
  EXPECT_EQ(held_out.predicted, 6);
  for (std::size_t i = 1; i < held_out.details.size(); ++i)
    EXPECT_LT(held_out.details[i - 1].row->line, held_out.details[i].row->line);
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

double predicted_with(const EngineProfile& engine, const Cells& cells) {
  const std::vector<Measurement> rows = parse_measurements(table_of({cells}), "t.csv");
  SetupBuilder builder(shipped());
  const auto setup = builder.build(rows.front());
  return predicted_value(std::get<Setup>(setup), on_device(engine, std::get<Setup>(setup).device())).value();
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

TEST(CalibrateAll, SaysWhenThereIsNothingToFitTo) {
  EXPECT_THROW(
      calibrate_all(parse_measurements(table_of({good_row({{"engine", "no-such-engine"}})}), "t.csv"), shipped()),
      std::invalid_argument);
}

}  // namespace
}  // namespace fathom
