// Every algorithm that cuBLASLt proposes for y = x W^T, for the best of them to be found by measuring.
#pragma once

#include <cublasLt.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "cuda/random_numbers.h"

namespace fathom::cuda {

// Operands and products: sums of fp16 and bf16 are rounded to what was multiplied, those of fp8 (e4m3, no scales) to bf16, those of int8
// are int32; fp32 is multiplied as tf32.
enum class ProductType { kAsOperands, kBf16, kInt32 };
constexpr ProductType product_type(NumberType operands) {
  return operands == NumberType::kE4m3   ? ProductType::kBf16
         : operands == NumberType::kInt8 ? ProductType::kInt32
                                         : ProductType::kAsOperands;
}

std::string cublaslt_version();  // "13.1.0"

// Rows without gaps; w, x and y start at multiples of 256 bytes, which cuBLASLt takes for granted unless told otherwise.
class GemmProposals {
 public:
  static constexpr int kMost = 32;

  // None where the device or the library has no algorithm for it.
  GemmProposals(NumberType type, std::int64_t rows, std::int64_t cols, int tokens, void* workspace,
                std::size_t workspace_bytes, int most = kMost);
  ~GemmProposals();
  GemmProposals(const GemmProposals&) = delete;
  GemmProposals& operator=(const GemmProposals&) = delete;

  int count() const { return static_cast<int>(algorithms_.size()); }  // the one it thinks best comes first
  int algorithm(int proposal) const;                                  // cuBLASLt's number of its kind
  void run(int proposal, const void* w, const void* x, void* y, Stream stream) const;

 private:
  NumberType type_;
  void* workspace_;
  std::size_t workspace_bytes_;
  cublasLtHandle_t context_ = nullptr;
  // Column-major: the matrices are ours turned, and y^T = W x^T.
  mutable cublasLtMatmulDescOpaque_t operation_ = {};
  mutable cublasLtMatrixLayoutOpaque_t w_ = {}, x_ = {}, y_ = {};
  std::vector<cublasLtMatmulAlgo_t> algorithms_;
};

}  // namespace fathom::cuda
