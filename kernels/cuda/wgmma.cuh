// Hopper's warpgroup products, one function each, and what they need around them: matrices in shared memory, registers moved between
// warpgroups.
//
// A product runs in the background on 64 rows: lane 4 g + t of warp w holds of the sums rows 16 w + g and 16 w + g + 8, of every eight
// columns 2t and 2t+1, as sum[8 columns][4]; of A what m16n8k16 of mma.cuh has. begin_products() comes after the last ordinary
// instruction that touches sums or A, end_products() closes a group, and wait_for_products() with settle() comes before sums are
// read: the compiler knows nothing of the background.
#pragma once

#include <cstdint>

#include "cuda/mma.cuh"

namespace fathom::cuda {

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define FATHOM_WARPGROUP_PRODUCTS 1
#endif

inline constexpr int kWarpgroup = 128;      // threads
inline constexpr int kSwizzledValues = 64;  // of bf16 in a row of a swizzled matrix, 128 bytes

// A matrix in shared memory as columns of 64 values, each column's rows one after another; the eight 16-byte chunks of a row
// are exchanged by row % 8, so the matrix starts at a multiple of 1,024 bytes. `column_bytes`: from column to column, which
// only products that run across the rows need.
__device__ inline std::uint64_t swizzled_matrix(unsigned at, unsigned column_bytes) {
  constexpr unsigned kEightRows = 8 * 128;
  constexpr std::uint64_t kExchanged128 = std::uint64_t{1} << 62;
  return kExchanged128 | std::uint64_t{kEightRows >> 4} << 32 | std::uint64_t{column_bytes >> 4} << 16 |
         (at & 0x3ffffu) >> 4;
}
// The same matrix from `bytes` on.
__device__ inline std::uint64_t later(std::uint64_t matrix, unsigned bytes) { return matrix + (bytes >> 4); }

__device__ inline void begin_products() {
#ifdef FATHOM_WARPGROUP_PRODUCTS
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#endif
}
__device__ inline void end_products() {
#ifdef FATHOM_WARPGROUP_PRODUCTS
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
#endif
}
template <int kPending>
__device__ inline void wait_for_products() {  // until at most kPending groups are under way
#ifdef FATHOM_WARPGROUP_PRODUCTS
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kPending) : "memory");
#endif
}
template <class Value, int kCount>
__device__ inline void settle(Value (&sums)[kCount]) {
#pragma unroll
  for (int i = 0; i < kCount; ++i) asm volatile("" : "+f"(sums[i])::"memory");
}

#define FATHOM_SUMS_4(i) "+f"(sum[i]), "+f"(sum[i + 1]), "+f"(sum[i + 2]), "+f"(sum[i + 3])
#define FATHOM_SUMS_16(i) FATHOM_SUMS_4(i), FATHOM_SUMS_4(i + 4), FATHOM_SUMS_4(i + 8), FATHOM_SUMS_4(i + 12)
#define FATHOM_SUMS_64 FATHOM_SUMS_16(0), FATHOM_SUMS_16(16), FATHOM_SUMS_16(32), FATHOM_SUMS_16(48)
#define FATHOM_NEW_4(i) "=f"(sum[i]), "=f"(sum[i + 1]), "=f"(sum[i + 2]), "=f"(sum[i + 3])
#define FATHOM_NEW_16(i) FATHOM_NEW_4(i), FATHOM_NEW_4(i + 4), FATHOM_NEW_4(i + 8), FATHOM_NEW_4(i + 12)
#define FATHOM_16_NAMES "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15}"
#define FATHOM_32_NAMES                                     \
  "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15," \
  "%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31}"
#define FATHOM_64_NAMES                                              \
  "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,"          \
  "%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31," \
  "%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47," \
  "%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63}"

// 64 rows times 128 columns over 16 inputs, A in registers. A row of `b` is one column of the product, or with kAcross one input of
// all columns. `add`: to what the sums hold.
template <bool kAcross>
__device__ inline void multiply(float (&sum)[64], const unsigned (&a)[4], std::uint64_t b, bool add) {
#ifdef FATHOM_WARPGROUP_PRODUCTS
  asm volatile(
      "{\n"
      ".reg .pred add;\n"
      "setp.ne.b32 add, %69, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 " FATHOM_64_NAMES
      ", {%64,%65,%66,%67}, %68, add, 1, 1, %70;\n"
      "}\n"
      : FATHOM_SUMS_64
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(static_cast<int>(add)), "n"(kAcross ? 1 : 0));
#endif
}

// 64 rows times 32 or 64 columns over 16 inputs in fp16; A in registers, a row of `b` is 16 inputs of a column. The first of several
// products is where sums begin, the others are added.
#define FATHOM_FP16_PRODUCT(columns, names, operands, add, ...)                                            \
  asm volatile("wgmma.mma_async.sync.aligned.m64n" columns "k16.f32.f16.f16 " names ", " operands ", " add \
               ", 1, 1, 0;\n"                                                                              \
               : __VA_ARGS__                                                                               \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b))
__device__ inline void first_fp16_product(float (&sum)[16], const unsigned (&a)[4], std::uint64_t b) {
#ifdef FATHOM_WARPGROUP_PRODUCTS
  FATHOM_FP16_PRODUCT("32", FATHOM_16_NAMES, "{%16,%17,%18,%19}, %20", "0", FATHOM_NEW_16(0));
#endif
}
__device__ inline void add_fp16_product(float (&sum)[16], const unsigned (&a)[4], std::uint64_t b) {
#ifdef FATHOM_WARPGROUP_PRODUCTS
  FATHOM_FP16_PRODUCT("32", FATHOM_16_NAMES, "{%16,%17,%18,%19}, %20", "1", FATHOM_SUMS_16(0));
#endif
}
__device__ inline void first_fp16_product(float (&sum)[32], const unsigned (&a)[4], std::uint64_t b) {
#ifdef FATHOM_WARPGROUP_PRODUCTS
  FATHOM_FP16_PRODUCT("64", FATHOM_32_NAMES, "{%32,%33,%34,%35}, %36", "0", FATHOM_NEW_16(0), FATHOM_NEW_16(16));
#endif
}
__device__ inline void add_fp16_product(float (&sum)[32], const unsigned (&a)[4], std::uint64_t b) {
#ifdef FATHOM_WARPGROUP_PRODUCTS
  FATHOM_FP16_PRODUCT("64", FATHOM_32_NAMES, "{%32,%33,%34,%35}, %36", "1", FATHOM_SUMS_16(0), FATHOM_SUMS_16(16));
#endif
}

#undef FATHOM_FP16_PRODUCT
#undef FATHOM_NEW_4
#undef FATHOM_NEW_16
#undef FATHOM_16_NAMES
#undef FATHOM_32_NAMES
#undef FATHOM_SUMS_4
#undef FATHOM_SUMS_16
#undef FATHOM_SUMS_64
#undef FATHOM_64_NAMES

// All threads of a warpgroup, each warpgroup of the block one or the other, first of all.
template <int kRegisters>
__device__ inline void take_registers() {
#ifdef FATHOM_WARPGROUP_PRODUCTS
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters));
#endif
}
template <int kRegisters>
__device__ inline void give_registers() {
#ifdef FATHOM_WARPGROUP_PRODUCTS
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters));
#endif
}

}  // namespace fathom::cuda
