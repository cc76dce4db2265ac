// y = x W^T for one token on Hopper: every multiprocessor streams a stretch of whole rows through its shared memory.
//
// A block has so many rows as every other, to one, so none waits for the last. One warp keeps a ring full with bulk copies and begins
// before the kernel waits for its predecessor; sixteen warps multiply, kShare of them a row, with their inputs in registers. Sums
// meet once, at the end. Rows are read one after another: in tiles of sixteen at a time, as tensor cores want them, an
// H200 gave 3.5 TB/s, so 4.2 to 4.6.
#include <algorithm>

#include "cuda/bulk_copy.cuh"
#include "cuda/launch.cuh"
#include "cuda/linear_arguments.cuh"
#include "cuda/linear_formats.cuh"
#include "cuda/linear_launch.h"
#include "cuda/reduce.cuh"
#include "cuda/row_inputs.cuh"

namespace fathom::cuda {
namespace {

constexpr int kWarps = 16, kLanes = 32 * kWarps, kThreads = kLanes + 32;

// kChunk: 16-byte pieces of a lane in a slot. The ring takes more than half of a multiprocessor's memory: two blocks on one would
// leave another without.
template <int kChunk>
struct Ring {
  static constexpr int kSlotBytes = kLanes * 16 * kChunk;
  static constexpr int kSlots = 144 * 1024 / kSlotBytes;
  static constexpr int kBytes = kSlots * kSlotBytes, kBarrierBytes = 2 * kSlots * sizeof(BulkBarrier);
  static constexpr int bytes(std::int64_t rows, int share) {  // with the sums of warps, [row][warp of it]
    return static_cast<int>(kBytes + kBarrierBytes + rows * share * sizeof(float));
  }

  int slot = 0;
  unsigned parity = 0;  // whether it came round an odd number of times
  __device__ void next() {
    if (++slot == kSlots) slot = 0, parity ^= 1;
  }
};

// The rows of a block: `count` outputs from `first` on; of a gated product all of the gate's, then all of Up's.
struct RowRange {
  std::int64_t first;
  int count, all;
};
__device__ RowRange row_range(const LinearArguments& a) {
  const std::int64_t first = a.rows * blockIdx.x / gridDim.x, last = a.rows * (blockIdx.x + 1) / gridDim.x;
  const int count = static_cast<int>(last - first);
  return {first, count, a.gated ? 2 * count : count};
}

// A slot holds whole rows side by side, as in memory, or (kShare == kWarps) a part of one. As few copies as can be: issuing one
// takes a thread a hundred cycles and more.
template <class Format, int kChunk, int kShare>
__device__ void fill_ring(const LinearArguments& a, const RowRange& range, char* shared, BulkBarrier* full,
                          BulkBarrier* empty) {
  constexpr int kTogether = kWarps / kShare, kSlotBytes = Ring<kChunk>::kSlotBytes;
  const std::uint64_t policy = read_once();
  const int bytes = static_cast<int>(code_bytes<Format>(a.cols));
  Ring<kChunk> at;
  for (int row = 0; row < range.all; row += kTogether) {
    const int of_gate = max(0, min(range.count - row, kTogether)), rows = min(range.all - row, kTogether);
    const char* gate = a.matrix[0].codes + (range.first + row) * bytes;
    const char* up = a.matrix[1].codes + (range.first + row + of_gate - range.count) * bytes;
    for (int from = 0; from < bytes; from += kSlotBytes, at.next()) {
      const int part = min(kSlotBytes, bytes - from);
      char* to = shared + at.slot * kSlotBytes;
      empty[at.slot].wait(at.parity ^ 1);
      full[at.slot].arrive_and_expect(rows * part);
      if (of_gate > 0) copy_bulk(to, gate + from, of_gate * part, full[at.slot], policy);
      if (rows > of_gate) copy_bulk(to + of_gate * part, up + from, (rows - of_gate) * part, full[at.slot], policy);
    }
  }
}

// Scales and zeros of the block's rows as [row][group]; in memory they lie group by group.
template <class Format>
class RowScales {
 public:
  static constexpr bool kAny = Format::kFormat == WeightFormat::kInt4G128;
  static std::int64_t bytes(std::int64_t rows, std::int64_t cols, bool zeros) {
    return kAny ? rows * (cols / 128) * (zeros ? 3 : 2) : 0;
  }

  __device__ RowScales(const LinearArguments& a, const RowRange& range, void* shared)
      : groups_(static_cast<int>(a.cols / 128)), scales_(static_cast<std::uint16_t*>(shared)) {
    if constexpr (!kAny) return;
    if (a.matrix[0].zeros != nullptr) zeros_ = reinterpret_cast<std::uint8_t*>(scales_ + range.all * groups_);
    for (int group = threadIdx.x / 32; group < groups_; group += kWarps) {
      for (int row = threadIdx.x % 32; row < range.all; row += 32) {
        const MatrixPointers& m = a.matrix[row < range.count ? 0 : 1];
        const std::int64_t from = group * a.scale_stride + range.first + (row < range.count ? row : row - range.count);
        scales_[row * groups_ + group] = __ldg(reinterpret_cast<const std::uint16_t*>(m.scales) + from);
        if (zeros_ != nullptr)
          zeros_[row * groups_ + group] = __ldg(reinterpret_cast<const std::uint8_t*>(m.zeros) + from);
      }
    }
  }
  __device__ float scale(int row, int group) const { return from_fp16(scales_[row * groups_ + group]); }
  __device__ int zero(int row, int group) const { return zeros_ == nullptr ? 8 : zeros_[row * groups_ + group]; }

 private:
  int groups_;
  std::uint16_t* scales_;
  std::uint8_t* zeros_ = nullptr;
};

__device__ void meet() { asm volatile("bar.sync 1, %0;" ::"n"(kLanes) : "memory"); }

// kPieces: of a lane in a row. Grid: at most a block per multiprocessor.
template <class Format, int kPieces, int kChunk, int kShare>
__global__ __launch_bounds__(kThreads, 1) void linear_rows(const __grid_constant__ LinearArguments a) {
#ifdef FATHOM_BULK_COPIES
  using Slots = Ring<kChunk>;
  constexpr int kTogether = kWarps / kShare;  // rows at once
  constexpr int kStep = 32 * kShare;          // pieces from one of a lane to its next
  extern __shared__ __align__(128) char shared[];
  BulkBarrier *full = reinterpret_cast<BulkBarrier*>(shared + Slots::kBytes), *empty = full + Slots::kSlots;
  float* sums = reinterpret_cast<float*>(shared + Slots::kBytes + Slots::kBarrierBytes);
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const RowRange range = row_range(a);
  start_successor();
  if (threadIdx.x == 0) {
    for (int s = 0; s < Slots::kSlots; ++s) full[s].begin(1), empty[s].begin(kLanes);
    show_barriers();
  }
  __syncthreads();
  if (warp == kWarps) {
    if (lane == 0) fill_ring<Format, kChunk, kShare>(a, range, shared, full, empty);
    return;
  }

  const RowScales<Format> scales(a, range, sums + range.all * kShare);
  wait_for_predecessor();
  const int pieces = static_cast<int>(code_bytes<Format>(a.cols) / 16), own = warp % kShare * 32 + lane;
  RowInputs<Format> x[kPieces];
#pragma unroll
  for (int p = 0; p < kPieces; ++p) x[p].read(a.x, own + p * kStep, own + p * kStep < pieces);
  if (scales.kAny) meet();
  const char* place = shared + (warp / kShare * pieces + own) * 16;  // of this lane's first piece in the first slot
  Slots at;
  for (int row = warp / kShare; row < range.all + warp / kShare; row += kTogether) {
    const bool there = row < range.all;
    float sum = 0;
#pragma unroll
    for (int p = 0; p < kPieces; ++p) {
      if (p % kChunk == 0) full[at.slot].wait(at.parity);
      if (there && own + p * kStep < pieces) {
        const uint4 raw =
            *reinterpret_cast<const uint4*>(place + at.slot * Slots::kSlotBytes + p % kChunk * kStep * 16);
        if constexpr (scales.kAny) {
          const int group = (own + p * kStep) / 4;
          sum = x[p].dot(raw, scales.scale(row, group), scales.zero(row, group), sum);
        } else {
          sum = x[p].dot(raw, sum);
        }
      }
      const bool last = (p + 1) * kStep >= pieces;  // of every lane
      if (p % kChunk == kChunk - 1 || last) {
        empty[at.slot].arrive();  // each lane for itself: as fast as one for its warp, and racecheck can follow it
        at.next();
      }
      if (last) break;
    }
    sum = warp_sum(sum);
    if (there && lane == 0) sums[row * kShare + warp % kShare] = sum;
  }
  meet();
  const auto total = [&](int row) {
    float sum = 0;
#pragma unroll
    for (int w = 0; w < kShare; ++w) sum += sums[row * kShare + w];
    return sum;
  };
  for (int i = threadIdx.x; i < range.count; i += kLanes) {
    store_output(a, 0, range.first + i, a.gated ? silu(total(i)) * total(range.count + i) : total(i));
  }
#else
  __trap();
#endif
}

template <class Format, int kPieces, int kChunk, int kShare>
bool launch_rows(const Launch& how, const LinearArguments& a, const DeviceTraits& device) {
  constexpr std::int64_t kMost = 224 * 1024;
  const int blocks = static_cast<int>(std::min<std::int64_t>(a.rows, device.multiprocessors));
  const std::int64_t rows = (a.rows + blocks - 1) / blocks * (a.gated ? 2 : 1);
  const std::int64_t bytes =
      Ring<kChunk>::bytes(rows, kShare) + RowScales<Format>::bytes(rows, a.cols, a.matrix[0].zeros != nullptr);
  if (bytes > kMost || kMost > device.shared_bytes) return false;
  static bool allowed[64] = {};
  int number = 0;
  check(cudaGetDevice(&number), "device");
  if (!allowed[number])
    allow_shared_memory(linear_rows<Format, kPieces, kChunk, kShare>, kMost), allowed[number] = true;
  launch("linear", linear_rows<Format, kPieces, kChunk, kShare>, blocks, kThreads, static_cast<std::size_t>(bytes), how,
         a);
  return true;
}

// As few warps to a row as have it in one slot; of the longest rows a slot holds a part.
template <class Format>
bool rows_of(const Launch& how, const LinearArguments& a, const DeviceTraits& device) {
  const std::int64_t warps = (a.cols * Format::kBits / 128 + 31) / 32;  // that have a piece for each lane
  if (warps <= 2) return launch_rows<Format, 2, 2, 1>(how, a, device);
  if (warps <= 3) return launch_rows<Format, 3, 3, 1>(how, a, device);
  if (warps <= 4) return launch_rows<Format, 2, 2, 2>(how, a, device);
  if (warps <= 6) return launch_rows<Format, 3, 3, 2>(how, a, device);
  if (warps <= 8) return launch_rows<Format, 2, 2, 4>(how, a, device);
  if (warps <= 12) return launch_rows<Format, 3, 3, 4>(how, a, device);
  if (warps <= 16) return launch_rows<Format, 2, 2, 8>(how, a, device);
  if (warps <= 24) return launch_rows<Format, 3, 3, 8>(how, a, device);
  if (warps <= 32) return launch_rows<Format, 2, 2, 16>(how, a, device);
  if (Format::kBits < 16) return false;
  if (warps <= 64) return launch_rows<Bf16Rows, 4, 2, 16>(how, a, device);
  return warps <= 112 && launch_rows<Bf16Rows, 7, 2, 16>(how, a, device);
}

}  // namespace

bool rows_linear(const Launch& how, WeightFormat format, const LinearArguments& a, const DeviceTraits& device) {
  if (device.compute < 90 || a.tokens != 1) return false;
  if (format == WeightFormat::kBf16) return rows_of<Bf16Rows>(how, a, device);
  return format == WeightFormat::kInt4G128 && rows_of<Int4Rows>(how, a, device);
}

}  // namespace fathom::cuda
