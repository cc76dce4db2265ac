#include "comm/cuda_nccl.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "device/nccl.h"

namespace fathom {

namespace {

void check(int status, const char* what) {
  if (status != kNcclSuccess) throw RankFailure(fmt::format("NCCL's {}: {}", what, nccl_library().words_of(status)));
}

}  // namespace

bool nccl_available(std::string* why_not) {
  if (why_not != nullptr) *why_not = nccl_library().missing;
  return nccl_library().missing.empty();
}

bool nccl_everywhere(Communicator& group) {
  const std::uint8_t here = nccl_available() ? 1 : 0;
  std::vector<std::uint8_t> all(static_cast<std::size_t>(group.size()));
  group.all_gather(std::as_bytes(std::span(&here, 1)), std::as_writable_bytes(std::span(all)));
  return std::count(all.begin(), all.end(), 1) == group.size();
}

std::string nccl_version() { return nccl_library().version(); }

NcclGroup::NcclGroup(Communicator& group) {
  std::string why_not;
  if (!nccl_available(&why_not)) throw RankFailure("NCCL is needed between these GPUs, and " + why_not);
  NcclUniqueId id = {};
  if (group.rank() == 0) check(nccl_library().GetUniqueId(&id), "GetUniqueId");
  std::vector<NcclUniqueId> ids(static_cast<std::size_t>(group.size()));
  group.all_gather(std::as_bytes(std::span(&id, 1)), std::as_writable_bytes(std::span(ids)));
  check(nccl_library().CommInitRank(&comm_, group.size(), ids.front(), group.rank()), "CommInitRank");
}

// Abort and not Destroy, which would wait for ranks that may have failed.
NcclGroup::~NcclGroup() { abort(); }

void NcclGroup::abort() {
  if (void* const comm = std::exchange(comm_, nullptr)) nccl_library().CommAbort(comm);
}

void NcclGroup::sum_bf16(std::uint16_t* values, std::size_t count, cudaStream_t stream) const {
  check(nccl_library().AllReduce(values, values, count, kNcclBfloat16, kNcclSum, comm_, stream), "AllReduce");
}

void NcclGroup::gather(const float* mine, float* all, std::size_t count_each, cudaStream_t stream) const {
  check(nccl_library().AllGather(mine, all, count_each, kNcclFloat32, comm_, stream), "AllGather");
}

void NcclGroup::send(const float* values, std::size_t count, int to, cudaStream_t stream) const {
  check(nccl_library().Send(values, count, kNcclFloat32, to, comm_, stream), "Send");
}

void NcclGroup::receive(float* values, std::size_t count, int from, cudaStream_t stream) const {
  check(nccl_library().Recv(values, count, kNcclFloat32, from, comm_, stream), "Recv");
}

}  // namespace fathom
