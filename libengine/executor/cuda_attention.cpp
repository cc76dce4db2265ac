// Attention over cached heads (GQA, MHA), with or without a window. cuda_latent_attention.cpp has MLA.
#include "cuda/decode_attention.h"
#include "cuda/prefill_attention.h"
#include "executor/cuda_executor.h"

namespace fathom {

// q, k and v of a row side by side.
void CudaExecutor::qkv(const Instruction& i) {
  joined_product(weights(i.name, i.layer), {.x = normed_.as<std::uint16_t>(),
                                            .x_stride = a_.hidden_size,
                                            .rows = batch_.rows(),
                                            .y = projected_.as<void>(),
                                            .y_stride = (heads_ + 2 * kv_heads_) * a_.head_dim,
                                            .norm = token_norm_});
}

cuda::RopeRows CudaExecutor::rope_rows(int first, int rows) const {
  return {.rows = rows,
          .position = batch_.positions() + first,
          .sequence = batch_.sequences() + first,
          .table = batch_.table(),
          .table_stride = batch_.table_stride(),
          .dims = rope_.dims,
          .interleaved = rope_.pairs == host::RopePairs::kInterleaved,
          .frequencies = frequencies_.as<double>(),
          .magnitude = rope_.magnitude,
          .angles = angles_.as<float>() + static_cast<std::int64_t>(first) * rope_.dims};
}

std::uint16_t* CudaExecutor::layer_pages(int layer) const {
  return pages_.as<std::uint16_t>() + cache_layer(layer) * page_values_;
}

// Of a stage that begins with layers; embed() has them otherwise.
void CudaExecutor::know_angles() {
  if (!angles_known_) cuda::rope_angles(how(), rope_rows(0, batch_.rows()));
  angles_known_ = true;
}

void CudaExecutor::rope(const Instruction& i) {
  know_angles();
  if (a_.mla) return rope_latent(i);
  const cuda::RopeRows rows = rope_rows(0, batch_.rows());
  const std::int64_t width = (heads_ + 2 * kv_heads_) * a_.head_dim;
  const auto* q = projected_.as<std::uint16_t>();
  const auto* k = q + heads_ * a_.head_dim;
  const std::vector<const float*>& norms = weights(i.name, i.layer).vectors;  // of q and k, or none
  heads_to_turn_ = {.rows = rows,
                    .heads = heads_,
                    .kv_heads = kv_heads_,
                    .head_dim = a_.head_dim,
                    .q = q,
                    .k = k,
                    .v = k + kv_heads_ * a_.head_dim,
                    .q_stride = width,
                    .k_stride = width,
                    .v_stride = width,
                    .q_norm = norms.empty() ? nullptr : norms[0],
                    .k_norm = norms.empty() ? nullptr : norms[1],
                    .epsilon = static_cast<float>(a_.norm_epsilon),
                    .q_out = queries_.as<std::uint16_t>(),
                    .pages = layer_pages(i.layer),
                    .page_stride = page_stride()};
  if (batch_.prompt_rows() == 0) return;  // attention does it
  cuda::rope_heads(how(), heads_to_turn_);
  heads_to_turn_ = {};
}

void CudaExecutor::core(const Instruction& i) { a_.mla ? core_latent(i) : attend(i, 0); }

void CudaExecutor::core_window(const Instruction& i) { attend(i, a_.sliding_window); }

// Decoding rows are the first, one of each sequence; prompts follow.
void CudaExecutor::attend(const Instruction& i, std::int64_t window) {
  if (batch_.decode_rows() > 0) {
    cuda::DecodeAttention op;
    op.sequences = batch_.decode_rows();
    op.heads = heads_;
    op.kv_heads = kv_heads_;
    op.head_dim = a_.head_dim;
    op.scale = attention_scale_;
    op.window = window;
    op.q = queries_.as<std::uint16_t>();
    op.pages = layer_pages(i.layer);
    op.page_stride = page_stride();
    op.table = batch_.table();
    op.table_stride = batch_.table_stride();
    op.lengths = batch_.lengths();
    op.longest = batch_.longest();
    op.out = attended_.as<std::uint16_t>();
    op.rope = heads_to_turn_;
    cuda::decode_attention(how(), op, shared_);
  }
  if (batch_.tiles() == 0) return;
  cuda::prefill_attention(how(), {.tiles = batch_.tiles(),
                                  .tile = batch_.tile_list(),
                                  .rows = batch_.rows(),
                                  .heads = heads_,
                                  .kv_heads = kv_heads_,
                                  .head_dim = a_.head_dim,
                                  .scale = attention_scale_,
                                  .window = window,
                                  .q = queries_.as<std::uint16_t>(),
                                  .pages = layer_pages(i.layer),
                                  .page_stride = page_stride(),
                                  .table = batch_.table(),
                                  .table_stride = batch_.table_stride(),
                                  .out = attended_.as<std::uint16_t>()});
}

void CudaExecutor::attention_out(const Instruction& i) {
  end_block(weights(i.name, i.layer).matrices.front(), attended_.as<std::uint16_t>());
}

}  // namespace fathom
