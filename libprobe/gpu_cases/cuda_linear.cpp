// Products of weights and activations as models have them, by the kernels that the engine runs: one token to thousands.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "cuda/large_linear.h"
#include "cuda/random_numbers.h"
#include "gpu_cases/card_weights.h"
#include "gpu_cases/gpu_cases.h"

namespace fathom::probe {

namespace {

using cuda::WeightFormat;

constexpr int kChecked = 16;
constexpr int kManyTokens = 1024;  // from here on arithmetic may run into the power limit
constexpr int kMostOfHead = 256;   // one row for every sequence

// Up to `most_linear` tokens the engine has kernels of its own: both sides of that border are measured, so that no figure is
// interpolated across it. Within, tiles end at powers of two: 17 and 65 are the first of the next.
std::vector<int> tokens_of(const GpuRules& rules, int most_linear, bool of_head) {
  std::set<int> tokens = {most_linear, most_linear + 1};
  switch (rules.detail) {
    case Detail::kFew:
      tokens.insert({1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512, 1024, 4096});
      break;
    case Detail::kAll:
      tokens.insert({17, 65});
      [[fallthrough]];
    case Detail::kMany:
      tokens.insert({1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192});
      break;
  }
  if (of_head) std::erase_if(tokens, [](int m) { return m > kMostOfHead; });
  return {tokens.begin(), tokens.end()};
}

// One matrix, or gate and up.
class Products {
 public:
  Products(Card& card, const GpuRules& rules, const ProductShape& shape, WeightFormat format)
      : card_(card),
        rules_(rules),
        n_(shape.n),
        k_(shape.k),
        matrices_(matrices(card, format, shape)),
        tokens_(tokens_of(rules, cuda::most_linear_rows(matrices_[0].turn(0)), shape.of_head)),
        x_(static_cast<std::size_t>(tokens_.back() * k_) * 2),
        y_(static_cast<std::size_t>(tokens_.back() * n_) * 2),
        scratch_(format != WeightFormat::kBf16 && is_large(tokens_.back()) ? static_cast<std::size_t>(rows() * k_) * 2
                                                                           : 0),
        large_({card.workspace().data, scratch_.as<std::uint16_t>(), scratch_.bytes()}),
        format_(format) {
    cuda::fill_normal({.stream = card.stream()}, x_.as<void>(), x_.bytes() / 2, cuda::NumberType::kBf16, 7);
    card.stream().wait();
  }

  void measure(std::vector<Result>& results) {
    for (const int m : tokens_) results.push_back(measure(m));
  }

 private:
  static std::vector<CardWeights> matrices(const Card& card, WeightFormat format, const ProductShape& shape) {
    std::vector<CardWeights> all;
    const int count = shape.gated ? 2 : 1;
    for (int i = 0; i < count; ++i) all.emplace_back(card, format, shape.n / count, shape.k, i);
    return all;
  }

  bool is_gated() const { return matrices_.size() == 2; }
  std::int64_t rows() const { return n_ / static_cast<std::int64_t>(matrices_.size()); }  // of a matrix
  std::size_t bytes() const { return matrices_.size() * matrices_[0].bytes(); }
  bool is_large(int m) const { return m > cuda::most_linear_rows(matrices_[0].turn(0)); }

  cuda::Linear product(const cuda::Weights& w, int m, std::int64_t y_at, std::int64_t y_stride) const {
    return {.w = w,
            .x = x_.as<std::uint16_t>(),
            .x_stride = k_,
            .tokens = m,
            .y = y_.as<std::uint16_t>() + y_at,
            .y_stride = y_stride};
  }

  // As the engine does: few tokens by a kernel that joins gate and up; of many one product after the other, and what joins them is
  // another operator.
  void run(const cuda::Launch& how, int m, int turn) {
    if (is_large(m)) {
      std::int64_t at = 0;
      for (const CardWeights& matrix : matrices_) {
        large_(how, product(matrix.turn(turn), m, at, n_));
        at += rows();
      }
      return;
    }
    cuda::Linear op = product(matrices_[0].turn(turn), m, 0, rows());
    if (is_gated()) op.up = matrices_[1].turn(turn);
    cuda::linear(how, op, card_.workspace());
  }

  const char* kernel(int m) const { return is_large(m) ? "large_linear" : is_gated() ? "linear, gated" : "linear"; }

  Result measure(int m) {
    Result r = card_result("gpu.linear", card_, Unit::kTime,
                           {{"dtype", name_of(format_)},
                            {"m", fmt::format("{}", m)},
                            {"n", fmt::format("{}", n_)},
                            {"k", fmt::format("{}", k_)}});
    if (is_gated() && !is_large(m)) r.shape["gated"] = "yes";
    clear(card_, y_, 0xff);
    const bool heavy = m >= kManyTokens;
    const RepeatRules repeat = heavy             ? rules_.repeat_heavy(!was_heavy_)
                               : m == tokens_[0] ? rules_.repeat_first()
                                                 : rules_.repeat_point();
    was_heavy_ = heavy;
    const int copies = matrices_[0].copies();
    const TimedOnCard timed = time_on_card(card_, {.repeat = repeat, .least_runs = copies},
                                           [&](const cuda::Launch& how, int turn) { run(how, m, turn); });
    fill(r,
         {.engine = our_kernels(), .kernel = kernel(m), .pattern = "normal", .cache = cache_of(card_, bytes(), copies)},
         timed);
    check(r, fmt::format("{} elements against sums in double", kChecked), worst_error(m, timed.last_run),
          kMostProductError);
    return r;
  }

  // Of what the last timed run wrote.
  double worst_error(int m, int run) const {
    double worst = 0;
    const bool joined = is_gated() && !is_large(m);
    const std::int64_t width = joined ? rows() : n_;
    for (std::int64_t i = 0; i < kChecked; ++i) {
      const std::int64_t token = i * 2654435761 % m, row = i * 40503 * 7 % width;
      const double got = bf16_on_host(y_.as<std::uint16_t>() + token * width + row, 1)[0];
      const auto x = bf16_on_host(x_.as<std::uint16_t>() + token * k_, static_cast<std::size_t>(k_));
      const CardWeights& matrix = matrices_[static_cast<std::size_t>(row / rows())];
      worst = std::max(worst, joined ? gated_error(got, x, matrices_[0].row(row, run), matrices_[1].row(row, run))
                                     : product_error(got, matrix.row(row % rows(), run), x));
    }
    return worst;
  }

  Card& card_;
  const GpuRules& rules_;
  std::int64_t n_, k_;
  std::vector<CardWeights> matrices_;
  std::vector<int> tokens_;
  CardMemory x_, y_, scratch_;
  cuda::LargeLinear large_;
  WeightFormat format_;
  bool was_heavy_ = false;  // the point before
};

// What kernels take: rows of 16 bytes, groups of 128.
bool is_stored(WeightFormat format, const ProductShape& shape) {
  return shape.k % (format == WeightFormat::kBf16 ? 8 : 128) == 0 && shape.n % 16 == 0;  // gate and up 8 each
}

std::vector<Result> measure(Card& card, const GpuRules& rules, const ModelShapes& shapes) {
  std::vector<Result> results;
  for (const WeightFormat format : kWeightFormats) {
    for (const ProductShape& shape : shapes.products) {
      if (!is_stored(format, shape)) continue;
      attempt(results, "gpu.linear", card, [&] { Products(card, rules, shape, format).measure(results); });
    }
  }
  return results;
}

}  // namespace

std::vector<Result> measure_gpu_linear(const Cards& cards, const GpuRules& rules, const ModelShapes& shapes) {
  return on_every_card(cards, "gpu.linear", [&](Card& card) { return measure(card, rules, shapes); });
}

}  // namespace fathom::probe
