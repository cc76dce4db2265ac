// What the executor of a rank is made from, whatever device it runs on.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "cache/kv_cache.h"
#include "executor/executor.h"
#include "executor/rank_place.h"
#include "operators/operator.h"
#include "weights/weight_source.h"

namespace fathom {

// How GPUs of several ranks talk to each other.
enum class DeviceLinks {
  kAuto,  // by kernels of ours that write into each other's memory; where that is impossible, and for long sums, by NCCL
  kPeers,  // by our kernels alone
  kNccl,
};

struct ExecutorOptions {
  int threads = 1;
  CacheFormat cache = CacheFormat::kBf16;
  std::int64_t cache_blocks = 0;
  Sampling sampling = {};
  std::vector<int> expert_owner = {};  // EP rank of each expert (weights/expert_map.h)
  bool all_logits = false;             // of every row, not only where a token is sampled
  bool integers = false;  // round what non-linear operators give to eighths: with integer weights every sum is exact
  bool check_agreement = false;  // ranks compare the bits of every all-reduced sum
  StepLimits limits = {};
  // Where timing operators costs time (Executor::timed): one step of so many is timed, the last of them; 0: none.
  int time_every = 4;
  bool graphs = true;  // steps that only decode run as graphs, where the device has such
  DeviceLinks links = DeviceLinks::kAuto;
  std::chrono::milliseconds patience{60'000};  // of a device that waits for another
};

struct ExecutorParts {
  const StageProgram& program;
  const RankPlace& place;
  RankGroups& groups;
  const std::vector<TensorSlice>& slices;
  const WeightSource& source;
  Account& account;
  ExecutorOptions options;
};
using MakeExecutor = std::function<std::unique_ptr<Executor>(const ExecutorParts&)>;

}  // namespace fathom
