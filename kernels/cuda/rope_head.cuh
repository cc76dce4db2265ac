// A head of queries, keys or values in a warp's registers: a lane has the pairs lane, lane + 32, ...
#pragma once

#include "cuda/decode_attention.h"
#include "cuda/numbers.cuh"
#include "cuda/reduce.cuh"
#include "cuda/rope.h"

namespace fathom::cuda {

// Row `position` of a sequence in a page tensor: where its page is.
__device__ inline std::int64_t page_of(const RopeRows& r, int row, int position, std::int64_t page_stride) {
  return r.table[static_cast<std::int64_t>(r.sequence[row]) * r.table_stride + position / kPageTokens] * page_stride;
}

// The places of pair i of a head, of whose values the first `dims` turn; beyond those, neighbours.
struct PairPlaces {
  int first, second;
};
__device__ inline PairPlaces pair_places(const RopeRows& r, int i) {
  const int half = r.dims / 2;
  if (i >= half || r.interleaved) return {2 * i, 2 * i + 1};
  return {i, i + half};
}

// Writes the angle of pair i, less than dims / 2.
__device__ inline void find_angle(const RopeRows& r, int row, int i) {
  double sine, cosine;
  sincos(max(r.position[row], 0) * r.frequencies[i], &sine, &cosine);
  float* angle = r.angles + (static_cast<std::int64_t>(row) * (r.dims / 2) + i) * 2;
  angle[0] = static_cast<float>(cosine * r.magnitude), angle[1] = static_cast<float>(sine * r.magnitude);
}

// Cosine and sine; pairs that do not turn have an angle of 0.
__device__ inline float2 angle_of(const RopeRows& r, int row, int i) {
  if (i >= r.dims / 2) return {1, 0};
  return *reinterpret_cast<const float2*>(r.angles + (static_cast<std::int64_t>(row) * (r.dims / 2) + i) * 2);
}

__device__ inline void turn(float2 angle, float& a, float& b) {
  const float first = a * angle.x - b * angle.y;
  b = b * angle.x + a * angle.y;
  a = first;
}

// Of all heads of a row; kPairs: of a lane.
template <int kPairs>
struct HeadAngles {
  float2 angle[kPairs];
  __device__ HeadAngles(const RopeRows& r, int row) {
#pragma unroll
    for (int n = 0; n < kPairs; ++n) angle[n] = angle_of(r, row, 32 * n + threadIdx.x % 32);
  }
};

// Read first, of all heads that a warp has, and then worked on: each waits for memory once.
template <int kPairs>
class HeadValues {
 public:
  // `half`: pairs of the head.
  __device__ void read(const RopeRows& r, const std::uint16_t* from, int half) {
    each(r, half, [&](int n, PairPlaces at) { a_[n] = from[at.first], b_[n] = from[at.second]; });
  }
  // Normed where there is a `norm`, turned where there are angles.
  __device__ void write(const RopeRows& r, const float* norm, float epsilon, const HeadAngles<kPairs>* angles,
                        std::uint16_t* to, int half) const {
    float factor = 1;
    if (norm != nullptr) {
      float squares = 0;
      each(r, half, [&](int n, PairPlaces) {
        const float a = from_bf16(a_[n]), b = from_bf16(b_[n]);
        squares += a * a + b * b;
      });
      factor = rsqrtf(warp_sum(squares) / (2 * half) + epsilon);
    }
    each(r, half, [&](int n, PairPlaces at) {
      float a = from_bf16(a_[n]), b = from_bf16(b_[n]);
      if (norm != nullptr) a *= factor * norm[at.first], b *= factor * norm[at.second];
      if (angles != nullptr) turn(angles->angle[n], a, b);
      to[at.first] = to_bf16(a), to[at.second] = to_bf16(b);
    });
  }

 private:
  template <class Do>
  __device__ static void each(const RopeRows& r, int half, Do&& what) {
#pragma unroll
    for (int n = 0; n < kPairs; ++n) {
      const int i = 32 * n + threadIdx.x % 32;
      if (i < half) what(n, pair_places(r, i));
    }
  }

  std::uint16_t a_[kPairs], b_[kPairs];
};

}  // namespace fathom::cuda
