// Attention over the MLA latent: decoding rows against the latents themselves (absorbed), prompts against keys and values
// expanded from them.
#include "cuda/decode_attention.h"
#include "cuda/gather_latents.h"
#include "cuda/head_linear.h"
#include "cuda/prefill_attention.h"
#include "cuda/rms_norm.h"
#include "executor/cuda_executor.h"

namespace fathom {

// Both down-projections side by side: queries (where there is a query rank), then the latent with its rotary key.
void CudaExecutor::latent(const Instruction& i) {
  joined_product(weights(i.name, i.layer), {.x = normed_.as<std::uint16_t>(),
                                            .x_stride = a_.hidden_size,
                                            .rows = batch_.rows(),
                                            .y = projected_.as<void>(),
                                            .y_stride = a_.mla->q_lora_rank + a_.mla->cached_values(),
                                            .norm = token_norm_});
}

// The latent's norm is part of rope_latent().
void CudaExecutor::latent_norm(const Instruction& i) {
  const Mla& m = *a_.mla;
  if (m.q_lora_rank == 0) return;
  cuda::rms_norm(how(), {.rows = batch_.rows(),
                         .width = m.q_lora_rank,
                         .x = projected_.as<void>(),
                         .x_stride = m.q_lora_rank + m.cached_values(),
                         .x_fp32 = false,
                         .weight = weights(i.name, i.layer).vectors.front(),
                         .epsilon = static_cast<float>(a_.norm_epsilon),
                         .out = low_queries_.as<std::uint16_t>(),
                         .out_stride = m.q_lora_rank});
}

void CudaExecutor::latent_queries(const Instruction& i) {
  const cuda::Weights& w = weights(i.name, i.layer).matrices.front();
  const bool compressed = a_.mla->q_lora_rank > 0;
  product(w, {.x = (compressed ? low_queries_ : normed_).as<std::uint16_t>(),
              .x_stride = w.cols,
              .rows = batch_.rows(),
              .y = queries_.as<void>(),
              .y_stride = w.rows,
              .norm = compressed ? cuda::TokenNorm{} : token_norm_});
}

// Queries of decoding rows get their rotary part where the absorbed ones will be, those of prompts in place.
void CudaExecutor::rope_latent(const Instruction& i) {
  const Mla& m = *a_.mla;
  const std::int64_t width = m.q_lora_rank + m.cached_values(), head = m.qk_head_dim(), row = heads_ * head;
  const std::int64_t cached = m.cached_values();
  cuda::RopeLatent op;
  op.heads = heads_;
  op.latent = m.kv_lora_rank;
  op.latent_stride = width;
  op.norm = weights("attention.latent_norm", i.layer).vectors.back();
  op.epsilon = static_cast<float>(a_.norm_epsilon);
  op.pages = layer_pages(i.layer);
  op.page_stride = page_stride();
  op.q_stride = row;
  op.q_head_stride = head;
  const auto turn = [&](int first, int rows) {
    op.rows = rope_rows(first, rows);
    op.latents = projected_.as<std::uint16_t>() + first * width + m.q_lora_rank;
    std::uint16_t* own = queries_.as<std::uint16_t>() + first * row + m.qk_nope_head_dim;
    op.q = own;
    const bool decode = first == 0 && batch_.decode_rows() > 0;
    op.q_out = decode ? absorbed_.as<std::uint16_t>() + m.kv_lora_rank : own;
    op.q_out_stride = decode ? heads_ * cached : row;
    op.q_out_head_stride = decode ? cached : head;
    cuda::rope_latent(how(), op);
  };
  if (batch_.decode_rows() > 0) turn(0, batch_.decode_rows());
  if (batch_.prompt_rows() > 0) turn(batch_.decode_rows(), batch_.prompt_rows());
}

// q_c[h] = q_nope[h] W_UK[h]: queries of the decoding rows go to the latent space; their rotary part is there already.
void CudaExecutor::q_absorb(const Instruction& i) {
  const Mla& m = *a_.mla;
  const std::int64_t head = m.qk_head_dim(), cached = m.cached_values();
  cuda::head_linear(how(), {.tokens = batch_.decode_rows(),
                            .heads = heads_,
                            .rows = m.kv_lora_rank,
                            .cols = m.qk_nope_head_dim,
                            .w = latent_weights_.at(i.layer).keys,
                            .w_stride = std::int64_t{m.kv_lora_rank} * m.qk_nope_head_dim,
                            .x = queries_.as<std::uint16_t>(),
                            .x_stride = heads_ * head,
                            .x_head_stride = head,
                            .y = absorbed_.as<std::uint16_t>(),
                            .y_stride = heads_ * cached,
                            .y_head_stride = cached});
}

void CudaExecutor::core_latent(const Instruction& i) {
  cuda::LatentAttention op;
  op.sequences = batch_.decode_rows();
  op.heads = heads_;
  op.scale = attention_scale_;
  op.q = absorbed_.as<std::uint16_t>();
  op.pages = layer_pages(i.layer);
  op.page_stride = page_stride();
  op.table = batch_.table();
  op.table_stride = batch_.table_stride();
  op.lengths = batch_.lengths();
  op.longest = batch_.longest();
  op.out = summed_latents_.as<std::uint16_t>();
  if (op.sequences > 0) cuda::latent_attention(how(), op, shared_);
}

// o[h] = W_UV[h] o_c[h]
void CudaExecutor::v_up(const Instruction& i) {
  const Mla& m = *a_.mla;
  const std::int64_t latent = m.kv_lora_rank, value = m.v_head_dim;
  const auto* kv_b = static_cast<const std::uint16_t*>(latent_weights_.at(i.layer).kv_b.codes);
  cuda::head_linear(how(), {.tokens = batch_.decode_rows(),
                            .heads = heads_,
                            .rows = m.v_head_dim,
                            .cols = m.kv_lora_rank,
                            .w = kv_b + m.qk_nope_head_dim * latent,
                            .w_stride = (m.qk_nope_head_dim + value) * latent,
                            .x = summed_latents_.as<std::uint16_t>(),
                            .x_stride = heads_ * latent,
                            .x_head_stride = latent,
                            .y = attended_.as<std::uint16_t>(),
                            .y_stride = heads_ * value,
                            .y_head_stride = value});
}

// Keys and values of every token that the rows of the first pass can see; core_prefill() sees to the others.
void CudaExecutor::expand_latents(const Instruction& i) {
  if (!batch_.passes().empty()) expand(i.layer, batch_.passes().front());
}

void CudaExecutor::expand(int layer, const CudaBatch::Pass& pass) {
  const int cached = a_.mla->cached_values();
  cuda::gather_latents(how(), {.sequences = pass.last_piece - pass.first_piece,
                               .first_sequence = pass.first_piece,
                               .longest = pass.longest,
                               .width = cached,
                               .pages = layer_pages(layer),
                               .page_stride = page_stride(),
                               .table = batch_.table(),
                               .table_stride = batch_.table_stride(),
                               .lengths = batch_.lengths(),
                               .first = batch_.first_expanded(),
                               .out = gathered_.as<std::uint16_t>()});
  const cuda::Weights& kv_b = latent_weights_.at(layer).kv_b;
  product(kv_b, {.x = gathered_.as<std::uint16_t>(),
                 .x_stride = cached,
                 .rows = pass.tokens,
                 .y = expanded_.as<void>(),
                 .y_stride = kv_b.rows});
}

void CudaExecutor::core_prefill(const Instruction& i) {
  const Mla& m = *a_.mla;
  bool first = true;
  for (const CudaBatch::Pass& pass : batch_.passes()) {
    if (!first) expand(i.layer, pass);
    first = false;
    cuda::expanded_attention(how(), {.tiles = pass.last_tile - pass.first_tile,
                                     .tile = batch_.tile_list() + pass.first_tile,
                                     .rows = batch_.rows(),
                                     .tokens = pass.tokens,
                                     .heads = heads_,
                                     .scale = attention_scale_,
                                     .q = queries_.as<std::uint16_t>(),
                                     .expanded = expanded_.as<std::uint16_t>(),
                                     .rotary = gathered_.as<std::uint16_t>() + m.kv_lora_rank,
                                     .rotary_stride = m.cached_values(),
                                     .first_expanded = batch_.first_expanded(),
                                     .out = attended_.as<std::uint16_t>()});
  }
}

}  // namespace fathom
