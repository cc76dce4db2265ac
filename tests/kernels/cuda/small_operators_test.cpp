// Norms, rotary embedding and page writes, activation, embedding, routing and sampling against the host's.
#include <algorithm>
#include <numeric>

#include "cuda/decode_attention.h"
#include "cuda/embedding.h"
#include "cuda/rms_norm.h"
#include "cuda/rope.h"
#include "cuda/router.h"
#include "cuda/sample.h"
#include "cuda/swiglu.h"
#include "host/rope.h"
#include "host/router.h"
#include "host/vector_math.h"
#include "on_device.h"

namespace fathom::cuda {
namespace {

constexpr double kBf16Error = 4e-3;  // of results rounded once

std::vector<float> normals(Random& random, std::size_t count) {
  std::vector<float> x(count);
  for (float& v : x) v = random.normal();
  return x;
}

std::vector<std::uint16_t> bf16_normals(Random& random, std::size_t count) {
  std::vector<std::uint16_t> x(count);
  for (std::uint16_t& v : x) v = random.bf16();
  return x;
}

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

struct RouterCase {
  const char* name;
  RouterScoring scoring;
  int experts, chosen, groups = 1, kept = 1;
  bool top2 = false, normalise = false, biased = false;
  float scaling = 1;
};

TEST(CudaRouter, ChoosesAndListsAsTheHost) {
  for (const RouterCase& c : {RouterCase{"mixtral", RouterScoring::kSoftmaxOfSelected, 8, 2},
                              RouterCase{"qwen", RouterScoring::kSoftmax, 128, 8, 1, 1, false, true},
                              RouterCase{"v2-lite", RouterScoring::kSoftmax, 64, 6},
                              RouterCase{"v2", RouterScoring::kSoftmax, 160, 6, 8, 3, false, false, false, 16},
                              RouterCase{"v3", RouterScoring::kSigmoid, 256, 8, 8, 4, true, true, true, 2.5f},
                              RouterCase{"odd", RouterScoring::kSigmoid, 45, 5, 3, 2, false, true, true}}) {
    Random random;
    SCOPED_TRACE(std::string(c.name) + " seed " + std::to_string(random.seed()));
    const int rows = 67, width = 260;
    const std::vector<float> logits = normals(random, rows * c.experts), bias = normals(random, c.experts);
    const host::RouterRule rule{.scoring = static_cast<host::RouterRule::Scoring>(c.scoring),
                                .experts = c.experts,
                                .chosen = c.chosen,
                                .groups = c.groups,
                                .groups_kept = c.kept,
                                .group_by_top2 = c.top2,
                                .normalise = c.normalise,
                                .scaling = c.scaling};
    std::vector<std::int32_t> experts;
    std::vector<float> weights;
    for (int r = 0; r < rows; ++r) {
      for (const host::RoutedExpert& e :
           host::route(rule, logits.data() + r * c.experts, c.biased ? bias.data() : nullptr)) {
        experts.push_back(e.expert);
        weights.push_back(e.weight);
      }
    }
    const OnDevice<float> logits_device(logits), bias_device(bias), weight(rows * c.chosen);
    const OnDevice<std::int32_t> expert(rows * c.chosen);
    route({}, {.rows = rows,
               .scoring = c.scoring,
               .experts = c.experts,
               .chosen = c.chosen,
               .groups = c.groups,
               .groups_kept = c.kept,
               .group_by_top2 = c.top2,
               .normalise = c.normalise,
               .scaling = c.scaling,
               .logits = logits_device.data(),
               .bias = c.biased ? bias_device.data() : nullptr,
               .expert = expert.data(),
               .weight = weight.data()});
    EXPECT_EQ(expert.values(), experts);
    EXPECT_LT(distance(weight.values(), weights), 1e-5);

    // Lists of a part of the experts, from the host's choices.
    const int first = c.experts / 4, held = c.experts / 2;
    std::vector<std::int32_t> first_pair(1, 0), used, tokens, pairs(experts.size(), -1);
    for (int e = 0; e < held; ++e) {
      for (std::size_t i = 0; i < experts.size(); ++i) {
        if (experts[i] != first + e) continue;
        pairs[i] = static_cast<std::int32_t>(tokens.size());
        tokens.push_back(static_cast<std::int32_t>(i) / c.chosen);
      }
      first_pair.push_back(static_cast<std::int32_t>(tokens.size()));
      if (first_pair[e + 1] > first_pair[e]) used.push_back(e);
    }
    used.resize(held, -1);
    const OnDevice<std::int32_t> chosen(experts), first_out(held + 1), used_out(held), tokens_out(experts.size()),
        pairs_out(experts.size());
    list_experts({}, {.rows = rows,
                      .chosen = c.chosen,
                      .first = first,
                      .experts = held,
                      .expert = chosen.data(),
                      .first_pair = first_out.data(),
                      .used = used_out.data(),
                      .token_of_pair = tokens_out.data(),
                      .pair_of_choice = pairs_out.data()});
    EXPECT_EQ(first_out.values(), first_pair);
    EXPECT_EQ(used_out.values(), used);
    EXPECT_EQ(pairs_out.values(), pairs);
    std::vector<std::int32_t> listed = tokens_out.values();
    listed.resize(tokens.size());
    EXPECT_EQ(listed, tokens);

    const std::vector<std::uint16_t> y = bf16_normals(random, (tokens.size() + 1) * width);
    const std::vector<float> add = normals(random, rows * width);
    std::vector<float> expected = add;
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      if (pairs[i] < 0) continue;
      for (int d = 0; d < width; ++d)
        expected[i / c.chosen * width + d] += weights[i] * host::from_bf16(y[pairs[i] * width + d]);
    }
    const OnDevice<std::uint16_t> y_device(y);
    const OnDevice<float> add_device(add), host_weights(weights), out(rows * width);
    combine({}, {.rows = rows,
                 .chosen = c.chosen,
                 .width = width,
                 .y = y_device.data(),
                 .pair_of_choice = pairs_out.data(),
                 .weight = host_weights.data(),
                 .add = add_device.data(),
                 .out = out.data()});
    EXPECT_LT(distance(out.values(), expected), 1e-6);
  }
}

// Of few rows in one launch, of more in two; experts held here and there.
TEST(CudaRouter, ChoosesAndListsAtOnceAsOneByOne) {
  for (int rows : {1, 2, 7, 8, 9, 40}) {
    for (int every : {1, 3}) {
      Random random;
      const int experts = 255, chosen = 8, held = (experts + every - 1) / every;
      std::vector<std::int32_t> place(experts, -1), position(rows, 5);
      for (int n = 0; n < held; ++n) place[n * every] = n;
      if (rows > 2) position[1] = -1;  // padding
      const OnDevice<float> logits(normals(random, rows * experts)), bias(normals(random, experts));
      const OnDevice<std::int32_t> places(place), positions(position);
      const auto run = [&](bool at_once) {
        const OnDevice<std::int32_t> expert(rows * chosen), first(held + 1), used(held), tokens(rows * chosen),
            pairs(rows * chosen);
        const OnDevice<float> weight(rows * chosen);
        tokens.clear();  // of the pairs there are
        const Router router{.rows = rows,
                            .scoring = RouterScoring::kSigmoid,
                            .experts = experts,
                            .chosen = chosen,
                            .groups = 5,
                            .groups_kept = 3,
                            .group_by_top2 = true,
                            .normalise = true,
                            .logits = logits.data(),
                            .bias = bias.data(),
                            .position = positions.data(),
                            .expert = expert.data(),
                            .weight = weight.data()};
        const ExpertLists lists{.rows = rows,
                                .chosen = chosen,
                                .experts = held,
                                .held = places.data(),
                                .expert = expert.data(),
                                .first_pair = first.data(),
                                .used = used.data(),
                                .token_of_pair = tokens.data(),
                                .pair_of_choice = pairs.data()};
        if (at_once) {
          route_and_list({}, router, lists);
        } else {
          route({}, router);
          list_experts({}, lists);
        }
        return std::vector{expert.values(), first.values(), used.values(), tokens.values(), pairs.values()};
      };
      EXPECT_EQ(run(true), run(false)) << rows << " rows, every " << every << ", seed " << random.seed();
    }
  }
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
