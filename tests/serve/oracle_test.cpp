// Logits against Hugging Face transformers: tests/oracle made the models and the logits, tests/data/oracle holds them.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "serve/engine.h"
#include "support/tiny_models.h"
#include "weights/checkpoint.h"
#include "weights/safetensors.h"

namespace fathom {
namespace {

using testing::nmse;

const std::filesystem::path kFixtures = std::filesystem::path(FATHOM_SOURCE_DIR) / "tests/data/oracle";
constexpr int kPrompt = 64;  // of 96 tokens; the YaRN and Llama 3 fixtures were made for an original length of 32

template <class T>
std::vector<T> all_of(const SafetensorsFile& file, const std::string& name) {
  const StoredTensor& tensor = *file.find(name);
  std::vector<T> values(static_cast<std::size_t>(tensor.rows() * tensor.cols()));
  file.read(tensor, {.row = 0, .rows = tensor.rows(), .col = 0, .cols = tensor.cols()}, values.data());
  return values;
}

class Oracle : public ::testing::TestWithParam<std::string> {
 protected:
  Oracle()
      : folder_(kFixtures / GetParam()),
        architecture_(read_hf_config(folder_)),
        file_(folder_ / "logits.safetensors"),
        tokens_(all_of<int>(file_, "tokens")),
        expected_(all_of<float>(file_, "logits")) {}

  // The prompt in one piece or in chunks, then the rest token by token as the fixture has it.
  Request teacher_forced(int prompt) const {
    Request r;
    r.prompt.assign(tokens_.begin(), tokens_.begin() + prompt);
    r.forced.assign(tokens_.begin() + prompt, tokens_.end());
    r.output_tokens = static_cast<int>(r.forced.size()) + 1;  // the last token is the model's own
    return r;
  }
  static RunOptions options(int chunk) {
    RunOptions o;
    o.chunk_tokens = chunk;
    o.cache = CacheFormat::kFp32;
    o.all_logits = o.keep_logits = true;
    return o;
  }
  std::vector<float> logits(const Layout& layout, int prompt, int chunk) const {
    const CheckpointWeights weights(folder_);
    return run_engine(EngineModel(architecture_, layout), weights, {teacher_forced(prompt)}, options(chunk))
        .logits.at(0);
  }

  std::filesystem::path folder_;
  Architecture architecture_;
  SafetensorsFile file_;
  std::vector<int> tokens_;
  std::vector<float> expected_;
};

TEST_P(Oracle, AgreesOnPromptAndDecodedPositions) { EXPECT_LT(nmse(logits(Layout{}, kPrompt, 256), expected_), 1e-8); }

TEST_P(Oracle, AgreesWhenThePromptComesInChunks) { EXPECT_LT(nmse(logits(Layout{}, kPrompt, 17), expected_), 1e-8); }

TEST_P(Oracle, AgreesWhenEveryTokenIsPartOfThePrompt) {
  EXPECT_LT(nmse(logits(Layout{}, static_cast<int>(tokens_.size()), 256), expected_), 1e-8);
}

TEST_P(Oracle, AgreesWhenShardedByTensorsStagesAndExperts) {
  EXPECT_LT(nmse(logits({.tp = 2, .pp = 2, .ep = architecture_.moe ? 2 : 1}, kPrompt, 48), expected_), 1e-8);
  if (architecture_.moe) {
    EXPECT_LT(nmse(logits({.tp = 2, .attention_dp = 2, .ep = 4}, kPrompt, 48), expected_), 1e-8);
  }
}

TEST_P(Oracle, AgreesOnTheDraftModule) {
  if (architecture_.mtp_modules == 0) return;
  const std::vector<float> expected = all_of<float>(file_, "mtp_logits");
  const CheckpointWeights weights(folder_);
  Request whole;
  whole.prompt = tokens_;
  for (const Layout& layout : {Layout{.mtp = true}, Layout{.tp = 4, .pp = 2, .ep = 2, .mtp = true}}) {
    const RunResult run = run_engine(EngineModel(architecture_, layout), weights, {whole}, options(256));
    std::vector<float> drafts = run.draft_logits.at(0);  // the last row follows a token that the fixture does not have
    drafts.resize(expected.size());
    EXPECT_LT(nmse(drafts, expected), 1e-8);
  }
}

INSTANTIATE_TEST_SUITE_P(Families, Oracle,
                         ::testing::Values("llama", "qwen2", "qwen3", "mixtral", "qwen3_moe", "deepseek_v2_lite",
                                           "deepseek_v2", "deepseek_v3"),
                         [](const auto& family) { return family.param; });

}  // namespace
}  // namespace fathom
