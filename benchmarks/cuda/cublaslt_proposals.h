// Every algorithm that cuBLASLt proposes for y = x W^T in bf16, for LargeLinear's choice to be held against.
#pragma once

#include <cublasLt.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace fathom::cuda {

// Rows without gaps; w, x and y start at multiples of 256 bytes, which cuBLASLt takes for granted unless told otherwise.
class CublasLtProposals {
 public:
  static constexpr int kMost = 32;

  CublasLtProposals(std::int64_t rows, std::int64_t cols, int tokens, void* workspace, std::size_t workspace_bytes);
  ~CublasLtProposals();
  CublasLtProposals(const CublasLtProposals&) = delete;
  CublasLtProposals& operator=(const CublasLtProposals&) = delete;

  int count() const { return static_cast<int>(algorithms_.size()); }  // the one it thinks best comes first
  void run(int proposal, const void* w, const void* x, void* y, cudaStream_t stream) const;

 private:
  void* workspace_;
  std::size_t workspace_bytes_;
  cublasLtHandle_t context_ = nullptr;
  // Column-major: the matrices are ours turned, and y^T = W x^T.
  mutable cublasLtMatmulDescOpaque_t operation_ = {};
  mutable cublasLtMatrixLayoutOpaque_t w_ = {}, x_ = {}, y_ = {};
  std::vector<cublasLtMatmulAlgo_t> algorithms_;
};

}  // namespace fathom::cuda
