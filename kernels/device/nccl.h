// NVIDIA's collectives library, looked for when the program runs. Of its interface what is used here; numbers as in its
// documentation (nccl.h, since 2.10).
#pragma once

#include <array>
#include <cstddef>
#include <string>

struct CUstream_st;

namespace fathom {

struct NcclUniqueId {
  std::array<char, 128> bytes;
};
inline constexpr int kNcclSuccess = 0, kNcclFloat32 = 7, kNcclBfloat16 = 9, kNcclSum = 0;

struct NcclLibrary {
  using Stream = CUstream_st*;
  int (*GetVersion)(int*) = nullptr;
  int (*GetUniqueId)(NcclUniqueId*) = nullptr;
  int (*CommInitRank)(void**, int, NcclUniqueId, int) = nullptr;
  int (*CommInitAll)(void**, int, const int*) = nullptr;
  int (*CommAbort)(void*) = nullptr;
  const char* (*GetErrorString)(int) = nullptr;
  const char* (*GetLastError)(void*) = nullptr;
  int (*GroupStart)() = nullptr;
  int (*GroupEnd)() = nullptr;
  int (*AllReduce)(const void*, void*, std::size_t, int, int, void*, Stream) = nullptr;
  int (*AllGather)(const void*, void*, std::size_t, int, void*, Stream) = nullptr;
  int (*ReduceScatter)(const void*, void*, std::size_t, int, int, void*, Stream) = nullptr;
  int (*Send)(const void*, std::size_t, int, int, void*, Stream) = nullptr;
  int (*Recv)(void*, std::size_t, int, int, void*, Stream) = nullptr;
  std::string missing;  // what it lacks; empty: it is there

  std::string version() const;             // "2.28.3"; empty without the library
  std::string words_of(int status) const;  // what went wrong, in the library's words
};

const NcclLibrary& nccl_library();  // loaded at the first call

}  // namespace fathom
