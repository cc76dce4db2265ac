// One matrix quantised to four bits, and how the two tools write it: a number at a time, from their definitions.
#pragma once

#include <array>
#include <random>
#include <string>
#include <vector>

#include "weights/checkpoint_fixture.h"

namespace fathom {

inline const std::string kModule = "model.layers.3.self_attn.q_proj";

struct FourBits {
  static constexpr std::int64_t kOutputs = 48, kInputs = 640, kGroups = 5;
  std::vector<unsigned> q = std::vector<unsigned>(kOutputs * kInputs);
  std::vector<unsigned> zero = std::vector<unsigned>(kOutputs * kGroups);
  std::vector<std::uint16_t> scale = std::vector<std::uint16_t>(kOutputs * kGroups);

  explicit FourBits(bool symmetric) {
    std::mt19937 random(3);
    for (auto& x : q) x = random() % 16;
    for (auto& x : zero) x = symmetric ? 8 : random() % 16;
    for (auto& x : scale) x = host::to_fp16(static_cast<float>(1 + random() % 1000) * 1e-4F);
  }
  float value(std::int64_t n, std::int64_t k) const {
    const auto group = static_cast<std::size_t>(n * kGroups + k / 128);
    return host::from_fp16(scale[group]) *
           (static_cast<float>(q[static_cast<std::size_t>(n * kInputs + k)]) - static_cast<float>(zero[group]));
  }
  std::vector<std::uint16_t> scales() const {  // [K/128, N]
    std::vector<std::uint16_t> out;
    for (std::int64_t g = 0; g < kGroups; ++g) {
      for (std::int64_t n = 0; n < kOutputs; ++n) out.push_back(scale[static_cast<std::size_t>(n * kGroups + g)]);
    }
    return out;
  }
  // Nibble i of word [g, w] belongs to output 8 w + order[i].
  std::vector<std::uint32_t> zeros(const std::array<int, 8>& order, unsigned less) const {
    std::vector<std::uint32_t> out;
    for (std::int64_t g = 0; g < kGroups; ++g) {
      for (std::int64_t w = 0; w < kOutputs / 8; ++w) {
        std::uint32_t word = 0;
        for (int i = 0; i < 8; ++i) {
          const auto n = static_cast<std::size_t>(8 * w + order[static_cast<std::size_t>(i)]);
          word |= ((zero[n * kGroups + static_cast<std::size_t>(g)] - less) & 15) << (4 * i);
        }
        out.push_back(word);
      }
    }
    return out;
  }
  std::vector<std::uint32_t> gptq_weights() const {  // [K/8, N]
    std::vector<std::uint32_t> out;
    for (std::int64_t k8 = 0; k8 < kInputs / 8; ++k8) {
      for (std::int64_t n = 0; n < kOutputs; ++n) {
        std::uint32_t word = 0;
        for (int i = 0; i < 8; ++i) word |= q[static_cast<std::size_t>(n * kInputs + 8 * k8 + i)] << (4 * i);
        out.push_back(word);
      }
    }
    return out;
  }
  std::vector<std::uint32_t> awq_weights() const {  // [K, N/8]
    std::vector<std::uint32_t> out;
    for (std::int64_t k = 0; k < kInputs; ++k) {
      for (std::int64_t n8 = 0; n8 < kOutputs / 8; ++n8) {
        std::uint32_t word = 0;
        for (int i = 0; i < 8; ++i) {
          word |= q[static_cast<std::size_t>((8 * n8 + kAwqOrder[static_cast<std::size_t>(i)]) * kInputs + k)]
                  << (4 * i);
        }
        out.push_back(word);
      }
    }
    return out;
  }
  Tensors gptq(unsigned less = 1) const {
    Tensors tensors;
    std::vector<std::int32_t> groups(kInputs);
    for (std::size_t k = 0; k < groups.size(); ++k) groups[k] = static_cast<std::int32_t>(k / 128);
    tensors.add(kModule + ".qweight", "I32", {kInputs / 8, kOutputs}, gptq_weights())
        .add(kModule + ".qzeros", "I32", {kGroups, kOutputs / 8}, zeros({0, 1, 2, 3, 4, 5, 6, 7}, less))
        .add(kModule + ".scales", "F16", {kGroups, kOutputs}, scales())
        .add(kModule + ".g_idx", "I32", {kInputs}, groups);
    return tensors;
  }
  Tensors awq() const {
    Tensors tensors;
    tensors.add(kModule + ".qweight", "I32", {kInputs, kOutputs / 8}, awq_weights())
        .add(kModule + ".qzeros", "I32", {kGroups, kOutputs / 8}, zeros(kAwqOrder, 0))
        .add(kModule + ".scales", "F16", {kGroups, kOutputs}, scales());
    return tensors;
  }
  TensorSlice slice(Format format) const { return slice_of(kOutputs, kInputs, format); }

  static constexpr std::array<int, 8> kAwqOrder = {0, 2, 4, 6, 1, 3, 5, 7};
};

inline const std::string kGptqConfig =
    R"({"model_type": "qwen2", "quantization_config": {"quant_method": "gptq", "bits": 4}})";
inline const std::string kGptq2Config =
    R"({"quantization_config": {"quant_method": "gptq", "bits": 4, "checkpoint_format": "gptq_v2"}})";
inline const std::string kAwqConfig =
    R"({"quantization_config": {"quant_method": "awq", "bits": 4, "version": "GEMM"}})";

}  // namespace fathom
