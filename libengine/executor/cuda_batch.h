// What the kernels must know of a step besides activations: which token of which sequence each row is, where its cache lies, and
// which rows get logits. Made on the host, copied to the device as one piece.
//
// Rows of decoding pieces come first, one each. Every piece has a line in the tables: the number of its piece in the step.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "cache/block_tables.h"
#include "cuda/prefill_attention.h"
#include "executor/executor.h"
#include "storage/cuda_memory.h"

namespace fathom {

class CudaBatch {
 public:
  static constexpr int kShortest = 128;  // tokens of a context that one block reads: below, contexts are not told apart

  // `most_logits`: rows with logits of one step.
  CudaBatch(const StepLimits& limits, int most_logits, Account& account);

  // `padded_rows` > 0: the step only decodes and is filled up to so many rows, which leave the cache alone. Throws
  // std::length_error for a step beyond the limits.
  void fill(const StepInput& input, const BlockTables& tables, bool all_logits, int padded_rows);
  void upload(cudaStream_t stream) const;

  // Of the step that was filled in last.
  int rows() const { return rows_; }                // padding included
  int decode_rows() const { return decode_rows_; }  // padding included
  int prompt_rows() const { return rows_ - decode_rows_; }
  int pieces() const { return pieces_; }
  int longest() const { return longest_; }  // context of those that decode, at most: the next power of two
  int logits() const { return logits_; }    // rows with logits, padding included
  const std::vector<int>& logit_rows() const { return logit_row_; }  // without
  bool every_row() const { return every_row_; }                      // has logits, in order
  const std::vector<int>& sampled() const { return sampled_; }       // of each piece, which of the logits; -1: none

  // Prompts in passes whose contexts fit an array of `capacity` tokens together: pieces and tiles [first, last).
  struct Pass {
    int first_piece = 0, last_piece = 0;
    int first_tile = 0, last_tile = 0;
    int tokens = 0;   // of their contexts
    int longest = 0;  // of them
  };
  const std::vector<Pass>& passes() const { return passes_; }
  int tiles() const { return tiles_; }
  int pass_tokens() const { return pass_tokens_; }  // the most tokens of any pass, ever

  // On the device.
  const std::int32_t* tokens() const { return device(tokens_at_); }
  const std::int32_t* positions() const { return device(positions_at_); }
  const std::int32_t* sequences() const { return device(sequences_at_); }  // of each row, its line of table()
  const std::int32_t* logit_row_list() const { return device(logit_rows_at_); }
  const std::int32_t* requests() const { return device(requests_at_); }  // of each row with logits, and the next two
  const std::int64_t* sample_positions() const { return device_.as<std::int64_t>(); }
  const std::int32_t* lengths() const { return device(lengths_at_); }  // of each piece, tokens cached with the new ones
  const std::int32_t* first_expanded() const { return device(first_expanded_at_); }  // of each piece, within its pass
  const cuda::PrefillTile* tile_list() const {
    return reinterpret_cast<const cuda::PrefillTile*>(device_.as<std::byte>() + tiles_at_);
  }
  const std::int32_t* table() const { return device(table_at_); }
  // Words of the caller's, for the next upload().
  static constexpr int kWords = 6;
  void set_words(const std::array<std::uint32_t, kWords>& words) {
    std::copy(words.begin(), words.end(), reinterpret_cast<std::uint32_t*>(host(words_at_)));
  }
  const std::uint32_t* words() const { return reinterpret_cast<const std::uint32_t*>(device(words_at_)); }
  int table_stride() const { return table_stride_; }

 private:
  std::size_t place(std::size_t bytes);
  const std::int32_t* device(std::size_t at) const {
    return reinterpret_cast<const std::int32_t*>(device_.as<std::byte>() + at);
  }
  std::int32_t* host(std::size_t at) { return reinterpret_cast<std::int32_t*>(host_.as<std::byte>() + at); }

  void fill_piece(int number, const Piece& piece, int row, const BlockTables& tables);
  void choose_logits(const Piece& piece, int row, bool all_logits);
  void cut_tiles(const StepInput& input);

  StepLimits limits_;
  int most_logits_, table_stride_, most_tiles_, pass_tokens_;
  std::size_t bytes_ = 0;
  std::size_t tokens_at_, positions_at_, sequences_at_, logit_rows_at_, requests_at_, lengths_at_, first_expanded_at_,
      tiles_at_, words_at_, table_at_;
  PinnedBuffer host_;
  DeviceBuffer device_;

  int rows_ = 0, decode_rows_ = 0, pieces_ = 0, logits_ = 0, tiles_ = 0, longest_ = 0;
  bool every_row_ = false;
  std::vector<int> logit_row_, sampled_;
  std::vector<Pass> passes_;
};

}  // namespace fathom
