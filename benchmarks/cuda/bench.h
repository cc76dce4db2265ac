// What the lines of kernels_cuda_bench share: memory with random numbers, replays of graphs, the table and its file.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cuda/launch.h"
#include "cuda/linear.h"

namespace fathom::cuda {

void ok(cudaError_t status);  // throws std::runtime_error

// Device memory, as it comes.
class Buffer {
 public:
  explicit Buffer(std::size_t bytes) { ok(cudaMalloc(&data_, bytes)); }
  template <class Value>
  explicit Buffer(const std::vector<Value>& values) : Buffer(values.size() * sizeof(Value)) {
    ok(cudaMemcpy(data_, values.data(), values.size() * sizeof(Value), cudaMemcpyHostToDevice));
  }
  ~Buffer() { cudaFree(data_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  template <class Value>
  Value* as() const {
    return static_cast<Value*>(data_);
  }

 private:
  void* data_ = nullptr;
};

void fill_bf16(const Buffer& to, std::size_t bytes);  // random numbers, 1/8 to 2 in magnitude, of both signs

struct Line {
  std::string kernel = {}, format = {}, shape = {}, variant = {};
  double us = 0, bytes = 0, flops = 0;  // of one launch; flops 0: not worth a column
};

class Bench {
 public:
  static constexpr std::size_t kPoolBytes = std::size_t{5} << 28;  // 1.25 GiB of weights or pages
  static constexpr std::size_t kActivationBytes = std::size_t{1} << 28;
  static constexpr int kReplays = 9;

  using Launched = std::function<void(const Launch&, int)>;  // the i-th launch, with its own part of the pool

  // `peak`: bandwidth in TB/s that lines are compared with; `only`: text that a line must contain.
  Bench(double peak, std::string only);
  ~Bench();
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  // Random codes of a format to the pool, random bf16 to the activations.
  void fill(WeightFormat format);

  // Whether somebody asked for this line, alone or overlapping: what nobody asked for need not be prepared.
  bool wants(const Line& line) const;

  // Measures and reports the line if it is wanted. `overlap`: with programmatic dependence, which joins the variant's name.
  void time(Line line, int launches, const Launched& launch, bool overlap = false);

  // Microseconds of a launch: median over replays of a graph of `launches`, the first two left out.
  double measure(int launches, const Launched& launch, bool overlap = false, int replays = kReplays);
  void report(Line line);  // with its time, if it is wanted

  void write(const char* path) const;  // all lines reported, as JSON

  std::uint8_t* pool() const { return pool_.as<std::uint8_t>(); }
  std::uint16_t* activations() const { return activations_.as<std::uint16_t>(); }
  const Workspace& workspace() const { return workspace_; }

 private:
  bool asked_for(const Line& line) const;

  double peak_;
  std::string only_;
  cudaStream_t stream_;
  Buffer pool_, activations_, workspace_data_, counters_;
  Workspace workspace_;
  std::vector<Line> lines_;
};

// For kernels of up to many milliseconds: so many launches, `most` of them at most, that a replay takes about 10 ms.
int launches_of(const Line& line, int most);

}  // namespace fathom::cuda
