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
  kMxfp4,         // e2m1 with an e8m0 scale per 32
  kNvfp4,         // e2m1 with an e4m3 scale per 16
  kQ4K,           // GGUF: 144 bytes per 256
  kQ8_0,          // GGUF: 34 bytes per 32
};

std::string to_string(Format format);

// Storage of a [rows, cols] matrix, `cols` being the input (reduction) dimension. Fractions of a scale group at the end
// of a row are not rounded up, except for 128x128 tiles, whose scales are stored per started tile.
Bytes bytes(Format format, std::int64_t rows, std::int64_t cols);
double bits_per_weight(Format format);  // scales included, without tile rounding

// Which format each kind of weight takes. Norms stay bf16 and the router's correction bias fp32 in every scheme.
struct WeightScheme {
  std::string name;   // "fp8", "int4-experts+fp8", …
  Format experts;     // routed experts
  Format linears;     // attention, dense FFN, shared experts
  Format embeddings;  // input embedding and head
  Format router = Format::kBf16;
};

const std::vector<WeightScheme>& weight_schemes();
std::optional<WeightScheme> find_weight_scheme(const std::string& name);

enum class KvFormat { kBf16, kFp8 };
std::string to_string(KvFormat format);
std::optional<KvFormat> parse_kv_format(const std::string& text);

}  // namespace fathom
