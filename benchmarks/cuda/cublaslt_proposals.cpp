#include "cublaslt_proposals.h"

#include <stdexcept>
#include <string>

namespace fathom::cuda {
namespace {

void ok(cublasStatus_t status) {
  if (status != CUBLAS_STATUS_SUCCESS)
    throw std::runtime_error(std::string("cuBLASLt: ") + cublasLtGetStatusString(status));
}

}  // namespace

CublasLtProposals::CublasLtProposals(std::int64_t rows, std::int64_t cols, int tokens, void* workspace,
                                     std::size_t workspace_bytes)
    : workspace_(workspace), workspace_bytes_(workspace_bytes) {
  const cublasOperation_t turned = CUBLAS_OP_T;
  ok(cublasLtMatmulDescInit(&operation_, CUBLAS_COMPUTE_32F, CUDA_R_32F));
  ok(cublasLtMatmulDescSetAttribute(&operation_, CUBLASLT_MATMUL_DESC_TRANSA, &turned, sizeof turned));
  ok(cublasLtMatrixLayoutInit(&w_, CUDA_R_16BF, cols, rows, cols));
  ok(cublasLtMatrixLayoutInit(&x_, CUDA_R_16BF, cols, tokens, cols));
  ok(cublasLtMatrixLayoutInit(&y_, CUDA_R_16BF, rows, tokens, rows));
  cublasLtMatmulPreferenceOpaque_t preference = {};
  ok(cublasLtMatmulPreferenceInit(&preference));
  ok(cublasLtMatmulPreferenceSetAttribute(&preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace_bytes,
                                          sizeof workspace_bytes));
  cublasLtMatmulHeuristicResult_t results[kMost] = {};
  int found = 0;
  ok(cublasLtCreate(&context_));
  ok(cublasLtMatmulAlgoGetHeuristic(context_, &operation_, &w_, &x_, &y_, &y_, &preference, kMost, results, &found));
  for (int i = 0; i < found; ++i) {
    if (results[i].state == CUBLAS_STATUS_SUCCESS) algorithms_.push_back(results[i].algo);
  }
  if (algorithms_.empty()) throw std::runtime_error("cuBLASLt has no algorithm for a product");
}

CublasLtProposals::~CublasLtProposals() { cublasLtDestroy(context_); }

void CublasLtProposals::run(int proposal, const void* w, const void* x, void* y, cudaStream_t stream) const {
  const float one = 1, zero = 0;
  ok(cublasLtMatmul(context_, &operation_, &one, w, &w_, x, &x_, &zero, y, &y_, y, &y_, &algorithms_[proposal],
                    workspace_, workspace_bytes_, stream));
}

}  // namespace fathom::cuda
