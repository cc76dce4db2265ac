// Attention over cached heads (GQA, MHA), with or without a window. host_latent_attention.cpp has MLA.
#include <algorithm>
#include <array>
#include <vector>

#include "executor/attention_stretch.h"
#include "executor/host_executor.h"
#include "host/vector_math.h"

namespace fathom {

namespace {

constexpr int kPage = KvCache::kBlockTokens;
static_assert(kPage == host::kPageRows);

}  // namespace

// Of each piece, its first row in the step.
std::vector<int> HostExecutor::first_rows() const {
  std::vector<int> first;
  int row = 0;
  for (const Piece& p : rows_.pieces) first.push_back(row), row += p.tokens;
  return first;
}

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
  const std::vector<int> first_row = first_rows();
  const std::vector<Stretch> stretches = stretches_of(
      rows_.pieces, {.pieces = static_cast<int>(rows_.pieces.size()), .heads = kv_heads_, .window = window});
  std::vector<StretchSums> sums;
  for (const Stretch& s : stretches) sums.emplace_back(s.rows, group, d);

  team_.for_ranges(static_cast<std::int64_t>(stretches.size()), 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> keys(static_cast<std::size_t>(kPage) * d), columns(keys.size()), values(keys.size()),
        scores(kPage);
    for (std::int64_t n = begin; n < end; ++n) {
      const Stretch& s = stretches[n];
      const Piece& p = rows_.pieces[s.piece];
      for (std::int64_t page = s.first; page < s.last; page += kPage) {
        const std::int64_t count = std::min<std::int64_t>(kPage, s.last - page);
        cache_.read_part(layer, p.sequence, page, count, s.head * d, d, keys.data());
        cache_.read_part(layer, p.sequence, page, count, (kv_heads_ + s.head) * d, d, values.data());
        host::keys_by_column(keys.data(), d, d, count, columns.data());
        for (int t = 0; t < s.rows; ++t) {
          const std::int64_t own = p.position + s.row + t;
          const std::int64_t from = window > 0 ? std::clamp<std::int64_t>(own + 1 - window - page, 0, count) : 0;
          const std::int64_t seen = std::clamp<std::int64_t>(own + 1 - page, 0, count);
          for (int g = 0; g < group; ++g) {
            const float* q = queries_.as<float>() + (first_row[s.piece] + s.row + t) * width + (s.head * group + g) * d;
            host::attend(q, d, columns.data(), values.data(), d, d, from, seen, attention_scale_, scores.data(),
                         sums[n].states[t * group + g], sums[n].out.data() + (t * group + g) * d);
          }
        }
      }
    }
  });

  float* attended = room(attended_, rows_.all() * width);
  for (std::size_t n : join(stretches, sums, d)) {
    const Stretch& s = stretches[n];
    for (int t = 0; t < s.rows; ++t) {
      std::copy_n(sums[n].out.data() + t * group * d, group * d,
                  attended + (first_row[s.piece] + s.row + t) * width + s.head * group * d);
    }
  }
  exact(attended, rows_.all() * width);
}

void HostExecutor::attention_out(const Instruction& i) {
  const OperatorWeights& w = weights(i.name, i.layer);
  const host::Matrix& m = w.matrices.front().view;
  float* out = room(block_, static_cast<std::int64_t>(rows_.all()) * m.rows);
  linear(m, attended_.as<float>(), m.cols, rows_.all(), out, m.rows);
  if (!w.vectors.empty() && place_.rank == 0) add_bias(w.vectors.front(), rows_.all(), m.rows, out, m.rows);
}

}  // namespace fathom
