// Products by cuBLASLt, the best of its proposals: of square matrices in every type of number, what the arithmetic of a device does; and of
// models' matrices in the types that the engine has no kernels for.
#include <fmt/format.h>

#include <algorithm>

#include "cuda/gemm_proposals.h"
#include "gpu_cases/card_weights.h"
#include "gpu_cases/gpu_cases.h"
#include "host/convert.h"

namespace fathom::probe {

namespace {

using cuda::NumberType, cuda::ProductType;

struct Type {
  const char* name;
  NumberType type;
};
constexpr Type kTypes[] = {{"bf16", NumberType::kBf16},
                           {"fp8", NumberType::kE4m3},
                           {"fp16", NumberType::kFp16},
                           {"tf32", NumberType::kFp32},
                           {"int8", NumberType::kInt8}};

constexpr int kChecked = 64;
constexpr double kLeastSample =
    0.02;  // seconds: as long as a layer's products follow each other, and gaps do not cool it

double number(NumberType type, const std::uint8_t* at) {
  const auto as = [at](auto value) {
    std::copy_n(at, sizeof value, reinterpret_cast<std::uint8_t*>(&value));
    return value;
  };
  switch (type) {
    case NumberType::kBf16:
      return static_cast<double>(host::from_bf16(as(std::uint16_t{})));
    case NumberType::kFp16:
      return static_cast<double>(host::from_fp16(as(std::uint16_t{})));
    case NumberType::kFp32:
      return static_cast<double>(as(float{}));
    case NumberType::kE4m3:
      return static_cast<double>(host::from_e4m3(*at));
    case NumberType::kInt8:
      return static_cast<double>(as(std::int8_t{}));
  }
  return 0;
}

// Weights [n, k], in so many copies that take turns, and activations [most, k].
struct Operands {
  const Type& type;
  std::int64_t n, k;
  int copies;
  CardMemory w, x, y;

  Operands(const Type& of, std::int64_t outputs, std::int64_t inputs, std::int64_t most, int turns)
      : type(of),
        n(outputs),
        k(inputs),
        copies(turns),
        w(matrix_bytes() * static_cast<std::size_t>(copies)),
        x(static_cast<std::size_t>(most * k) * size_of(type.type)),
        y(static_cast<std::size_t>(most * n) * 4) {}

  std::size_t matrix_bytes() const { return static_cast<std::size_t>(n * k) * size_of(type.type); }
  std::uint8_t* matrix(int run) const {
    return w.as<std::uint8_t>() + static_cast<std::size_t>(run % copies) * matrix_bytes();
  }

  void put_in_normal_numbers(const Card& card) const {
    cuda::fill_normal({.stream = card.stream()}, w.as<void>(), w.bytes() / size_of(type.type), type.type, 1);
    cuda::fill_normal({.stream = card.stream()}, x.as<void>(), x.bytes() / size_of(type.type), type.type,
                      std::uint64_t{1} << 40);
    card.stream().wait();
  }
  void put_in_zeros(const Card& card) const {
    clear(card, w, 0);
    clear(card, x, 0);
  }
};

// How the best proposal is looked for: clocks still move when the first is tried.
struct Search {
  int proposals, rounds;
  RepeatRules repeat;
};
const Search kThorough{
    .proposals = 8,
    .rounds = 2,
    .repeat = {.least = 3, .budget = Seconds(0), .warm_up = Seconds(0.005), .least_sample = Seconds(0.005)}};
const Search kBrief{
    .proposals = 4,
    .rounds = 1,
    .repeat = {.least = 3, .budget = Seconds(0), .warm_up = Seconds(0.002), .least_sample = Seconds(0.0005)}};

class Gemm {
 public:
  Gemm(Card& card, const Operands& operands, int m, const Search& search)
      : card_(card),
        of_(operands),
        m_(m),
        search_(search),
        proposals_(operands.type.type, operands.n, operands.k, m, card.workspace().data, card.workspace().bytes,
                   search.proposals) {}

  bool supported() const { return proposals_.count() > 0; }

  CardBody product(int proposal) const {
    return [this, proposal](const cuda::Launch& how, int run) {
      proposals_.run(proposal, of_.matrix(run), of_.x.as<void>(), of_.y.as<void>(), how.stream);
    };
  }
  CardBody product() const { return product(best_); }

  // Each proposal by its best time.
  void find_the_best() {
    double least = 0;
    for (int i = 0; i < search_.rounds * proposals_.count(); ++i) {
      const int proposal = i % proposals_.count();
      const double time =
          median_of(time_on_card(card_, {.repeat = search_.repeat}, product(proposal)).repeated.seconds);
      if (least > 0 && time >= least) continue;
      least = time;
      best_ = proposal;
    }
  }

  Result measure(const char* pattern, CardRules rules) {
    Result r = card_result("gpu.gemm", card_, Unit::kFlopsPerSecond,
                           {{"dtype", of_.type.name},
                            {"m", fmt::format("{}", m_)},
                            {"n", fmt::format("{}", of_.n)},
                            {"k", fmt::format("{}", of_.k)}});
    clear(card_, of_.y, 0xff);
    rules.least_runs = of_.copies;
    const TimedOnCard timed = time_on_card(card_, rules, product());
    const double products = static_cast<double>(m_) * static_cast<double>(of_.n) * static_cast<double>(of_.k);
    fill(r,
         {.amount = 2 * products,
          .engine = "cuBLASLt " + cuda::cublaslt_version(),
          .kernel = fmt::format("the best of {} proposals", search_.proposals),
          .pattern = pattern,
          .cache = cache_of(card_, of_.w.bytes() + of_.x.bytes() + of_.y.bytes(), 1)},
         timed);
    check(r, fmt::format("{} elements against sums in double", kChecked), worst_error(timed.last_run),
          kMostProductError);
    return r;
  }

  std::string choice() const {
    return fmt::format("{}: proposal {} of {}, algorithm {}", of_.type.name, best_ + 1, proposals_.count(),
                       proposals_.algorithm(best_));
  }

 private:
  // `k` values of a matrix or of a token.
  std::vector<double> row(const std::uint8_t* rows, std::int64_t index) const {
    const std::size_t size = size_of(of_.type.type), bytes = static_cast<std::size_t>(of_.k) * size;
    const auto codes = on_host<std::uint8_t>(rows + static_cast<std::size_t>(index) * bytes, bytes);
    std::vector<double> values;
    for (std::size_t at = 0; at < bytes; at += size) values.push_back(number(of_.type.type, &codes[at]));
    return values;
  }

  double result_at(std::int64_t token, std::int64_t column) const {
    const ProductType kind = product_type(of_.type.type);
    const std::size_t size = kind == ProductType::kAsOperands ? size_of(of_.type.type)
                             : kind == ProductType::kBf16     ? 2
                                                              : 4;
    const auto at =
        on_host<std::uint8_t>(of_.y.as<std::uint8_t>() + static_cast<std::size_t>(token * of_.n + column) * size, size);
    if (kind == ProductType::kAsOperands) return number(of_.type.type, at.data());
    if (kind == ProductType::kBf16) return number(NumberType::kBf16, at.data());
    std::int32_t whole = 0;
    std::copy(at.begin(), at.end(), reinterpret_cast<std::uint8_t*>(&whole));
    return whole;
  }

  // Of what the last timed run wrote.
  double worst_error(int run) const {
    double worst = 0;
    for (std::int64_t i = 0; i < kChecked; ++i) {
      const std::int64_t token = i * 2654435761 % m_, column = i * 40503 * 7 % of_.n;
      worst = std::max(worst, product_error(result_at(token, column), row(of_.matrix(run), column),
                                            row(of_.x.as<std::uint8_t>(), token)));
    }
    return worst;
  }

  Card& card_;
  const Operands& of_;
  int m_;
  const Search& search_;
  cuda::GemmProposals proposals_;
  int best_ = 0;
};

// 8192 cubed of a type: what the arithmetic does, for a quarter of a second and for long.
class Square {
 public:
  Square(Card& card, const GpuRules& rules, const Operands& operands)
      : card_(card),
        rules_(rules),
        operands_(operands),
        gemm_(card, operands, static_cast<int>(operands.n), kThorough) {}

  bool supported() const { return gemm_.supported(); }

  void measure(std::vector<Result>& results) {
    operands_.put_in_normal_numbers(card_);
    if (results.empty()) warm_up(card_, rules_.settle, rules_.most_settle, gemm_.product());
    gemm_.find_the_best();
    results.push_back(burst("normal"));
    if (operands_.type.type != NumberType::kBf16) return;
    if (rules_.sustained > Seconds(0)) results.push_back(sustained());
    operands_.put_in_zeros(card_);  // what the power of real numbers costs
    results.push_back(burst("zeros"));
    results.back().shape["numbers"] = "zeros";
  }

 private:
  Result burst(const char* pattern) {
    RepeatRules repeat = rules_.repeat();
    repeat.least_sample = Seconds(kLeastSample);
    repeat.least = 21;
    warm_up(card_, rules_.settle_products, rules_.most_settle, gemm_.product());
    Result r = gemm_.measure(pattern, {.repeat = repeat, .alike_before = rules_.settle_products});
    r.notes.push_back(gemm_.choice());
    return r;
  }

  // The last third, when the card is as warm as it gets in a rack.
  Result sustained() {
    const RepeatRules repeat{.least = 11,
                             .most = 100000,
                             .budget = rules_.sustained / 3,
                             .warm_up = rules_.sustained * (2.0 / 3),
                             .least_sample = Seconds(kLeastSample),
                             .tolerance = 0};
    Result r = gemm_.measure("normal", {.repeat = repeat});
    r.shape["load"] = "sustained";
    return r;
  }

  Card& card_;
  const GpuRules& rules_;
  const Operands& operands_;
  Gemm gemm_;
};

void measure_squares(Card& card, const GpuRules& rules, std::vector<Result>& results) {
  constexpr std::size_t kLarge = std::size_t{8} << 30;  // of free memory
  const std::int64_t size = card.free_memory() > kLarge ? 8192 : 4096;
  for (const Type& type : kTypes) {
    const Operands operands(type, size, size, size, 1);  // larger than the cache, all three
    Square square(card, rules, operands);
    if (square.supported()) {
      square.measure(results);
    } else {
      results.push_back(without_figure("gpu.gemm", card.device(), Status::kNotSupported,
                                       fmt::format("cuBLASLt has no product of {} for this device", type.name)));
    }
  }
}

// Matrices of models in the types that gpu.linear has no kernels for. Of some m a library has no algorithm: those are passed over.
void measure_matrices(Card& card, const GpuRules& rules, const ModelShapes& shapes, std::vector<Result>& results) {
  constexpr int kMost = 8192, kMostOfHead = 256, kManyTokens = 1024;
  for (const Type& type : kTypes) {
    if (type.type == NumberType::kBf16) continue;
    for (const ProductShape& shape : shapes.products) {
      attempt(results, "gpu.gemm", card, [&] {
        const int most = shape.of_head ? kMostOfHead : kMost;
        const auto bytes = static_cast<std::size_t>(shape.n * shape.k) * size_of(type.type);
        const Operands operands(type, shape.n, shape.k, most, copies_beyond_cache(card, bytes));
        operands.put_in_normal_numbers(card);
        for (int m = 1; m <= most; m *= 2) {
          Gemm gemm(card, operands, m, kBrief);
          if (!gemm.supported()) continue;
          gemm.find_the_best();
          const RepeatRules repeat = m == 1            ? rules.repeat_first()
                                     : m < kManyTokens ? rules.repeat_point()
                                                       : rules.repeat_heavy(m == kManyTokens);
          results.push_back(gemm.measure("normal", {.repeat = repeat}));
        }
      });
    }
  }
}

std::vector<Result> measure(Card& card, const GpuRules& rules, const ModelShapes& shapes) {
  std::vector<Result> results;
  measure_squares(card, rules, results);
  measure_matrices(card, rules, shapes, results);
  return results;
}

}  // namespace

std::vector<Result> measure_gpu_gemm(const Cards& cards, const GpuRules& rules, const ModelShapes& shapes) {
  return on_every_card(cards, "gpu.gemm", [&](Card& card) { return measure(card, rules, shapes); });
}

}  // namespace fathom::probe
