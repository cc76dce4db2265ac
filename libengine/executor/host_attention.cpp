// Attention over cached heads and over the MLA latent. Work is shared out by sequence and head, so that one sequence still
// keeps every core busy; each worker expands the pages it needs to floats once.
#include <algorithm>
#include <array>
#include <vector>

#include "executor/host_executor.h"
#include "host/attention.h"
#include "host/vector_math.h"

namespace fathom {

namespace {

constexpr int kPage = KvCache::kBlockTokens;
static_assert(kPage == host::kPageRows);

// A worker's running sums for some rows and heads.
struct Sums {
  std::vector<host::SoftmaxState<float>> states;
  std::vector<float> out;  // [rows, heads, width]

  Sums(int rows, int heads, std::int64_t width)
      : states(static_cast<std::size_t>(rows) * heads), out(states.size() * width, 0.0f) {}
};

}  // namespace

void HostExecutor::qkv(const Instruction& instruction) {
  const OperatorWeights& w = weights(instruction.name, instruction.layer);
  const float* x = normed_.as<float>();
  const std::int64_t q_width = static_cast<std::int64_t>(heads_) * a_.head_dim,
                     kv_width = static_cast<std::int64_t>(kv_heads_) * a_.head_dim;
  const std::array<host::Product, 3> parts = {{{w.matrices[0].view, room(queries_, rows_.all() * q_width), q_width},
                                               {w.matrices[1].view, room(keys_, rows_.all() * kv_width), kv_width},
                                               {w.matrices[2].view, room(values_, rows_.all() * kv_width), kv_width}}};
  host::matmul_all(team_, parts, x, a_.hidden_size, rows_.all());
  for (std::size_t i = 0; i < w.vectors.size(); ++i) {
    add_bias(w.vectors[i], rows_.all(), parts[i].y_stride, parts[i].y, parts[i].y_stride);
  }
}

void HostExecutor::rope(const Instruction& i) {
  // Angles are the same for every layer; a draft's rows have positions of their own.
  const std::int64_t half = rope_.dims / 2;
  cosine_.resize(rows_.all() * half);
  sine_.resize(rows_.all() * half);
  int row = 0;
  for (const Piece& p : rows_.pieces) {
    for (int t = 0; t < p.tokens; ++t, ++row) {
      rope_.angles(p.position + t, cosine_.data() + row * half, sine_.data() + row * half);
    }
  }
  if (a_.mla) return rope_latent(i);

  const int d = a_.head_dim;
  const std::vector<LoadedVector>& norms = weights("attention.rope", i.layer).vectors;  // of q and k, or none
  std::vector<float> cached(2 * static_cast<std::size_t>(kv_heads_) * d);
  row = 0;
  for (const Piece& p : rows_.pieces) {
    for (int t = 0; t < p.tokens; ++t, ++row) {
      const float *cosine = cosine_.data() + row * half, *sine = sine_.data() + row * half;
      const auto turn = [&](float* head, std::size_t which) {
        if (!norms.empty()) {
          host::rms_norm(head, norms[which].data(), static_cast<float>(a_.norm_epsilon), d, head);
        }
        host::rotate(head, rope_.dims, rope_.pairs, cosine, sine);
      };
      float* q = queries_.as<float>() + static_cast<std::int64_t>(row) * heads_ * d;
      float* k = keys_.as<float>() + static_cast<std::int64_t>(row) * kv_heads_ * d;
      for (int h = 0; h < heads_; ++h) turn(q + h * d, 0);
      for (int h = 0; h < kv_heads_; ++h) turn(k + h * d, 1);
      const float* v = values_.as<float>() + static_cast<std::int64_t>(row) * kv_heads_ * d;
      std::copy_n(k, kv_heads_ * d, cached.begin());
      std::copy_n(v, kv_heads_ * d, cached.begin() + kv_heads_ * d);
      cache_.write(cache_layer(i.layer), p.sequence, p.position + t, cached.data());
    }
  }
}

void HostExecutor::core(const Instruction& i) { a_.mla ? core_latent(i) : attend_heads(i, 0); }

void HostExecutor::core_window(const Instruction& i) { attend_heads(i, a_.sliding_window); }

void HostExecutor::attend_heads(const Instruction& i, std::int64_t window) {
  const int d = a_.head_dim, group = heads_ / kv_heads_, layer = cache_layer(i.layer);
  const std::int64_t width = static_cast<std::int64_t>(heads_) * d;
  float* attended = room(attended_, rows_.all() * width);
  std::vector<int> first_row;
  int row = 0;
  for (const Piece& p : rows_.pieces) first_row.push_back(row), row += p.tokens;

  const std::int64_t units = static_cast<std::int64_t>(rows_.pieces.size()) * kv_heads_;
  team_.for_ranges(units, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> keys(static_cast<std::size_t>(kPage) * d), columns(keys.size()), values(keys.size()),
        scores(kPage);
    for (std::int64_t unit = begin; unit < end; ++unit) {
      const int piece = static_cast<int>(unit / kv_heads_), kv = static_cast<int>(unit % kv_heads_);
      const Piece& p = rows_.pieces[piece];
      Sums sums(p.tokens, group, d);
      const std::int64_t last = p.position + p.tokens;
      const std::int64_t start = window > 0 ? std::max<std::int64_t>(0, p.position + 1 - window) / kPage * kPage : 0;
      for (std::int64_t page = start; page < last; page += kPage) {
        const std::int64_t count = std::min<std::int64_t>(kPage, last - page);
        cache_.read_part(layer, p.sequence, page, count, kv * d, d, keys.data());
        cache_.read_part(layer, p.sequence, page, count, (kv_heads_ + kv) * d, d, values.data());
        host::keys_by_column(keys.data(), d, d, count, columns.data());
        for (int t = 0; t < p.tokens; ++t) {
          const std::int64_t own = p.position + t;
          const std::int64_t from = window > 0 ? std::clamp<std::int64_t>(own + 1 - window - page, 0, count) : 0;
          const std::int64_t seen = std::clamp<std::int64_t>(own + 1 - page, 0, count);
          for (int g = 0; g < group; ++g) {
            const float* q = queries_.as<float>() + (first_row[piece] + t) * width + (kv * group + g) * d;
            host::attend(q, d, columns.data(), values.data(), d, d, from, seen, attention_scale_, scores.data(),
                         sums.states[t * group + g], sums.out.data() + (t * group + g) * d);
          }
        }
      }
      for (int t = 0; t < p.tokens; ++t) {
        for (int g = 0; g < group; ++g) {
          float* out = sums.out.data() + (t * group + g) * d;
          host::finish(sums.states[t * group + g], out, d);
          std::copy_n(out, d, attended + (first_row[piece] + t) * width + (kv * group + g) * d);
        }
      }
    }
  });
  exact(attended, rows_.all() * width);
}

void HostExecutor::attention_out(const Instruction& i) {
  const OperatorWeights& w = weights(i.name, i.layer);
  const host::Matrix& m = w.matrices.front().view;
  float* out = room(block_, static_cast<std::int64_t>(rows_.all()) * m.rows);
  linear(m, attended_.as<float>(), m.cols, rows_.all(), out, m.rows);
  if (!w.vectors.empty() && place_.rank == 0) add_bias(w.vectors.front(), rows_.all(), m.rows, out, m.rows);
}

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
  float* out = room(expanded_, rows_.decode * o_width);
  std::vector<int> first_row;
  int row = 0;
  for (const Piece& p : rows_.pieces) first_row.push_back(row), row += p.tokens;
  const int decoding = static_cast<int>(
      std::count_if(rows_.pieces.begin(), rows_.pieces.end(), [](const Piece& p) { return p.decode; }));
  // A few heads at a time: every unit expands the pages anew, so not one by one unless cores would idle.
  const int parts = std::clamp(2 * team_.size() / std::max(1, decoding), 1, heads_);
  team_.for_ranges(static_cast<std::int64_t>(decoding) * parts, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> page_rows(static_cast<std::size_t>(kPage) * key), columns(page_rows.size()), scores(kPage);
    for (std::int64_t unit = begin; unit < end; ++unit) {
      const int piece = static_cast<int>(unit / parts), part = static_cast<int>(unit % parts);
      const int head = heads_ * part / parts, heads = heads_ * (part + 1) / parts - head;
      const Piece& p = rows_.pieces[piece];
      Sums sums(p.tokens, heads, value);
      const std::int64_t last = p.position + p.tokens;
      for (std::int64_t page = 0; page < last; page += kPage) {
        const std::int64_t count = std::min<std::int64_t>(kPage, last - page);
        cache_.read(layer, p.sequence, page, count, page_rows.data());
        host::keys_by_column(page_rows.data(), key, key, count, columns.data());
        for (int t = 0; t < p.tokens; ++t) {
          const std::int64_t seen = std::clamp<std::int64_t>(p.position + t + 1 - page, 0, count);
          for (int h = 0; h < heads; ++h) {
            const float* q = absorbed_.as<float>() + (first_row[piece] + t) * q_width + (head + h) * key;
            host::attend(q, key, columns.data(), page_rows.data(), value, key, 0, seen, attention_scale_, scores.data(),
                         sums.states[t * heads + h], sums.out.data() + (t * heads + h) * value);
          }
        }
      }
      for (int t = 0; t < p.tokens; ++t) {
        for (int h = 0; h < heads; ++h) {
          float* sum = sums.out.data() + (t * heads + h) * value;
          host::finish(sums.states[t * heads + h], sum, value);
          std::copy_n(sum, value, out + (first_row[piece] + t) * o_width + (head + h) * value);
        }
      }
    }
  });
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
      Sums sums(p.tokens, 1, value);
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
