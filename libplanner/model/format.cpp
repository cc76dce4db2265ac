#include "model/format.h"

#include <cmath>

namespace fathom {

namespace {

double ceil_div(std::int64_t a, std::int64_t b) { return static_cast<double>((a + b - 1) / b); }

}  // namespace

std::string to_string(Format format) {
  switch (format) {
    case Format::kFp32:
      return "fp32";
    case Format::kBf16:
      return "bf16";
    case Format::kFp16:
      return "fp16";
    case Format::kFp8Block128:
      return "fp8-block128";
    case Format::kFp8:
      return "fp8";
    case Format::kInt8:
      return "int8";
    case Format::kInt4G128:
      return "int4-g128";
    case Format::kInt4G128Asym:
      return "int4-g128-asym";
    case Format::kInt4G32:
      return "int4-g32";
    case Format::kInt8G128:
      return "int8-g128";
    case Format::kMxfp4:
      return "mxfp4";
    case Format::kNvfp4:
      return "nvfp4";
    case Format::kQ8_0:
      return "q8_0";
    case Format::kQ6K:
      return "q6_k";
    case Format::kQ5K:
      return "q5_k";
    case Format::kQ4KM:
      return "q4_k_m";
    case Format::kQ4K:
      return "q4_k";
    case Format::kQ4_0:
      return "q4_0";
    case Format::kGf4:
      return "gf4";
    case Format::kQ3K:
      return "q3_k";
    case Format::kQ2K:
      return "q2_k";
    case Format::kIq1S:
      return "iq1_s";
  }
  return "?";
}

// Block layouts: GPTQ/AWQ group formats, OCP MX specification, ggml-common.h.
double bits_per_weight(Format format) {
  switch (format) {
    case Format::kFp32:
      return 32;
    case Format::kBf16:
    case Format::kFp16:
      return 16;
    case Format::kFp8Block128:
      return 8 + 32.0 / (128 * 128);
    case Format::kFp8:
    case Format::kInt8:
      return 8;
    case Format::kInt4G128:
      return 4 + 16.0 / 128;
    case Format::kInt4G128Asym:
      return 4 + 20.0 / 128;
    case Format::kInt4G32:
      return 4 + 16.0 / 32;
    case Format::kInt8G128:
      return 8 + 16.0 / 128;
    case Format::kMxfp4:
      return 4 + 8.0 / 32;
    case Format::kNvfp4:
      return 4 + 8.0 / 16;
    case Format::kQ8_0:
      return 34 * 8.0 / 32;
    case Format::kQ6K:
      return 210 * 8.0 / 256;
    case Format::kQ5K:
      return 176 * 8.0 / 256;
    case Format::kQ4KM:
      return 4.85;
    case Format::kQ4K:
      return 144 * 8.0 / 256;
    case Format::kQ4_0:
      return 18 * 8.0 / 32;
    case Format::kGf4:
      return 4;
    case Format::kQ3K:
      return 3.9;
    case Format::kQ2K:
      return 84 * 8.0 / 256;
    case Format::kIq1S:
      return 1.6;
  }
  return 0;
}

Bytes bytes(Format format, std::int64_t rows, std::int64_t cols) {
  const double elements = static_cast<double>(rows) * static_cast<double>(cols);
  if (format == Format::kFp8Block128) return Bytes(elements + 4 * ceil_div(rows, 128) * ceil_div(cols, 128));
  return Bytes(elements * bits_per_weight(format) / 8);
}

bool is_gguf(Format format) {
  switch (format) {
    case Format::kQ8_0:
    case Format::kQ6K:
    case Format::kQ5K:
    case Format::kQ4KM:
    case Format::kQ4K:
    case Format::kQ4_0:
    case Format::kQ3K:
    case Format::kQ2K:
    case Format::kIq1S:
    case Format::kGf4:
      return true;
    default:
      return false;
  }
}

const std::vector<WeightScheme>& weight_schemes() {
  static const std::vector<WeightScheme> schemes = {
      {.name = "bf16", .experts = Format::kBf16, .linears = Format::kBf16, .embeddings = Format::kBf16},
      {.name = "fp8", .experts = Format::kFp8Block128, .linears = Format::kFp8Block128, .embeddings = Format::kBf16},
      {.name = "int8", .experts = Format::kInt8, .linears = Format::kInt8, .embeddings = Format::kBf16},
      {.name = "int4", .experts = Format::kInt4G128Asym, .linears = Format::kInt4G128Asym, .embeddings = Format::kBf16},
      {.name = "int4-experts+fp8",
       .experts = Format::kInt4G128,
       .linears = Format::kFp8Block128,
       .embeddings = Format::kBf16},
      {.name = "int4-experts+int8",
       .experts = Format::kInt4G128,
       .linears = Format::kInt8,
       .embeddings = Format::kBf16},
      {.name = "int4-experts+bf16",
       .experts = Format::kInt4G128,
       .linears = Format::kBf16,
       .embeddings = Format::kBf16},
      {.name = "mxfp4-experts+bf16", .experts = Format::kMxfp4, .linears = Format::kBf16, .embeddings = Format::kBf16},
      {.name = "q4_k", .experts = Format::kQ4K, .linears = Format::kQ4K, .embeddings = Format::kQ4K},
      {.name = "q8_0", .experts = Format::kQ8_0, .linears = Format::kQ8_0, .embeddings = Format::kQ8_0},
  };
  return schemes;
}

std::optional<WeightScheme> find_weight_scheme(const std::string& name) {
  for (const WeightScheme& scheme : weight_schemes()) {
    if (scheme.name == name) return scheme;
  }
  return std::nullopt;
}

std::string to_string(KvFormat format) { return format == KvFormat::kBf16 ? "bf16" : "fp8"; }

std::optional<KvFormat> parse_kv_format(const std::string& text) {
  if (text == "bf16" || text == "fp16") return KvFormat::kBf16;
  if (text == "fp8") return KvFormat::kFp8;
  return std::nullopt;
}

}  // namespace fathom
