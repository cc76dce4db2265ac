// A folder of weights as a whole: files of an index, tensors that are missing, folders that are damaged.
#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "support/mutation.h"
#include "weights/four_bits.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

TEST_F(Checkpoint, SaysWhichTensorIsMissingAndWhatTheCheckpointIs) {
  Tensors tensors;
  tensors.add("model.layers.2.self_attn.q_proj.weight", "BF16", {4, 4}, std::vector<std::uint16_t>(16))
      .add("model.layers.3.self_attn.q_porj.weight", "BF16", {4, 4}, std::vector<std::uint16_t>(16))
      .add("language.model.layers.5.mlp.up_proj.weight", "BF16", {4, 4}, std::vector<std::uint16_t>(16))
      .add("extra", "BOOL", {1}, std::vector<std::uint8_t>(1));
  write(tensors, R"({"model_type": "qwen2", "hidden_size": 4, "num_hidden_layers": 9, "vocab_size": 11})");
  expect_refused(slice_of(4, 4, Format::kBf16), "there is no tensor " + kName,
                 "did you mean model.layers.3.self_attn.q_porj.weight?");  // not the same of layer 2
  expect_refused(slice_of(4, 4, Format::kBf16, "model.layers.5.mlp.up_proj.weight"), "there is no tensor",
                 "did you mean language.model.layers.5.mlp.up_proj.weight?");
  expect_refused(slice_of(8, 4, Format::kBf16, "model.layers.2.self_attn.q_proj.weight"),
                 "is BF16 [4, 4]; the planned model needs [8, 4]",
                 "config.json says model_type qwen2, hidden_size 4, num_hidden_layers 9, vocab_size 11");
  expect_refused(slice_of(1, 1, Format::kBf16, "extra"), "extra is BOOL [1]; the planned model needs [1, 1]", "");
}

TEST_F(Checkpoint, FilesOfAnIndexAreReadAsOne) {
  const std::vector<float> a = noise(8), b = noise(12);
  Tensors first, second;
  first.add("a", "F32", {2, 4}, a).add("b", "F32", {2, 6}, std::vector<float>(12));
  second.add("b", "F32", {2, 6}, b);
  first.write(folder_.path() / "one.safetensors");
  second.write(folder_.path() / "two.safetensors");
  folder_.write("model.safetensors.index.json",
                R"({"metadata": {"total_size": 80}, "weight_map": {"a": "one.safetensors", "b": "two.safetensors"}})");
  expect_values(slice_of(2, 4, Format::kFp32, "a"),
                [&](auto r, auto c) { return a[static_cast<std::size_t>(r * 4 + c)]; });
  expect_values(slice_of(2, 6, Format::kFp32, "b"),
                [&](auto r, auto c) { return b[static_cast<std::size_t>(r * 6 + c)]; });
  EXPECT_EQ(CheckpointWeights(folder_.path()).describe(), "checkpoint " + folder_.path().string());
}

TEST_F(Checkpoint, AFolderThatIsNotCompleteIsRefusedWhenItIsOpened) {
  const auto refused = [&](const fs::path& path, const std::string& message) {
    SCOPED_TRACE(message);
    try {
      const CheckpointWeights source(path);
      FAIL() << "accepted";
    } catch (const InputError& error) {
      EXPECT_NE(error.message().find(message), std::string::npos) << error.what();
    }
  };
  refused(folder_.path() / "absent", "there is no such folder");
  refused(folder_.write("file", ""), "is not a folder");
  refused(folder_.path(), "holds neither model.safetensors nor model.safetensors.index.json");
  Tensors tensors;
  tensors.add("a", "F32", {1}, std::vector<float>(1)).write(folder_.path() / "one.safetensors");
  const auto with_index = [&](const std::string& text, const std::string& message) {
    folder_.write("model.safetensors.index.json", text);
    refused(folder_.path(), message);
  };
  with_index(R"({"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}})",
             "two.safetensors is missing, which should hold b");
  with_index(R"({"weight_map": {"b": "one.safetensors"}})", "one.safetensors should hold b, but does not");
  with_index(R"({"weight_map": {"a": "../one.safetensors"}})", "is no file of this folder");
  with_index(R"({"weight_map": {"a": ".."}})", "is no file of this folder");
  with_index(R"({"weight_map": {"a": ""}})", "is no file of this folder");
  with_index(R"({"weight_map": {"a": 1}})", "\"a\": expected a file name");
  with_index(R"({"weight_map": {"a": "one.safetensors", "a": "one.safetensors"}})", "\"a\" comes twice");
  with_index(R"({"weight_map": [1]})", "has no \"weight_map\"");
  with_index(R"({})", "has no \"weight_map\"");
  with_index(R"([])", "expected a JSON object");
  with_index("{\n  \"weight_map\": }", "is not JSON");
  with_index(R"({"a": 1e999})", "beyond all limits");
  with_index(std::string(100'000, '['), "nested too deep");
  try {
    folder_.write("model.safetensors.index.json", "{\n  \"weight_map\": }");
    const CheckpointWeights source(folder_.path());
  } catch (const InputError& error) {
    EXPECT_EQ(error.at().line, 2);
    EXPECT_EQ(error.at().column, 17);
  }
}

TEST_F(Checkpoint, SurvivesMutationsOfItsJson) {
  Tensors tensors;
  tensors.add("a", "F32", {1}, std::vector<float>(1)).write(folder_.path() / "one.safetensors");
  const std::string index = R"({"metadata": {"total_size": 4}, "weight_map": {"a": "one.safetensors"}})";
  std::mt19937 random(2);
  for (int i = 0; i < 3000 / kThinning; ++i) {
    folder_.write("model.safetensors.index.json", i % 2 == 0 ? mutated(index, random) : index);
    folder_.write("config.json", i % 2 == 0 ? kGptq2Config : mutated(kGptq2Config, random));
    try {
      const CheckpointWeights source(folder_.path());
      source.check({vector_of(1, "a")});
    } catch (const InputError& error) {
      EXPECT_FALSE(render(error).empty());
    } catch (const std::exception& error) {
      ADD_FAILURE() << "not an InputError: " << error.what();
    }
  }
}

}  // namespace
}  // namespace fathom
