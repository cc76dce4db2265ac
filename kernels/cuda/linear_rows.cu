// y = x W^T for one token on Hopper: every multiprocessor streams a stretch of whole rows through its shared memory.
//
// A block has so many rows as every other, to two, so none waits for the last. One warp keeps a ring full with bulk copies and begins
// before the kernel waits for its predecessor; sixteen warps multiply, in teams of kShare that take two rows at a time, with their
// inputs in registers. A team's sums meet once, at the end. Rows are read one after another, as they lie in memory: an H200 so reads 60 MB
// of four bits at 3.6 TB/s, 117 MB of fp8 at 4.3, 235 MB of bf16 at 4.5; in tiles of sixteen rows side by side it read bf16 at 3.5.
#include <algorithm>

#include "cuda/bulk_copy.cuh"
#include "cuda/launch.cuh"
#include "cuda/linear_arguments.cuh"
#include "cuda/linear_formats.cuh"
#include "cuda/linear_launch.h"
#include "cuda/row_inputs.cuh"
#include "cuda/row_scales.cuh"
#include "cuda/shared_token.cuh"

namespace fathom::cuda {
namespace {

constexpr int kWarps = 16, kLanes = 32 * kWarps, kThreads = kLanes + 32;

// How a block's warps share rows. kPieces: 16-byte pieces of a lane in a row, kChunk of them in a slot of the ring.
// kGrouped: of experts, whose rows may be wanted for several pairs.
template <bool kGrouped_, int kPieces_, int kChunk_, int kShare_>
struct RowShape {
  static constexpr bool kGrouped = kGrouped_;
  static constexpr int kPieces = kPieces_, kChunk = kChunk_, kShare = kShare_;
  static constexpr bool kWhole = kChunk == kPieces;  // rows in a slot
  static constexpr int kTeams = kWarps / kShare;
  static constexpr int kTurns = kTeams < 2 ? 1 : 2;  // half of the teams take the even slots, half the odd ones
  static constexpr int kSlotRows = 2 * kTeams / kTurns;
  static constexpr int kPart = 32 * kShare * 16 * kChunk;  // bytes of a row in a slot, at most
  static constexpr int kSlotBytes = kSlotRows * kPart;
  // As many slots for every turn: who waits for a slot must have waited for what it held before, or could not tell the two by their parity.
  // Blocks of few rows leave room for attention's beside them.
  static constexpr int kSlots = (kPieces == 1 ? 128 : 144) * 1024 / kSlotBytes / kTurns * kTurns;
  // Slots begin at multiples of 128 bytes: elsewhere copies take a third longer.
  static constexpr int kBarrierBytes = (2 * kSlots * static_cast<int>(sizeof(BulkBarrier)) + 127) / 128 * 128;

  // Of a ring for rows of so many bytes: slots of whole rows are about as large as those.
  __host__ __device__ static int slot_bytes(std::int64_t row) {
    return kWhole ? (kSlotRows * static_cast<int>(row) + 127) / 128 * 128 : kSlotBytes;
  }

  // Where slots go on after `rows`: the next rows must begin with the first turn.
  __device__ static int with_all_turns(int rows) {
    constexpr int kRows = kTurns * kSlotRows;
    return kGrouped ? (rows + kRows - 1) / kRows * kRows : rows;
  }
};

// The ring as one thread goes round it.
template <class Shape>
class Ring {
 public:
  // Barriers first.
  __device__ Ring(char* shared, int slot_bytes, int slot)
      : data_(shared + Shape::kBarrierBytes),
        full_(reinterpret_cast<BulkBarrier*>(shared)),
        slot_bytes_(slot_bytes),
        slot_(slot) {}

  __device__ void begin() {
    for (int s = 0; s < Shape::kSlots; ++s) full_[s].begin(1), full_[Shape::kSlots + s].begin(kLanes / Shape::kTurns);
    show_barriers();
  }
  __device__ char* data() const { return data_ + slot_ * slot_bytes_; }
  __device__ BulkBarrier& full() const { return full_[slot_]; }
  __device__ BulkBarrier& empty() const { return full_[Shape::kSlots + slot_]; }
  __device__ void wait_until_full() const { full().wait(parity_); }
  __device__ void wait_until_empty() const { empty().wait(parity_ ^ 1); }
  __device__ void next(int step) {
    slot_ += step;
    if (slot_ >= Shape::kSlots) slot_ -= Shape::kSlots, parity_ ^= 1;
  }

 private:
  char* data_;
  BulkBarrier* full_;  // then those for empty
  int slot_bytes_, slot_;
  unsigned parity_ = 0;  // whether it came round an odd number of times
};

// A slot holds whole rows side by side, as in memory, or a part of each. As few copies as can be: issuing one takes a thread a hundred
// cycles and more.
template <class Format, class Shape>
__device__ void fill(Ring<Shape>& ring, const LinearArguments& a, const RowRange& range) {
  const std::uint64_t policy = read_once();
  const int bytes = static_cast<int>(code_bytes<Format>(a.cols)), stride = Shape::kWhole ? bytes : Shape::kPart;
  const char* gate = a.matrix[0].codes + range.stacked * bytes;
  const char* up = a.matrix[1].codes + range.stacked * bytes;
  for (int row = 0; row < Shape::with_all_turns(range.all); row += Shape::kSlotRows) {
    const int of_gate = max(0, min(range.count - row, Shape::kSlotRows)), up_row = max(row - range.even, 0);
    const int before_up = range.even + up_row - row;  // rows of the slot
    const int of_up = a.gated ? max(0, min(range.count - up_row, Shape::kSlotRows - before_up)) : 0;
    for (int from = 0; from < bytes; from += Shape::kPart, ring.next(1)) {
      const int part = min(Shape::kPart, bytes - from);
      ring.wait_until_empty();
      ring.full().arrive_and_expect((of_gate + of_up) * part);
      const auto copy = [&](int to, const char* rows, int count) {
        const int together = Shape::kWhole ? count : 1;
#pragma unroll 1
        for (int r = 0; r < count; r += together) {
          copy_bulk(ring.data() + (to + r) * stride, rows + r * bytes + from, together * part, ring.full(), policy);
        }
      };
      copy(0, gate + row * bytes, of_gate);
      copy(before_up, up + up_row * bytes, of_up);
    }
  }
}

// A warp of a team.
template <class Format, bool kZeros, class Shape>
class RowWarp {
  static constexpr int kPieces = Shape::kPieces, kChunk = Shape::kChunk, kShare = Shape::kShare, kStep = 32 * kShare;
  static constexpr int kTurnTeams = Shape::kTeams / Shape::kTurns;

 public:
  __device__ RowWarp(std::int64_t cols)
      : pieces_(static_cast<int>(code_bytes<Format>(cols) / 16)), stride_(Shape::kWhole ? 16 * pieces_ : Shape::kPart) {
    // Lanes beyond the row read some other piece; their inputs are 0.
    constexpr int kBeforeLast = (kPieces - 1) / kChunk * kChunk * kStep;
    first_ = 2 * team() * stride_ + 16 * min(own(), pieces_ - 1);
    last_ = 2 * team() * stride_ + 16 * (min(own() + (kPieces - 1) * kStep, pieces_ - 1) - kBeforeLast);
  }

  __device__ static int turn() { return threadIdx.x / (kStep * kTurnTeams); }

  // A token in memory (of bf16), or a SharedToken.
  template <class Token>
  __device__ void read(const Token& x) {
    x_.read(x, own(), kStep, pieces_);
  }

  // Sums of `rows` rows to `sums`, as [row][warp of its team]. Every team comes by every slot of its turn.
  __device__ void run(Ring<Shape>& ring, const RowScales<Format, kZeros>& scales, int rows, float* sums) const {
    const int end = Shape::with_all_turns(rows);
    for (int row = turn() * Shape::kSlotRows + 2 * team(); row < end; row += Shape::kTurns * Shape::kSlotRows) {
      float all[4] = {}, sum[2] = {};
#pragma unroll
      for (int p = 0; p < kPieces; p += kChunk) {
        ring.wait_until_full();
        if (!Shape::kGrouped || row < rows) multiply(p, ring, scales, row, all, sum);
        // Each lane for itself: as fast as one for its warp, and racecheck can follow it. The compiler puts it before some of the products and
        // behind loads that may be under way still; never seen wrong, as it was in linear_wide.cu, where one lane spoke for its warp. A fence
        // before it cost 1 % of a token.
        ring.empty().arrive();
        ring.next(p + kChunk >= kPieces ? Shape::kTurns : 1);
      }
      if (Shape::kGrouped && row >= rows) continue;
      if constexpr (!scales.kAny) x_.diagonal(all, sum);
      const float whole = x_.join(sum);
      const int lane = threadIdx.x % 32;
      if (lane == 0 || lane == 4) sums[(row + lane / 4) * kShare + threadIdx.x / 32 % kShare] = whole;
    }
  }

 private:
  __device__ static int team() { return threadIdx.x / kStep % kTurnTeams; }
  __device__ static int own() { return threadIdx.x % kStep; }  // piece

  // Pieces from `from` on that are in the slot: to `all` without scales, else to `sum`.
  __device__ void multiply(int from, const Ring<Shape>& ring, const RowScales<Format, kZeros>& scales, int row,
                           float (&all)[4], float (&sum)[2]) const {
#pragma unroll
    for (int p = from; p < min(from + kChunk, kPieces); ++p) {
      const char* at = ring.data() + (p == kPieces - 1 ? last_ : first_ + (p - from) * kStep * 16);
      const uint4 first = *reinterpret_cast<const uint4*>(at), second = *reinterpret_cast<const uint4*>(at + stride_);
      if constexpr (scales.kAny) {
        const auto scale = scales.of(row, (own() + p * kStep) * (128 / Format::kBits));
        float part[2];
        x_.multiply(p, first, second, scale.zero, part);
#pragma unroll
        for (int i = 0; i < 2; ++i) sum[i] = fmaf(scale.scale[i], part[i], sum[i]);
      } else {
        x_.add(p, first, second, all);
      }
    }
  }

  int pieces_, stride_;  // of a row; bytes from it to the next one in a slot
  int first_, last_;     // place of the lane's first and last piece in their slots
  RowInputs<Format, kZeros, kPieces> x_;
};

// Behind a ring full of weights scales would come last, and nothing begins without them.
__device__ void scales_are_asked_for() { asm volatile("bar.arrive 2, %0;" ::"n"(kThreads) : "memory"); }
__device__ void wait_for_scales() { asm volatile("bar.sync 2, %0;" ::"n"(kThreads) : "memory"); }

// The warps that multiply.
__device__ void meet() { asm volatile("bar.sync 1, %0;" ::"n"(kLanes) : "memory"); }

// `factor`: of the token. `first_addend`: of the thread's first output.
template <int kShare>
__device__ void store_outputs(const LinearArguments& a, std::int64_t pair, const RowRange& range, const float* sums,
                              float factor, float first_addend) {
  const auto total = [&](int row) {
    float sum = 0;
#pragma unroll
    for (int w = 0; w < kShare; ++w) sum += sums[row * kShare + w];
    return sum * factor;
  };
  for (int i = threadIdx.x; i < range.count; i += kLanes) {
    const float more = i == threadIdx.x ? first_addend : addend(a, pair, range.first + i);
    store_whole(a, pair, range.first + i, more + (a.gated ? silu(total(i)) * total(range.even + i) : total(i)));
  }
}

template <class Format, class Shape>
using TokenOf =
    SharedToken<Format, kLanes, (Shape::kPieces * 32 * Shape::kShare * 16 / Format::kBits + kLanes - 1) / kLanes>;

// Grid: at most a block per multiprocessor.
template <class Format, bool kZeros, class Shape>
__global__ __launch_bounds__(kThreads, 1) void linear_rows(const __grid_constant__ LinearArguments a) {
#ifdef FATHOM_BULK_COPIES
  extern __shared__ __align__(128) char shared[];
  // Weights of 8 and 16 bits take a token as it is in memory, unless it has to be normed.
  using Token = TokenOf<Format, Shape>;
  const bool norms = Token::kMayNorm && !Shape::kGrouped && a.norm.residual != nullptr;
  const bool in_memory = Format::kFormat != WeightFormat::kInt4G128 && !norms;
  const int slot_bytes = Shape::slot_bytes(code_bytes<Format>(a.cols));
  char* rest = shared + Shape::kBarrierBytes + Shape::kSlots * slot_bytes;
  Token token(a.cols, rest);
  float* sums = reinterpret_cast<float*>(in_memory ? rest : rest + Token::bytes(a.cols));
  const bool copies = threadIdx.x >= kLanes;
  start_successor();
  Ring<Shape> ring(shared, slot_bytes, copies ? 0 : RowWarp<Format, kZeros, Shape>::turn());
  if (threadIdx.x == 0) ring.begin();
  __syncthreads();
  int expert = 0;
  unsigned part = blockIdx.x, parts = gridDim.x;
  std::int64_t pair = 0, end = 1;
  if (Shape::kGrouped) {
    wait_for_predecessor();
    unsigned count = 0;  // of experts with pairs: as many blocks for each
    for (int i = 0; i < a.slots; ++i) count += a.used[i] >= 0 ? 1 : 0;
    parts /= max(count, 1u), part %= parts;
    const unsigned slot = blockIdx.x / parts;
    if (slot >= count) return;
    expert = a.used[slot];
    pair = a.first_pair[expert], end = a.first_pair[expert + 1];
  }
  const RowRange range = row_range(a, expert, part, parts);
  if (copies) {
    if (RowScales<Format, kZeros>::kMany) wait_for_scales();
    if (threadIdx.x == kLanes) {
      for (; pair < end; ++pair) fill<Format>(ring, a, range);
    }
    return;
  }
  const RowScales<Format, kZeros> scales(a, range, reinterpret_cast<char*>(sums + range.all * Shape::kShare), kLanes);
  if (scales.kMany) scales_are_asked_for();
  RowWarp<Format, kZeros, Shape> warp(a.cols);
  float first_addend = 0;
  if (!Shape::kGrouped) {
    float4 weight[Token::kEach][2];
    if (norms) {
#pragma unroll
      for (int i = 0; i < Token::kEach; ++i) token.load(a.norm.weight, i, weight[i]);
    }
    wait_for_predecessor();
    // Now: at the end all would wait for it.
    if (threadIdx.x < range.count) first_addend = addend(a, 0, range.first + threadIdx.x);
    if (norms) token.read(a.norm, weight);
  }
  for (; pair < end; ++pair) {
    const std::uint16_t* x = a.x + (a.x_rows == nullptr ? pair : a.x_rows[pair]) * a.x_stride;
    if (in_memory) warp.read(x);
    if (!in_memory && !norms) token.read(x);
    wait_for_copies<0>();
    meet();  // scales and the token are there, and sums free
    if (!in_memory) warp.read(token);
    warp.run(ring, scales, range.all, sums);
    meet();
    store_outputs<Shape::kShare>(a, pair, range, sums, norms ? token.norm_factor(a.norm) : 1.0f, first_addend);
  }
#else
  __trap();
#endif
}

template <class Format, bool kZeros, class Shape>
bool launch_shape(const Launch* how, const LinearArguments& a, const DeviceTraits& device) {
  // Two blocks on one multiprocessor would leave another without.
  constexpr std::int64_t kLeast = 116 * 1024, kMost = 224 * 1024;
  const std::int64_t pairs = (a.rows + 1) / 2;
  const int blocks = Shape::kGrouped ? device.multiprocessors
                                     : static_cast<int>(std::min<std::int64_t>(pairs, device.multiprocessors));
  const std::int64_t rows = (pairs + blocks / a.slots - 1) / (blocks / a.slots) * (a.gated ? 4 : 2);
  const bool in_memory = Format::kFormat != WeightFormat::kInt4G128 && a.norm.residual == nullptr;
  const std::int64_t bytes = Shape::kBarrierBytes + Shape::kSlots * Shape::slot_bytes(code_bytes<Format>(a.cols)) +
                             rows * Shape::kShare * static_cast<std::int64_t>(sizeof(float)) +
                             RowScales<Format, kZeros>::bytes(a, rows) +
                             (in_memory ? 0 : TokenOf<Format, Shape>::bytes(a.cols));
  if (bytes > kMost || kMost > device.shared_bytes) return false;
  if (a.norm.residual != nullptr && (Shape::kGrouped || !TokenOf<Format, Shape>::kMayNorm)) return false;
  if (how == nullptr) return true;
  static bool allowed[64] = {};
  int number = 0;
  check(cudaGetDevice(&number), "device");
  if (!allowed[number]) allow_shared_memory(linear_rows<Format, kZeros, Shape>, kMost), allowed[number] = true;
  launch("linear", linear_rows<Format, kZeros, Shape>, blocks, kThreads,
         static_cast<std::size_t>(std::max(bytes, kLeast)), *how, a);
  return true;
}

template <class Format, class Shape>
bool launch_zeros(const Launch* how, const LinearArguments& a, const DeviceTraits& device) {
  if constexpr (Format::kFormat == WeightFormat::kInt4G128) {
    if (a.matrix[0].zeros != nullptr) return launch_shape<Format, true, Shape>(how, a, device);
  }
  return launch_shape<Format, false, Shape>(how, a, device);
}

template <class Format, int kPieces, int kChunk, int kShare>
bool launch_rows(const Launch* how, const LinearArguments& a, const DeviceTraits& device) {
  return a.first_pair == nullptr ? launch_zeros<Format, RowShape<false, kPieces, kChunk, kShare>>(how, a, device)
                                 : launch_zeros<Format, RowShape<true, kPieces, kChunk, kShare>>(how, a, device);
}

// As few warps to a row as have it in one slot; of the longest rows a slot holds a part.
template <class Format>
bool rows_of(const Launch* how, const LinearArguments& a, const DeviceTraits& device) {
  const std::int64_t warps = (a.cols * Format::kBits / 128 + 31) / 32;  // that have a piece for each lane
  if constexpr (Format::kBits == 4) {
    // Of few rows to a block half of the inputs to make ready saves more than twice the sums to join cost: 6.3 us became 5.8 of 47
    // rows of 4096 inputs, and 11.4 became 13.6 of 62 rows of 7168.
    const bool few = a.rows * (a.gated ? 2 : 1) * a.slots <= 48 * device.multiprocessors;
    if (few && warps == 2) return launch_rows<Format, 1, 1, 2>(how, a, device);
    if (few && warps == 4) return launch_rows<Format, 1, 1, 4>(how, a, device);
    if (few && (warps == 7 || warps == 8)) return launch_rows<Format, 1, 1, 8>(how, a, device);
  }
  if (warps <= 1) return launch_rows<Format, 1, 1, 1>(how, a, device);
  if (warps <= 2) return launch_rows<Format, 2, 2, 1>(how, a, device);
  if (warps <= 3) return launch_rows<Format, 3, 3, 1>(how, a, device);
  if (warps <= 4) return launch_rows<Format, 2, 2, 2>(how, a, device);
  if (warps <= 6) return launch_rows<Format, 3, 3, 2>(how, a, device);
  if (warps <= 8) return launch_rows<Format, 2, 2, 4>(how, a, device);
  if (warps <= 12) return launch_rows<Format, 3, 3, 4>(how, a, device);
  if (warps <= 16) return launch_rows<Format, 2, 2, 8>(how, a, device);
  if (warps <= 24) return launch_rows<Format, 3, 3, 8>(how, a, device);
  if (warps <= 32) return launch_rows<Format, 2, 2, 16>(how, a, device);
  if constexpr (Format::kBits >= 8) {
    if (warps <= 48) return launch_rows<Format, 3, 2, 16>(how, a, device);
    if (warps <= 64) return launch_rows<Format, 4, 2, 16>(how, a, device);
  }
  if constexpr (Format::kBits == 16) {
    if (warps <= 80) return launch_rows<Format, 5, 2, 16>(how, a, device);
    if (warps <= 96) return launch_rows<Format, 6, 2, 16>(how, a, device);
    if (warps <= 112) return launch_rows<Format, 7, 2, 16>(how, a, device);
  }
  return false;
}

}  // namespace

bool rows_linear(const Launch* how, WeightFormat format, const LinearArguments& a, const DeviceTraits& device) {
  // Two rows' scales of four bits are copied at once.
  const bool split = format == WeightFormat::kInt4G128 && a.first_pair != nullptr && a.rows % 2 != 0;
  if (device.compute < 90 || split || a.slots > device.multiprocessors) return false;
  switch (format) {
    case WeightFormat::kBf16:
      return rows_of<Bf16Rows>(how, a, device);
    case WeightFormat::kFp8Block128:
      return rows_of<Fp8Rows>(how, a, device);
    case WeightFormat::kInt4G128:
      return rows_of<Int4Rows>(how, a, device);
  }
  return false;
}

}  // namespace fathom::cuda
