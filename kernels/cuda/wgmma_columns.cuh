// Hopper's warpgroup products (wgmma.cuh) of any multiple of 32 columns up to 256, A from shared memory or from registers, and the
// store that turns their sums.
#pragma once

#include <cstdint>

#include "cuda/wgmma.cuh"

namespace fathom::cuda {

// 64 rows times kColumns columns over 16 inputs, to the first kColumns / 2 sums; `b` and what `a` names have a row's inputs side by side.
// `add`: to what the sums hold.
template <int kColumns>
struct Product;

#define FATHOM_NAMES_1 "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15"
#define FATHOM_NAMES_2 FATHOM_NAMES_1 ",%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31"
#define FATHOM_NAMES_3 FATHOM_NAMES_2 ",%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47"
#define FATHOM_NAMES_4 FATHOM_NAMES_3 ",%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63"
#define FATHOM_NAMES_5 FATHOM_NAMES_4 ",%64,%65,%66,%67,%68,%69,%70,%71,%72,%73,%74,%75,%76,%77,%78,%79"
#define FATHOM_NAMES_6 FATHOM_NAMES_5 ",%80,%81,%82,%83,%84,%85,%86,%87,%88,%89,%90,%91,%92,%93,%94,%95"
#define FATHOM_NAMES_7 FATHOM_NAMES_6 ",%96,%97,%98,%99,%100,%101,%102,%103,%104,%105,%106,%107,%108,%109,%110,%111"
#define FATHOM_NAMES_8 FATHOM_NAMES_7 ",%112,%113,%114,%115,%116,%117,%118,%119,%120,%121,%122,%123,%124,%125,%126,%127"
#define FATHOM_4(i) "+f"(sum[i]), "+f"(sum[i + 1]), "+f"(sum[i + 2]), "+f"(sum[i + 3])
#define FATHOM_16(i) FATHOM_4(i), FATHOM_4(i + 4), FATHOM_4(i + 8), FATHOM_4(i + 12)
#define FATHOM_SUMS_1 FATHOM_16(0)
#define FATHOM_SUMS_2 FATHOM_SUMS_1, FATHOM_16(16)
#define FATHOM_SUMS_3 FATHOM_SUMS_2, FATHOM_16(32)
#define FATHOM_SUMS_4 FATHOM_SUMS_3, FATHOM_16(48)
#define FATHOM_SUMS_5 FATHOM_SUMS_4, FATHOM_16(64)
#define FATHOM_SUMS_6 FATHOM_SUMS_5, FATHOM_16(80)
#define FATHOM_SUMS_7 FATHOM_SUMS_6, FATHOM_16(96)
#define FATHOM_SUMS_8 FATHOM_SUMS_7, FATHOM_16(112)

#ifdef FATHOM_WARPGROUP_PRODUCTS
#define FATHOM_WGMMA(columns, names, sums, operands, add_name, turns, ...)                                         \
  asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, " add_name ", 0;\nwgmma.mma_async.sync.aligned.m64n" #columns \
               "k16.f32.bf16.bf16 {" names "}, " operands ", add, 1, 1, " turns ";\n}\n"                           \
               : sums                                                                                              \
               : __VA_ARGS__, "r"(static_cast<int>(add)))
#else
#define FATHOM_WGMMA(columns, names, sums, operands, add_name, turns, ...)
#endif

// p0 ...: the operands after the sums.
#define FATHOM_PRODUCT(columns, n, p0, p1, p2, p3, p4, p5)                                                    \
  template <>                                                                                                 \
  struct Product<columns> {                                                                                   \
    __device__ static void add(float (&sum)[128], std::uint64_t a, std::uint64_t b, bool add) {               \
      FATHOM_WGMMA(columns, FATHOM_NAMES_##n, FATHOM_SUMS_##n, p0 ", " p1, p2, "0, 0", "l"(a), "l"(b));       \
    }                                                                                                         \
    __device__ static void add(float (&sum)[128], const unsigned (&a)[4], std::uint64_t b, bool add) {        \
      FATHOM_WGMMA(columns, FATHOM_NAMES_##n, FATHOM_SUMS_##n, "{" p0 "," p1 "," p2 "," p3 "}, " p4, p5, "0", \
                   "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));                                       \
    }                                                                                                         \
  }
FATHOM_PRODUCT(32, 1, "%16", "%17", "%18", "%19", "%20", "%21");
FATHOM_PRODUCT(64, 2, "%32", "%33", "%34", "%35", "%36", "%37");
FATHOM_PRODUCT(96, 3, "%48", "%49", "%50", "%51", "%52", "%53");
FATHOM_PRODUCT(128, 4, "%64", "%65", "%66", "%67", "%68", "%69");
FATHOM_PRODUCT(160, 5, "%80", "%81", "%82", "%83", "%84", "%85");
FATHOM_PRODUCT(192, 6, "%96", "%97", "%98", "%99", "%100", "%101");
FATHOM_PRODUCT(224, 7, "%112", "%113", "%114", "%115", "%116", "%117");
FATHOM_PRODUCT(256, 8, "%128", "%129", "%130", "%131", "%132", "%133");

#undef FATHOM_PRODUCT
#undef FATHOM_WGMMA
#undef FATHOM_4
#undef FATHOM_16
#undef FATHOM_NAMES_1
#undef FATHOM_SUMS_1
#undef FATHOM_NAMES_2
#undef FATHOM_SUMS_2
#undef FATHOM_NAMES_3
#undef FATHOM_SUMS_3
#undef FATHOM_NAMES_4
#undef FATHOM_SUMS_4
#undef FATHOM_NAMES_5
#undef FATHOM_SUMS_5
#undef FATHOM_NAMES_6
#undef FATHOM_SUMS_6
#undef FATHOM_NAMES_7
#undef FATHOM_SUMS_7
#undef FATHOM_NAMES_8
#undef FATHOM_SUMS_8

// Four 8x8 matrices of 16-bit numbers, each turned: lane l names where column l % 8 of matrix l / 8 goes.
__device__ inline void store_matrices_turned(unsigned at, const unsigned (&from)[4]) {
#ifdef FATHOM_WARPGROUP_PRODUCTS
  asm volatile("stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%0], {%1,%2,%3,%4};" ::"r"(at), "r"(from[0]),
               "r"(from[1]), "r"(from[2]), "r"(from[3])
               : "memory");
#endif
}

// A of products to come stays as it is until they have begun.
__device__ inline void settle(unsigned (&a)[4]) {
#pragma unroll
  for (unsigned& x : a) asm volatile("" : "+r"(x)::"memory");
}

}  // namespace fathom::cuda
