#include <algorithm>
#include <string>

#include "cuda/gemm_proposals.h"
#include "cuda/launch.h"

namespace fathom::cuda {
namespace {

void ok(cublasStatus_t status) {
  if (status != CUBLAS_STATUS_SUCCESS) throw CudaError(std::string("cuBLASLt: ") + cublasLtGetStatusString(status));
}

cudaDataType_t operand(NumberType type) {
  switch (type) {
    case NumberType::kBf16:
      return CUDA_R_16BF;
    case NumberType::kFp16:
      return CUDA_R_16F;
    case NumberType::kFp32:
      return CUDA_R_32F;
    case NumberType::kE4m3:
      return CUDA_R_8F_E4M3;
    case NumberType::kInt8:
      return CUDA_R_8I;
  }
  return CUDA_R_32F;
}

cudaDataType_t product(NumberType type) {
  switch (product_type(type)) {
    case ProductType::kAsOperands:
      return operand(type);
    case ProductType::kBf16:
      return CUDA_R_16BF;
    case ProductType::kInt32:
      return CUDA_R_32I;
  }
  return CUDA_R_32F;
}

cublasComputeType_t arithmetic(NumberType type) {
  if (type == NumberType::kInt8) return CUBLAS_COMPUTE_32I;
  return type == NumberType::kFp32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
}

}  // namespace

std::string cublaslt_version() {
  const std::size_t version = cublasLtGetVersion();  // 10000 major + 100 minor + patch
  return std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

GemmProposals::GemmProposals(NumberType type, std::int64_t rows, std::int64_t cols, int tokens, void* workspace,
                             std::size_t workspace_bytes, int most)
    : type_(type), workspace_(workspace), workspace_bytes_(workspace_bytes) {
  const cublasOperation_t turned = CUBLAS_OP_T;
  ok(cublasLtMatmulDescInit(&operation_, arithmetic(type), type == NumberType::kInt8 ? CUDA_R_32I : CUDA_R_32F));
  ok(cublasLtMatmulDescSetAttribute(&operation_, CUBLASLT_MATMUL_DESC_TRANSA, &turned, sizeof turned));
  ok(cublasLtMatrixLayoutInit(&w_, operand(type), cols, rows, cols));
  ok(cublasLtMatrixLayoutInit(&x_, operand(type), cols, tokens, cols));
  ok(cublasLtMatrixLayoutInit(&y_, product(type), rows, tokens, rows));
  cublasLtMatmulPreferenceOpaque_t preference = {};
  ok(cublasLtMatmulPreferenceInit(&preference));
  ok(cublasLtMatmulPreferenceSetAttribute(&preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace_bytes,
                                          sizeof workspace_bytes));
  cublasLtMatmulHeuristicResult_t results[kMost] = {};
  int found = 0;
  ok(cublasLtCreate(&context_));
  const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(context_, &operation_, &w_, &x_, &y_, &y_, &preference,
                                                               std::min(most, kMost), results, &found);
  if (status != CUBLAS_STATUS_NOT_SUPPORTED) ok(status);
  for (int i = 0; i < found; ++i) {
    if (results[i].state == CUBLAS_STATUS_SUCCESS) algorithms_.push_back(results[i].algo);
  }
}

GemmProposals::~GemmProposals() { cublasLtDestroy(context_); }

int GemmProposals::algorithm(int proposal) const {
  int number = 0;
  std::size_t written = 0;
  ok(cublasLtMatmulAlgoConfigGetAttribute(&algorithms_[proposal], CUBLASLT_ALGO_CONFIG_ID, &number, sizeof number,
                                          &written));
  return number;
}

void GemmProposals::run(int proposal, const void* w, const void* x, void* y, Stream stream) const {
  const float one = 1, zero = 0;
  const std::int32_t whole_one = 1, whole_zero = 0;
  const bool whole = type_ == NumberType::kInt8;
  ok(cublasLtMatmul(context_, &operation_, whole ? static_cast<const void*>(&whole_one) : &one, w, &w_, x, &x_,
                    whole ? static_cast<const void*>(&whole_zero) : &zero, y, &y_, y, &y_, &algorithms_[proposal],
                    workspace_, workspace_bytes_, stream));
}

}  // namespace fathom::cuda
