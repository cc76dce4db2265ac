#include "cache/block_tables.h"

#include <stdexcept>

namespace fathom {

BlockTables::BlockTables(std::int64_t blocks) : blocks_(blocks) {
  for (std::int64_t b = blocks; b-- > 0;) free_.push_back(b);
}

void BlockTables::reserve(int sequence, std::int64_t tokens) {
  if (sequence >= static_cast<int>(tables_.size())) tables_.resize(static_cast<std::size_t>(sequence) + 1);
  std::vector<std::int64_t>& table = tables_[static_cast<std::size_t>(sequence)];
  while (static_cast<std::int64_t>(table.size()) < blocks_for(tokens)) {
    if (free_.empty()) throw std::length_error("the KV cache is full");
    table.push_back(free_.back());
    free_.pop_back();
  }
}

void BlockTables::release(int sequence) {
  if (sequence >= static_cast<int>(tables_.size())) return;
  std::vector<std::int64_t>& table = tables_[static_cast<std::size_t>(sequence)];
  free_.insert(free_.end(), table.begin(), table.end());
  table.clear();
}

}  // namespace fathom
