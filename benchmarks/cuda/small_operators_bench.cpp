// The small operators at one decode step's sizes and a prompt's. Their operands stay in the cache, as within a step.
#include <string>
#include <vector>

#include "cuda/embedding.h"
#include "cuda/rms_norm.h"
#include "cuda/rope.h"
#include "cuda/router.h"
#include "cuda/sample.h"
#include "cuda/swiglu.h"
#include "families.h"

namespace fathom::cuda {
namespace {

constexpr int kLaunches = 40;
constexpr std::size_t kNumberBytes = std::size_t{1} << 20;

// One number of rows, with the places of what they read and write.
struct Rows {
  Bench& bench;
  int rows;
  std::int32_t* numbers;  // 262,144 of them, zeros at first
  const double* frequencies;
  const std::uint16_t* bf16;
  float* fp32;  // finite: the bits are of numbers near 1
  float* angles;
  std::uint16_t* out;

  Rows(Bench& b, int count, const Buffer& zeros, const Buffer& frequency)
      : bench(b),
        rows(count),
        numbers(zeros.as<std::int32_t>()),
        frequencies(frequency.as<double>()),
        bf16(b.activations()),
        fp32(reinterpret_cast<float*>(megabyte(64))),
        angles(reinterpret_cast<float*>(megabyte(150))),
        out(megabyte(160)) {}
  std::uint16_t* megabyte(int at) const { return bench.activations() + (static_cast<std::size_t>(at) << 19); }

  void time(const char* kernel, const std::string& shape, double bytes, const Bench::Launched& launch) const {
    const Line line{
        .kernel = kernel, .format = "bf16", .shape = shape + " T" + std::to_string(rows), .bytes = rows * bytes};
    for (bool overlap : {false, true}) bench.time(line, kLaunches, launch, overlap);
  }
};

void norms(const Rows& r) {
  r.time("rms_norm", "add 4096", 4096.0 * 12, [&](const Launch& how, int) {
    rms_norm(how, {.rows = r.rows,
                   .width = 4096,
                   .x = r.fp32,
                   .x_stride = 4096,
                   .add = r.bf16,
                   .add_stride = 4096,
                   .add_fp32 = false,
                   .sum = reinterpret_cast<float*>(r.out) + (1 << 23),
                   .weight = r.fp32,
                   .epsilon = 1e-5f,
                   .out = r.out,
                   .out_stride = 4096});
  });
}

void ropes(const Rows& r) {
  const RopeRows places{.rows = r.rows,
                        .position = r.numbers,
                        .sequence = r.numbers,
                        .table = r.numbers,
                        .table_stride = 1,
                        .dims = 128,
                        .frequencies = r.frequencies,
                        .angles = r.angles};
  r.time("rope", "angles 128", 512.0, [&](const Launch& how, int) { rope_angles(how, places); });
  r.time("rope", "llama-8b 32/8", 6144.0 * 4, [&](const Launch& how, int) {
    rope_heads(how, {.rows = places,
                     .heads = 32,
                     .kv_heads = 8,
                     .head_dim = 128,
                     .q = r.bf16,
                     .k = r.bf16 + 4096,
                     .v = r.bf16 + 5120,
                     .q_stride = 6144,
                     .k_stride = 6144,
                     .v_stride = 6144,
                     .q_out = r.out,
                     .pages = r.out + (1 << 24),
                     .page_stride = 0});
  });
}

void rows_in_and_out(const Rows& r) {
  r.time("swiglu", "14336", 14336.0 * 6, [&](const Launch& how, int) {
    swiglu(how, {.rows = r.rows, .width = 14336, .gate_up = r.bf16, .out = r.out});
  });
  r.time("embedding", "4096", 4096.0 * 6, [&](const Launch& how, int) {
    embed(how, {.rows = r.rows, .width = 4096, .table = r.bf16, .count = 1000, .tokens = r.numbers, .out = r.fp32});
  });
}

// V2-Lite's 64 experts or V3's 256.
void routing(const Rows& r, int experts) {
  const bool v3 = experts == 256;
  const int chosen = v3 ? 8 : 6;
  const std::string of = std::to_string(experts);
  std::int32_t *expert = r.numbers + 4096, *pair_of_choice = r.numbers + 120000;
  auto* weight = reinterpret_cast<float*>(r.numbers + 40960);
  r.time("router", of, experts * 4.0, [&](const Launch& how, int) {
    route(how, {.rows = r.rows,
                .scoring = v3 ? RouterScoring::kSigmoid : RouterScoring::kSoftmax,
                .experts = experts,
                .chosen = chosen,
                .groups = v3 ? 8 : 1,
                .groups_kept = v3 ? 4 : 1,
                .group_by_top2 = v3,
                .normalise = v3,
                .logits = r.fp32,
                .expert = expert,
                .weight = weight});
  });
  r.time("lists", of, chosen * 12.0, [&](const Launch& how, int) {
    list_experts(how, {.rows = r.rows,
                       .chosen = chosen,
                       .experts = experts,
                       .expert = expert,
                       .first_pair = r.numbers + 80000,
                       .used = r.numbers + 81000,
                       .token_of_pair = r.numbers + 100000,
                       .pair_of_choice = pair_of_choice});
  });
  r.time("combine", of + " 2048", 2048.0 * (2 * chosen + 4), [&](const Launch& how, int) {
    combine(how, {.rows = r.rows,
                  .chosen = chosen,
                  .width = 2048,
                  .y = r.bf16,
                  .pair_of_choice = pair_of_choice,
                  .weight = weight,
                  .out = r.fp32});
  });
}

void samples(const Rows& r) {
  for (double temperature : {0.0, 1.0}) {
    r.time("sample", temperature > 0 ? "draw 128256" : "greedy 128256", 128256.0 * 4, [&](const Launch& how, int) {
      sample(how, {.rows = r.rows,
                   .vocabulary = 128256,
                   .logits = reinterpret_cast<const float*>(r.bf16),
                   .logit_stride = 128256,
                   .temperature = temperature,
                   .request = r.numbers,
                   .position = reinterpret_cast<const std::int64_t*>(r.numbers),
                   .token = r.numbers + 200000});
    });
  }
}

}  // namespace

void small_operators(Bench& bench) {
  bench.fill(WeightFormat::kBf16);
  const Buffer numbers(kNumberBytes), frequencies(std::vector<double>(64, 0.01));
  ok(cudaMemset(numbers.as<void>(), 0, kNumberBytes));
  for (int rows : {1, 64, 2048}) {
    const Rows r(bench, rows, numbers, frequencies);
    norms(r);
    ropes(r);
    rows_in_and_out(r);
    for (int experts : {64, 256}) routing(r, experts);
    if (rows <= 64) samples(r);
  }
}

}  // namespace fathom::cuda
