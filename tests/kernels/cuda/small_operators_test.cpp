// Norms, rotary embedding and page writes, activation, embedding and sampling against the host's.
#include <algorithm>
#include <numeric>

#include "cuda/decode_attention.h"
#include "cuda/embedding.h"
#include "cuda/rms_norm.h"
#include "cuda/rope.h"
#include "cuda/sample.h"
#include "cuda/swiglu.h"
#include "host/rope.h"
#include "host/vector_math.h"
#include "on_device.h"

namespace fathom::cuda {
namespace {

constexpr double kBf16Error = 4e-3;  // of results rounded once

TEST(CudaRmsNorm, AddsAndNormalises) {
  for (int width : {4, 132, 2048, 5120, 16384}) {
    Random random;
    SCOPED_TRACE("width " + std::to_string(width) + " seed " + std::to_string(random.seed()));
    const int rows = 3;
    const std::vector<float> x = normals(random, rows * width), weight = normals(random, width);
    const std::vector<std::uint16_t> add = bf16_normals(random, rows * width);
    std::vector<float> sum = x, expected(rows * width);
    for (int r = 0; r < rows; ++r) {
      host::add(sum.data() + r * width, widened(add).data() + r * width, width);
      host::rms_norm(sum.data() + r * width, weight.data(), 1e-5f, width, expected.data() + r * width);
    }
    const OnDevice<float> stream(x), w(weight);
    const OnDevice<std::uint16_t> more(add), out(rows * width);
    rms_norm({}, {.rows = rows,
                  .width = width,
                  .x = stream.data(),
                  .x_stride = width,
                  .add = more.data(),
                  .add_stride = width,
                  .add_fp32 = false,
                  .sum = stream.data(),
                  .weight = w.data(),
                  .epsilon = 1e-5f,
                  .out = out.data(),
                  .out_stride = width});
    EXPECT_LT(distance(widened(out.values()), expected), kBf16Error);
    EXPECT_EQ(stream.values(), sum);
  }
}

TEST(CudaRmsNorm, TakesTheRowsThatAListNames) {
  Random random;
  const int width = 512, rows = 2;
  const std::vector<std::uint16_t> x = bf16_normals(random, 5 * width);
  const std::vector<float> weight = normals(random, width);
  std::vector<float> expected(rows * width);
  host::rms_norm(widened(x).data() + 4 * width, weight.data(), 1e-6f, width, expected.data());
  host::rms_norm(widened(x).data() + 1 * width, weight.data(), 1e-6f, width, expected.data() + width);
  const OnDevice<std::uint16_t> from(x), out(rows * width);
  const OnDevice<float> w(weight);
  const OnDevice<std::int32_t> list(std::vector<std::int32_t>{4, 1});
  rms_norm({}, {.rows = rows,
                .width = width,
                .x = from.data(),
                .x_stride = width,
                .x_fp32 = false,
                .weight = w.data(),
                .epsilon = 1e-6f,
                .rows_of_x = list.data(),
                .out = out.data(),
                .out_stride = width});
  EXPECT_LT(distance(widened(out.values()), expected), kBf16Error) << "seed " << random.seed();
}

TEST(CudaSwiglu, EqualsTheHost) {
  for (int width : {4, 1408, 14336}) {
    Random random;
    const int rows = 3;
    const std::vector<std::uint16_t> x = bf16_normals(random, rows * 2 * width);
    const std::vector<float> wide = widened(x);
    std::vector<float> expected(rows * width);
    for (int r = 0; r < rows; ++r) {
      const float* gate = wide.data() + r * 2 * width;
      host::silu_times(gate, gate + width, width, expected.data() + r * width);
    }
    const OnDevice<std::uint16_t> from(x), out(rows * width);
    swiglu({}, {.rows = rows, .width = width, .gate_up = from.data(), .out = out.data()});
    EXPECT_LT(distance(widened(out.values()), expected), kBf16Error) << "width " << width << " seed " << random.seed();
  }
}

TEST(CudaEmbedding, GivesZerosForTokensHeldElsewhere) {
  Random random;
  const int width = 1028, first = 10, count = 7;
  const std::vector<std::uint16_t> table = bf16_normals(random, count * width);
  const std::vector<std::int32_t> tokens = {16, 9, 10, 17, 12};
  std::vector<float> expected(tokens.size() * width, 0.0f);
  for (std::size_t r = 0; r < tokens.size(); ++r) {
    if (tokens[r] < first || tokens[r] >= first + count) continue;
    for (int i = 0; i < width; ++i) expected[r * width + i] = host::from_bf16(table[(tokens[r] - first) * width + i]);
  }
  const OnDevice<std::uint16_t> from(table);
  const OnDevice<std::int32_t> which(tokens);
  const OnDevice<float> out(expected.size());
  embed({}, {.rows = static_cast<int>(tokens.size()),
             .width = width,
             .table = from.data(),
             .first = first,
             .count = count,
             .tokens = which.data(),
             .out = out.data()});
  EXPECT_EQ(out.values(), expected);
}

// Three sequences' rows at scattered positions, one of them padding.
struct Rows {
  std::vector<std::int32_t> positions = {0, 70, 4099, -1, 63}, sequences = {1, 0, 2, 0, 0}, table;
  static constexpr int kStride = 80;
  std::vector<double> frequencies;
  OnDevice<std::int32_t> position{positions}, sequence{sequences}, pages;
  OnDevice<double> frequency;
  OnDevice<float> angles;
  RopeRows view;

  Rows(int dims, bool interleaved)
      : table(numbers()), frequencies(powers(dims)), pages(table), frequency(frequencies), angles(count() * dims) {
    view = {.rows = count(),
            .position = position.data(),
            .sequence = sequence.data(),
            .table = pages.data(),
            .table_stride = kStride,
            .dims = dims,
            .interleaved = interleaved,
            .frequencies = frequency.data(),
            .magnitude = 1.25,
            .angles = angles.data()};
    rope_angles({}, view);
  }
  int count() const { return static_cast<int>(positions.size()); }
  int page(int row) const { return table[sequences[row] * kStride + positions[row] / kPageTokens]; }
  int pages_held() const { return 3 * kStride; }
  void rotate(float* x, int row) const {
    std::vector<float> cosine, sine;
    for (double f : frequencies) {
      cosine.push_back(static_cast<float>(std::cos(positions[row] * f) * 1.25));
      sine.push_back(static_cast<float>(std::sin(positions[row] * f) * 1.25));
    }
    host::rotate(x, view.dims, view.interleaved ? host::RopePairs::kInterleaved : host::RopePairs::kHalves,
                 cosine.data(), sine.data());
  }
  static std::vector<std::int32_t> numbers() {
    std::vector<std::int32_t> n(3 * kStride);
    for (int i = 0; i < 3 * kStride; ++i) n[i] = i * 7 % (3 * kStride);
    return n;
  }
  static std::vector<double> powers(int dims) {
    std::vector<double> f;
    for (int i = 0; i < dims / 2; ++i) f.push_back(std::pow(1e4, -2.0 * i / dims));
    return f;
  }
};

// Rows of the table beside them, of a width whose last block is not full.
TEST(CudaEmbedding, FindsTheAnglesToo) {
  Random random;
  for (int dims : {2, 64, 600}) {
    const Rows rows(dims, false);
    const std::vector<float> expected = rows.angles.values();
    const int width = 1028, count = 7;
    const OnDevice<std::uint16_t> table(bf16_normals(random, count * width));
    const OnDevice<std::int32_t> tokens(std::vector<std::int32_t>{6, 0, 3, 3, 1});
    const OnDevice<float> alone(rows.count() * width), beside(rows.count() * width);
    Embedding op{.rows = rows.count(),
                 .width = width,
                 .table = table.data(),
                 .count = count,
                 .tokens = tokens.data(),
                 .out = alone.data()};
    embed({}, op);
    rows.angles.poison();
    op.out = beside.data(), op.rope = rows.view;
    embed({}, op);
    EXPECT_EQ(rows.angles.values(), expected) << dims;
    EXPECT_EQ(beside.values(), alone.values()) << dims;
  }
}

TEST(CudaRope, TurnsHeadsAndWritesPages) {
  for (int head_dim : {64, 128}) {
    for (bool interleaved : {false, true}) {
      for (bool normed : {false, true}) {
        Random random;
        SCOPED_TRACE(std::to_string(head_dim) + (interleaved ? " interleaved" : "") + (normed ? " normed" : "") +
                     " seed " + std::to_string(random.seed()));
        const int heads = 6, kv_heads = 2, all = (heads + 2 * kv_heads) * head_dim;
        const Rows rows(head_dim / 2, interleaved);
        const std::vector<std::uint16_t> qkv = bf16_normals(random, rows.count() * all);
        const std::vector<float> norm = normals(random, head_dim);
        const std::int64_t stride = 2 * kv_heads * kPageTokens * head_dim;
        const OnDevice<std::uint16_t> from(qkv), q(rows.count() * heads * head_dim), pages(rows.pages_held() * stride);
        const OnDevice<float> norm_device(norm);
        rope_heads({}, {.rows = rows.view,
                        .heads = heads,
                        .kv_heads = kv_heads,
                        .head_dim = head_dim,
                        .q = from.data(),
                        .k = from.data() + heads * head_dim,
                        .v = from.data() + (heads + kv_heads) * head_dim,
                        .q_stride = all,
                        .k_stride = all,
                        .v_stride = all,
                        .q_norm = normed ? norm_device.data() : nullptr,
                        .k_norm = normed ? norm_device.data() : nullptr,
                        .epsilon = 1e-6f,
                        .q_out = q.data(),
                        .pages = pages.data(),
                        .page_stride = stride});
        const std::vector<std::uint16_t> q_out = q.values(), cached = pages.values();
        std::size_t written = 0;
        for (int r = 0; r < rows.count(); ++r) {
          for (int h = 0; h < heads + 2 * kv_heads; ++h) {
            std::vector<float> head(head_dim), actual(head_dim);
            for (int d = 0; d < head_dim; ++d) head[d] = host::from_bf16(qkv[r * all + h * head_dim + d]);
            if (rows.positions[r] < 0) {
              if (h < heads) {
                EXPECT_EQ(q_out[(r * heads + h) * head_dim], 0xffff);
              }
              continue;
            }
            if (h < heads + kv_heads) {
              if (normed) host::rms_norm(head.data(), norm.data(), 1e-6f, head_dim, head.data());
              rows.rotate(head.data(), r);
            }
            const std::uint16_t* at =
                h < heads ? &q_out[(r * heads + h) * head_dim]
                          : &cached[rows.page(r) * stride +
                                    ((h - heads) * kPageTokens + rows.positions[r] % kPageTokens) * head_dim];
            for (int d = 0; d < head_dim; ++d) actual[d] = host::from_bf16(at[d]);
            EXPECT_LT(distance(actual, head), kBf16Error) << "row " << r << " head " << h;
            written += h < heads ? 0 : head_dim;
          }
        }
        const auto untouched = std::count(cached.begin(), cached.end(), 0xffff);
        EXPECT_EQ(static_cast<std::size_t>(untouched) + written, cached.size());
      }
    }
  }
}

TEST(CudaRope, NormsAndWritesLatents) {
  Random random;
  SCOPED_TRACE("seed " + std::to_string(random.seed()));
  const int heads = 5, latent = 512, dims = 64, nope = 128, width = latent + dims, head = nope + dims;
  const Rows rows(dims, true);
  const std::vector<std::uint16_t> c = bf16_normals(random, rows.count() * width),
                                   q = bf16_normals(random, rows.count() * heads * head);
  const std::vector<float> norm = normals(random, latent);
  const std::int64_t stride = kPageTokens * width;
  const OnDevice<std::uint16_t> c_device(c), q_device(q), q_out(rows.count() * heads * width),
      pages(rows.pages_held() * stride);
  const OnDevice<float> norm_device(norm);
  rope_latent({}, {.rows = rows.view,
                   .heads = heads,
                   .latent = latent,
                   .latents = c_device.data(),
                   .latent_stride = width,
                   .norm = norm_device.data(),
                   .epsilon = 1e-6f,
                   .pages = pages.data(),
                   .page_stride = stride,
                   .q = q_device.data() + nope,
                   .q_stride = heads * head,
                   .q_head_stride = head,
                   .q_out = q_out.data() + latent,
                   .q_out_stride = heads * width,
                   .q_out_head_stride = width});
  const std::vector<std::uint16_t> turned = q_out.values(), cached = pages.values();
  for (int r = 0; r < rows.count(); ++r) {
    if (rows.positions[r] < 0) continue;
    std::vector<float> expected(width), actual(width);
    for (int d = 0; d < width; ++d) expected[d] = host::from_bf16(c[r * width + d]);
    host::rms_norm(expected.data(), norm.data(), 1e-6f, latent, expected.data());
    rows.rotate(expected.data() + latent, r);
    const std::int64_t at = rows.page(r) * stride + rows.positions[r] % kPageTokens * width;
    for (int d = 0; d < width; ++d) actual[d] = host::from_bf16(cached[at + d]);
    EXPECT_LT(distance(actual, expected), kBf16Error) << "row " << r;
    for (int h = 0; h < heads; ++h) {
      std::vector<float> part(dims), own(dims);
      for (int d = 0; d < dims; ++d) {
        part[d] = host::from_bf16(q[(r * heads + h) * head + nope + d]);
        own[d] = host::from_bf16(turned[(r * heads + h) * width + latent + d]);
      }
      rows.rotate(part.data(), r);
      EXPECT_LT(distance(own, part), kBf16Error) << "row " << r << " head " << h;
    }
  }
}

// As libengine/executor/sampler.cpp.
std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdu;
  x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53u;
  return x ^ (x >> 33);
}

int drawn(const float* logits, int vocabulary, double temperature, std::uint64_t seed, int request,
          std::int64_t position) {
  const int best = static_cast<int>(std::max_element(logits, logits + vocabulary) - logits);
  double sum = 0;
  for (int i = 0; i < vocabulary; ++i) sum += std::exp((logits[i] - logits[best]) / temperature);
  const std::uint64_t bits =
      mix(mix(mix(seed + 1) ^ static_cast<std::uint64_t>(request)) + static_cast<std::uint64_t>(position));
  double left = static_cast<double>(bits >> 11) * 0x1p-53 * sum;
  for (int i = 0; i < vocabulary; ++i) {
    left -= std::exp((logits[i] - logits[best]) / temperature);
    if (left < 0) return i;
  }
  return best;
}

TEST(CudaSample, DrawsWhatTheHostDraws) {
  for (int vocabulary : {1, 33, 1000, 128256}) {
    Random random;
    SCOPED_TRACE("vocabulary " + std::to_string(vocabulary) + " seed " + std::to_string(random.seed()));
    const int rows = 40, stride = vocabulary + 3;
    std::vector<float> logits(rows * static_cast<std::size_t>(stride), 1e30f);  // beyond the vocabulary: never chosen
    std::vector<std::int32_t> requests, best, expected;
    std::vector<std::int64_t> positions;
    for (int r = 0; r < rows; ++r) {
      float* own = logits.data() + static_cast<std::size_t>(r) * stride;
      for (int i = 0; i < vocabulary; ++i) own[i] = 3 * random.normal();
      own[random.below(vocabulary)] = own[vocabulary / 2] = 14;  // ties
      requests.push_back(random.below(1000));
      positions.push_back(random.below(100000));
      best.push_back(static_cast<std::int32_t>(std::max_element(own, own + vocabulary) - own));
      expected.push_back(drawn(own, vocabulary, 1.25, 77, requests.back(), positions.back()));
    }
    const OnDevice<float> logits_device(logits);
    const OnDevice<std::int32_t> request(requests), token(rows);
    const OnDevice<std::int64_t> position(positions);
    Sample op{.rows = rows,
              .vocabulary = vocabulary,
              .logits = logits_device.data(),
              .logit_stride = stride,
              .token = token.data()};
    sample({}, op);
    EXPECT_EQ(token.values(), best);
    op.temperature = 1.25, op.seed = 77, op.request = request.data(), op.position = position.data();
    token.poison();
    sample({}, op);
    EXPECT_EQ(token.values(), expected);
  }
}

}  // namespace
}  // namespace fathom::cuda
