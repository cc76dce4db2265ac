// Attention over the MLA latent: decoding rows against the latents themselves (absorbed), prompts against keys and values
// expanded from them.
#include <algorithm>
#include <vector>

#include "executor/attention_stretch.h"
#include "executor/host_executor.h"
#include "host/vector_math.h"

namespace fathom {

namespace {

constexpr int kPage = KvCache::kBlockTokens;

}  // namespace

// Both down-projections: queries (where there is a query rank) and the cached latent with the rotary key.
void HostExecutor::latent(const Instruction& i) {
  const OperatorWeights& w = weights(i.name, i.layer);
  const Mla& m = *a_.mla;
  if (m.q_lora_rank > 0) {
    linear(w.matrices[0].view, normed_.as<float>(), a_.hidden_size, rows_.all(),
           room(hidden_, static_cast<std::int64_t>(rows_.all()) * m.q_lora_rank), m.q_lora_rank);
  }
  linear(w.matrices.back().view, normed_.as<float>(), a_.hidden_size, rows_.all(),
         room(latents_, static_cast<std::int64_t>(rows_.all()) * m.cached_values()), m.cached_values());
}

void HostExecutor::latent_norm(const Instruction& i) {
  const std::vector<LoadedVector>& w = weights(i.name, i.layer).vectors;
  const Mla& m = *a_.mla;
  const float epsilon = static_cast<float>(a_.norm_epsilon);
  for (int r = 0; r < rows_.all(); ++r) {
    if (m.q_lora_rank > 0) {
      float* q = hidden_.as<float>() + static_cast<std::int64_t>(r) * m.q_lora_rank;
      host::rms_norm(q, w[0].data(), epsilon, m.q_lora_rank, q);
      exact(q, m.q_lora_rank);
    }
    float* c = latents_.as<float>() + static_cast<std::int64_t>(r) * m.cached_values();
    host::rms_norm(c, w.back().data(), epsilon, m.kv_lora_rank, c);
    exact(c, m.kv_lora_rank);
  }
}

void HostExecutor::latent_queries(const Instruction& i) {
  const host::Matrix& w = weights(i.name, i.layer).matrices.front().view;
  const float* x = a_.mla->q_lora_rank > 0 ? hidden_.as<float>() : normed_.as<float>();
  linear(w, x, w.cols, rows_.all(), room(queries_, static_cast<std::int64_t>(rows_.all()) * w.rows), w.rows);
}

void HostExecutor::rope_latent(const Instruction& i) {
  const Mla& m = *a_.mla;
  const std::int64_t half = rope_.dims / 2, width = static_cast<std::int64_t>(heads_) * m.qk_head_dim();
  int row = 0;
  for (const Piece& p : rows_.pieces) {
    for (int t = 0; t < p.tokens; ++t, ++row) {
      const float *cosine = cosine_.data() + row * half, *sine = sine_.data() + row * half;
      float* q = queries_.as<float>() + row * width;
      for (int h = 0; h < heads_; ++h) {
        host::rotate(q + h * m.qk_head_dim() + m.qk_nope_head_dim, rope_.dims, rope_.pairs, cosine, sine);
      }
      exact(q, options_.integers ? width : 0);
      float* c = latents_.as<float>() + static_cast<std::int64_t>(row) * m.cached_values();
      host::rotate(c + m.kv_lora_rank, rope_.dims, rope_.pairs, cosine, sine);
      exact(c + m.kv_lora_rank, m.qk_rope_head_dim);
      cache_.write(cache_layer(i.layer), p.sequence, p.position + t, c);
    }
  }
}

// q_c[h] = q_nope[h] W_UK[h]: queries of the decoding rows go to the latent space, their rotary part follows.
void HostExecutor::q_absorb(const Instruction& i) {
  const Mla& m = *a_.mla;
  const host::Matrix& kv_b = weights("attention.kv_b", i.layer).matrices.front().view;
  const int nope = m.qk_nope_head_dim, per_head = nope + m.v_head_dim;
  const std::int64_t q_width = static_cast<std::int64_t>(heads_) * m.qk_head_dim(),
                     c_width = static_cast<std::int64_t>(heads_) * m.cached_values();
  float* absorbed = room(absorbed_, rows_.decode * c_width);
  team_.for_ranges(heads_, 1, [&](std::int64_t begin, std::int64_t end) {
    host::Team alone(1);
    for (std::int64_t h = begin; h < end; ++h) {
      const float* q = queries_.as<float>() + h * m.qk_head_dim();
      float* c = absorbed + h * m.cached_values();
      host::matmul_transposed(alone, kv_b.row_range(h * per_head, nope), q, q_width, rows_.decode, c, c_width);
      for (int r = 0; r < rows_.decode; ++r) {
        std::copy_n(q + r * q_width + nope, m.qk_rope_head_dim, c + r * c_width + m.kv_lora_rank);
      }
    }
  });
}

// Decoding rows against the latents themselves: one row serves every head, as key and, but for its rotary part, as value.
void HostExecutor::core_latent(const Instruction& i) {
  const Mla& m = *a_.mla;
  const int key = m.cached_values(), value = m.kv_lora_rank, layer = cache_layer(i.layer);
  const std::int64_t q_width = static_cast<std::int64_t>(heads_) * key,
                     o_width = static_cast<std::int64_t>(heads_) * value;
  const std::vector<int> first_row = first_rows();
  const int decoding = static_cast<int>(
      std::count_if(rows_.pieces.begin(), rows_.pieces.end(), [](const Piece& p) { return p.decode; }));
  // Every stretch expands its pages anew: eight heads make that a small part of its work.
  const std::vector<Stretch> stretches =
      stretches_of(rows_.pieces, {.pieces = decoding, .heads = heads_, .heads_at_once = 8});
  std::vector<StretchSums> sums;
  for (const Stretch& s : stretches) sums.emplace_back(s.rows, s.heads, value);

  team_.for_ranges(static_cast<std::int64_t>(stretches.size()), 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> page_rows(static_cast<std::size_t>(kPage) * key), columns(page_rows.size()), scores(kPage);
    for (std::int64_t n = begin; n < end; ++n) {
      const Stretch& s = stretches[n];
      const Piece& p = rows_.pieces[s.piece];
      for (std::int64_t page = s.first; page < s.last; page += kPage) {
        const std::int64_t count = std::min<std::int64_t>(kPage, s.last - page);
        cache_.read(layer, p.sequence, page, count, page_rows.data());
        host::keys_by_column(page_rows.data(), key, key, count, columns.data());
        for (int t = 0; t < s.rows; ++t) {
          const std::int64_t seen = std::clamp<std::int64_t>(p.position + s.row + t + 1 - page, 0, count);
          for (int h = 0; h < s.heads; ++h) {
            const float* q = absorbed_.as<float>() + (first_row[s.piece] + s.row + t) * q_width + (s.head + h) * key;
            host::attend(q, key, columns.data(), page_rows.data(), value, key, 0, seen, attention_scale_, scores.data(),
                         sums[n].states[t * s.heads + h], sums[n].out.data() + (t * s.heads + h) * value);
          }
        }
      }
    }
  });

  float* out = room(expanded_, rows_.decode * o_width);
  for (std::size_t n : join(stretches, sums, value)) {
    const Stretch& s = stretches[n];
    for (int t = 0; t < s.rows; ++t) {
      std::copy_n(sums[n].out.data() + t * s.heads * value, s.heads * value,
                  out + (first_row[s.piece] + s.row + t) * o_width + s.head * value);
    }
  }
  exact(out, rows_.decode * o_width);
}

// o[h] = W_UV[h] o_c[h]
void HostExecutor::v_up(const Instruction& i) {
  const Mla& m = *a_.mla;
  const host::Matrix& kv_b = weights("attention.kv_b", i.layer).matrices.front().view;
  const int nope = m.qk_nope_head_dim, per_head = nope + m.v_head_dim;
  const std::int64_t width = static_cast<std::int64_t>(heads_) * m.v_head_dim,
                     c_width = static_cast<std::int64_t>(heads_) * m.kv_lora_rank;
  float* attended = room(attended_, rows_.all() * width);
  team_.for_ranges(heads_, 1, [&](std::int64_t begin, std::int64_t end) {
    host::Team alone(1);
    for (std::int64_t h = begin; h < end; ++h) {
      host::matmul(alone, kv_b.row_range(h * per_head + nope, m.v_head_dim), expanded_.as<float>() + h * m.kv_lora_rank,
                   c_width, rows_.decode, attended + h * m.v_head_dim, width);
    }
  });
  exact(attended, rows_.decode * width);
}

// Keys and values of every token that a prompt's rows can see, all heads of this rank: [tokens, heads, nope + v].
void HostExecutor::expand_latents(const Instruction& i) {
  const Mla& m = *a_.mla;
  const host::Matrix& kv_b = weights("attention.kv_b", i.layer).matrices.front().view;
  std::int64_t tokens = 0;
  for (const Piece& p : rows_.pieces) tokens += p.decode ? 0 : p.position + p.tokens;
  float* cached = room(absorbed_, tokens * m.cached_values());
  float* expanded = room(gate_up_, tokens * kv_b.rows);
  std::int64_t first = 0;
  for (const Piece& p : rows_.pieces) {
    if (p.decode) continue;
    const std::int64_t count = p.position + p.tokens;
    cache_.read(cache_layer(i.layer), p.sequence, 0, count, cached + first * m.cached_values());
    first += count;
  }
  linear(kv_b, cached, m.cached_values(), static_cast<int>(tokens), expanded, kv_b.rows);
}

void HostExecutor::core_prefill(const Instruction&) {
  const Mla& m = *a_.mla;
  const int nope = m.qk_nope_head_dim, turned = m.qk_rope_head_dim, key = m.qk_head_dim(), value = m.v_head_dim;
  const std::int64_t per_head = nope + value, kv_width = per_head * heads_;
  const std::int64_t q_width = static_cast<std::int64_t>(heads_) * key,
                     o_width = static_cast<std::int64_t>(heads_) * value;
  const bool no_decode = rows_.decode == 0;
  float* attended = no_decode ? room(attended_, rows_.all() * o_width) : attended_.as<float>();  // v_up made it
  std::vector<const Piece*> prompts;
  std::vector<std::int64_t> first_row, first_token;
  std::int64_t row = 0, token = 0;
  for (const Piece& p : rows_.pieces) {
    if (!p.decode) {
      prompts.push_back(&p);
      first_row.push_back(row);
      first_token.push_back(token);
      token += p.position + p.tokens;
    }
    row += p.tokens;
  }
  team_.for_ranges(static_cast<std::int64_t>(prompts.size()) * heads_, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> columns(static_cast<std::size_t>(kPage) * key), scores(kPage);
    for (std::int64_t unit = begin; unit < end; ++unit) {
      const std::int64_t which = unit / heads_, h = unit % heads_;
      const Piece& p = *prompts[which];
      StretchSums sums(p.tokens, 1, value);
      const std::int64_t last = p.position + p.tokens;
      for (std::int64_t page = 0; page < last; page += kPage) {
        const std::int64_t count = std::min<std::int64_t>(kPage, last - page);
        const float* expanded = gate_up_.as<float>() + (first_token[which] + page) * kv_width + h * per_head;
        const float* turned_keys =
            absorbed_.as<float>() + (first_token[which] + page) * m.cached_values() + m.kv_lora_rank;
        host::keys_by_column(expanded, kv_width, nope, count, columns.data());
        host::keys_by_column(turned_keys, m.cached_values(), turned, count, columns.data() + nope * kPage);
        for (int t = 0; t < p.tokens; ++t) {
          const std::int64_t seen = std::clamp<std::int64_t>(p.position + t + 1 - page, 0, count);
          host::attend(queries_.as<float>() + (first_row[which] + t) * q_width + h * key, key, columns.data(),
                       expanded + nope, value, kv_width, 0, seen, attention_scale_, scores.data(), sums.states[t],
                       sums.out.data() + t * value);
        }
      }
      for (int t = 0; t < p.tokens; ++t) {
        host::finish(sums.states[t], sums.out.data() + t * value, value);
        std::copy_n(sums.out.data() + t * value, value, attended + (first_row[which] + t) * o_width + h * value);
      }
    }
  });
  exact(attended + rows_.decode * o_width, (rows_.all() - rows_.decode) * o_width);
}

}  // namespace fathom
