#include "comm/cuda_nccl.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

namespace fathom {

namespace {

// Of NCCL's interface what is used here; numbers as in its documentation (nccl.h, since 2.10).
struct UniqueId {
  std::array<char, 128> bytes;
};
constexpr int kSuccess = 0, kFloat32 = 7, kBfloat16 = 9, kSum = 0;

struct Library {
  int (*GetVersion)(int*) = nullptr;
  int (*GetUniqueId)(UniqueId*) = nullptr;
  int (*CommInitRank)(void**, int, UniqueId, int) = nullptr;
  int (*CommAbort)(void*) = nullptr;
  const char* (*GetErrorString)(int) = nullptr;
  const char* (*GetLastError)(void*) = nullptr;
  int (*AllReduce)(const void*, void*, std::size_t, int, int, void*, cudaStream_t) = nullptr;
  int (*AllGather)(const void*, void*, std::size_t, int, void*, cudaStream_t) = nullptr;
  int (*Send)(const void*, std::size_t, int, int, void*, cudaStream_t) = nullptr;
  int (*Recv)(void*, std::size_t, int, int, void*, cudaStream_t) = nullptr;
  std::string missing;

  Library() {
    void* file = dlopen("libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
    if (file == nullptr) {
      missing = "there is no libnccl.so.2 on the library path";
      return;
    }
    const auto find = [&](auto& function, const char* name) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(file, name));
      if (function == nullptr && missing.empty()) missing = fmt::format("libnccl.so.2 has no {}", name);
    };
    find(GetVersion, "ncclGetVersion");
    find(GetUniqueId, "ncclGetUniqueId");
    find(CommInitRank, "ncclCommInitRank");
    find(CommAbort, "ncclCommAbort");
    find(GetErrorString, "ncclGetErrorString");
    find(GetLastError, "ncclGetLastError");
    find(AllReduce, "ncclAllReduce");
    find(AllGather, "ncclAllGather");
    find(Send, "ncclSend");
    find(Recv, "ncclRecv");
  }
};

const Library& library() {
  static const Library loaded;
  return loaded;
}

void check(int status, const char* what) {
  if (status == kSuccess) return;
  const char* more = library().GetLastError(nullptr);
  throw RankFailure(fmt::format("NCCL's {}: {}{}{}", what, library().GetErrorString(status),
                                more != nullptr && *more != '\0' ? ": " : "", more != nullptr ? more : ""));
}

}  // namespace

bool nccl_available(std::string* why_not) {
  if (why_not != nullptr) *why_not = library().missing;
  return library().missing.empty();
}

bool nccl_everywhere(Communicator& group) {
  const std::uint8_t here = nccl_available() ? 1 : 0;
  std::vector<std::uint8_t> all(static_cast<std::size_t>(group.size()));
  group.all_gather(std::as_bytes(std::span(&here, 1)), std::as_writable_bytes(std::span(all)));
  return std::count(all.begin(), all.end(), 1) == group.size();
}

std::string nccl_version() {
  int version = 0;
  if (!nccl_available() || library().GetVersion(&version) != kSuccess) return {};
  return fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

NcclGroup::NcclGroup(Communicator& group) {
  std::string why_not;
  if (!nccl_available(&why_not)) throw RankFailure("NCCL is needed between these GPUs, and " + why_not);
  UniqueId id = {};
  if (group.rank() == 0) check(library().GetUniqueId(&id), "GetUniqueId");
  std::vector<UniqueId> ids(static_cast<std::size_t>(group.size()));
  group.all_gather(std::as_bytes(std::span(&id, 1)), std::as_writable_bytes(std::span(ids)));
  check(library().CommInitRank(&comm_, group.size(), ids.front(), group.rank()), "CommInitRank");
}

// Abort and not Destroy, which would wait for ranks that may have failed.
NcclGroup::~NcclGroup() { abort(); }

void NcclGroup::abort() {
  if (void* const comm = std::exchange(comm_, nullptr)) library().CommAbort(comm);
}

void NcclGroup::sum_bf16(std::uint16_t* values, std::size_t count, cudaStream_t stream) const {
  check(library().AllReduce(values, values, count, kBfloat16, kSum, comm_, stream), "AllReduce");
}

void NcclGroup::gather(const float* mine, float* all, std::size_t count_each, cudaStream_t stream) const {
  check(library().AllGather(mine, all, count_each, kFloat32, comm_, stream), "AllGather");
}

void NcclGroup::send(const float* values, std::size_t count, int to, cudaStream_t stream) const {
  check(library().Send(values, count, kFloat32, to, comm_, stream), "Send");
}

void NcclGroup::receive(float* values, std::size_t count, int from, cudaStream_t stream) const {
  check(library().Recv(values, count, kFloat32, from, comm_, stream), "Recv");
}

}  // namespace fathom
