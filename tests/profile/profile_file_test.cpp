// A profile on disk: nothing is lost, and what is wrong is refused at its place.
#include <gtest/gtest.h>

#include <cmath>

#include "profile/profile.h"
#include "support/mutation.h"
#include "support/scratch_folder.h"
#include "support/yaml_edit.h"

namespace fathom {
namespace {

Profile sample_profile() {
  Profile p;
  p.machine = "a laptop, \"8\" cores";
  p.backend = "host";
  p.date = "2026-11-21";
  p.accelerator = "host-cpu";
  p.engine = "fathom-host";
  p.rows = {{.kind = OperatorKind::kLinear,
             .weights = Format::kFp8Block128,
             .form = ProfileForm::kSum,
             .memory = BytesPerSecond(31.25e9),
             .compute = FlopsPerSecond(0.8e12),
             .floor = Seconds(3.5e-6),
             .factors = {{.flops_per_byte = 0.5, .factor = 1.1},
                         {.flops_per_byte = 12, .bytes_per_token = Bytes(2e3), .bytes = Bytes(1e6), .factor = 0.8}},
             .fit = {.samples = 40, .median_error = 0.03, .worst_error = 0.4, .fast = 0.9, .slow = 1.2}},
            {.kind = OperatorKind::kNorm,
             .memory = BytesPerSecond(20e9),
             .compute = FlopsPerSecond(INFINITY),
             .floor = Seconds(1e-6),
             .fit = {.samples = 3}}};
  p.parts = {{.name = "ffn.activation", .tokens = 8.5}, {.name = "latent_norm", .tokens = INFINITY}};
  p.collectives = {{.kind = OperatorKind::kAllReduce,
                    .ranks = 4,
                    .latency = Seconds(1e-5),
                    .bandwidth = BytesPerSecond(8e9),
                    .fit = {.samples = 9}}};
  p.step_overhead = {.min = Seconds(1e-5), .likely = Seconds(2e-5), .max = Seconds(5e-5)};
  p.step_samples = 50;
  p.commands = {"fathom probe"};
  p.shapes = {"linear fp8: 40 samples"};
  return p;
}

Profile read_text(const std::string& text) {
  static const ScratchFolder folder;
  return read_profile(folder.write("profile.json", text));
}

std::string message(const std::string& text) {
  const std::optional<InputError> error = refusal("profile", [&] { read_text(text); });
  return error ? render(*error) : "nothing was refused";
}

std::string with(const std::string& path, const std::string& value) {
  YamlEdit edit(parse_yaml(profile_json(sample_profile()), "profile.json"));
  edit.set(path, value);
  return edit.text();
}

TEST(ProfileFile, ReadsBackAsItWasWritten) {
  const std::string text = profile_json(sample_profile());
  const Profile p = read_text(text);
  EXPECT_EQ(profile_json(p), text);
  EXPECT_FALSE(p.file.empty());
  EXPECT_TRUE(std::isinf(p.rows[1].compute.value));
  EXPECT_EQ(p.rows[0].weights, Format::kFp8Block128);
  EXPECT_EQ(p.step_overhead.confidence, Confidence::kMeasured);
}

TEST(ProfileFile, WhatIsNoProfileIsRefusedWithAHint) {
  EXPECT_NE(message("{\"a\": 1}").find("this is not a profile"), std::string::npos);
  EXPECT_NE(message(example_texts().front()).find("this is not a profile"), std::string::npos);
  EXPECT_NE(message(with("format", "fathom-profile/2")).find("\"format\" must be"), std::string::npos);
  EXPECT_NE(message(with("operators", "[]")).find("no measured operator"), std::string::npos);
}

TEST(ProfileFile, WrongRowsAreRefused) {
  EXPECT_NE(message(with("operators.0.kind", "linaer")).find("did you mean"), std::string::npos);
  EXPECT_NE(message(with("operators.0.kind", "all_reduce")).find("a list of their own"), std::string::npos);
  EXPECT_NE(message(with("collectives.0.kind", "norm")).find("no collective"), std::string::npos);
  EXPECT_NE(message(with("operators.0.bytes_per_s", "0")).find("\"bytes_per_s\" must be"), std::string::npos);
  EXPECT_NE(message(with("operators.0.fast", "1.5")).find("\"fast\" must be"), std::string::npos);
  EXPECT_NE(message(with("operators.0.factors.0.factor", "0")).find("\"factor\" must be"), std::string::npos);
  EXPECT_NE(message(with("operators.0.factors.0.flops_per_byte", "20")).find("in the order"), std::string::npos);
  EXPECT_NE(message(with("operators.0.speed", "1")).find("unknown key"), std::string::npos);
  EXPECT_NE(message(with("operators.1",
                         "{kind: norm, weights: bf16, form: max, floor_s: 0, fast: 0.9, slow: 1.1, "
                         "samples: 1, median_error: 0, worst_error: 0}"))
                .find("takes no time"),
            std::string::npos);
  EXPECT_NE(message(with("operators.1.weights", "fp8")).find("bf16"), std::string::npos);  // a norm has no such row
}

TEST(ProfileFile, EveryValueOfEveryKeyIsReadOrRefused) {
  const YamlEdit whole(parse_yaml(profile_json(sample_profile()), "profile.json"));
  for (const std::string& path : whole.paths()) {
    for (const char* value : {"-1", "0", "1e18", "1e999", "{}", "[]", "null", "abc", "1.5"}) {
      YamlEdit edit = whole;
      edit.set(path, value);
      SCOPED_TRACE(path + ": " + value);
      refusal(path, [&] { read_text(edit.text()); });
    }
    YamlEdit edit = whole;
    edit.remove(path);
    refusal("without " + path, [&] { read_text(edit.text()); });
  }
}

TEST(ProfileFile, RandomDamageIsReadOrRefused) {
  std::mt19937 random(11);
  for (int round = 0; round < 2000 / kThinning; ++round) {
    std::string text = profile_json(sample_profile());
    for (auto edits = 1 + random() % 4; edits > 0; --edits) text = mutated(std::move(text), random);
    SCOPED_TRACE(text);
    refusal(text, [&] { read_text(text); });
  }
}

}  // namespace
}  // namespace fathom
