// How numbers are stored: element formats, their bytes for a matrix, and weight schemes that mix them by role.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "units/quantity.h"

namespace fathom {

enum class Format {
  kFp32,
  kBf16,
  kFp16,
  kFp8Block128,   // e4m3 with one fp32 scale per 128x128 tile (DeepSeek checkpoints)
  kFp8,           // e4m3 with one scale per tensor; the scale is not counted
  kInt8,          // one fp32 scale per output row is not counted: 4/cols of a percent
  kInt4G128,      // symmetric: fp16 scale per 128
  kInt4G128Asym,  // AWQ, GPTQ: fp16 scale and 4-bit zero per 128
  kInt4G32,       // fp16 scale per 32
  kInt8G128,      // weight only: fp16 scale per 128
  kMxfp4,         // e2m1 with an e8m0 scale per 32
  kNvfp4,         // e2m1 with an e4m3 scale per 16
  kQ8_0,          // GGUF: 34 bytes per 32
  kQ6K,           // GGUF: 210 bytes per 256
  kQ5K,           // GGUF: 176 bytes per 256
  kQ4KM,          // GGUF file mix Q4_K_M: 4.85 bit on average over Llama-3 files
  kQ4K,           // GGUF: 144 bytes per 256
  kQ4_0,          // GGUF: 18 bytes per 32
  kGf4,           // calm: 8 weights in 32 bit, scale included
  kQ3K,           // GGUF file mix Q3_K_M: 3.9 bit
  kQ2K,           // GGUF: 84 bytes per 256
  kIq1S,          // GGUF dynamic mix IQ1_S of DeepSeek: 1.6 bit
};
inline constexpr std::size_t kFormats = static_cast<std::size_t>(Format::kIq1S) + 1;

std::string to_string(Format format);

// Storage of a [rows, cols] matrix, `cols` being the input (reduction) dimension. Fractions of a scale group at the end
// of a row are not rounded up, except for 128x128 tiles, whose scales are stored per started tile.
Bytes bytes(Format format, std::int64_t rows, std::int64_t cols);
double bits_per_weight(Format format);  // scales included, without tile rounding

// Blocks of 32 to 256 weights as files for processors hold them, with kernels that expand them into vector registers: GGUF, and
// calm's.
bool is_gguf(Format format);

// Which format each kind of weight takes. Norms stay bf16 and the router's correction bias fp32 in every scheme.
struct WeightScheme {
  std::string name;   // "fp8", "int4-experts+fp8", …
  Format experts;     // routed experts
  Format linears;     // attention, dense FFN, shared experts
  Format embeddings;  // input embedding and head
  Format router = Format::kBf16;
  std::optional<Format> attention = {};  // where it is kept apart from the other linears
};

const std::vector<WeightScheme>& weight_schemes();
std::optional<WeightScheme> find_weight_scheme(const std::string& name);

enum class KvFormat { kBf16, kFp8 };
std::string to_string(KvFormat format);
std::optional<KvFormat> parse_kv_format(const std::string& text);

}  // namespace fathom
