// Single kernels on one accelerator, as micro-benchmarks run them: streams, matrix products, attention over a cache.
//
// Every time is a start plus the larger of computing and moving, each at a share of the data sheet. The shares belong to an
// architecture, not to a part: kernels are written per architecture, and what holds a part back (clocks under its power
// limit, tiles that do not fill its units) is much the same for all of its cards. docs/formulas/micro.md
#pragma once

#include "catalog/accelerator.h"
#include "model/format.h"
#include "units/quantity.h"

namespace fathom {

// What a stream does with memory. Rates count bytes read and written.
enum class Stream { kRead, kScale, kTriad, kCopy };
BytesPerSecond stream_rate(const Accelerator& accelerator, Stream stream);

// [m, k] times [k, n], `groups` times with other weights.
struct MatrixProduct {
  double m = 1, n = 1, k = 1;
  double groups = 1;
};
Flops flops(const MatrixProduct& product);

enum class MatrixLibrary {
  kVendor,    // cuBLAS, hipBLASLt and alike, operands ready
  kEngine,    // a serving engine's linear layer: 8-bit operands are quantised in the same call
  kDeepGemm,  // fp8 with block scales on Hopper
};

// nullopt: the accelerator has no matrix unit for `operands`, or its peak is not known.
std::optional<Seconds> matrix_product_time(const Accelerator& accelerator, const MatrixProduct& product,
                                           Format operands, MatrixLibrary library);

// One decode step of one layer: `sequences` queries over `context` cached tokens each.
struct GroupedAttention {
  double sequences = 1, context = 1;
  double kv_heads = 1, head_dim = 128;
  bool fp8_cache = false;
};
Seconds attention_time(const Accelerator& accelerator, const GroupedAttention& attention);

struct LatentAttention {
  double sequences = 1, context = 1;
  double heads = 128, latent = 576, rope = 64;  // `rope` of the latent enter scores only
  bool converts_cache = false;                  // an fp8 cache is widened to 16 bits by a kernel of its own first
};
std::optional<Seconds> attention_time(const Accelerator& accelerator, const LatentAttention& attention);

// Rates that an attention kernel reaches at its best, of the 16-bit peak.
enum class AttentionKernel { kPrefill, kLatentDecode, kSparseDecode, kSparsePrefill };
std::optional<FlopsPerSecond> best_rate(const Accelerator& accelerator, AttentionKernel kernel);

}  // namespace fathom
