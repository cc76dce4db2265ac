#include <cublasLt.h>

#include <map>
#include <string>
#include <tuple>
#include <utility>

#include "cuda/large_linear.h"
#include "cuda/launch.cuh"

namespace fathom::cuda {
namespace {

void check(cublasStatus_t status, const char* what) {
  if (status != CUBLAS_STATUS_SUCCESS) throw CudaError(std::string(what) + ": " + cublasLtGetStatusString(status));
}

// cuBLASLt's handles, destroyed with their owner.
template <class Handle, cublasStatus_t (*kDestroy)(Handle)>
class Owned {
 public:
  Owned() = default;
  Owned(Owned&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Owned& operator=(Owned&&) = delete;
  ~Owned() {
    if (handle_ != nullptr) kDestroy(handle_);
  }
  Handle* fill() { return &handle_; }
  operator Handle() const { return handle_; }

 private:
  Handle handle_ = nullptr;
};

using Context = Owned<cublasLtHandle_t, cublasLtDestroy>;
using Operation = Owned<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy>;
using Shape = Owned<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy>;
using Preference = Owned<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy>;

Shape shape(cudaDataType_t type, std::int64_t rows, std::int64_t cols, std::int64_t stride) {
  Shape made;
  check(cublasLtMatrixLayoutCreate(made.fill(), type, rows, cols, stride), "cublasLtMatrixLayoutCreate");
  return made;
}

template <class Value>
void set(const Operation& operation, cublasLtMatmulDescAttributes_t attribute, const Value& value) {
  check(cublasLtMatmulDescSetAttribute(operation, attribute, &value, sizeof value), "cublasLtMatmulDescSetAttribute");
}

template <class Value>
void limit(const Preference& preference, cublasLtMatmulPreferenceAttributes_t attribute, const Value& value) {
  check(cublasLtMatmulPreferenceSetAttribute(preference, attribute, &value, sizeof value),
        "cublasLtMatmulPreferenceSetAttribute");
}

// One product as cuBLASLt sees it: column-major, so its matrices are ours turned, and y^T = W x^T.
struct Planned {
  Operation operation;
  Shape w, x, y;
  cublasLtMatmulAlgo_t algorithm = {};
};

// rows, cols, step_size of the tokens, strides of x and y, fp32, added to, with a bias
using Key = std::tuple<std::int64_t, std::int64_t, int, std::int64_t, std::int64_t, bool, bool, bool>;

// For as many tokens as step_size() says; set_tokens() tells how many there are.
Planned planned(cublasLtHandle_t context, const Linear& op) {
  const int tokens = step_size(op.tokens);
  const cudaDataType_t out = op.y_fp32 ? CUDA_R_32F : CUDA_R_16BF;
  Planned p{.operation = {},
            .w = shape(CUDA_R_16BF, op.w.cols, op.w.rows, op.w.cols),
            .x = shape(CUDA_R_16BF, op.w.cols, tokens, op.x_stride),
            .y = shape(out, op.w.rows, tokens, op.y_stride)};
  check(cublasLtMatmulDescCreate(p.operation.fill(), CUBLAS_COMPUTE_32F, CUDA_R_32F), "cublasLtMatmulDescCreate");
  set(p.operation, CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
  if (op.bias != nullptr) {
    set(p.operation, CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
    set(p.operation, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, CUDA_R_16BF);
    set(p.operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, op.bias);
  }
  Preference preference;
  check(cublasLtMatmulPreferenceCreate(preference.fill()), "cublasLtMatmulPreferenceCreate");
  limit(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, LargeLinear::kWorkspaceBytes);
  // Operands may be parts of wider rows; unless told, cuBLASLt takes 256 bytes for granted.
  for (const auto side : {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                          CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES}) {
    limit(preference, side, std::uint32_t{16});
  }
  // Its first proposal, untimed: a choice by time would let the order of sums differ from run to run, would wait within a
  // launcher, and would write y, which may be what is added to. kernels_cuda_bench times the others beside it.
  cublasLtMatmulHeuristicResult_t best = {};
  int found = 0;
  check(cublasLtMatmulAlgoGetHeuristic(context, p.operation, p.w, p.x, p.y, p.y, preference, 1, &best, &found),
        "cublasLtMatmulAlgoGetHeuristic");
  if (found == 0) throw CudaError("cuBLASLt has no algorithm for a product");
  p.algorithm = best.algo;
  return p;
}

void set_tokens(const Planned& p, int tokens) {
  const auto columns = static_cast<std::uint64_t>(tokens);
  for (const Shape* side : {&p.x, &p.y}) {
    check(cublasLtMatrixLayoutSetAttribute(*side, CUBLASLT_MATRIX_LAYOUT_COLS, &columns, sizeof columns),
          "cublasLtMatrixLayoutSetAttribute");
  }
}

}  // namespace

struct LargeLinear::State {
  Memory memory;
  Context context;
  std::map<Key, Planned> known;
};

LargeLinear::LargeLinear(const Memory& memory) : state_(std::make_unique<State>()) {
  state_->memory = memory;
  check(cublasLtCreate(state_->context.fill()), "cublasLtCreate");
}

LargeLinear::~LargeLinear() = default;

void LargeLinear::operator()(const Launch& how, const Linear& op) {
  if (op.up.codes != nullptr) throw CudaError("large_linear: gate and up are two products");
  const void* weights = op.w.codes;
  if (op.w.format != WeightFormat::kBf16) {
    if (static_cast<std::size_t>(op.w.rows * op.w.cols) * 2 > state_->memory.scratch_bytes) {
      throw CudaError("large_linear: the scratch is too small");
    }
    widen_weights(how, op.w, state_->memory.scratch);
    weights = state_->memory.scratch;
  }
  const Key key{op.w.rows,   op.w.cols, step_size(op.tokens), op.x_stride,
                op.y_stride, op.y_fp32, op.add != nullptr,    op.bias != nullptr};
  auto found = state_->known.find(key);
  if (found == state_->known.end()) found = state_->known.emplace(key, planned(state_->context, op)).first;
  const Planned& p = found->second;
  set_tokens(p, op.tokens);
  if (op.bias != nullptr) set(p.operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, op.bias);
  const float one = 1, kept = op.add != nullptr ? 1.0f : 0.0f;
  check(cublasLtMatmul(state_->context, p.operation, &one, weights, p.w, op.x, p.x, &kept,
                       op.add != nullptr ? op.add : op.y, p.y, op.y, p.y, &p.algorithm, state_->memory.workspace,
                       kWorkspaceBytes, how.stream),
        "cublasLtMatmul");
}

}  // namespace fathom::cuda
