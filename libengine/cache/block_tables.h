// Which blocks of a paged cache belong to which sequence, wherever the blocks themselves lie.
#pragma once

#include <cstdint>
#include <vector>

namespace fathom {

class BlockTables {
 public:
  static constexpr int kBlockTokens = 64;
  static std::int64_t blocks_for(std::int64_t tokens) { return (tokens + kBlockTokens - 1) / kBlockTokens; }

  explicit BlockTables(std::int64_t blocks);

  // Room for `tokens` tokens of this sequence; throws std::length_error when no block is free.
  void reserve(int sequence, std::int64_t tokens);
  void release(int sequence);

  std::int64_t blocks() const { return blocks_; }
  const std::vector<std::int64_t>& of(int sequence) const { return tables_[static_cast<std::size_t>(sequence)]; }

 private:
  std::int64_t blocks_;
  std::vector<std::int64_t> free_;
  std::vector<std::vector<std::int64_t>> tables_;  // block numbers, by sequence
};

}  // namespace fathom
