// y = x W^T for many tokens, through cuBLASLt in bf16. Weights of other formats are widened into a scratch first: for 2,048 tokens
// that moves as many bytes as the product's activations.
//
// Bound by arithmetic. Reference: host/matrix.h, matmul_reference.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <memory>

#include "cuda/linear.h"

namespace fathom::cuda {

// Sizes by which steps are told apart: `tokens` rounded up to one of a few. Prompts come in all lengths, and to choose an algorithm
// takes the host a good part of a millisecond, to load its code several.
constexpr int step_size(int tokens) {
  for (int size : {1, 2, 4, 8, 16, 24, 32, 48, 64}) {
    if (tokens <= size) return size;
  }
  const int step = tokens <= 512 ? 32 : 128;
  return (tokens + step - 1) / step * step;
}

// What cuBLASLt chose for a shape and the step_size of its tokens is kept, so a second call of it costs the host a few
// microseconds. Not for two threads at once. Allocates nothing after construction: `scratch` holds the widest matrix that is not in bf16, bf16 [rows, cols].
class LargeLinear {
 public:
  static constexpr std::size_t kWorkspaceBytes = std::size_t{32} << 20;  // what cuBLAS recommends for Hopper

  struct Memory {
    void* workspace = nullptr;  // kWorkspaceBytes, on the device
    std::uint16_t* scratch = nullptr;
    std::size_t scratch_bytes = 0;
  };
  explicit LargeLinear(const Memory& memory);  // throws CudaError where cuBLASLt does not start
  ~LargeLinear();
  LargeLinear(const LargeLinear&) = delete;
  LargeLinear& operator=(const LargeLinear&) = delete;

  // Ungated. Rows of x and y start at multiples of 16 bytes.
  void operator()(const Launch& how, const Linear& op);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The most rows that linear() takes; more are LargeLinear's. Alone, the two are about as fast for eight rows of a large bf16 matrix; in
// a step, where kernels overlap, linear()'s blocks come to lie unevenly: on an H200 Llama-8B with 8 x 2,048 took 6.7 ms
// with all products of up to eight rows by linear(), 5.3 so. Other formats have to be widened for LargeLinear first: where there
// is no way of their own, that is worth it for 64 rows of a large matrix.
inline int most_linear_rows(const Weights& w) {
  constexpr std::int64_t kLarge = std::int64_t{8} << 20;  // values
  const bool large = w.rows * w.cols >= kLarge;
  if (w.format == WeightFormat::kBf16) return large ? 1 : 8;
  const int most = most_linear_tokens(w, device_traits());
  return large && most == kMostLinearTokens ? most / 2 : most;
}

// W as bf16 [rows, cols]; of bf16 weights a copy.
void widen_weights(const Launch& how, const Weights& w, std::uint16_t* to);

}  // namespace fathom::cuda
