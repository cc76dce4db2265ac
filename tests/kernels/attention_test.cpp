// Absorbed latent attention against the same with keys and values expanded, in double and in float: the online softmax over
// pages is the executor's own (host/attention.h).
#include "host/attention.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace fathom::host {
namespace {

constexpr int kLatent = 96, kTurned = 16, kNope = 32, kValue = 24, kTokens = 150;

template <class Real>
struct Case {
  std::vector<Real> query, latents, up_keys, up_values;  // [nope + turned], [tokens, latent + turned], W_UK, W_UV
  Real scale = 1 / std::sqrt(Real(kNope + kTurned));

  Case() {
    std::mt19937 random(3);
    std::normal_distribution<double> normal;
    const auto fill = [&](std::vector<Real>& values, int count, double deviation) {
      values.resize(count);
      for (Real& v : values) v = static_cast<Real>(deviation * normal(random));
    };
    fill(query, kNope + kTurned, 1);
    fill(latents, kTokens * (kLatent + kTurned), 1);
    fill(up_keys, kNope * kLatent, 1 / std::sqrt(double(kLatent)));
    fill(up_values, kValue * kLatent, 1 / std::sqrt(double(kLatent)));
  }
};

template <class Real>
std::vector<Real> paged(const std::vector<Real>& query, const std::vector<Real>& keys, const std::vector<Real>& values,
                        int key_width, int value_width, int value_stride, Real scale) {
  std::vector<Real> out(value_width, 0), columns(kPageRows * key_width), scores(kPageRows);
  SoftmaxState<Real> state;
  for (std::int64_t page = 0; page < kTokens; page += kPageRows) {
    const std::int64_t count = std::min<std::int64_t>(kPageRows, kTokens - page);
    keys_by_column(keys.data() + page * key_width, key_width, key_width, count, columns.data());
    attend(query.data(), key_width, columns.data(), values.data() + page * value_stride, value_width, value_stride, 0,
           count, scale, scores.data(), state, out.data());
  }
  finish(state, out.data(), value_width);
  return out;
}

// out = W x, rows of W as long as x.
template <class Real>
void times(const std::vector<Real>& w, int rows, const Real* x, Real* out) {
  const int cols = static_cast<int>(w.size()) / rows;
  for (int r = 0; r < rows; ++r) {
    Real sum = 0;
    for (int i = 0; i < cols; ++i) sum += w[r * cols + i] * x[i];
    out[r] = sum;
  }
}

template <class Real>
std::vector<Real> absorbed(const Case<Real>& c) {
  constexpr int kKey = kLatent + kTurned;
  std::vector<Real> query(kKey, 0);
  for (int n = 0; n < kNope; ++n) {
    for (int i = 0; i < kLatent; ++i) query[i] += c.query[n] * c.up_keys[n * kLatent + i];
  }
  std::copy_n(c.query.data() + kNope, kTurned, query.data() + kLatent);
  const std::vector<Real> latent = paged<Real>(query, c.latents, c.latents, kKey, kLatent, kKey, c.scale);
  std::vector<Real> out(kValue);
  times(c.up_values, kValue, latent.data(), out.data());
  return out;
}

template <class Real>
std::vector<Real> expanded(const Case<Real>& c) {
  constexpr int kKey = kNope + kTurned;
  std::vector<Real> keys(kTokens * kKey), values(kTokens * kValue);
  for (int t = 0; t < kTokens; ++t) {
    const Real* latent = c.latents.data() + t * (kLatent + kTurned);
    times(c.up_keys, kNope, latent, keys.data() + t * kKey);
    std::copy_n(latent + kLatent, kTurned, keys.data() + t * kKey + kNope);
    times(c.up_values, kValue, latent, values.data() + t * kValue);
  }
  return paged<Real>(c.query, keys, values, kKey, kValue, kValue, c.scale);
}

template <class Real>
double relative_difference() {
  const Case<Real> c;
  const std::vector<Real> a = absorbed(c), b = expanded(c);
  double error = 0, norm = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    error += (double(a[i]) - b[i]) * (double(a[i]) - b[i]);
    norm += double(b[i]) * b[i];
  }
  return std::sqrt(error / norm);
}

TEST(LatentAttention, AbsorbedEqualsExpandedToRounding) {
  EXPECT_LT(relative_difference<double>(), 1e-12);
  EXPECT_LT(relative_difference<float>(), 1e-6);
  EXPECT_GT(relative_difference<float>(), 0);  // they are not the same computation
}

}  // namespace
}  // namespace fathom::host
