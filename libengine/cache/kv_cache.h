// The paged KV cache of one rank: blocks of tokens, handed to sequences as they grow.
//
// A row is what one layer keeps of one token: keys then values of this rank's KV heads, or the MLA latent (after its norm)
// and the rotary key (after rotation). fp8 rows: e4m3 with scale 1 for heads; the latent as FlashMLA stores it, e4m3 with an
// fp32 scale per 128 and the rotary key in bf16 (model/tensors.h, kv_shape).
#pragma once

#include <cstdint>

#include "cache/block_tables.h"
#include "storage/buffer.h"

namespace fathom {

enum class CacheFormat { kFp32, kBf16, kFp8 };

struct CacheShape {
  int layers = 0;
  int row_values = 0;     // per token and layer
  int latent_values = 0;  // of them, the MLA latent; 0 for heads
  CacheFormat format = CacheFormat::kBf16;

  std::size_t row_bytes() const;
};

class KvCache {
 public:
  static constexpr int kBlockTokens = BlockTables::kBlockTokens;

  KvCache(const CacheShape& shape, std::int64_t blocks, Account& account);

  void reserve(int sequence, std::int64_t tokens) { tables_.reserve(sequence, tokens); }
  void release(int sequence) { tables_.release(sequence); }

  void write(int layer, int sequence, std::int64_t position, const float* row);
  // `count` whole rows from `first` on, as floats [count, row_values].
  void read(int layer, int sequence, std::int64_t first, std::int64_t count, float* rows) const;
  // The same of values [value, value + values) only, [count, values]; not for fp8 latents, whose scales span values.
  void read_part(int layer, int sequence, std::int64_t first, std::int64_t count, int value, int values,
                 float* rows) const;
  // Made-up rows for a timing run at a given context: uniform in [-1, 1), from `seed`.
  void fill(int sequence, std::int64_t tokens, std::uint64_t seed);

  static std::int64_t blocks_for(std::int64_t tokens) { return BlockTables::blocks_for(tokens); }

 private:
  std::byte* row(int layer, int sequence, std::int64_t position) const;

  CacheShape shape_;
  BlockTables tables_;
  Buffer memory_;
};

}  // namespace fathom
