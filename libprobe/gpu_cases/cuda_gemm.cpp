// Products of square matrices by cuBLASLt, the best of its proposals for every type of number: what the arithmetic of a device does.
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

constexpr int kProposals = 8, kChecked = 32;
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

class Square {
 public:
  Square(Card& card, const GpuRules& rules, const Type& type, std::int64_t size)
      : card_(card),
        rules_(rules),
        type_(type),
        size_(size),
        count_(static_cast<std::size_t>(size * size)),
        w_(count_ * size_of(type.type)),
        x_(count_ * size_of(type.type)),
        y_(count_ * 4),
        proposals_(type.type, size, size, static_cast<int>(size), card.workspace().data, card.workspace().bytes,
                   kProposals) {}

  bool supported() const { return proposals_.count() > 0; }

  void put_in_normal_numbers() {
    cuda::fill_normal({.stream = card_.stream()}, w_.as<void>(), count_, type_.type, 1);
    cuda::fill_normal({.stream = card_.stream()}, x_.as<void>(), count_, type_.type, std::uint64_t{1} << 40);
    card_.stream().wait();
  }
  void put_in_zeros() {
    cuda_ok(cudaMemset(w_.as<void>(), 0, w_.bytes()), "cudaMemset");
    cuda_ok(cudaMemset(x_.as<void>(), 0, x_.bytes()), "cudaMemset");
  }

  CardBody product(int proposal) const {
    return [this, proposal](const cuda::Launch& how, int) {
      proposals_.run(proposal, w_.as<void>(), x_.as<void>(), y_.as<void>(), how.stream);
    };
  }

  // Twice over, because clocks still move: each proposal by its better time.
  void find_the_best() {
    const RepeatRules brief{
        .least = 3, .budget = Seconds(0), .warm_up = Seconds(0.005), .least_sample = Seconds(0.005)};
    double least = 0;
    for (int i = 0; i < 2 * proposals_.count(); ++i) {
      const int proposal = i % proposals_.count();
      const double time = median_of(time_on_card(card_, {.repeat = brief}, product(proposal)).repeated.seconds);
      if (least > 0 && time >= least) continue;
      least = time;
      best_ = proposal;
    }
  }

  Result measure(const char* pattern) {
    const std::string size = fmt::format("{}", size_);
    Result r = card_result("gpu.gemm", card_, Unit::kFlopsPerSecond,
                           {{"dtype", type_.name}, {"m", size}, {"n", size}, {"k", size}});
    if (pattern == std::string("zeros")) r.shape["numbers"] = pattern;
    RepeatRules repeat = rules_.repeat();
    repeat.least_sample = Seconds(kLeastSample);
    repeat.least = 11;
    warm_up(card_, rules_.settle_products, rules_.most_settle, product(best_));
    cuda_ok(cudaMemset(y_.as<void>(), 0xff, y_.bytes()), "cudaMemset");
    const TimedOnCard timed = time_on_card(card_, {.repeat = repeat}, product(best_));
    const double cubed = static_cast<double>(size_) * static_cast<double>(size_) * static_cast<double>(size_);
    fill(r,
         {.amount = 2 * cubed,
          .engine = "cuBLASLt " + cuda::cublaslt_version(),
          .kernel = fmt::format("the best of {} proposals", kProposals),
          .pattern = pattern},
         timed);
    r.notes.push_back(fmt::format("{}: proposal {} of {}, algorithm {}", type_.name, best_ + 1, proposals_.count(),
                                  proposals_.algorithm(best_)));
    check(r, fmt::format("{} elements against sums in double", kChecked), worst_error(), kMostProductError);
    return r;
  }

 private:
  std::vector<double> row(const CardMemory& matrix, std::int64_t index) const {
    const std::size_t size = size_of(type_.type), bytes = static_cast<std::size_t>(size_) * size;
    const auto codes =
        on_host<std::uint8_t>(matrix.as<std::uint8_t>() + static_cast<std::size_t>(index) * bytes, bytes);
    std::vector<double> values;
    for (std::size_t at = 0; at < bytes; at += size) values.push_back(number(type_.type, &codes[at]));
    return values;
  }

  double result_at(std::int64_t token, std::int64_t column) const {
    const ProductType kind = product_type(type_.type);
    const std::size_t size = kind == ProductType::kAsOperands ? size_of(type_.type)
                             : kind == ProductType::kBf16     ? 2
                                                              : 4;
    const auto at =
        on_host<std::uint8_t>(y_.as<std::uint8_t>() + static_cast<std::size_t>(token * size_ + column) * size, size);
    if (kind == ProductType::kAsOperands) return number(type_.type, at.data());
    if (kind == ProductType::kBf16) return number(NumberType::kBf16, at.data());
    std::int32_t whole = 0;
    std::copy(at.begin(), at.end(), reinterpret_cast<std::uint8_t*>(&whole));
    return whole;
  }

  double worst_error() const {
    double worst = 0;
    for (std::int64_t i = 0; i < kChecked; ++i) {
      const std::int64_t token = i * 2654435761 % size_, column = i * 40503 * 7 % size_;
      worst = std::max(worst, product_error(result_at(token, column), row(w_, column), row(x_, token)));
    }
    return worst;
  }

  Card& card_;
  const GpuRules& rules_;
  const Type& type_;
  std::int64_t size_;
  std::size_t count_;
  CardMemory w_, x_, y_;
  cuda::GemmProposals proposals_;
  int best_ = 0;
};

std::vector<Result> measure(Card& card, const GpuRules& rules) {
  constexpr std::size_t kLarge = std::size_t{8} << 30;  // of free memory
  const std::int64_t size = card.free_memory() > kLarge ? 8192 : 4096;
  std::vector<Result> results;
  for (const Type& type : kTypes) {
    Square square(card, rules, type, size);
    if (!square.supported()) {
      results.push_back(without_figure("gpu.gemm", card.device(), Status::kNotSupported,
                                       fmt::format("cuBLASLt has no product of {} for this device", type.name)));
      continue;
    }
    square.put_in_normal_numbers();
    if (results.empty()) warm_up(card, rules.settle, rules.most_settle, square.product(0));
    square.find_the_best();
    results.push_back(square.measure("normal"));
    if (type.type != NumberType::kBf16) continue;
    square.put_in_zeros();  // what the power of real numbers costs
    results.push_back(square.measure("zeros"));
  }
  return results;
}

}  // namespace

std::vector<Result> measure_gpu_gemm(const Cards& cards, const GpuRules& rules) {
  return on_every_card(cards, "gpu.gemm", [&](Card& card) { return measure(card, rules); });
}

}  // namespace fathom::probe
