#include "comm/cuda_peers.h"

#include <cuda_runtime_api.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <functional>
#include <stdexcept>

namespace fathom {

namespace {

// What a rank shows the others of its group.
struct Card {
  std::int64_t process = 0;
  std::int64_t host = 0;
  std::int32_t device = 0;
  std::array<char, 20> bus = {};
  void* memory = nullptr;
  cudaIpcMemHandle_t handle = {};
};

// Containers of one host may have names of their own, and hosts the same: what the kernel drew when it started tells them apart.
std::int64_t this_host() {
  std::string id;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> id;
  return static_cast<std::int64_t>(std::hash<std::string>{}(id));
}

Card card_of_this_rank() {
  Card card;
  card.process = getpid();
  card.host = this_host();
  cuda_ok(cudaGetDevice(&card.device), "cudaGetDevice");
  cuda_ok(cudaDeviceGetPCIBusId(card.bus.data(), static_cast<int>(card.bus.size()), card.device), "the device's bus");
  return card;
}

std::vector<Card> cards(Communicator& group, const Card& mine) {
  std::vector<Card> all(static_cast<std::size_t>(group.size()));
  group.all_gather(std::as_bytes(std::span(&mine, 1)), std::as_writable_bytes(std::span(all)));
  return all;
}

// Of one process.
void allow_access(int device) {
  int own = 0, possible = 0;
  cuda_ok(cudaGetDevice(&own), "cudaGetDevice");
  cuda_ok(cudaDeviceCanAccessPeer(&possible, own, device), "cudaDeviceCanAccessPeer");
  if (possible == 0) {
    throw std::runtime_error(
        fmt::format("GPU {} cannot reach the memory of GPU {}: they are not linked, or the system forbids it", own,
                    device));
  }
  const cudaError_t status = cudaDeviceEnablePeerAccess(device, 0);
  if (status == cudaErrorPeerAccessAlreadyEnabled) {
    cudaGetLastError();  // else the next call would report it
  } else {
    cuda_ok(status, "cudaDeviceEnablePeerAccess");
  }
}

}  // namespace

void take_device(Communicator& world) {
  int devices = 0;
  cuda_ok(cudaGetDeviceCount(&devices), "cudaGetDeviceCount");
  const std::int64_t host = this_host();
  std::vector<std::int64_t> hosts(static_cast<std::size_t>(world.size()));
  world.all_gather(std::as_bytes(std::span(&host, 1)), std::as_writable_bytes(std::span(hosts)));
  const auto here = static_cast<int>(std::count(hosts.begin(), hosts.end(), host));
  const auto place = static_cast<int>(std::count(hosts.begin(), hosts.begin() + world.rank(), host));
  // A launcher may show each process a device of its own: then all are the first.
  const bool one_each = mpi_ranks() > 0 && devices == 1;
  if (!one_each && devices < here) {
    throw std::invalid_argument(
        fmt::format("the plan has {} ranks on this machine, which has {} GPU{}", here, devices, devices == 1 ? "" : "s"));
  }
  cuda_ok(cudaSetDevice(one_each ? 0 : place), "cudaSetDevice");
  const Card mine = card_of_this_rank();
  const std::vector<Card> all = cards(world, mine);
  for (int r = 0; r < world.size(); ++r) {
    const Card& theirs = all[static_cast<std::size_t>(r)];
    if (r == world.rank() || theirs.host != mine.host || theirs.bus != mine.bus) continue;
    throw std::invalid_argument(
        fmt::format("ranks {} and {} have the same GPU: each rank needs its own", std::min(r, world.rank()),
                    std::max(r, world.rank())));
  }
}

PeerMemory::PeerMemory(Communicator& group, Account& account, std::size_t bytes)
    : own_(account, Purpose::kCommunication, bytes), rank_(group.rank()) {
  own_.clear();
  Card mine = card_of_this_rank();
  mine.memory = own_.as<void>();
  cuda_ok(cudaIpcGetMemHandle(&mine.handle, mine.memory), "cudaIpcGetMemHandle");
  for (const Card& theirs : cards(group, mine)) {
    if (theirs.host != mine.host) {
      throw std::runtime_error("ranks of one tensor-parallel group or pipeline on several hosts: the CUDA executor links "
                               "the GPUs of one host only");
    }
    if (theirs.process == mine.process) {
      if (theirs.device != mine.device) allow_access(theirs.device);
      at_.push_back(static_cast<std::byte*>(theirs.memory));
      continue;
    }
    void* memory = nullptr;
    cuda_ok(cudaIpcOpenMemHandle(&memory, theirs.handle, cudaIpcMemLazyEnablePeerAccess), "cudaIpcOpenMemHandle");
    opened_.push_back(memory);
    at_.push_back(static_cast<std::byte*>(memory));
  }
  group.barrier();  // nobody writes before all are zeros
}

PeerMemory& PeerMemory::operator=(PeerMemory&& other) noexcept {
  std::swap(own_, other.own_);
  std::swap(at_, other.at_);
  std::swap(opened_, other.opened_);
  std::swap(rank_, other.rank_);
  return *this;
}

PeerMemory::~PeerMemory() {
  for (void* memory : opened_) cudaIpcCloseMemHandle(memory);
}

PeerCalls::PeerCalls(Communicator& group, Account& account, std::size_t bytes, std::chrono::milliseconds patience)
    : counters_(account, Purpose::kCommunication, kLines * cuda::kPeerCounters * sizeof(std::uint32_t)),
      trouble_(sizeof(cuda::PeerTrouble)),
      patience_ns_(static_cast<std::uint64_t>(std::chrono::nanoseconds(patience).count())) {
  counters_.clear();
  std::memset(trouble_.as<void>(), 0, sizeof(cuda::PeerTrouble));
  memory_ = PeerMemory(group, account, kShared + bytes);  // last: the others may begin
}

cuda::Peers PeerCalls::peers(int what, int line) const {
  cuda::Peers peers{.rank = memory_.rank(), .ranks = memory_.ranks()};
  for (int r = 0; r < memory_.ranks(); ++r) peers.flags[r] = reinterpret_cast<std::uint32_t*>(memory_.at(r));
  peers.counters = counters_.as<std::uint32_t>() + line * cuda::kPeerCounters;
  peers.trouble = trouble_.as<volatile cuda::PeerTrouble>();
  peers.patience_ns = patience_ns_;
  peers.what = what;
  return peers;
}

int PeerCalls::missing() const { return trouble_.as<volatile cuda::PeerTrouble>()->missing - 1; }
int PeerCalls::what() const { return trouble_.as<volatile cuda::PeerTrouble>()->what; }
void PeerCalls::stop() { trouble_.as<volatile cuda::PeerTrouble>()->stop = 1; }

}  // namespace fathom
