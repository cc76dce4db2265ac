// The routed experts of one layer as one rank holds them, gate, up and down, by the kernels that the engine runs. Every expert has as many
// tokens as the next: what a step waits for is the busiest, which the planner reckons with.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "cuda/random_numbers.h"
#include "gpu_cases/card_weights.h"
#include "gpu_cases/gpu_cases.h"

namespace fathom::probe {

namespace {

using cuda::WeightFormat;

constexpr std::array<int, 13> kTokens = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096};
constexpr int kManyTokens = 1024;  // from here on arithmetic may run into the power limit

// What list_experts() would find.
struct Routing {
  std::vector<std::int32_t> first, used;
  int pairs, slots, likely;
  Routing(const ExpertsShape& shape, int tokens)
      : first(static_cast<std::size_t>(shape.held) + 1),
        used(static_cast<std::size_t>(shape.held), -1),
        pairs(std::max(1, static_cast<int>(static_cast<double>(tokens) * shape.chosen * shape.held / shape.all))),
        slots(std::min(shape.held, pairs)),
        likely((pairs + slots - 1) / slots) {
    std::size_t count = 0;
    for (int e = 0; e < shape.held; ++e) {
      const auto end = static_cast<std::int32_t>(std::int64_t{pairs} * (e + 1) / shape.held);
      if (end > first[static_cast<std::size_t>(e)]) used[count++] = e;
      first[static_cast<std::size_t>(e) + 1] = end;
    }
  }
};

class Experts {
 public:
  Experts(Card& card, const GpuRules& rules, const ExpertsShape& shape, WeightFormat format)
      : card_(card),
        rules_(rules),
        shape_(shape),
        format_(format),
        gate_(card, format, shape.held * shape.inner, shape.hidden),
        up_(card, format, shape.held * shape.inner, shape.hidden, 1),
        down_(card, format, shape.held * shape.hidden, shape.inner, 2) {}

  void measure(std::vector<Result>& results) {
    for (const int tokens : kTokens) results.push_back(measure(tokens));
  }

 private:
  struct Step {
    Routing routing;
    CardMemory first, used, x, inner, y;
    Step(const ExpertsShape& shape, int tokens)
        : routing(shape, tokens),
          first(CardMemory::of(routing.first)),
          used(CardMemory::of(routing.used)),
          x(static_cast<std::size_t>(routing.pairs * shape.hidden) * 2),
          inner(static_cast<std::size_t>(routing.pairs * shape.inner) * 2),
          y(x.bytes()) {}
  };

  cuda::GroupedLinear product(const Step& step, const cuda::Weights& w) const {
    return {.w = w,
            .experts = shape_.held,
            .first_pair = step.first.as<std::int32_t>(),
            .used = step.used.as<std::int32_t>(),
            .slots = step.routing.slots,
            .likely_pairs = step.routing.likely};
  }

  void run(const Step& step, const cuda::Launch& how, int turn) const {
    cuda::GroupedLinear first = product(step, gate_.turn(turn, shape_.inner));
    first.up = up_.turn(turn, shape_.inner);
    first.x = step.x.as<std::uint16_t>();
    first.x_stride = shape_.hidden;
    first.y = step.inner.as<void>();
    first.y_stride = shape_.inner;
    cuda::grouped_linear(how, first);
    cuda::GroupedLinear second = product(step, down_.turn(turn, shape_.hidden));
    second.x = step.inner.as<std::uint16_t>();
    second.x_stride = shape_.inner;
    second.y = step.y.as<void>();
    second.y_stride = shape_.hidden;
    cuda::grouped_linear(how, second);
  }

  Result measure(int tokens) {
    Result r = card_result("gpu.experts", card_, Unit::kTime,
                           {{"dtype", name_of(format_)},
                            {"m", fmt::format("{}", tokens)},
                            {"experts", fmt::format("{}", shape_.held)},
                            {"of", fmt::format("{}", shape_.all)},
                            {"chosen", fmt::format("{}", shape_.chosen)},
                            {"hidden", fmt::format("{}", shape_.hidden)},
                            {"inner", fmt::format("{}", shape_.inner)}});
    const Step step(shape_, tokens);
    cuda::fill_normal({.stream = card_.stream()}, step.x.as<void>(), step.x.bytes() / 2, cuda::NumberType::kBf16, 7);
    card_.stream().wait();
    for (const CardMemory* written : {&step.inner, &step.y}) clear(card_, *written, 0xff);
    const RepeatRules repeat = tokens == kTokens[0]   ? rules_.repeat_first()
                               : tokens < kManyTokens ? rules_.repeat_point()
                                                      : rules_.repeat_heavy(tokens == kManyTokens);
    const TimedOnCard timed = time_on_card(card_, {.repeat = repeat, .least_runs = gate_.copies()},
                                           [&](const cuda::Launch& how, int turn) { run(step, how, turn); });
    const std::size_t all = 2 * gate_.bytes() + down_.bytes();
    const double read = static_cast<double>(all) * step.routing.slots / shape_.held;
    fill(r,
         {.engine = our_kernels(),
          .kernel = "grouped_linear twice",
          .pattern = "normal",
          .cache = cache_of(card_, static_cast<std::size_t>(read), gate_.copies())},
         timed);
    check(r, "elements of first and second product against sums in double", worst_error(step, timed.last_run),
          kMostProductError);
    return r;
  }

  // Of what the last timed run wrote.
  double worst_error(const Step& step, int run) const {
    double worst = 0;
    const auto width = static_cast<std::size_t>(shape_.hidden), inner_width = static_cast<std::size_t>(shape_.inner);
    for (int i = 0; i < std::min(step.routing.slots, 4); ++i) {
      const std::int64_t expert = step.routing.used[static_cast<std::size_t>(i)];
      const std::int64_t pair = step.routing.first[static_cast<std::size_t>(expert)];
      const auto x = bf16_on_host(step.x.as<std::uint16_t>() + pair * shape_.hidden, width);
      const auto inner = bf16_on_host(step.inner.as<std::uint16_t>() + pair * shape_.inner, inner_width);
      for (std::int64_t row = i; row < shape_.inner; row += shape_.inner / 8) {
        const std::int64_t at = expert * shape_.inner + row;
        worst =
            std::max(worst, gated_error(inner[static_cast<std::size_t>(row)], x, gate_.row(at, run), up_.row(at, run)));
      }
      const std::int64_t row = i * 40503 * 7 % shape_.hidden;
      const double y = bf16_on_host(step.y.as<std::uint16_t>() + pair * shape_.hidden + row, 1)[0];
      worst = std::max(worst, product_error(y, inner, down_.row(expert * shape_.hidden + row, run)));
    }
    return worst;
  }

  Card& card_;
  const GpuRules& rules_;
  const ExpertsShape& shape_;
  WeightFormat format_;
  CardWeights gate_, up_, down_;
};

std::vector<Result> measure(Card& card, const GpuRules& rules, const ModelShapes& shapes) {
  std::vector<Result> results;
  for (const ExpertsShape& shape : shapes.experts) {
    for (const WeightFormat format : kWeightFormats) {
      if (shape.inner % 128 != 0 || shape.hidden % 128 != 0) continue;
      attempt(results, "gpu.experts", card, [&] { Experts(card, rules, shape, format).measure(results); });
    }
  }
  if (shapes.experts.empty()) {
    results.push_back(without_figure("gpu.experts", card.device(), Status::kNotRun, "no model has experts"));
  }
  return results;
}

}  // namespace

std::vector<Result> measure_gpu_experts(const Cards& cards, const GpuRules& rules, const ModelShapes& shapes) {
  return on_every_card(cards, "gpu.experts", [&](Card& card) { return measure(card, rules, shapes); });
}

}  // namespace fathom::probe
