// The weights' side of the products of grouped_wgmma.cu: bf16 as it lies in shared memory, other formats widened to registers on the
// way, to what widen_weights() would give: scaled, and rounded to bf16 once.
#pragma once

#include "cuda/grouped_tiles.cuh"
#include "cuda/linear_formats.cuh"
#include "cuda/wgmma_columns.cuh"

namespace fathom::cuda {

// 64 rows of a tile for one warpgroup, step by step. kParts: steps in a tile of weights.
template <class Format>
class GroupedRows;

template <>
class GroupedRows<Bf16Rows> {
 public:
  static constexpr int kParts = 1;
  static constexpr bool kInRegisters = false;

  __device__ GroupedRows(const GroupedProducts&, const GroupedTile&, const GroupedPlace& place) : place_(place) {}

  template <int kTurn>
  __device__ void prepare(const WeightTile& tile, int) {
    at_ = swizzled_matrix(shared_address(&tile.slab[8 * place_.group]), 0);
  }
  template <int kTurn>
  __device__ void settle_rows() {}
  template <int kTurn, int kColumns>
  __device__ void multiply(float (&sum)[128], int i, std::uint64_t b, bool add) const {
    Product<kColumns>::add(sum, later(at_, 32 * i), b, add);
  }

 private:
  const GroupedPlace& place_;
  std::uint64_t at_ = 0;
};

// Scales of both formats are for 128 inputs, two steps. Registers of two steps: products still read those of the one before.
template <class Format>
class GroupedRows {
  static constexpr bool kFp8 = Format::kFormat == WeightFormat::kFp8Block128;

 public:
  static constexpr int kParts = 16 / Format::kBits;
  static constexpr bool kInRegisters = true;

  __device__ GroupedRows(const GroupedProducts& op, const GroupedTile& tile, const GroupedPlace& place)
      : place_(place), scale_step_(kFp8 ? 4 : 2 * op.a.scale_stride), zero_step_(op.a.scale_stride) {
    groups_left_ = static_cast<int>((op.a.cols + 127) / 128);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const MatrixPointers& matrix = op.a.matrix[op.a.gated ? half : 0];
      const std::int64_t row = min(tile.row + place.output(op.a.gated, half), static_cast<int>(op.a.rows) - 1);
      if constexpr (kFp8) {
        const std::int64_t line = (matrix.row_phase + row) / 128 * ((op.a.cols + 127) / 128);
        scales_[half] = matrix.scales + tile.expert * op.a.expert_scale_bytes + 4 * line;
      } else {
        scales_[half] = matrix.scales + 2 * (tile.expert * op.a.rows + row);
        zeros_[half] = matrix.zeros == nullptr ? nullptr : matrix.zeros + tile.expert * op.a.rows + row;
      }
    }
    fetch_notes();
  }

  // Widens a step's weights. Of each eight inputs side by side a lane has pair t.
  template <int kTurn>
  __device__ void prepare(const WeightTile& tile, int part) {
    if constexpr (kTurn == 0) take_notes();  // even steps begin a group
    const char* rows = tile.slab[8 * place_.group + 2 * place_.warp][place_.g];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const char* row = rows + half * kSlabRows * WeightTile::kRowBytes;
#pragma unroll
      for (int p = 0; p < 4; ++p) {
        // Sixteen bytes of fp8 are inputs 16 p on; of four bits words 4 p + u have inputs 32 u + 8 p on, of which a step has u = 0, 1 or 2, 3.
        const int chunk = (kFp8 ? 4 * part + p : part / 2 * 4 + p) ^ place_.g;
        unsigned pair[2];
        if constexpr (kFp8) {
          const unsigned* at = reinterpret_cast<const unsigned*>(row + 16 * chunk + place_.t / 2 * 4);
          pair[0] = e4m3_to_bf16_pair<0>(at[0] >> 16 * (place_.t % 2));
          pair[1] = e4m3_to_bf16_pair<0>(at[2] >> 16 * (place_.t % 2));
        } else {
          const uint2 words = *reinterpret_cast<const uint2*>(row + 16 * chunk + part % 2 * 8);
          pair[0] = int4_to_bf16_pair<0>(words.x >> 4 * place_.t, minus_bias_[half]);
          pair[1] = int4_to_bf16_pair<0>(words.y >> 4 * place_.t, minus_bias_[half]);
        }
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          const int eight = kFp8 ? 2 * p + i : p + 4 * i;
          a_[kTurn][eight / 2][eight % 2 * 2 + half] =
              to_bf16_pair(low_bf16(pair[i]) * scale_[half], high_bf16(pair[i]) * scale_[half]);
        }
      }
    }
  }
  template <int kTurn>
  __device__ void settle_rows() {
#pragma unroll
    for (auto& a : a_[kTurn]) settle(a);
  }
  template <int kTurn, int kColumns>
  __device__ void multiply(float (&sum)[128], int i, std::uint64_t b, bool add) const {
    Product<kColumns>::add(sum, a_[kTurn][i], b, add);
  }

 private:
  // Of the next group; used a group later, so that nobody waits for memory.
  __device__ void fetch_notes() {
    if (groups_left_-- <= 0) return;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      if constexpr (kFp8) {
        next_scale_[half] = *reinterpret_cast<const unsigned*>(scales_[half]);
      } else {
        next_scale_[half] = *reinterpret_cast<const std::uint16_t*>(scales_[half]);
        if (zeros_[half] != nullptr) {
          next_zero_[half] = static_cast<unsigned char>(*zeros_[half]);
          zeros_[half] += zero_step_;
        }
      }
      scales_[half] += scale_step_;
    }
  }
  __device__ void take_notes() {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      scale_[half] = kFp8 ? __uint_as_float(next_scale_[half]) : from_fp16(next_scale_[half]);
      minus_bias_[half] = 0xc300c300u | next_zero_[half] | next_zero_[half] << 16;  // -(128 + zero), twice
    }
    fetch_notes();
  }

  const GroupedPlace& place_;
  const std::int64_t scale_step_, zero_step_;
  int groups_left_;
  const char *scales_[2], *zeros_[2] = {};
  unsigned next_scale_[2], next_zero_[2] = {8, 8};
  float scale_[2];
  unsigned minus_bias_[2];
  unsigned a_[2][kStepInputs / 16][4];
};

}  // namespace fathom::cuda
