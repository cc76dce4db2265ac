// y = x W^T for one token on Hopper: every multiprocessor streams a stretch of whole rows through its shared memory.
//
// A block has so many rows as every other, to one, so none waits for the last. One warp keeps a ring full with bulk copies and begins
// before the kernel waits for its predecessor; eight warps multiply, `kShare` of them a row, with their inputs in registers. Sums
// meet once, at the end. Rows are read one after another: tiles of sixteen rows at a time, which tensor cores want,
// reached 3.5 TB/s of an H200 where this order reaches more.
#pragma once

#include <algorithm>

#include "cuda/bulk_copy.cuh"
#include "cuda/launch.cuh"
#include "cuda/linear_arguments.cuh"
#include "cuda/reduce.cuh"
#include "cuda/row_inputs.cuh"

namespace fathom::cuda {

inline constexpr int kRowWarps = 16, kRowLanes = 32 * kRowWarps, kRowThreads = kRowLanes + 32;
inline constexpr int kRowSlots = 9;  // more than half of a multiprocessor's memory: two blocks on one would leave another without
inline constexpr int kRowChunk = 2;  // pieces of a lane in a slot
inline constexpr int kRowSlotBytes = kRowLanes * 16 * kRowChunk;

// The rows of a block: `count` outputs from `first` on; of a gated product all of the gate's, then all of Up's.
struct RowRange {
  std::int64_t first;
  int count, all;
};
__device__ inline RowRange row_range(const LinearArguments& a) {
  const std::int64_t first = a.rows * blockIdx.x / gridDim.x, last = a.rows * (blockIdx.x + 1) / gridDim.x;
  const int count = static_cast<int>(last - first);
  return {first, count, a.gated ? 2 * count : count};
}

// Shared memory: the ring, its barriers, the sums of warps [row][warp of it], scales [row][group], zeros.
template <class Format>
struct RowMemory {
  static constexpr int kBarrierBytes = 2 * kRowSlots * sizeof(BulkBarrier);
  static constexpr bool kScales = Format::kFormat == WeightFormat::kInt4G128;  // kept here

  __host__ __device__ static std::int64_t bytes(std::int64_t rows, std::int64_t cols, int share, bool zeros) {
    const std::int64_t noted = kScales ? rows * (cols / 128) : 0;
    return kRowSlots * kRowSlotBytes + kBarrierBytes + rows * share * 4 + noted * (zeros ? 3 : 2) + 16;
  }
  __device__ static BulkBarrier* barriers(char* shared) {
    return reinterpret_cast<BulkBarrier*>(shared + kRowSlots * kRowSlotBytes);
  }
  __device__ static float* sums(char* shared) {
    return reinterpret_cast<float*>(shared + kRowSlots * kRowSlotBytes + kBarrierBytes);
  }
};

// A place in the ring, and whether it came round an odd number of times.
struct RowSlot {
  int slot = 0;
  unsigned parity = 0;
  __device__ void next() {
    if (++slot == kRowSlots) slot = 0, parity ^= 1;
  }
};

// A slot holds whole rows side by side, as in memory, or (kShare == kRowWarps) a part of one. As few copies as can be: issuing one
// takes a thread a hundred cycles and more.
template <class Format, int kShare>
__device__ void fill_ring(const LinearArguments& a, const RowRange& range, char* shared) {
  constexpr int kTogether = kRowWarps / kShare;
  BulkBarrier *full = RowMemory<Format>::barriers(shared), *empty = full + kRowSlots;
  const std::uint64_t policy = read_once();
  const int bytes = static_cast<int>(code_bytes<Format>(a.cols));
  RowSlot at;
  for (int row = 0; row < range.all; row += kTogether) {
    const int of_gate = max(0, min(range.count - row, kTogether)), rows = min(range.all - row, kTogether);
    const char* gate = a.matrix[0].codes + (range.first + row) * bytes;
    const char* up = a.matrix[1].codes + (range.first + row + of_gate - range.count) * bytes;
    for (int from = 0; from < bytes; from += kRowSlotBytes, at.next()) {
      const int part = min(kRowSlotBytes, bytes - from);
      char* to = shared + at.slot * kRowSlotBytes;
      empty[at.slot].wait(at.parity ^ 1);
      full[at.slot].arrive_and_expect(rows * part);
      if (of_gate > 0) copy_bulk(to, gate + from, of_gate * part, full[at.slot], policy);
      if (rows > of_gate) copy_bulk(to + of_gate * part, up + from, (rows - of_gate) * part, full[at.slot], policy);
    }
  }
}

// Scales and zeros of the block's rows, where they lie group by group in memory.
template <class Format>
class RowScales {
 public:
  __device__ RowScales(const LinearArguments& a, const RowRange& range, char* shared)
      : a_(a), range_(range), groups_(static_cast<int>(a.cols + 127) / 128) {
    if constexpr (RowMemory<Format>::kScales) {
      scales_ = reinterpret_cast<std::uint16_t*>(shared);
      zeros_ = reinterpret_cast<std::uint8_t*>(scales_ + range.all * groups_);
    }
  }
  __device__ void read() {
    if constexpr (RowMemory<Format>::kScales) {
      for (int i = threadIdx.x; i < range_.all * groups_; i += kRowLanes) {
        const int row = i % range_.all, group = i / range_.all, matrix = row < range_.count ? 0 : 1;
        const std::int64_t from = group * a_.scale_stride + range_.first + row - matrix * range_.count;
        const MatrixPointers& m = a_.matrix[matrix];
        scales_[row * groups_ + group] = __ldg(reinterpret_cast<const std::uint16_t*>(m.scales) + from);
        if (m.zeros != nullptr) {
          zeros_[row * groups_ + group] = __ldg(reinterpret_cast<const std::uint8_t*>(m.zeros) + from);
        }
      }
    }
  }
  __device__ RowScale of(int row, int group) const {
    RowScale s;
    if constexpr (Format::kFormat == WeightFormat::kInt4G128) {
      s.scale = from_fp16(scales_[row * groups_ + group]);
      if (a_.matrix[0].zeros != nullptr) s.zero = zeros_[row * groups_ + group];
    } else if constexpr (Format::kFormat == WeightFormat::kFp8Block128) {
      const int matrix = row < range_.count ? 0 : 1;
      const MatrixPointers& m = a_.matrix[matrix];
      const std::int64_t tile = (m.row_phase + range_.first + row - matrix * range_.count) / 128;
      s.scale = __ldg(reinterpret_cast<const float*>(m.scales) + tile * groups_ + group);
    }
    return s;
  }

 private:
  const LinearArguments& a_;
  const RowRange& range_;
  const int groups_;
  std::uint16_t* scales_ = nullptr;
  std::uint8_t* zeros_ = nullptr;
};

// kPieces: of a lane in a row. Grid: at most a block per multiprocessor.
template <class Format, int kPieces, int kShare>
__global__ __launch_bounds__(kRowThreads, 1) void linear_rows(const __grid_constant__ LinearArguments a) {
#ifdef FATHOM_BULK_COPIES
  using Memory = RowMemory<Format>;
  constexpr int kTogether = kRowWarps / kShare, kStep = 32 * kShare;  // rows at once; pieces from one of a lane to its next
  extern __shared__ __align__(128) char shared[];
  BulkBarrier *full = Memory::barriers(shared), *empty = full + kRowSlots;
  float* sums = Memory::sums(shared);
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const RowRange range = row_range(a);
  start_successor();
  if (threadIdx.x == 0) {
    for (int s = 0; s < kRowSlots; ++s) full[s].begin(1), empty[s].begin(kRowWarps);
    show_barriers();
  }
  __syncthreads();
  if (warp == kRowWarps) {
    if (lane == 0) fill_ring<Format, kShare>(a, range, shared);
    return;
  }

  RowScales<Format> scales(a, range, reinterpret_cast<char*>(sums + range.all * kShare));
  scales.read();
  wait_for_predecessor();
  const int pieces = static_cast<int>(code_bytes<Format>(a.cols) / 16), own = warp % kShare * 32 + lane;
  const char* place = shared + (warp / kShare * pieces + own) * 16;  // of this lane's first piece of a row in the first slot
  RowInputs<Format> x[kPieces];
#pragma unroll
  for (int p = 0; p < kPieces; ++p) x[p].read(a.x, own + p * kStep, own + p * kStep < pieces);
  if (Memory::kScales) asm volatile("bar.sync 1, %0;" ::"n"(kRowLanes) : "memory");

  RowSlot at;
  for (int row = warp / kShare; row < range.all + warp / kShare; row += kTogether) {
    const bool there = row < range.all;
    float sum = 0;
#pragma unroll
    for (int p = 0; p < kPieces; ++p) {
      if (p % kRowChunk == 0) {
        if (p * kStep >= pieces) break;  // of all lanes
        full[at.slot].wait(at.parity);
      }
      const int piece = own + p * kStep;
      if (there && piece < pieces) {
        const uint4 raw =
            *reinterpret_cast<const uint4*>(place + at.slot * kRowSlotBytes + p % kRowChunk * kStep * 16);
        sum = x[p].dot(raw, scales.of(row, piece / RowInputs<Format>::kGroupPieces), sum);
      }
      if (p % kRowChunk == kRowChunk - 1 || p == kPieces - 1 || (p + 1) * kStep >= pieces) {
        __syncwarp();
        if (lane == 0) empty[at.slot].arrive();
        at.next();
        if ((p + 1) * kStep >= pieces) break;
      }
    }
    sum = warp_sum(sum);
    if (there && lane == 0) sums[row * kShare + warp % kShare] = sum;
  }
  asm volatile("bar.sync 1, %0;" ::"n"(kRowLanes) : "memory");
  const auto total = [&](int row) {
    float sum = 0;
#pragma unroll
    for (int w = 0; w < kShare; ++w) sum += sums[row * kShare + w];
    return sum;
  };
  for (int i = threadIdx.x; i < range.count; i += kRowLanes) {
    store_output(a, 0, range.first + i, a.gated ? silu(total(i)) * total(range.count + i) : total(i));
  }
#else
  __trap();
#endif
}

template <class Format, int kPieces, int kShare>
bool launch_rows_of(const Launch& how, const LinearArguments& a, const DeviceTraits& device) {
  constexpr std::int64_t kMost = 220 * 1024;
  const int blocks = static_cast<int>(std::min<std::int64_t>(a.rows, device.multiprocessors));
  const std::int64_t rows = (a.rows + blocks - 1) / blocks * (a.gated ? 2 : 1);
  const std::int64_t bytes = RowMemory<Format>::bytes(rows, a.cols, kShare, a.matrix[0].zeros != nullptr);
  if (bytes > kMost) return false;
  static bool allowed[64] = {};
  int number = 0;
  check(cudaGetDevice(&number), "device");
  if (!allowed[number]) allow_shared_memory(linear_rows<Format, kPieces, kShare>, kMost), allowed[number] = true;
  launch("linear", linear_rows<Format, kPieces, kShare>, blocks, kRowThreads, bytes, how, a);
  return true;
}

// As few warps to a row as have it in one slot; kMost: pieces of a lane of the longest rows, of which a slot holds a part. False
// where the inputs of a row are not even so in registers, or where shared memory is too small.
template <class Format, int kMost>
bool launch_rows(const Launch& how, const LinearArguments& a, const DeviceTraits& device) {
  const std::int64_t warps = (a.cols * Format::kBits / 128 + 31) / 32;  // that have a piece for each lane
  if (warps <= kRowChunk) return launch_rows_of<Format, kRowChunk, 1>(how, a, device);
  if (warps <= 2 * kRowChunk) return launch_rows_of<Format, kRowChunk, 2>(how, a, device);
  if (warps <= 4 * kRowChunk) return launch_rows_of<Format, kRowChunk, 4>(how, a, device);
  if (warps <= 8 * kRowChunk) return launch_rows_of<Format, kRowChunk, 8>(how, a, device);
  if (warps <= 16 * kRowChunk) return launch_rows_of<Format, kRowChunk, 16>(how, a, device);
  if (warps <= 4 * kRowWarps) return launch_rows_of<Format, 4, 16>(how, a, device);
  return warps <= kMost * kRowWarps && launch_rows_of<Format, kMost, 16>(how, a, device);
}

}  // namespace fathom::cuda
