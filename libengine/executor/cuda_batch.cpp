#include "executor/cuda_batch.h"

#include <algorithm>
#include <stdexcept>

namespace fathom {

namespace {

constexpr std::size_t kAlignment = 16;

}  // namespace

CudaBatch::CudaBatch(const StepLimits& limits, int most_logits, Account& account)
    : limits_(limits),
      most_logits_(most_logits),
      table_stride_(static_cast<int>(limits.sequence_blocks)),
      most_tiles_(limits.sequences + limits.rows / cuda::kPrefillRows),
      pass_tokens_(static_cast<int>(limits.sequence_blocks) * BlockTables::kBlockTokens) {
  const auto ints = [](std::int64_t count) { return static_cast<std::size_t>(count) * sizeof(std::int32_t); };
  place(static_cast<std::size_t>(most_logits) * sizeof(std::int64_t));  // sample_positions(): first, for its alignment
  tokens_at_ = place(ints(limits.rows));
  positions_at_ = place(ints(limits.rows));
  sequences_at_ = place(ints(limits.rows));
  logit_rows_at_ = place(ints(most_logits));
  requests_at_ = place(ints(most_logits));
  lengths_at_ = place(ints(limits.sequences));
  first_expanded_at_ = place(ints(limits.sequences));
  tiles_at_ = place(static_cast<std::size_t>(most_tiles_) * sizeof(cuda::PrefillTile));
  words_at_ = place(ints(kWords));
  table_at_ = place(ints(limits.sequences * limits.sequence_blocks));  // last: only its used lines are copied
  host_ = PinnedBuffer(bytes_);
  device_ = DeviceBuffer(account, Purpose::kActivations, bytes_);
  std::fill_n(host_.as<std::byte>(), bytes_, std::byte{0});
  device_.clear();
}

std::size_t CudaBatch::place(std::size_t bytes) {
  const std::size_t at = bytes_;
  bytes_ += (bytes + kAlignment - 1) / kAlignment * kAlignment;
  return at;
}

void CudaBatch::fill(const StepInput& input, const BlockTables& tables, bool all_logits, int padded_rows) {
  if (input.rows() > limits_.rows || padded_rows > limits_.rows || padded_rows > limits_.sequences ||
      static_cast<int>(input.pieces.size()) > limits_.sequences) {
    throw std::length_error("a step of more rows or sequences than the executor was made for");
  }
  rows_ = std::max(input.rows(), padded_rows);
  pieces_ = std::max(static_cast<int>(input.pieces.size()), padded_rows);
  decode_rows_ = 0;
  longest_ = kShortest;
  logit_row_.clear();
  sampled_.clear();
  std::copy(input.tokens.begin(), input.tokens.end(), host(tokens_at_));
  int row = 0;
  for (std::size_t p = 0; p < input.pieces.size(); ++p) {
    const Piece& piece = input.pieces[p];
    fill_piece(static_cast<int>(p), piece, row, tables);
    choose_logits(piece, row, all_logits);
    if (piece.decode) decode_rows_ += piece.tokens;
    while (piece.decode && longest_ < piece.position + piece.tokens) longest_ *= 2;
    row += piece.tokens;
  }
  logits_ = static_cast<int>(logit_row_.size());
  every_row_ = logits_ == input.rows();
  cut_tiles(input);
  if (padded_rows == 0) return;
  for (; row < padded_rows; ++row) {  // as many pieces as rows
    host(tokens_at_)[row] = 0;
    host(positions_at_)[row] = -1;
    host(sequences_at_)[row] = row;
    host(lengths_at_)[row] = 0;
    host(logit_rows_at_)[row] = row;
    host(requests_at_)[row] = 0;
    host_.as<std::int64_t>()[row] = 0;
  }
  decode_rows_ = logits_ = padded_rows;
}

void CudaBatch::fill_piece(int number, const Piece& piece, int row, const BlockTables& tables) {
  for (int t = 0; t < piece.tokens; ++t) {
    host(positions_at_)[row + t] = static_cast<std::int32_t>(piece.position + t);
    host(sequences_at_)[row + t] = number;
  }
  host(lengths_at_)[number] = static_cast<std::int32_t>(piece.position + piece.tokens);
  const std::vector<std::int64_t>& blocks = tables.of(piece.sequence);
  if (static_cast<int>(blocks.size()) > table_stride_) {
    throw std::length_error("a sequence of more tokens than the executor was made for");
  }
  std::transform(blocks.begin(), blocks.end(), host(table_at_) + static_cast<std::ptrdiff_t>(number) * table_stride_,
                 [](std::int64_t block) { return static_cast<std::int32_t>(block); });
}

void CudaBatch::choose_logits(const Piece& piece, int row, bool all_logits) {
  const int wanted = all_logits || piece.decode ? piece.tokens : piece.last_chunk ? 1 : 0;
  for (int i = piece.tokens - wanted; i < piece.tokens; ++i) {
    const auto at = logit_row_.size();
    if (static_cast<int>(at) >= most_logits_) throw std::length_error("more logits than the executor was made for");
    logit_row_.push_back(row + i);
    host(logit_rows_at_)[at] = row + i;
    host(requests_at_)[at] = piece.request;
    host_.as<std::int64_t>()[at] = piece.position + i + 1;
  }
  sampled_.push_back(piece.decode || piece.last_chunk ? static_cast<int>(logit_row_.size()) - 1 : -1);
}

// Passes follow the order of the pieces; within one the longest contexts come first.
void CudaBatch::cut_tiles(const StepInput& input) {
  passes_.clear();
  tiles_ = 0;
  auto* tiles = reinterpret_cast<cuda::PrefillTile*>(host_.as<std::byte>() + tiles_at_);
  int row = 0;
  for (int p = 0; p < static_cast<int>(input.pieces.size()); ++p) {
    const Piece& piece = input.pieces[static_cast<std::size_t>(p)];
    const int first_row = row, context = static_cast<int>(piece.position) + piece.tokens;
    row += piece.tokens;
    if (piece.decode) continue;
    if (passes_.empty() || passes_.back().tokens + context > pass_tokens_) {
      passes_.push_back({.first_piece = p, .last_piece = p, .first_tile = tiles_, .last_tile = tiles_});
    }
    Pass& pass = passes_.back();
    host(first_expanded_at_)[p] = pass.tokens;
    pass.last_piece = p + 1;
    pass.tokens += context;
    pass.longest = std::max(pass.longest, context);
    for (int t = 0; t < piece.tokens; t += cuda::kPrefillRows) {
      tiles[tiles_++] = {.first_row = first_row + t,
                         .rows = std::min(cuda::kPrefillRows, piece.tokens - t),
                         .sequence = p,
                         .position = static_cast<std::int32_t>(piece.position) + t};
    }
    pass.last_tile = tiles_;
  }
  for (const Pass& pass : passes_) {
    std::stable_sort(tiles + pass.first_tile, tiles + pass.last_tile,
                     [](const auto& a, const auto& b) { return a.position > b.position; });
  }
}

void CudaBatch::upload(cudaStream_t stream) const {
  const std::size_t used = table_at_ + static_cast<std::size_t>(pieces_) * table_stride_ * sizeof(std::int32_t);
  cuda_ok(cudaMemcpyAsync(device_.as<void>(), host_.as<void>(), used, cudaMemcpyHostToDevice, stream),
          "copying the step");
}

}  // namespace fathom
