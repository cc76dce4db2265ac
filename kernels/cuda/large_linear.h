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

// W as bf16 [rows, cols]; of bf16 weights a copy.
void widen_weights(const Launch& how, const Weights& w, std::uint16_t* to);

}  // namespace fathom::cuda
