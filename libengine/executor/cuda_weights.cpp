#include "executor/cuda_weights.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <set>
#include <thread>

#include "executor/cuda_stack.h"
#include "host/convert.h"

namespace fathom {

namespace {

using Slices = std::vector<const TensorSlice*>;

// Which matrices of one operator become one.
std::vector<Slices> stacks_of(const Slices& matrices) {
  std::vector<Slices> stacks;
  if (matrices.empty()) return stacks;
  if (matrices.front()->expert >= 0) {  // all gates, then all ups
    std::set<int> experts;
    for (const TensorSlice* s : matrices) experts.insert(s->expert);
    for (auto at = matrices.begin(); at != matrices.end(); at += static_cast<std::ptrdiff_t>(experts.size())) {
      stacks.emplace_back(at, at + static_cast<std::ptrdiff_t>(experts.size()));
    }
    return stacks;
  }
  const std::string& op = matrices.front()->op;
  if ((op == "attention.qkv" || op == "attention.latent") && CudaStack::fits(matrices)) return {matrices};
  for (const TensorSlice* s : matrices) stacks.push_back({s});
  return stacks;
}

// All stacks, each by the thread that is free.
void load(std::vector<CudaStack>& stacks, const WeightSource& source, int threads) {
  std::atomic<std::size_t> next{0};
  std::exception_ptr failure;
  std::mutex guard;
  int device = 0;
  cuda_ok(cudaGetDevice(&device), "cudaGetDevice");
  const auto work = [&] {
    try {
      cuda_ok(cudaSetDevice(device), "cudaSetDevice");
      const CudaStream stream;
      for (std::size_t i = next++; i < stacks.size(); i = next++) stacks[i].load(source, stream);
    } catch (...) {
      const std::lock_guard lock(guard);
      if (!failure) failure = std::current_exception();
      next = stacks.size();
    }
  };
  std::vector<std::thread> workers;
  for (int t = 0; t < std::clamp(threads, 1, 16); ++t) workers.emplace_back(work);
  for (std::thread& worker : workers) worker.join();
  if (failure) std::rethrow_exception(failure);
}

DeviceBuffer uploaded(const void* from, std::size_t bytes, Account& account) {
  DeviceBuffer buffer(account, Purpose::kWeights, bytes);
  cuda_ok(cudaMemcpy(buffer.as<void>(), from, bytes, cudaMemcpyHostToDevice), "copying weights");
  return buffer;
}

std::vector<float> values_of(const TensorSlice& slice, const WeightSource& source) {
  Account unaccounted;
  const LoadedVector vector = source.vector(slice, unaccounted);
  return {vector.data(), vector.data() + slice.row_count};
}

}  // namespace

CudaWeights::CudaWeights(const std::vector<TensorSlice>& slices, const WeightSource& source, Account& account,
                         int threads) {
  std::map<std::pair<std::string, int>, Slices> matrices, vectors;
  for (const TensorSlice& s : slices) (s.vector ? vectors : matrices)[{s.op, s.layer}].push_back(&s);

  std::vector<CudaStack> stacks;
  for (const auto& [key, list] : matrices) {
    CudaOperatorWeights& w = by_operator_[key];
    for (Slices& stack : stacks_of(list)) {
      if (stack.front()->expert >= 0) w.experts = static_cast<std::int64_t>(stack.size());
      const CudaStack& made = stacks.emplace_back(std::move(stack), account);
      w.matrices.push_back(made.view);
      if (made.view.format != cuda::WeightFormat::kBf16) {
        widest_quantised_ = std::max(widest_quantised_, made.view.rows * made.view.cols);
      }
    }
  }
  load(stacks, source, threads);
  for (CudaStack& stack : stacks) {
    for (DeviceBuffer* part : {&stack.codes, &stack.scales, &stack.zeros}) memory_.push_back(std::move(*part));
  }

  for (const auto& [key, list] : vectors) {
    CudaOperatorWeights& w = by_operator_[key];
    std::vector<std::uint16_t> bias;
    for (const TensorSlice* s : list) {
      const std::vector<float> values = values_of(*s, source);
      if (key.first == "attention.qkv") {
        for (float v : values) bias.push_back(host::to_bf16(v));
      } else {
        memory_.push_back(uploaded(values.data(), values.size() * sizeof(float), account));
        w.vectors.push_back(memory_.back().as<float>());
      }
    }
    if (bias.empty()) continue;
    memory_.push_back(uploaded(bias.data(), bias.size() * sizeof(std::uint16_t), account));
    w.bias = memory_.back().as<std::uint16_t>();
  }
}

const CudaOperatorWeights& CudaWeights::of(std::string_view op, int layer) const {
  static const CudaOperatorWeights none;
  const auto found = by_operator_.find(std::pair<std::string, int>(op, layer));
  return found == by_operator_.end() ? none : found->second;
}

}  // namespace fathom
