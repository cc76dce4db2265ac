#include "bench.h"

#include <algorithm>
#include <cstdio>
#include <stdexcept>
#include <utility>

#include "cuda/random_numbers.h"

namespace fathom::cuda {
namespace {

constexpr std::size_t kWorkspaceBytes = std::size_t{1} << 28;
constexpr int kCounters = 65536;

// Graph and events of one measurement, destroyed also when it fails.
struct Replay {
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t exec = nullptr;
  cudaEvent_t start = nullptr, stop = nullptr;
  Replay() {
    ok(cudaEventCreate(&start));
    ok(cudaEventCreate(&stop));
  }
  ~Replay() {
    if (exec != nullptr) cudaGraphExecDestroy(exec);
    if (graph != nullptr) cudaGraphDestroy(graph);
    cudaEventDestroy(start);
    cudaEventDestroy(stop);
  }
  float milliseconds(cudaStream_t stream) const {
    ok(cudaEventRecord(start, stream));
    ok(cudaGraphLaunch(exec, stream));
    ok(cudaEventRecord(stop, stream));
    ok(cudaEventSynchronize(stop));
    float ms = 0;
    ok(cudaEventElapsedTime(&ms, start, stop));
    return ms;
  }
};

std::string text_of(const Line& l) { return l.kernel + " " + l.format + " " + l.shape + " " + l.variant; }

cudaStream_t new_stream() {
  cudaStream_t stream;
  ok(cudaStreamCreate(&stream));
  return stream;
}

}  // namespace

void ok(cudaError_t status) {
  if (status != cudaSuccess) throw std::runtime_error(cudaGetErrorString(status));
}

void fill_bf16(const Buffer& to, std::size_t bytes) { fill_random({}, to.as<void>(), bytes, 0x81ff, 0x3e00); }

Bench::Bench(double peak, std::string only)
    : peak_(peak),
      only_(std::move(only)),
      stream_(new_stream()),
      pool_(kPoolBytes),
      activations_(kActivationBytes),
      workspace_data_(kWorkspaceBytes),
      counters_(kCounters * sizeof(std::uint32_t)),
      workspace_{workspace_data_.as<void>(), kWorkspaceBytes, counters_.as<std::uint32_t>(), kCounters} {
  ok(cudaMemset(workspace_.counters, 0, kCounters * sizeof(std::uint32_t)));
}

Bench::~Bench() { cudaStreamDestroy(stream_); }

void Bench::fill(WeightFormat format) {
  fill_bf16(activations_, kActivationBytes);
  if (format == WeightFormat::kBf16) return fill_bf16(pool_, kPoolBytes);
  fill_random({}, pool_.as<void>(), kPoolBytes, format == WeightFormat::kFp8Block128 ? 0x9fbf : 0xffff, 0);  // no NaN
}

bool Bench::wants(const Line& line) const { return (text_of(line) + " overlap").find(only_) != std::string::npos; }

bool Bench::asked_for(const Line& line) const { return text_of(line).find(only_) != std::string::npos; }

void Bench::time(Line line, int launches, const Launched& launch, bool overlap) {
  line.variant += overlap ? " overlap" : "";
  if (!asked_for(line)) return;
  line.us = measure(launches, launch, overlap);
  report(std::move(line));
}

double Bench::measure(int launches, const Launched& launch, bool overlap, int replays) {
  launch({.stream = stream_}, 0);  // raises limits, plans, reports errors
  ok(cudaStreamSynchronize(stream_));
  Replay replay;
  ok(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal));
  for (int i = 0; i < launches; ++i) launch({.stream = stream_, .overlap = overlap}, i);
  ok(cudaStreamEndCapture(stream_, &replay.graph));
  ok(cudaGraphInstantiate(&replay.exec, replay.graph, 0));
  std::vector<float> times;
  for (int run = 0; run < replays; ++run) {
    const float ms = replay.milliseconds(stream_);
    if (run >= 2) times.push_back(ms);
  }
  std::nth_element(times.begin(), times.begin() + times.size() / 2, times.end());
  return 1e3 * times[times.size() / 2] / launches;
}

void Bench::report(Line line) {
  if (!asked_for(line)) return;
  std::printf("%-10s %-5s %-34s %-14s %8.2f us %6.3f TB/s %5.1f %%", line.kernel.c_str(), line.format.c_str(),
              line.shape.c_str(), line.variant.c_str(), line.us, line.bytes / line.us * 1e-6,
              line.bytes / line.us * 1e-4 / peak_);
  if (line.flops > 0) std::printf(" %6.1f TFLOPS", line.flops / line.us * 1e-6);
  std::printf("\n");
  std::fflush(stdout);
  lines_.push_back(std::move(line));
}

void Bench::write(const char* path) const {
  std::FILE* file = std::fopen(path, "w");
  if (file == nullptr) throw std::runtime_error(std::string("cannot write ") + path);
  cudaDeviceProp device;
  ok(cudaGetDeviceProperties(&device, 0));
  std::fprintf(file, "{\"device\": \"%s\", \"lines\": [\n", device.name);
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    const Line& l = lines_[i];
    std::fprintf(file,
                 "{\"kernel\": \"%s\", \"format\": \"%s\", \"shape\": \"%s\", \"variant\": \"%s\", \"time_us\": %.3f, "
                 "\"bytes\": %.0f, \"flops\": %.0f}%s\n",
                 l.kernel.c_str(), l.format.c_str(), l.shape.c_str(), l.variant.c_str(), l.us, l.bytes, l.flops,
                 i + 1 < lines_.size() ? "," : "");
  }
  std::fprintf(file, "]}\n");
  std::fclose(file);
}

int launches_of(const Line& line, int most) {
  constexpr double kReplay = 1e4, kFlops = 5e8, kBytes = 4e6;  // us; what an H200 does in one, roughly
  const double each = std::max(line.flops / kFlops, line.bytes / kBytes);
  return static_cast<int>(std::clamp(kReplay / each, 1.0, static_cast<double>(most)));
}

}  // namespace fathom::cuda
