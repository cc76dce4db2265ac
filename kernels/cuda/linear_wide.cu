// y = x W^T for up to 128 tokens on Hopper, W in fp8 or four bits: its codes become fp16 in registers and are the A operand of warpgroup
// products, tokens the columns.
//
// A block takes 256 rows (128 of more than 64 tokens) over a range of the inputs. One thread keeps two rings full: of weights, boxes of
// 128 bytes of every row, and of inputs, groups of 128 as wide_inputs.h arranged them. Four warpgroups multiply, 64 rows each (of more than
// 64 tokens two share their rows), a group at a time: its sums are scaled and added to the whole's. While one waits for its product
// the others make numbers of their codes; to make half of the next group meanwhile was slower (gate and up of Llama-8B for 64 tokens
// took 48 us instead of 45 in fp8, 77 instead of 59 in four bits). Blocks with the same rows meet once at the end: each adds up what all
// have of its share of the tokens, in their order.
#include <algorithm>

#include "cuda/bulk_copy.cuh"
#include "cuda/launch.cuh"
#include "cuda/linear_arguments.cuh"
#include "cuda/linear_formats.cuh"
#include "cuda/linear_launch.h"
#include "cuda/tensor_map.h"
#include "cuda/wgmma.cuh"
#include "cuda/wide_inputs.h"

namespace fathom::cuda {
namespace {

constexpr int kGroups = 4, kLanes = kGroups * kWarpgroup, kThreads = kLanes + kWarpgroup;
constexpr int kConsumerRegisters = 112, kProducerRegisters = 24;
constexpr int kRowBytes = 128;  // of a row of weights in a slot
constexpr int kRingBytes = 208 * 1024;

// kColumns: tokens of a warpgroup; kHalves: warpgroups side by side.
template <int kColumns_, int kHalves_>
struct WideShape {
  static constexpr int kColumns = kColumns_, kHalves = kHalves_;
  static constexpr int kTokens = kColumns * kHalves, kSlices = kGroups / kHalves, kRows = 64 * kSlices;
  static constexpr int kWeightBytes = kRows * kRowBytes, kInputBytes = kTokens * kWideGroup * 2;
  static constexpr int kInputSlots = kTokens <= 32 ? 6 : kTokens <= 64 ? 5 : 4;
  static constexpr int kWeightSlots = (kRingBytes - kInputSlots * kInputBytes) / kWeightBytes;
  static constexpr int kSumStride = kRows + 4;  // against bank conflicts
};

struct Exchange {
  BulkBarrier full, empty;
};

template <class Shape>
struct Shared {
  char weights[Shape::kWeightSlots][Shape::kWeightBytes];
  char inputs[Shape::kInputSlots][Shape::kInputBytes];
  Exchange weights_there[Shape::kWeightSlots], inputs_there[Shape::kInputSlots];

  __device__ void begin() {
    constexpr int kWarps = kLanes / 32;
    for (Exchange& there : weights_there) there.full.begin(1), there.empty.begin(kWarps);
    for (Exchange& there : inputs_there) there.full.begin(1), there.empty.begin(kWarps);
    show_barriers();
  }
  // Sums of the tile, [token][row], where the rings were.
  __device__ float* sums() { return reinterpret_cast<float*>(this); }
  static_assert(Shape::kTokens * Shape::kSumStride * sizeof(float) <= sizeof(weights));
};

// A ring as one thread goes round it.
template <int kSlots>
struct Turn {
  int slot = 0;
  unsigned parity = 0;
  __device__ void next() {
    if (++slot == kSlots) slot = 0, parity ^= 1;
  }
};

struct WideArguments {
  LinearArguments a;
  CUtensorMap weights[2];  // boxes of half a tile; the second is Up's, or the same
  const char* inputs;
  int column_bytes;  // of 64 inputs of all tokens
  const float* back;
};

// What one block computes: of a gated product the first half of its rows are the gate's, the second Up's.
template <class Format, class Shape>
struct Tile {
  static constexpr int kSlotGroups = kRowBytes * 8 / Format::kBits / kWideGroup;
  int rows;               // outputs, at most
  std::int64_t first;     // output
  int first_slot, slots;  // of kRowBytes of every row
  int groups;             // of inputs

  __device__ explicit Tile(const LinearArguments& a) : rows(a.gated ? Shape::kRows / 2 : Shape::kRows) {
    const int all = static_cast<int>((code_bytes<Format>(a.cols) + kRowBytes - 1) / kRowBytes);
    const int split = blockIdx.y, splits = gridDim.y;
    first = static_cast<std::int64_t>(blockIdx.x) * rows;
    first_slot = all * split / splits;
    slots = all * (split + 1) / splits - first_slot;
    groups = min(slots * kSlotGroups, static_cast<int>((a.cols + kWideGroup - 1) / kWideGroup) - first_group());
  }
  __device__ int first_group() const { return first_slot * kSlotGroups; }
};

// The thread that fetches.
template <class Format, class Shape>
struct WideProducer {
  const WideArguments& w;
  Shared<Shape>& shared;
  const Tile<Format, Shape>& tile;
  Turn<Shape::kWeightSlots> weights;
  Turn<Shape::kInputSlots> inputs;
  int next_slot = 0, next_group = 0;
  std::uint64_t policy = read_often();

  __device__ void run() {
    while (next_slot < min(tile.slots, Shape::kWeightSlots)) bring_weights();
    wait_for_predecessor();
    while (next_group < min(tile.groups, Shape::kInputSlots)) bring_inputs();
    while (next_slot < tile.slots || next_group < tile.groups) {
      if (next_slot < tile.slots) bring_weights();
#pragma unroll
      for (int g = 0; g < tile.kSlotGroups; ++g) {
        if (next_group < tile.groups) bring_inputs();
      }
    }
  }
  __device__ void bring_weights() {
    constexpr int kHalf = Shape::kRows / 2;
    Exchange& there = shared.weights_there[weights.slot];
    there.empty.wait(weights.parity ^ 1);
    there.full.arrive_and_expect(Shape::kWeightBytes);
    const int at = (tile.first_slot + next_slot++) * kSwizzledValues, row = static_cast<int>(tile.first);
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      copy_box(shared.weights[weights.slot] + h * kHalf * kRowBytes, &w.weights[h], at,
               row + (w.a.gated ? 0 : h * kHalf), 0, 0, there.full);
    }
    weights.next();
  }
  __device__ void bring_inputs() {
    const int column = w.column_bytes;
    const char* from = w.inputs + std::int64_t{tile.first_group() + next_group++} * 2 * column;
    Exchange& there = shared.inputs_there[inputs.slot];
    there.empty.wait(inputs.parity ^ 1);
    there.full.arrive_and_expect(2 * column);
    copy_bulk(shared.inputs[inputs.slot], from, 2 * column, there.full, policy);
    inputs.next();
  }
};

// Scales and zeros of a lane's two rows in one group, as loaded.
template <class Format>
struct WideNotes {
  static constexpr bool kInt4 = Format::kFormat == WeightFormat::kInt4G128;
  float float_scale[2];
  std::uint16_t half_scale[2];
  std::uint8_t zero[2];
  __device__ float scale(int half) const { return kInt4 ? from_fp16(half_scale[half]) : float_scale[half]; }
};

// A warp of those that multiply. Its lane 4 g + t takes rows row() and row() + 8 of the tile: in their order eight lanes' 16-byte loads
// would meet in four of the banks.
template <class Format, class Shape>
class WideWarp {
  static constexpr bool kInt4 = Format::kFormat == WeightFormat::kInt4G128;
  static constexpr int kValues = Shape::kColumns / 2, kPieces = Format::kGroupPieces, kRuns = Format::kRuns;
  using Notes = WideNotes<Format>;

 public:
  __device__ WideWarp(const WideArguments& w, Shared<Shape>& shared, const Tile<Format, Shape>& tile)
      : a_(w.a), column_bytes_(w.column_bytes), shared_(shared), tile_(tile) {
    const int up = a_.gated && row() >= tile.rows ? 1 : 0;
    matrix_ = a_.matrix[up];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const std::int64_t row_of_matrix = min(tile.first + row() - up * tile.rows + 8 * half, a_.rows - 1);
      if constexpr (kInt4) {
        notes_[half] = static_cast<unsigned>(row_of_matrix + tile.first_group() * a_.scale_stride);
      } else {
        notes_[half] = static_cast<unsigned>((matrix_.row_phase + row_of_matrix) / 128 * ((a_.cols + 127) / 128)) +
                       tile.first_group();
      }
    }
  }

  __device__ void run() {
    Notes ahead[2] = {fetch(0), fetch(1)};
    for (int group = 0; group < tile_.groups; group += 2) {
      multiply<0>(ahead[0]);
      ahead[0] = fetch(group + 2);
      if (group + 1 == tile_.groups) break;
      multiply<1>(ahead[1]);
      ahead[1] = fetch(group + 3);
    }
  }

  __device__ void share(float* sums) const {
    float* to = sums + (half() * Shape::kColumns + 2 * t()) * Shape::kSumStride + row();
#pragma unroll
    for (int i = 0; i < kValues; ++i) to[(i / 4 * 8 + i % 2) * Shape::kSumStride + i % 4 / 2 * 8] = sum_[i];
  }

 private:
  __device__ static int t() { return threadIdx.x % 4; }
  __device__ static int slice() { return threadIdx.x / kWarpgroup % Shape::kSlices; }
  __device__ static int half() { return threadIdx.x / kWarpgroup / Shape::kSlices; }
  __device__ static int row_of_eight() { return threadIdx.x / 8 % 4 + threadIdx.x / 4 % 2 * 4; }
  __device__ static int row() { return 64 * slice() + threadIdx.x % kWarpgroup / 32 * 16 + row_of_eight(); }

  __device__ Notes fetch(int group) const {
    Notes notes = {};
    if (group >= tile_.groups) return notes;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      if constexpr (kInt4) {
        const unsigned at = notes_[half] + group * static_cast<unsigned>(a_.scale_stride);
        notes.half_scale[half] = __ldg(reinterpret_cast<const std::uint16_t*>(matrix_.scales) + at);
        notes.zero[half] = 8;
        if (matrix_.zeros != nullptr)
          notes.zero[half] = __ldg(reinterpret_cast<const std::uint8_t*>(matrix_.zeros) + at);
      } else {
        notes.float_scale[half] = __ldg(reinterpret_cast<const float*>(matrix_.scales) + notes_[half] + group);
      }
    }
    return notes;
  }

  // A group; kOdd: the second of two, which four bits have in one slot.
  template <int kOdd>
  __device__ void multiply(const Notes& notes) {
    Exchange& weights = shared_.weights_there[weights_.slot];
    if (!kInt4 || kOdd == 0) weights.full.wait(weights_.parity);
    const char* rows = shared_.weights[weights_.slot] + row() * kRowBytes;
    uint4 raw[2][kPieces];
#pragma unroll
    for (int p = 0; p < kPieces; ++p) {
      const int chunk = (4 * (kInt4 ? kOdd : p) + t()) ^ row_of_eight();
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        raw[half][p] = *reinterpret_cast<const uint4*>(rows + half * 8 * kRowBytes + chunk * 16);
      }
    }

    Exchange& inputs = shared_.inputs_there[inputs_.slot];
    const std::uint64_t x =
        swizzled_matrix(shared_address(shared_.inputs[inputs_.slot]) + half() * Shape::kColumns * kRowBytes, 0);
    float part[kValues];
#pragma unroll
    for (int p = 0; p < kPieces; ++p) {
      unsigned pairs[2][kRuns][4];
#pragma unroll
      for (int half = 0; half < 2; ++half) {
#pragma unroll
        for (int run = 0; run < kRuns; ++run) widen(raw[half][p], run, notes.zero[half], pairs[half][run]);
      }
      if (p == 0) inputs.full.wait(inputs_.parity);
      begin_products();
#pragma unroll
      for (int slice = 0; slice < 2 * kRuns; ++slice) {
        const int run = slice / 2, i = slice % 2 * 2, all = p * 2 * kRuns + slice;
        const unsigned a[4] = {pairs[0][run][i], pairs[1][run][i], pairs[0][run][i + 1], pairs[1][run][i + 1]};
        const std::uint64_t b = later(x, all / 4 * column_bytes_ + all % 4 * 32);
        all == 0 ? first_fp16_product(part, a, b) : add_fp16_product(part, a, b);
      }
      end_products();
    }
    // Not before: a slot that was given back behind its loads was filled by the next copy before all of them had read, when tensor cores
    // kept shared memory busy. The loads' values are in use here, and the fence says it to the model of memory as well.
    if (!kInt4 || kOdd == 1) {
      fence_async_proxy();
      __syncwarp();
      if (threadIdx.x % 32 == 0) weights.empty.arrive();
      weights_.next();
    }
    wait_for_products<0>();
    settle(part);
    if (threadIdx.x % 32 == 0) inputs.empty.arrive();
    inputs_.next();
#pragma unroll
    for (int i = 0; i < kValues; ++i) sum_[i] = fmaf(notes.scale(i % 4 / 2), part[i], sum_[i]);
  }

  // Eight neighbours.
  __device__ static void widen(const uint4& raw, int run, unsigned zero, unsigned (&pairs)[4]) {
    const unsigned words[4] = {raw.x, raw.y, raw.z, raw.w};
    if constexpr (kInt4) {
      int4_to_fp16_pairs(words[run], zero, pairs);
    } else {
      e4m3_to_fp16_pairs(words[2 * run], pairs[0], pairs[1]);
      e4m3_to_fp16_pairs(words[2 * run + 1], pairs[2], pairs[3]);
    }
  }

  const LinearArguments& a_;
  const unsigned column_bytes_;
  Shared<Shape>& shared_;
  const Tile<Format, Shape>& tile_;
  MatrixPointers matrix_;
  unsigned notes_[2];  // places of the first group's scales
  Turn<Shape::kWeightSlots> weights_;
  Turn<Shape::kInputSlots> inputs_;
  float sum_[kValues] = {};
};

__device__ void meet() { asm volatile("bar.sync 1, %0;" ::"n"(kLanes) : "memory"); }

struct TokenRange {
  int first, last;
};

// Sums of this block to where the others of its tile find them; then those of its own tokens become the tile's.
template <class Shape>
__device__ TokenRange join(const LinearArguments& a, float* sums) {
  constexpr int kQuads = Shape::kRows / 4;
  const int split = blockIdx.y, splits = gridDim.y;
  if (splits == 1) return {0, a.tokens};
  const TokenRange own = {a.tokens * split / splits, a.tokens * (split + 1) / splits};
  const int of_split = a.tokens * kQuads;
  float4* tile = reinterpret_cast<float4*>(a.partials) + std::int64_t{blockIdx.x} * splits * of_split;
  for (int i = threadIdx.x; i < of_split; i += kLanes) {
    const int token = i / kQuads;
    if (token >= own.first && token < own.last) continue;
    __stcg(tile + split * of_split + i, *reinterpret_cast<float4*>(sums + token * Shape::kSumStride + i % kQuads * 4));
  }
  std::uint32_t* counter = a.counters + blockIdx.x;
  __threadfence();
  meet();
  if (threadIdx.x == 0) {
    atomicAdd(counter, 1);
    while (*const_cast<volatile std::uint32_t*>(counter) < splits) {
    }
    __threadfence();
  }
  meet();
  for (int i = own.first * kQuads + threadIdx.x; i < own.last * kQuads; i += kLanes) {
    float4* to = reinterpret_cast<float4*>(sums + i / kQuads * Shape::kSumStride + i % kQuads * 4);
    float4 sum = {0, 0, 0, 0};
#pragma unroll 8
    for (int s = 0; s < splits; ++s) {
      const float4 part = s == split ? *to : __ldcg(tile + s * of_split + i);
      sum.x += part.x, sum.y += part.y, sum.z += part.z, sum.w += part.w;
    }
    *to = sum;
  }
  meet();
  // The last to leave makes the counter zero again.
  if (threadIdx.x == 0 && atomicAdd(counter, 1) == 2 * splits - 1) *counter = 0;
  return own;
}

template <class Format, class Shape>
__device__ void finish(const WideArguments& w, const Tile<Format, Shape>& tile, const float* sums, TokenRange tokens) {
  for (int i = tokens.first * tile.rows + threadIdx.x; i < tokens.last * tile.rows; i += kLanes) {
    const int token = i / tile.rows, row = i % tile.rows;
    if (tile.first + row >= w.a.rows) continue;
    const float* at = sums + token * Shape::kSumStride + row;
    const float back = w.back[token], value = *at * back;
    store_output(w.a, token, tile.first + row, w.a.gated ? silu(value) * (at[tile.rows] * back) : value);
  }
}

// Grid: (tiles of rows; parts of the inputs, all blocks at once where there are several).
template <class Format, class Shape>
__global__ __launch_bounds__(kThreads, 1) void linear_wide(const __grid_constant__ WideArguments w) {
#ifdef FATHOM_WARPGROUP_PRODUCTS
  extern __shared__ __align__(1024) char memory[];
  auto& shared = *reinterpret_cast<Shared<Shape>*>(memory);
  start_successor();
  if (threadIdx.x == 0) shared.begin();
  __syncthreads();
  const Tile<Format, Shape> tile(w.a);
  if (threadIdx.x >= kLanes) {
    give_registers<kProducerRegisters>();
    if (threadIdx.x == kLanes) WideProducer<Format, Shape>{w, shared, tile}.run();
  } else {
    take_registers<kConsumerRegisters>();
    WideWarp<Format, Shape> warp(w, shared, tile);
    warp.run();
    wait_for_predecessor();
    meet();
    warp.share(shared.sums());
    meet();
    finish(w, tile, shared.sums(), join<Shape>(w.a, shared.sums()));
  }
#else
  __trap();
#endif
}

template <class Format>
CUtensorMap mapped_weights(const char* codes, const LinearArguments& a, int box_rows) {
  const auto row_bytes = static_cast<std::uint64_t>(a.cols) * Format::kBits / 8,
             rows = static_cast<std::uint64_t>(a.rows);
  return tensor_map({.data = codes,
                     .size = {row_bytes / 2, rows, 1, 1},
                     .bytes = {row_bytes, row_bytes * rows, row_bytes * rows},
                     .box = {kSwizzledValues, static_cast<std::uint32_t>(box_rows), 1, 1}});
}

template <class Format, class Shape>
void launch_wide(const Launch& how, LinearArguments a, const DeviceTraits& device, const Workspace& workspace) {
  const int rows = a.gated ? Shape::kRows / 2 : Shape::kRows;
  const int tiles = static_cast<int>((a.rows + rows - 1) / rows);
  const int slots = static_cast<int>((a.cols * Format::kBits / 8 + kRowBytes - 1) / kRowBytes);
  const int splits = std::clamp(device.multiprocessors / tiles, 1, std::max(slots / 2, 1));
  const std::size_t inputs = WideInputs::bytes(a.tokens, a.cols), backs = Shape::kTokens * sizeof(float);
  const std::size_t partials =
      splits > 1 ? sizeof(float) * tiles * splits * Shape::kRows * static_cast<std::size_t>(a.tokens) : 0;
  if (inputs + backs + partials > workspace.bytes || (splits > 1 && tiles > workspace.counter_count)) {
    throw CudaError("linear: the workspace is too small");
  }
  char* data = static_cast<char*>(workspace.data);
  auto* back = reinterpret_cast<float*>(data + inputs);
  a.partials = back + Shape::kTokens;
  a.counters = workspace.counters;

  static bool allowed[64] = {};
  int number = 0;
  check(cudaGetDevice(&number), "device");
  if (!allowed[number]) allow_shared_memory(linear_wide<Format, Shape>, sizeof(Shared<Shape>)), allowed[number] = true;
  arrange_inputs(how, Format::kFormat,
                 {.x = a.x, .x_stride = a.x_stride, .cols = a.cols, .tokens = a.tokens, .to = data, .back = back});
  WideArguments w{a, {}, data, WideInputs::padded_rows(a.tokens) * kRowBytes, back};
  w.weights[0] = mapped_weights<Format>(a.matrix[0].codes, a, Shape::kRows / 2);
  w.weights[1] = a.gated ? mapped_weights<Format>(a.matrix[1].codes, a, Shape::kRows / 2) : w.weights[0];
  launch("linear", linear_wide<Format, Shape>, dim3(tiles, splits), kThreads, sizeof(Shared<Shape>), how, w);
}

template <class Format>
void wide_of(const Launch& how, const LinearArguments& a, const DeviceTraits& device, const Workspace& workspace) {
  if (a.tokens <= 32) return launch_wide<Format, WideShape<32, 1>>(how, a, device, workspace);
  if (a.tokens <= 64) return launch_wide<Format, WideShape<64, 1>>(how, a, device, workspace);
  return launch_wide<Format, WideShape<64, 2>>(how, a, device, workspace);
}

}  // namespace

void wide_linear(const Launch& how, WeightFormat format, const LinearArguments& a, const DeviceTraits& device,
                 const Workspace& workspace) {
  format == WeightFormat::kInt4G128 ? wide_of<Int4Rows>(how, a, device, workspace)
                                    : wide_of<Fp8Rows>(how, a, device, workspace);
}

std::size_t wide_workspace_bytes(const DeviceTraits& device) {
  using Most = WideShape<64, 2>;  // whose tiles have as many sums as the others'
  return WideInputs::bytes(Most::kTokens, kMostWideInputs) + sizeof(float) * Most::kTokens +
         sizeof(float) * device.multiprocessors * Most::kRows * Most::kTokens;
}

}  // namespace fathom::cuda
