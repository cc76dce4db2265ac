// kernels_cuda_bench [FILE.json] [--device-bandwidth TB/s] [--only TEXT]: what the CUDA kernels reach, at the shapes of real
// layers; with --only, of the lines whose kernel, format, shape and variant contain TEXT.
//
// Each line is the median of replays of a graph of many launches. Weights and pages rotate through a gigabyte, so that no
// launch finds its own in the cache; data are random. `overlap` lines launch with programmatic dependence.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "cuda/decode_attention.h"
#include "cuda/embedding.h"
#include "cuda/linear.h"
#include "cuda/rms_norm.h"
#include "cuda/rope.h"
#include "cuda/router.h"
#include "cuda/sample.h"
#include "cuda/swiglu.h"
#include "fill.h"

namespace fathom::cuda {
namespace {

constexpr std::size_t kPool = std::size_t{5} << 28;  // 1.25 GiB of weights or pages

void ok(cudaError_t status) {
  if (status != cudaSuccess) throw std::runtime_error(cudaGetErrorString(status));
}

std::uint8_t* memory(std::size_t bytes) {
  void* p = nullptr;
  ok(cudaMalloc(&p, bytes));
  return static_cast<std::uint8_t*>(p);
}

struct Line {
  std::string kernel = {}, format = {}, shape = {}, variant = {};
  double us = 0, bytes = 0, flops = 0;
};

class Bench {
 public:
  Bench(double peak, std::string only) : peak_(peak), only_(std::move(only)) {
    ok(cudaStreamCreate(&stream_));
    pool = memory(kPool);
    small = memory(std::size_t{1} << 28);
    fill_random(small, std::size_t{1} << 28, 0x81ff, 0x3e00);  // bf16 of magnitude 1/8 to 1
    workspace.bytes = std::size_t{1} << 28;
    workspace.data = memory(workspace.bytes);
    workspace.counter_count = 65536;
    workspace.counters = reinterpret_cast<std::uint32_t*>(memory(4 * 65536));
    ok(cudaMemset(workspace.counters, 0, 4 * 65536));
    ok(cudaDeviceSynchronize());
  }

  // `launch(i)`: the i-th of `launches` with its own part of the pool.
  void time(Line line, int launches, const std::function<void(const Launch&, int)>& launch, bool overlap) {
    line.variant += overlap ? " overlap" : "";
    const std::string all = line.kernel + " " + line.format + " " + line.shape + " " + line.variant;
    if (all.find(only_) == std::string::npos) return;
    cudaGraph_t graph;
    cudaGraphExec_t replay;
    launch({.stream = stream_}, 0);  // raises limits, reports errors
    ok(cudaStreamSynchronize(stream_));
    ok(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal));
    for (int i = 0; i < launches; ++i) launch({.stream = stream_, .overlap = overlap}, i);
    ok(cudaStreamEndCapture(stream_, &graph));
    ok(cudaGraphInstantiate(&replay, graph, 0));
    cudaEvent_t start, stop;
    ok(cudaEventCreate(&start));
    ok(cudaEventCreate(&stop));
    std::vector<float> times;
    for (int run = 0; run < 9; ++run) {
      ok(cudaEventRecord(start, stream_));
      ok(cudaGraphLaunch(replay, stream_));
      ok(cudaEventRecord(stop, stream_));
      ok(cudaEventSynchronize(stop));
      float ms = 0;
      ok(cudaEventElapsedTime(&ms, start, stop));
      if (run >= 2) times.push_back(ms);
    }
    std::nth_element(times.begin(), times.begin() + times.size() / 2, times.end());
    line.us = 1e3 * times[times.size() / 2] / launches;
    ok(cudaEventDestroy(start));
    ok(cudaEventDestroy(stop));
    ok(cudaGraphExecDestroy(replay));
    ok(cudaGraphDestroy(graph));
    std::printf("%-10s %-5s %-34s %-14s %8.2f us %6.3f TB/s %5.1f %%", line.kernel.c_str(), line.format.c_str(),
                line.shape.c_str(), line.variant.c_str(), line.us, line.bytes / line.us * 1e-6,
                line.bytes / line.us * 1e-4 / peak_);
    if (line.flops > 0) std::printf(" %6.1f TFLOPS", line.flops / line.us * 1e-6);
    std::printf("\n");
    std::fflush(stdout);
    lines_.push_back(std::move(line));
  }

  void write(const char* path) const {
    std::FILE* file = std::fopen(path, "w");
    if (file == nullptr) throw std::runtime_error(std::string("cannot write ") + path);
    cudaDeviceProp device;
    ok(cudaGetDeviceProperties(&device, 0));
    std::fprintf(file, "{\"device\": \"%s\", \"lines\": [\n", device.name);
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      const Line& l = lines_[i];
      std::fprintf(
          file,
          "{\"kernel\": \"%s\", \"format\": \"%s\", \"shape\": \"%s\", \"variant\": \"%s\", \"time_us\": %.3f, "
          "\"bytes\": %.0f, \"flops\": %.0f}%s\n",
          l.kernel.c_str(), l.format.c_str(), l.shape.c_str(), l.variant.c_str(), l.us, l.bytes, l.flops,
          i + 1 < lines_.size() ? "," : "");
    }
    std::fprintf(file, "]}\n");
    std::fclose(file);
  }

  std::uint8_t *pool, *small;
  Workspace workspace;

 private:
  double peak_;
  std::string only_;
  cudaStream_t stream_;
  std::vector<Line> lines_;
};

struct LinearShape {
  const char* name;
  std::int64_t rows, cols;
  bool gated = false;  // two matrices of so many rows
};

constexpr LinearShape kLinears[] = {
    {"llama-8b qkv", 6144, 4096},
    {"llama-8b out", 4096, 4096},
    {"llama-8b gate,up", 14336, 4096, true},
    {"llama-8b down", 4096, 14336},
    {"llama-8b head", 128256, 4096},
    {"qwen-32b qkv", 7168, 5120},
    {"qwen-32b out", 5120, 5120},
    {"qwen-32b gate,up", 27648, 5120, true},
    {"qwen-32b down", 5120, 27648},
    {"v2-lite q", 3072, 2048},
    {"v2-lite latent", 576, 2048},
    {"v2-lite out", 2048, 2048},
    {"v2-lite shared gate,up", 2816, 2048, true},
    {"v2-lite shared down", 2048, 2816},
};

// Reads a view's parts from `at` on; returns where the next may begin.
Weights place(WeightFormat format, std::int64_t rows, std::int64_t cols, std::uint8_t*& at) {
  Weights w{.format = format, .rows = rows, .cols = cols, .codes = at, .scale_stride = rows};
  const std::int64_t codes = rows * cols *
                             (format == WeightFormat::kBf16       ? 16
                              : format == WeightFormat::kInt4G128 ? 4
                                                                  : 8) /
                             8;
  at += codes;
  w.scales = at;
  if (format == WeightFormat::kFp8Block128) at += (rows + 127) / 128 * ((cols + 127) / 128) * 4;
  if (format == WeightFormat::kInt4G128) at += rows * cols / 128 * 2;
  at += (256 - reinterpret_cast<std::uintptr_t>(at) % 256) % 256;
  return w;
}

const char* name_of(WeightFormat format) {
  return format == WeightFormat::kBf16 ? "bf16" : format == WeightFormat::kInt4G128 ? "int4" : "fp8";
}

const char* name_of(LinearPath path) {
  return path == LinearPath::kDot ? "dot" : path == LinearPath::kStream ? "stream" : "mma";
}

void linears(Bench& bench, WeightFormat format) {
  // Scales are read from the same random bits: finite, which is all that a time needs.
  fill_random(bench.pool, kPool, format == WeightFormat::kBf16 ? 0x81ff : 0x9fbf,
              format == WeightFormat::kBf16 ? 0x3e00 : 0);
  for (const LinearShape& s : kLinears) {
    if (format == WeightFormat::kInt4G128 && s.cols % 128 != 0) continue;
    std::vector<Weights> first, second;
    std::uint8_t *at = bench.pool, *begin = at;
    std::size_t each = 0;
    do {
      begin = at;
      first.push_back(place(format, s.rows, s.cols, at));
      second.push_back(s.gated ? place(format, s.rows, s.cols, at) : Weights{});
      each = at - begin;
    } while (static_cast<std::size_t>(at - bench.pool) + each <= kPool && first.size() < 200);
    for (int tokens : {1, 2, 4, 8, 16, 32, 64}) {
      for (LinearPath path : {LinearPath::kDot, LinearPath::kStream, LinearPath::kMma}) {
        if ((path == LinearPath::kDot && tokens > 1) || (path == LinearPath::kStream && tokens > 8)) continue;
        for (bool overlap : {false, true}) {
          if (overlap && tokens != 1 && tokens != 8) continue;
          Line line{.kernel = "linear", .format = name_of(format), .variant = name_of(path)};
          line.shape = std::string(s.name) + " " + std::to_string(s.rows * (s.gated ? 2 : 1)) + "x" +
                       std::to_string(s.cols) + " T" + std::to_string(tokens);
          line.bytes = static_cast<double>(each) + 2.0 * tokens * (s.rows + s.cols);
          line.flops = tokens > 1 ? 2.0 * tokens * s.rows * s.cols * (s.gated ? 2 : 1) : 0;
          const auto* x = reinterpret_cast<const std::uint16_t*>(bench.small);
          auto* y = reinterpret_cast<std::uint16_t*>(bench.small) + (1 << 25);
          bench.time(
              line, static_cast<int>(std::max<std::size_t>(first.size(), 24)),
              [&](const Launch& how, int i) {
                const std::size_t n = i % first.size();
                linear(how,
                       {.w = first[n],
                        .up = second[n],
                        .x = x,
                        .x_stride = s.cols,
                        .tokens = tokens,
                        .y = y,
                        .y_stride = s.rows,
                        .path = path},
                       bench.workspace);
              },
              overlap);
        }
      }
    }
  }
}

// V2-Lite's routed experts, 64 of 1408, six per token: tokens spread evenly.
void experts(Bench& bench, WeightFormat format) {
  constexpr int kExperts = 64, kChosen = 6, kHidden = 2048, kInner = 1408;
  for (int tokens : {1, 8, 64}) {
    const int pairs = tokens * kChosen, slots = std::min(kExperts, pairs), likely = (pairs + slots - 1) / slots;
    std::vector<std::int32_t> first(kExperts + 1), used(kExperts, -1);
    int count = 0;
    for (int e = 0; e < kExperts; ++e) {
      const int own = pairs * (e + 1) / kExperts - pairs * e / kExperts;
      first[e + 1] = first[e] + own;
      if (own > 0) used[count++] = e;
    }
    auto* lists = reinterpret_cast<std::int32_t*>(memory(4096));
    ok(cudaMemcpy(lists, first.data(), first.size() * 4, cudaMemcpyHostToDevice));
    ok(cudaMemcpy(lists + 128, used.data(), used.size() * 4, cudaMemcpyHostToDevice));
    for (bool down : {false, true}) {
      const std::int64_t rows = down ? kHidden : kInner, cols = down ? kInner : kHidden;
      std::vector<Weights> w, up;
      std::uint8_t* at = bench.pool;
      std::size_t layer = 0;
      do {
        std::uint8_t* begin = at;
        w.push_back(place(format, kExperts * rows, cols, at));
        up.push_back(down ? Weights{} : place(format, kExperts * rows, cols, at));
        w.back().rows = rows;
        if (!down) up.back().rows = rows;
        layer = at - begin;
      } while (static_cast<std::size_t>(at - bench.pool) + layer <= kPool);
      Line line{.kernel = "experts", .format = name_of(format)};
      line.shape = std::string(down ? "v2-lite down" : "v2-lite gate,up") + " T" + std::to_string(tokens);
      line.bytes = static_cast<double>(layer) * count / kExperts;
      for (bool overlap : {false, true}) {
        bench.time(
            line, static_cast<int>(std::max<std::size_t>(w.size(), 24)),
            [&](const Launch& how, int i) {
              const std::size_t n = i % w.size();
              grouped_linear(how, {.w = w[n],
                                   .up = up[n],
                                   .experts = kExperts,
                                   .first_pair = lists,
                                   .used = lists + 128,
                                   .slots = slots,
                                   .likely_pairs = likely,
                                   .x = reinterpret_cast<const std::uint16_t*>(bench.small),
                                   .x_stride = cols,
                                   .y = bench.small + (1 << 26),
                                   .y_stride = rows});
            },
            overlap);
      }
    }
    ok(cudaFree(lists));
  }
}

// Tables and lengths of equally long sequences; each launch starts at another page of the pool.
struct Pages {
  std::int32_t *table, *lengths;
  int stride, launches;
  Pages(int sequences, int length, std::size_t page_bytes) : stride((length + 63) / 64) {
    const int wanted = sequences * stride, held = static_cast<int>(kPool / page_bytes);
    launches = std::clamp(held / wanted, 1, 100);
    std::vector<std::int32_t> numbers, each(sequences, length);
    for (int l = 0; l < launches; ++l) {
      for (int i = 0; i < wanted; ++i) numbers.push_back((l * wanted + static_cast<int>(i * 7919LL % wanted)) % held);
    }
    table = reinterpret_cast<std::int32_t*>(memory(4 * numbers.size()));
    lengths = reinterpret_cast<std::int32_t*>(memory(4 * each.size()));
    ok(cudaMemcpy(table, numbers.data(), 4 * numbers.size(), cudaMemcpyHostToDevice));
    ok(cudaMemcpy(lengths, each.data(), 4 * each.size(), cudaMemcpyHostToDevice));
  }
  ~Pages() {
    cudaFree(table);
    cudaFree(lengths);
  }
};

void attention(Bench& bench) {
  fill_random(bench.pool, kPool, 0x81ff, 0x3e00);
  auto* q = reinterpret_cast<std::uint16_t*>(bench.small);
  auto* out = q + (1 << 26);
  struct Gqa {
    const char* name;
    int heads, kv_heads, sequences, length;
  };
  for (const Gqa& c : {Gqa{"llama-8b 32/8", 32, 8, 1, 128}, Gqa{"llama-8b 32/8", 32, 8, 1, 4096},
                       Gqa{"llama-8b 32/8", 32, 8, 1, 32768}, Gqa{"llama-8b 32/8", 32, 8, 8, 2048},
                       Gqa{"llama-8b 32/8", 32, 8, 64, 2048}, Gqa{"qwen-32b 40/8", 40, 8, 1, 4096},
                       Gqa{"qwen-32b 40/8", 40, 8, 32, 4096}}) {
    const std::int64_t page = 2 * c.kv_heads * 64 * 128;
    const Pages pages(c.sequences, c.length, 2 * page);
    Line line{.kernel = "decode", .format = "bf16"};
    line.shape = std::string(c.name) + " B" + std::to_string(c.sequences) + " ctx " + std::to_string(c.length);
    line.bytes = 4.0 * c.sequences * c.length * c.kv_heads * 128;
    for (bool overlap : {false, true}) {
      bench.time(
          line, std::max(pages.launches, 20),
          [&](const Launch& how, int i) {
            decode_attention(how,
                             {.sequences = c.sequences,
                              .heads = c.heads,
                              .kv_heads = c.kv_heads,
                              .head_dim = 128,
                              .scale = 0.0884f,
                              .q = q,
                              .pages = reinterpret_cast<std::uint16_t*>(bench.pool),
                              .page_stride = page,
                              .table = pages.table + std::int64_t{i % pages.launches} * c.sequences * pages.stride,
                              .table_stride = pages.stride,
                              .lengths = pages.lengths,
                              .out = out},
                             bench.workspace);
          },
          overlap);
    }
  }
  struct Mla {
    const char* name;
    int heads, sequences, length;
  };
  for (const Mla& c : {Mla{"v2-lite 16", 16, 1, 128}, Mla{"v2-lite 16", 16, 1, 4096}, Mla{"v2-lite 16", 16, 32, 4096},
                       Mla{"r1 32", 32, 1, 4096}, Mla{"r1 32", 32, 32, 4096}, Mla{"r1 128", 128, 1, 4096},
                       Mla{"r1 128", 128, 32, 4096}}) {
    const Pages pages(c.sequences, c.length, 64 * 576 * 2);
    Line line{.kernel = "latent", .format = "bf16"};
    line.shape = std::string(c.name) + " B" + std::to_string(c.sequences) + " ctx " + std::to_string(c.length);
    line.bytes = 2.0 * 576 * c.sequences * c.length;
    line.flops = 2.0 * (576 + 512) * c.heads * c.sequences * c.length;
    for (bool overlap : {false, true}) {
      bench.time(
          line, std::max(pages.launches, 20),
          [&](const Launch& how, int i) {
            latent_attention(how,
                             {.sequences = c.sequences,
                              .heads = c.heads,
                              .scale = 0.0722f,
                              .q = q,
                              .pages = reinterpret_cast<std::uint16_t*>(bench.pool),
                              .page_stride = 64 * 576,
                              .table = pages.table + std::int64_t{i % pages.launches} * c.sequences * pages.stride,
                              .table_stride = pages.stride,
                              .lengths = pages.lengths,
                              .out = out},
                             bench.workspace);
          },
          overlap);
    }
  }
}

// The small operators at one decode step's sizes and a prompt's. Their operands stay in the cache, as within a step.
void small_operators(Bench& bench) {
  fill_random(bench.pool, kPool, 0x81ff, 0x3e00);
  std::uint8_t* small = bench.small;
  const auto bytes_at = [&](int megabytes) { return small + (static_cast<std::size_t>(megabytes) << 20); };
  auto* numbers = reinterpret_cast<std::int32_t*>(memory(std::size_t{1} << 20));
  ok(cudaMemset(numbers, 0, std::size_t{1} << 20));
  std::vector<double> frequencies(64, 0.01);
  auto* frequency = reinterpret_cast<double*>(memory(512));
  ok(cudaMemcpy(frequency, frequencies.data(), 512, cudaMemcpyHostToDevice));
  const auto both = [&](const char* kernel, const std::string& shape, double bytes,
                        const std::function<void(const Launch&, int)>& launch) {
    for (bool overlap : {false, true})
      bench.time({.kernel = kernel, .format = "bf16", .shape = shape, .bytes = bytes}, 40, launch, overlap);
  };
  for (int rows : {1, 64, 2048}) {
    const std::string of = " T" + std::to_string(rows);
    const auto* bf16 = reinterpret_cast<const std::uint16_t*>(small);
    auto* fp32 = reinterpret_cast<float*>(bytes_at(64));  // finite: the bits are of numbers near 1
    auto* out = reinterpret_cast<std::uint16_t*>(bytes_at(160));
    both("rms_norm", "add 4096" + of, rows * 4096.0 * 12, [&](const Launch& how, int) {
      rms_norm(how, {.rows = rows,
                     .width = 4096,
                     .x = fp32,
                     .x_stride = 4096,
                     .add = bf16,
                     .add_stride = 4096,
                     .add_fp32 = false,
                     .sum = reinterpret_cast<float*>(out) + (1 << 23),
                     .weight = fp32,
                     .epsilon = 1e-5f,
                     .out = out,
                     .out_stride = 4096});
    });
    if (rows <= 2048) {
      const RopeRows places{.rows = rows,
                            .position = numbers,
                            .sequence = numbers,
                            .table = numbers,
                            .table_stride = 1,
                            .dims = 128,
                            .frequencies = frequency,
                            .angles = reinterpret_cast<float*>(bytes_at(150))};
      both("rope", "angles 128" + of, rows * 512.0, [&](const Launch& how, int) { rope_angles(how, places); });
      both("rope", "llama-8b 32/8" + of, rows * 6144.0 * 4, [&](const Launch& how, int) {
        rope_heads(how, {.rows = places,
                         .heads = 32,
                         .kv_heads = 8,
                         .head_dim = 128,
                         .q = bf16,
                         .k = bf16 + 4096,
                         .v = bf16 + 5120,
                         .q_stride = 6144,
                         .k_stride = 6144,
                         .v_stride = 6144,
                         .q_out = out,
                         .pages = out + (1 << 24),
                         .page_stride = 0});
      });
    }
    both("swiglu", "14336" + of, rows * 14336.0 * 6,
         [&](const Launch& how, int) { swiglu(how, {.rows = rows, .width = 14336, .gate_up = bf16, .out = out}); });
    both("embedding", "4096" + of, rows * 4096.0 * 6, [&](const Launch& how, int) {
      embed(how, {.rows = rows, .width = 4096, .table = bf16, .count = 1000, .tokens = numbers, .out = fp32});
    });
    for (int experts : {64, 256}) {
      const bool v3 = experts == 256;
      const int chosen = v3 ? 8 : 6;
      auto* expert = numbers + 4096;
      auto* weight = reinterpret_cast<float*>(numbers + 40960);
      both("router", std::to_string(experts) + of, rows * experts * 4.0, [&](const Launch& how, int) {
        route(how, {.rows = rows,
                    .scoring = v3 ? RouterScoring::kSigmoid : RouterScoring::kSoftmax,
                    .experts = experts,
                    .chosen = chosen,
                    .groups = v3 ? 8 : 1,
                    .groups_kept = v3 ? 4 : 1,
                    .group_by_top2 = v3,
                    .normalise = v3,
                    .logits = fp32,
                    .expert = expert,
                    .weight = weight});
      });
      both("lists", std::to_string(experts) + of, rows * chosen * 12.0, [&](const Launch& how, int) {
        list_experts(how, {.rows = rows,
                           .chosen = chosen,
                           .experts = experts,
                           .expert = expert,
                           .first_pair = numbers + 80000,
                           .used = numbers + 81000,
                           .token_of_pair = numbers + 100000,
                           .pair_of_choice = numbers + 120000});
      });
      both("combine", std::to_string(experts) + " 2048" + of, rows * 2048.0 * (2 * chosen + 4),
           [&](const Launch& how, int) {
             combine(how, {.rows = rows,
                           .chosen = chosen,
                           .width = 2048,
                           .y = bf16,
                           .pair_of_choice = numbers + 120000,
                           .weight = weight,
                           .out = fp32});
           });
    }
    if (rows > 64) continue;
    for (double temperature : {0.0, 1.0}) {
      both("sample", std::string(temperature > 0 ? "draw" : "greedy") + " 128256" + of, rows * 128256.0 * 4,
           [&](const Launch& how, int) {
             sample(how, {.rows = rows,
                          .vocabulary = 128256,
                          .logits = reinterpret_cast<const float*>(small),
                          .logit_stride = 128256,
                          .temperature = temperature,
                          .request = numbers,
                          .position = reinterpret_cast<const std::int64_t*>(numbers),
                          .token = numbers + 200000});
           });
    }
  }
  ok(cudaFree(numbers));
  ok(cudaFree(frequency));
}

int run(int argc, char** argv) {
  double peak = 4.8;
  const char* path = nullptr;
  std::string only;
  for (int i = 1; i < argc; ++i) {
    if (std::string(argv[i]) == "--device-bandwidth" && i + 1 < argc) {
      peak = std::atof(argv[++i]);
    } else if (std::string(argv[i]) == "--only" && i + 1 < argc) {
      only = argv[++i];
    } else {
      path = argv[i];
    }
  }
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
    std::puts("waived: no device");
    return 77;
  }
  Bench bench(peak, only);
  attention(bench);
  small_operators(bench);
  for (WeightFormat format : {WeightFormat::kBf16, WeightFormat::kFp8Block128, WeightFormat::kInt4G128}) {
    linears(bench, format);
    experts(bench, format);
  }
  if (path != nullptr) bench.write(path);
  return 0;
}

}  // namespace
}  // namespace fathom::cuda

int main(int argc, char** argv) {
  try {
    return fathom::cuda::run(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "kernels_cuda_bench: %s\n", e.what());
    return 3;
  }
}
