// y = x W^T on the tensor cores for up to 64 tokens: rows of W are the A operand, tokens the columns of B.
//
// A block computes 16 kTiles kAlong outputs of all its tokens over a range of inputs. Its kAlong x kAcross warps split the
// outputs and the inputs. Per stage a warp takes its rows' next inputs into shared memory by background copies, each lane
// what it will read back itself: a queue per lane, so that no registers hold what is under way. x is shared by the block, which is
// what the one barrier per stage is for. Sums of the warps across, then of the blocks along the inputs, are added in a fixed order;
// the last block to arrive adds those of its outputs.
#pragma once

#include <algorithm>

#include "cuda/launch.cuh"
#include "cuda/linear_arguments.cuh"
#include "cuda/linear_formats.cuh"
#include "cuda/mma.cuh"

namespace fathom::cuda {

// kTiles: m16 tiles of a warp; kColumns: n8 tiles; kAlong, kAcross: warps along the outputs and across the inputs.
template <class Format_, int kTiles_, int kColumns_, int kAlong_, int kAcross_>
struct MmaShape {
  using Format = Format_;
  static constexpr int kTiles = kTiles_, kColumns = kColumns_, kAlong = kAlong_, kAcross = kAcross_;
  static constexpr int kThreads = 32 * kAlong * kAcross;
  static constexpr int kRows = 16 * kTiles * kAlong;
  static constexpr int kMostTokens = kAcross > 4 ? 2 : 8 * kColumns;  // in shared memory at once
  static constexpr int kWarpInputs = 32 * Format::kRuns * Format::kPieces;
  static constexpr int kInputs = kWarpInputs * kAcross;  // of a stage
  static constexpr int kRowBytes = 2 * kInputs + Format::kSharedPad;
  static constexpr int kWeightBytes = kTiles * 2 * Format::kPieces * kThreads * 16;
  static constexpr int kNoteBytes = Format::kNotes * kAlong * kAcross;
  static constexpr bool kQuantised = Format::kFormat != WeightFormat::kBf16;
  // Two blocks share a multiprocessor's 227 KiB but where sums and scaled sums need its registers for one.
  static constexpr int kBlocks = kQuantised && kColumns == 8 ? 1 : 2;
  static constexpr int kStageBytes = kWeightBytes + kNoteBytes + kMostTokens * kRowBytes;
  static constexpr int kStages = std::clamp((kBlocks == 2 ? 115712 : 231424) / kStageBytes, 2, 6);

  __host__ __device__ static constexpr int sum_bytes(int tokens) { return 4 * kAcross * kRows * tokens; }
  __host__ __device__ static constexpr int stage_bytes(int tokens) {
    return kWeightBytes + kNoteBytes + tokens * kRowBytes;
  }
  static int shared_bytes(int tokens) { return std::max(kStages * stage_bytes(tokens), sum_bytes(tokens)); }
};

// What one block computes.
struct MmaRange {
  int expert = 0;
  std::int64_t first_pair = 0;  // of the tile's tokens, in y
  int tokens = 0;
  int first_stage = 0, last_stage = 0;
};

template <class Shape>
class MmaBlock {
  using Format = typename Shape::Format;
  static constexpr int kPieces = Format::kPieces, kTiles = Shape::kTiles, kColumns = Shape::kColumns;

 public:
  __device__ MmaBlock(const LinearArguments& a, char* shared, int expert) : a_(a), shared_(shared) {
    const std::int64_t base = first_output();
#pragma unroll
    for (int m = 0; m < kTiles; ++m) {
      const MatrixPointers& matrix = a_.matrix[a_.gated ? m : 0];
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const std::int64_t row = min(base + (a_.gated ? 0 : 16 * m) + 8 * half + lane_ / 4, a_.rows - 1);
        codes_[m][half] = matrix.codes + (expert * a_.rows + row) * code_bytes<Format>(a_.cols) + 16 * (lane_ % 4);
      }
    }
    expert_ = expert;
    find_notes();
  }

  __device__ int outputs() const { return a_.gated ? Shape::kRows / 2 : Shape::kRows; }  // of the block

  // Weights of one stage, into slot `slot`.
  __device__ void fetch_weights(int stage, int slot, int tokens) {
    char* to = shared_ + slot * Shape::stage_bytes(tokens);
    const std::int64_t first = static_cast<std::int64_t>(stage) * Shape::kInputs + across() * Shape::kWarpInputs;
#pragma unroll
    for (int m = 0; m < kTiles; ++m) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
#pragma unroll
        for (int p = 0; p < kPieces; ++p) {
          const std::int64_t column = first + 32 * Format::kRuns * p;
          const bool inside = column + Format::column(lane_ % 4, 0) < a_.cols;
          copy_16(shared_address(to + (((m * 2 + half) * kPieces + p) * Shape::kThreads + threadIdx.x) * 16),
                  codes_[m][half] + (inside ? code_bytes<Format>(column) : 0), inside);
        }
      }
    }
    fetch_notes(to + Shape::kWeightBytes + warp_ * Format::kNotes, first);
  }

  __device__ void fetch_tokens(int stage, int slot, const MmaRange& range) {
    constexpr int kChunks = Shape::kInputs / 8;
    char* to = shared_ + slot * Shape::stage_bytes(range.tokens) + Shape::kWeightBytes + Shape::kNoteBytes;
    for (int i = threadIdx.x; i < range.tokens * kChunks; i += Shape::kThreads) {
      const int token = i / kChunks, chunk = i % kChunks;
      const std::int64_t pair = range.first_pair + token, row = a_.x_rows == nullptr ? pair : a_.x_rows[pair];
      const std::int64_t column = static_cast<std::int64_t>(stage) * Shape::kInputs + 8 * chunk;
      const bool inside = column < a_.cols;
      copy_16(shared_address(to + token * Shape::kRowBytes + 16 * chunk),
              a_.x + row * a_.x_stride + (inside ? column : 0), inside);
    }
  }

  __device__ void multiply(int stage, int slot, int tokens) {
    const char* from = shared_ + slot * Shape::stage_bytes(tokens);
    const char* notes = from + Shape::kWeightBytes + warp_ * Format::kNotes;
    const int x =
        static_cast<int>(from - shared_) + Shape::kWeightBytes + Shape::kNoteBytes + 2 * across() * Shape::kWarpInputs;
    int x_row[kColumns];  // lanes beyond the tokens compute columns that nobody reads
#pragma unroll
    for (int n = 0; n < kColumns; ++n) x_row[n] = x + min(8 * n + lane_ / 4, tokens - 1) * Shape::kRowBytes;

    unsigned bias[kTiles][2];
    read_biases(notes, bias);
    float group[Shape::kQuantised ? kTiles : 1][Shape::kQuantised ? kColumns : 1][4] = {};
#pragma unroll
    for (int p = 0; p < kPieces; ++p) {
      uint4 raw[kTiles][2];
#pragma unroll
      for (int m = 0; m < kTiles; ++m) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          raw[m][half] = *reinterpret_cast<const uint4*>(
              from + (((m * 2 + half) * kPieces + p) * Shape::kThreads + threadIdx.x) * 16);
        }
      }
      if constexpr (Shape::kQuantised) {
        multiply_runs(raw, x_row, p, bias, group);
      } else {
        multiply_runs(raw, x_row, p, bias, sum_);
      }
    }
    if constexpr (Shape::kQuantised) {
      float scale[kTiles][2];
      read_scales(notes, stage, scale);
#pragma unroll
      for (int m = 0; m < kTiles; ++m) {
#pragma unroll
        for (int n = 0; n < kColumns; ++n) {
#pragma unroll
          for (int i = 0; i < 4; ++i) sum_[m][n][i] = fmaf(scale[m][i / 2], group[m][n][i], sum_[m][n][i]);
        }
      }
    }
  }

  // Sums of all warps to shared memory as [across][token][row]; forgets them.
  __device__ void share_sums(int tokens) {
    float* to = reinterpret_cast<float*>(shared_) + across() * tokens * Shape::kRows;
#pragma unroll
    for (int m = 0; m < kTiles; ++m) {
#pragma unroll
      for (int n = 0; n < kColumns; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const int token = 8 * n + 2 * (lane_ % 4) + i % 2,
                    row = 16 * (along() * kTiles + m) + lane_ / 4 + 8 * (i / 2);
          if (token < tokens) to[token * Shape::kRows + row] = sum_[m][n][i];
          sum_[m][n][i] = 0;
        }
      }
    }
  }

  __device__ float shared_sum(int token, int row, int tokens) const {
    const float* from = reinterpret_cast<const float*>(shared_) + token * Shape::kRows + row;
    float sum = 0;
#pragma unroll
    for (int k = 0; k < Shape::kAcross; ++k) sum += from[k * tokens * Shape::kRows];
    return sum;
  }

 private:
  __device__ int along() const { return warp_ % Shape::kAlong; }
  __device__ int across() const { return warp_ / Shape::kAlong; }
  __device__ std::int64_t first_output() const {  // of the warp
    return static_cast<std::int64_t>(blockIdx.x) * outputs() + along() * 16 * (a_.gated ? 1 : kTiles);
  }

  // Where this lane's four bytes of scales or zeros of the first group come from and go to.
  __device__ void find_notes() {
    const auto row = [&](int m, int place) { return first_output() + (a_.gated ? 0 : 16 * m) + place; };
    if constexpr (Format::kFormat == WeightFormat::kFp8Block128) {
      if (lane_ >= 2 * kTiles) return;
      const int m = lane_ / 2;
      const MatrixPointers& matrix = a_.matrix[a_.gated ? m : 0];
      const std::int64_t tile = (matrix.row_phase + min(row(m, 15 * (lane_ % 2)), a_.rows - 1)) / 128;
      note_ = matrix.scales + expert_ * a_.expert_scale_bytes + 4 * tile * ((a_.cols + 127) / 128);
      note_step_ = 4, note_to_ = 4 * lane_;
    } else if constexpr (Format::kFormat == WeightFormat::kInt4G128) {
      if (lane_ < 8 * kTiles) {
        const int m = lane_ / 8;
        const std::int64_t pair = min(row(m, 2 * (lane_ % 8)), (a_.rows - 1) & ~1);
        note_ = a_.matrix[a_.gated ? m : 0].scales + 2 * (expert_ * a_.rows + pair);
        note_step_ = 2 * a_.scale_stride, note_to_ = 4 * lane_;
      } else if (lane_ >= 16 && lane_ < 16 + 4 * kTiles && a_.matrix[0].zeros != nullptr) {
        const int m = (lane_ - 16) / 4;
        const std::int64_t four = min(row(m, 4 * (lane_ % 4)), (a_.rows - 1) & ~3);
        note_ = a_.matrix[a_.gated ? m : 0].zeros + expert_ * a_.rows + four;
        note_step_ = a_.scale_stride, note_to_ = 64 + 4 * (lane_ - 16);
      }
    }
  }

  // Scales and zeros are fetched like weights, or each stage would wait for memory again.
  __device__ void fetch_notes(char* to, std::int64_t first) const {
    if constexpr (Format::kNotes > 0) {
      if (note_ == nullptr) return;
      copy_4(shared_address(to + note_to_), note_ + min(first, a_.cols - 1) / 128 * note_step_);
    }
  }

  // Rows beyond the last repeat it in codes_; their notes may be a neighbour's: nobody reads their sums.
  __device__ void read_biases(const char* notes, unsigned (&bias)[kTiles][2]) const {
#pragma unroll
    for (int m = 0; m < kTiles; ++m) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        unsigned zero = 8;
        if (Format::kFormat == WeightFormat::kInt4G128 && a_.matrix[0].zeros != nullptr)
          zero = static_cast<unsigned char>(notes[64 + 16 * m + lane_ / 4 + 8 * half]);
        bias[m][half] = 0xc300c300u | zero | zero << 16;  // -(128 + zero), twice
      }
    }
  }

  __device__ void read_scales(const char* notes, int, float (&scale)[kTiles][2]) const {
    const std::int64_t base = first_output();
#pragma unroll
    for (int m = 0; m < kTiles; ++m) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int place = lane_ / 4 + 8 * half;
        if constexpr (Format::kFormat == WeightFormat::kInt4G128) {
          scale[m][half] = from_fp16(reinterpret_cast<const std::uint16_t*>(notes)[16 * m + place]);
        } else {
          const std::int64_t first = a_.matrix[a_.gated ? m : 0].row_phase + base + (a_.gated ? 0 : 16 * m);
          const bool next_tile = (first + place) / 128 != first / 128;
          scale[m][half] = reinterpret_cast<const float*>(notes)[2 * m + (next_tile ? 1 : 0)];
        }
      }
    }
  }

  template <class Sums>
  __device__ void multiply_runs(const uint4 (&raw)[kTiles][2], const int (&x_row)[kColumns], int piece,
                                const unsigned (&bias)[kTiles][2], Sums& sums) {
    multiply_run<0>(raw, x_row, piece, bias, sums);
    if constexpr (Format::kRuns > 1) multiply_run<1>(raw, x_row, piece, bias, sums);
    if constexpr (Format::kRuns > 2) {
      multiply_run<2>(raw, x_row, piece, bias, sums);
      multiply_run<3>(raw, x_row, piece, bias, sums);
    }
  }

  template <int kRun, class Sums>
  __device__ void multiply_run(const uint4 (&raw)[kTiles][2], const int (&x_row)[kColumns], int piece,
                               const unsigned (&bias)[kTiles][2], Sums& sums) {
    unsigned w[kTiles][2][4];
#pragma unroll
    for (int m = 0; m < kTiles; ++m) {
#pragma unroll
      for (int half = 0; half < 2; ++half) Format::template pairs<kRun>(raw[m][half], bias[m][half], w[m][half]);
    }
    const int column = 32 * Format::kRuns * piece + Format::column(lane_ % 4, kRun);
#pragma unroll
    for (int n = 0; n < kColumns; ++n) {
      const uint4 x = *reinterpret_cast<const uint4*>(shared_ + x_row[n] + 2 * column);
#pragma unroll
      for (int m = 0; m < kTiles; ++m) {
        mma_bf16(sums[m][n], w[m][0][0], w[m][1][0], w[m][0][1], w[m][1][1], x.x, x.y);
        mma_bf16(sums[m][n], w[m][0][2], w[m][1][2], w[m][0][3], w[m][1][3], x.z, x.w);
      }
    }
  }

  const LinearArguments& a_;
  char* shared_;
  const int lane_ = threadIdx.x % 32, warp_ = threadIdx.x / 32;
  int expert_ = 0;
  const char* codes_[kTiles][2];
  const char* note_ = nullptr;
  std::int64_t note_step_ = 0;
  int note_to_ = 0;
  float sum_[kTiles][kColumns][4] = {};
};

// The last of the blocks that share outputs adds their sums, in their order.
template <class Shape>
__device__ void join_blocks(const LinearArguments& a, const MmaBlock<Shape>& block, const MmaRange& range) {
  const int blocks = gridDim.y, outputs = block.outputs();
  const std::int64_t part = static_cast<std::int64_t>(Shape::kRows) * range.tokens;
  float* partials = a.partials + blockIdx.x * blocks * part;
  for (int i = threadIdx.x; i < part; i += Shape::kThreads) {
    partials[blockIdx.y * part + i] = block.shared_sum(i / Shape::kRows, i % Shape::kRows, range.tokens);
  }
  __threadfence();
  __syncthreads();
  __shared__ bool last;
  if (threadIdx.x == 0) last = atomicInc(a.counters + blockIdx.x, blocks - 1) == static_cast<unsigned>(blocks - 1);
  __syncthreads();
  if (!last) return;
  __threadfence();
#pragma unroll 2
  for (int i = threadIdx.x; i < outputs * range.tokens; i += Shape::kThreads) {
    const int token = i / outputs, output = i % outputs;
    const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * outputs + output;
    if (row >= a.rows) continue;
    const auto total = [&](int place) {
      const float* from = partials + token * Shape::kRows + place;
      float parts[16], sum = 0;  // all loads before the first sum
#pragma unroll
      for (int b = 0; b < 16; ++b) parts[b] = b < blocks ? __ldcg(from + b * part) : 0.0f;
#pragma unroll
      for (int b = 0; b < 16; ++b) sum += parts[b];
      return sum;
    };
    if (a.gated) {
      const int place = output / 16 * 32 + output % 16;
      store_output(a, range.first_pair + token, row, silu(total(place)) * total(place + 16));
    } else {
      store_output(a, range.first_pair + token, row, total(output));
    }
  }
}

template <class Shape>
__device__ void finish_block(const LinearArguments& a, const MmaBlock<Shape>& block, const MmaRange& range) {
  const int outputs = block.outputs();
  for (int i = threadIdx.x; i < outputs * range.tokens; i += Shape::kThreads) {
    const int token = i / outputs, output = i % outputs;
    const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * outputs + output;
    if (row >= a.rows) continue;
    if (a.gated) {
      const int place = output / 16 * 32 + output % 16;
      store_output(
          a, range.first_pair + token, row,
          silu(block.shared_sum(token, place, range.tokens)) * block.shared_sum(token, place + 16, range.tokens));
    } else {
      store_output(a, range.first_pair + token, row, block.shared_sum(token, output, range.tokens));
    }
  }
}

// Grid: (outputs, blocks along the inputs), or with experts (outputs, slots of `used`).
template <class Shape>
__global__ __launch_bounds__(Shape::kThreads,
                             Shape::kBlocks) void linear_mma(const __grid_constant__ LinearArguments a) {
#ifdef FATHOM_TENSOR_CORES
  extern __shared__ char shared[];
  constexpr int kStages = Shape::kStages;
  const int stages = static_cast<int>((a.cols + Shape::kInputs - 1) / Shape::kInputs);
  const bool grouped = a.first_pair != nullptr;

  start_successor();
  MmaRange range{0, 0, a.tokens, 0, stages};
  std::int64_t pairs_end = a.tokens;
  if (grouped) {
    wait_for_predecessor();
    range.expert = a.used[blockIdx.y];
    if (range.expert < 0) return;
    range.first_pair = a.first_pair[range.expert];
    pairs_end = a.first_pair[range.expert + 1];
  } else {
    range.first_stage = static_cast<int>(static_cast<std::int64_t>(stages) * blockIdx.y / gridDim.y);
    range.last_stage = static_cast<int>(static_cast<std::int64_t>(stages) * (blockIdx.y + 1) / gridDim.y);
  }
  MmaBlock<Shape> block(a, shared, range.expert);

  for (bool first_tile = true; range.first_pair < pairs_end; first_tile = false) {
    range.tokens = static_cast<int>(min(static_cast<std::int64_t>(a.tile_tokens), pairs_end - range.first_pair));
    const int count = range.last_stage - range.first_stage;
#pragma unroll
    for (int s = 0; s < kStages - 1; ++s) {
      if (s < count) block.fetch_weights(range.first_stage + s, s, range.tokens);
    }
    if (first_tile && !grouped) wait_for_predecessor();
#pragma unroll
    for (int s = 0; s < kStages - 1; ++s) {
      if (s < count) block.fetch_tokens(range.first_stage + s, s, range);
      end_copy_group();
    }
    for (int s = 0; s < count; ++s) {
      wait_for_copies<kStages - 2>();
      __syncthreads();  // x of this stage is there, and the slot before is free
      const int next = s + kStages - 1;
      if (next < count) {
        block.fetch_weights(range.first_stage + next, next % kStages, range.tokens);
        block.fetch_tokens(range.first_stage + next, next % kStages, range);
      }
      end_copy_group();
      block.multiply(range.first_stage + s, s % kStages, range.tokens);
    }
    wait_for_copies<0>();
    __syncthreads();
    block.share_sums(range.tokens);
    __syncthreads();
    if (gridDim.y > 1 && !grouped) {
      join_blocks(a, block, range);
    } else {
      finish_block(a, block, range);
    }
    __syncthreads();
    range.first_pair += range.tokens;
  }
#else
  __trap();
#endif
}

template <class Shape>
void launch_mma(const Launch& how, LinearArguments a, const DeviceTraits& device, int slots,
                const Workspace& workspace) {
  a.tile_tokens = Shape::kMostTokens;
  const int shared =
      Shape::shared_bytes(std::min(a.first_pair == nullptr ? a.tokens : Shape::kMostTokens, Shape::kMostTokens));
  const int outputs = a.gated ? Shape::kRows / 2 : Shape::kRows;
  const std::int64_t blocks = (a.rows + outputs - 1) / outputs;
  int along = slots;
  if (a.first_pair == nullptr) {  // enough blocks for every multiprocessor, but two stages each
    const std::int64_t stages = (a.cols + Shape::kInputs - 1) / Shape::kInputs;
    const int most = static_cast<int>(std::clamp<std::int64_t>(stages / 2, 1, 16));
    along = 1;
    while (along < most && blocks * along * 10 < device.multiprocessors * 9 && blocks <= workspace.counter_count)
      ++along;
    const std::size_t needed = sizeof(float) * blocks * along * Shape::kRows * a.tokens;
    if (along > 1 && needed > workspace.bytes) throw CudaError("linear: the workspace is too small");
    a.partials = static_cast<float*>(workspace.data);
    a.counters = workspace.counters;
  }
  static bool allowed[64] = {};
  int number = 0;
  check(cudaGetDevice(&number), "device");
  if (!allowed[number]) {
    allow_shared_memory(linear_mma<Shape>, std::max(Shape::shared_bytes(Shape::kMostTokens), 49152));
    allowed[number] = true;
  }
  launch("linear", linear_mma<Shape>, dim3(static_cast<unsigned>(blocks), static_cast<unsigned>(along)),
         Shape::kThreads, shared, how, a);
}

// `tokens` is what the tile is made for. Few tokens: narrow blocks, so that a small matrix still fills the device; more:
// wide ones, because every block reads x again.
template <class Format>
void launch_mma_of(const Launch& how, const LinearArguments& a, const DeviceTraits& device, int tokens, int slots,
                   const Workspace& workspace) {
  const bool narrow = tokens <= 2;
  if (narrow && !a.gated && a.first_pair == nullptr) {
    launch_mma<MmaShape<Format, 1, 1, 1, 8>>(how, a, device, slots, workspace);
  } else if (narrow) {
    launch_mma<MmaShape<Format, 2, 1, 1, 8>>(how, a, device, slots, workspace);
  } else if (tokens <= 8) {
    launch_mma<MmaShape<Format, 2, 1, 4, 2>>(how, a, device, slots, workspace);
  } else if (tokens <= 16) {
    launch_mma<MmaShape<Format, 2, 2, 4, 2>>(how, a, device, slots, workspace);
  } else if (tokens <= 32) {
    launch_mma<MmaShape<Format, 2, 4, 4, 2>>(how, a, device, slots, workspace);
  } else {
    launch_mma<MmaShape<typename Format::Wide, 2, 8, Format::kFormat == WeightFormat::kBf16 ? 4 : 8,
                        Format::kFormat == WeightFormat::kBf16 ? 2 : 1>>(how, a, device, slots, workspace);
  }
}

}  // namespace fathom::cuda
