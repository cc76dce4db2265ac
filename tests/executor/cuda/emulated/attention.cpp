// Attention, rotary embedding and the pages they share.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "cuda/decode_attention.h"
#include "cuda/gather_latents.h"
#include "cuda/prefill_attention.h"
#include "cuda/rope.h"
#include "executor/cuda/emulated/launches.h"

namespace fathom::cuda {
namespace {

using emulated::demand;
using emulated::launch;
using emulated::narrow;
using emulated::wide;

struct Sizes {
  int first = 0, last = 0;  // tokens seen
  int key = 0, value = 0;
  float scale = 1;
};

// key(token, i), value(token, i)
template <class Key, class Value>
void attend(const Sizes& s, const std::uint16_t* q, const Key& key, const Value& value, std::uint16_t* out) {
  std::vector<float> weight;
  for (int t = s.first; t < s.last; ++t) {
    float score = 0;
    for (int i = 0; i < s.key; ++i) score += wide(q[i]) * key(t, i);
    weight.push_back(score * s.scale);
  }
  const float peak = *std::max_element(weight.begin(), weight.end());
  float total = 0;
  for (float& w : weight) total += w = std::exp(w - peak);
  for (int i = 0; i < s.value; ++i) {
    float sum = 0;
    for (int t = s.first; t < s.last; ++t) sum += weight[static_cast<std::size_t>(t - s.first)] * value(t, i);
    out[i] = narrow(sum / total);
  }
}

const std::uint16_t* page_of(const std::uint16_t* pages, std::int64_t stride, const std::int32_t* line, int token) {
  demand(line[token / kPageTokens] >= 0, "a page that was never given out");
  return pages + line[token / kPageTokens] * stride;
}

// All heads of one row that sees `tokens` tokens.
template <class Op>
void attend_heads(const Op& op, std::int64_t row, const std::int32_t* line, int tokens) {
  const int d = op.head_dim;
  const int first = op.window > 0 ? std::max(0, tokens - static_cast<int>(op.window)) : 0;
  for (int h = 0; h < op.heads; ++h) {
    const int kv = h / (op.heads / op.kv_heads);
    const auto element = [&](int which) {
      return [&op, line, d, place = which * op.kv_heads + kv](int t, int i) {
        return wide(
            page_of(op.pages, op.page_stride, line, t)[(std::int64_t{place} * kPageTokens + t % kPageTokens) * d + i]);
      };
    };
    attend({.first = first, .last = tokens, .key = d, .value = d, .scale = op.scale}, op.q + (row * op.heads + h) * d,
           element(0), element(1), op.out + (row * op.heads + h) * d);
  }
}

void turn(const RopeRows& r, int row, std::vector<float>& head) {
  const int half = r.dims / 2;
  for (int i = 0; i < half; ++i) {
    float& a = head[static_cast<std::size_t>(r.interleaved ? 2 * i : i)];
    float& b = head[static_cast<std::size_t>(r.interleaved ? 2 * i + 1 : i + half)];
    const float* angle = r.angles + (static_cast<std::int64_t>(row) * half + i) * 2;
    const float first = a * angle[0] - b * angle[1];
    b = b * angle[0] + a * angle[1];
    a = first;
  }
}

std::vector<float> widened(const std::uint16_t* from, int count) {
  std::vector<float> values;
  for (int i = 0; i < count; ++i) values.push_back(wide(from[i]));
  return values;
}

void norm(std::vector<float>& head, const float* weight, float epsilon) {
  if (weight == nullptr) return;
  float squares = 0;
  for (float x : head) squares += x * x;
  const float factor = 1 / std::sqrt(squares / static_cast<float>(head.size()) + epsilon);
  for (std::size_t i = 0; i < head.size(); ++i) head[i] *= factor * weight[i];
}

void store(const std::vector<float>& values, std::uint16_t* to) {
  std::transform(values.begin(), values.end(), to, narrow);
}

std::int64_t page_at(const RopeRows& r, int row, std::int64_t stride) {
  const int page = r.table[r.sequence[row] * r.table_stride + r.position[row] / kPageTokens];
  demand(page >= 0, "a page that was never given out");
  return page * stride;
}

void rope_row(const RopeHeads& op, int row) {
  const int d = op.head_dim, place = op.rows.position[row] % kPageTokens;
  std::uint16_t* page = op.pages + page_at(op.rows, row, op.page_stride);
  for (int h = 0; h < op.heads; ++h) {
    std::vector<float> q = widened(op.q + row * op.q_stride + h * d, d);
    norm(q, op.q_norm, op.epsilon);
    turn(op.rows, row, q);
    store(q, op.q_out + (static_cast<std::int64_t>(row) * op.heads + h) * d);
  }
  for (int h = 0; h < op.kv_heads; ++h) {
    std::vector<float> k = widened(op.k + row * op.k_stride + h * d, d);
    norm(k, op.k_norm, op.epsilon);
    turn(op.rows, row, k);
    store(k, page + (h * kPageTokens + place) * d);
    store(widened(op.v + row * op.v_stride + h * d, d), page + ((op.kv_heads + h) * kPageTokens + place) * d);
  }
}

void rope_latent_row(const RopeLatent& op, int row) {
  const std::uint16_t* from = op.latents + row * op.latent_stride;
  std::uint16_t* to = op.pages + page_at(op.rows, row, op.page_stride) +
                      op.rows.position[row] % kPageTokens * (op.latent + op.rows.dims);
  std::vector<float> latent = widened(from, op.latent), key = widened(from + op.latent, op.rows.dims);
  norm(latent, op.norm, op.epsilon);
  turn(op.rows, row, key);
  store(latent, to);
  store(key, to + op.latent);
  for (int h = 0; h < op.heads; ++h) {
    std::vector<float> q = widened(op.q + row * op.q_stride + h * op.q_head_stride, op.rows.dims);
    turn(op.rows, row, q);
    store(q, op.q_out + row * op.q_out_stride + h * op.q_out_head_stride);
  }
}

}  // namespace

std::size_t attention_workspace_bytes(const DecodeAttention& op, const DeviceTraits&) { return 64u * op.sequences; }
std::size_t attention_workspace_bytes(const LatentAttention& op, const DeviceTraits&) { return 64u * op.sequences; }

void decode_attention(const Launch& how, const DecodeAttention& op, const Workspace& workspace) {
  demand(op.rope.rows.rows == 0 || (op.rows == 1 && op.rope.rows.rows == op.sequences), "decode_attention: rope");
  rope_heads(how, op.rope);
  demand(op.sequences > 0 && attention_workspace_bytes(op, {}) <= workspace.bytes, "decode_attention: sizes");
  launch([op] {
    for (int s = 0; s < op.sequences; ++s) {
      if (op.lengths[s] > 0) attend_heads(op, s, op.table + s * op.table_stride, op.lengths[s]);
    }
  });
}

void prefill_attention(const Launch&, const PrefillAttention& op) {
  launch([op] {
    for (const PrefillTile* tile = op.tile; tile != op.tile + op.tiles; ++tile) {
      demand(tile->rows > 0 && tile->rows <= kPrefillRows && tile->first_row + tile->rows <= op.rows, "a tile's rows");
      for (int r = 0; r < tile->rows; ++r) {
        attend_heads(op, tile->first_row + r, op.table + tile->sequence * op.table_stride, tile->position + r + 1);
      }
    }
  });
}

void latent_attention(const Launch&, const LatentAttention& op, const Workspace& workspace) {
  constexpr int kKey = 576, kValue = 512;
  demand(op.sequences > 0 && attention_workspace_bytes(op, {}) <= workspace.bytes, "latent_attention: sizes");
  launch([op] {
    for (std::int64_t s = 0; s < op.sequences; ++s) {
      const auto element = [&](int t, int i) {
        return wide(page_of(op.pages, op.page_stride, op.table + s * op.table_stride, t)[t % kPageTokens * kKey + i]);
      };
      for (int h = 0; h < op.heads && op.lengths[s] > 0; ++h) {
        attend({.last = op.lengths[s], .key = kKey, .value = kValue, .scale = op.scale},
               op.q + (s * op.heads + h) * kKey, element, element, op.out + (s * op.heads + h) * kValue);
      }
    }
  });
}

void expanded_attention(const Launch&, const ExpandedAttention& op) {
  constexpr int kOwn = 128, kKey = 192, kValue = 128;
  launch([op] {
    for (const PrefillTile* tile = op.tile; tile != op.tile + op.tiles; ++tile) {
      const std::int64_t first = op.first_expanded[tile->sequence];
      demand(tile->rows > 0 && tile->rows <= kPrefillRows && tile->first_row + tile->rows <= op.rows, "a tile's rows");
      demand(first + tile->position + tile->rows <= op.tokens, "tokens that were not expanded");
      for (int n = 0; n < tile->rows * op.heads; ++n) {
        const std::int64_t row = tile->first_row + n / op.heads, h = n % op.heads;
        const auto part = [&](int t, int i) {
          return wide(op.expanded[((first + t) * op.heads + h) * (kOwn + kValue) + i]);
        };
        attend(
            {.last = tile->position + n / op.heads + 1, .key = kKey, .value = kValue, .scale = op.scale},
            op.q + (row * op.heads + h) * kKey,
            [&](int t, int i) {
              return i < kOwn ? part(t, i) : wide(op.rotary[(first + t) * op.rotary_stride + i - kOwn]);
            },
            [&](int t, int i) { return part(t, kOwn + i); }, op.out + (row * op.heads + h) * kValue);
      }
    }
  });
}

void gather_latents(const Launch&, const GatherLatents& op) {
  launch([op] {
    for (std::int64_t s = op.first_sequence; s < op.first_sequence + op.sequences; ++s) {
      demand(op.lengths[s] <= op.longest, "gather_latents: longest");
      for (int t = 0; t < op.lengths[s]; ++t) {
        std::memcpy(op.out + (op.first[s] + t) * op.width,
                    page_of(op.pages, op.page_stride, op.table + s * op.table_stride, t) + t % kPageTokens * op.width,
                    sizeof(std::uint16_t) * static_cast<std::size_t>(op.width));
      }
    }
  });
}

void rope_angles(const Launch&, const RopeRows& r) {
  launch([r] {
    for (int i = 0; i < r.rows * (r.dims / 2); ++i) {
      const double angle = std::max(r.position[i / (r.dims / 2)], 0) * r.frequencies[i % (r.dims / 2)];
      r.angles[2 * i] = static_cast<float>(std::cos(angle) * r.magnitude);
      r.angles[2 * i + 1] = static_cast<float>(std::sin(angle) * r.magnitude);
    }
  });
}

void rope_heads(const Launch&, const RopeHeads& op) {
  launch([op] {
    for (int row = 0; row < op.rows.rows; ++row) {
      if (op.rows.position[row] >= 0) rope_row(op, row);
    }
  });
}

void rope_latent(const Launch&, const RopeLatent& op) {
  launch([op] {
    for (int row = 0; row < op.rows.rows; ++row) {
      if (op.rows.position[row] >= 0) rope_latent_row(op, row);
    }
  });
}

}  // namespace fathom::cuda
