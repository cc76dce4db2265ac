#include "comm/cuda_peers.h"

#include <cuda_runtime_api.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <stdexcept>

namespace fathom {

// What a rank shows the others of its group.
struct PeerCard {
  std::int64_t process = 0;
  std::int64_t host = 0;
  std::int32_t device = 0;
  std::array<char, 20> bus = {};
  std::int64_t block = 0;  // its number in the process
  cudaIpcMemHandle_t handle = {};
};

namespace {

// Containers of one host may have names of their own, and hosts the same: what the kernel drew when it started tells them apart.
std::int64_t this_host() {
  std::string id;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> id;
  return static_cast<std::int64_t>(std::hash<std::string>{}(id));
}

PeerCard card_of_this_rank() {
  PeerCard card;
  card.process = getpid();
  card.host = this_host();
  cuda_ok(cudaGetDevice(&card.device), "cudaGetDevice");
  cuda_ok(cudaDeviceGetPCIBusId(card.bus.data(), static_cast<int>(card.bus.size()), card.device), "the device's bus");
  return card;
}

std::vector<PeerCard> cards(Communicator& group, const PeerCard& mine) {
  std::vector<PeerCard> all(static_cast<std::size_t>(group.size()));
  group.all_gather(std::as_bytes(std::span(&mine, 1)), std::as_writable_bytes(std::span(all)));
  return all;
}

// Of one process.
void allow_access(int device) {
  int own = 0, possible = 0;
  cuda_ok(cudaGetDevice(&own), "cudaGetDevice");
  cuda_ok(cudaDeviceCanAccessPeer(&possible, own, device), "cudaDeviceCanAccessPeer");
  if (possible == 0) {
    throw std::runtime_error(fmt::format(
        "GPU {} cannot reach the memory of GPU {}: they are not linked, or the system forbids it", own, device));
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
    throw std::invalid_argument(fmt::format("the plan has {} ranks on this machine, which has {} GPU{}", here, devices,
                                            devices == 1 ? "" : "s"));
  }
  cuda_ok(cudaSetDevice(one_each ? 0 : place), "cudaSetDevice");
  const PeerCard mine = card_of_this_rank();
  const std::vector<PeerCard> all = cards(world, mine);
  for (int r = 0; r < world.size(); ++r) {
    const PeerCard& theirs = all[static_cast<std::size_t>(r)];
    if (r == world.rank() || theirs.host != mine.host || theirs.bus != mine.bus) continue;
    throw std::invalid_argument(fmt::format("ranks {} and {} have the same GPU: each rank needs its own",
                                            std::min(r, world.rank()), std::max(r, world.rank())));
  }
}

bool gpus_reach_each_other(Communicator& group) {
  const PeerCard mine = card_of_this_rank();
  bool all = true;
  for (const PeerCard& theirs : cards(group, mine)) {
    if (theirs.host != mine.host) all = false;
    if (theirs.process != mine.process || theirs.device == mine.device) continue;  // processes find out when they try
    int possible = 0;
    cuda_ok(cudaDeviceCanAccessPeer(&possible, mine.device, theirs.device), "cudaDeviceCanAccessPeer");
    if (possible == 0) all = false;
  }
  std::vector<std::uint8_t> everyone(static_cast<std::size_t>(group.size()));
  const std::uint8_t here = all ? 1 : 0;
  group.all_gather(std::as_bytes(std::span(&here, 1)), std::as_writable_bytes(std::span(everyone)));
  return std::count(everyone.begin(), everyone.end(), 1) == group.size();
}

namespace {

// Blocks of this process by number, so that a rank can take a share in another's.
class SharedBlocks {
 public:
  std::int64_t add(const std::shared_ptr<void>& block) {
    const std::lock_guard lock(mutex_);
    blocks_[++last_] = block;
    return last_;
  }
  std::shared_ptr<void> share(std::int64_t number) {
    const std::lock_guard lock(mutex_);
    return blocks_[number].lock();
  }

 private:
  std::mutex mutex_;
  std::int64_t last_ = 0;
  std::map<std::int64_t, std::weak_ptr<void>> blocks_;
};

SharedBlocks& shared_blocks() {
  static SharedBlocks blocks;
  return blocks;
}

std::shared_ptr<void> device_block(std::size_t bytes) {
  void* data = nullptr;
  cuda_ok(cudaMalloc(&data, bytes), "memory for what GPUs tell each other");
  std::shared_ptr<void> block(data, [](void* p) { cudaFree(p); });
  cuda_ok(cudaMemset(data, 0, bytes), "cudaMemset");
  cuda_ok(cudaDeviceSynchronize(), "cudaMemset");
  return block;
}

}  // namespace

PeerMemory::PeerMemory(Communicator& group, Account& account, std::size_t bytes)
    : account_(&account), bytes_(static_cast<std::int64_t>(bytes)), rank_(group.rank()) {
  const std::shared_ptr<void> own = device_block(bytes);
  account.add(Purpose::kCommunication, bytes_);
  held_.push_back(own);
  PeerCard mine = card_of_this_rank();
  mine.block = shared_blocks().add(own);
  cuda_ok(cudaIpcGetMemHandle(&mine.handle, own.get()), "cudaIpcGetMemHandle");
  for (const PeerCard& theirs : cards(group, mine)) at_.push_back(reach(theirs, mine));
  group.barrier();  // nobody writes before everyone is here
}

std::byte* PeerMemory::reach(const PeerCard& theirs, const PeerCard& mine) {
  if (theirs.host != mine.host) {
    throw std::runtime_error(
        "ranks of one tensor-parallel group or pipeline on several hosts: the CUDA executor links the GPUs of one "
        "host");
  }
  if (theirs.process == mine.process) {
    if (theirs.device != mine.device) allow_access(theirs.device);
    held_.push_back(shared_blocks().share(theirs.block));
    if (!held_.back()) throw RankFailure("another rank has failed");
    return static_cast<std::byte*>(held_.back().get());
  }
  void* memory = nullptr;
  cuda_ok(cudaIpcOpenMemHandle(&memory, theirs.handle, cudaIpcMemLazyEnablePeerAccess), "cudaIpcOpenMemHandle");
  opened_.push_back(memory);
  return static_cast<std::byte*>(memory);
}

PeerMemory& PeerMemory::operator=(PeerMemory&& other) noexcept {
  std::swap(account_, other.account_);
  std::swap(bytes_, other.bytes_);
  std::swap(held_, other.held_);
  std::swap(opened_, other.opened_);
  std::swap(at_, other.at_);
  std::swap(rank_, other.rank_);
  return *this;
}

PeerMemory::~PeerMemory() {
  for (void* memory : opened_) cudaIpcCloseMemHandle(memory);
  if (account_ != nullptr) account_->add(Purpose::kCommunication, -bytes_);
}

PeerCalls::PeerCalls(Communicator& group, Account& account, std::size_t bytes, std::chrono::milliseconds patience)
    : trouble_(sizeof(cuda::PeerTrouble)),
      patience_ns_(static_cast<std::uint64_t>(std::chrono::nanoseconds(patience).count())) {
  std::memset(trouble_.as<void>(), 0, sizeof(cuda::PeerTrouble));
  memory_ = PeerMemory(group, account, kShared + bytes);
}

void PeerCalls::begin(const std::uint32_t* words) {
  words_ = words;
  calls_ = {};
}

cuda::Peers PeerCalls::next(int what, int line) {
  const auto at = static_cast<std::size_t>(line);
  cuda::Peers peers{.rank = memory_.rank(), .ranks = memory_.ranks()};
  for (int r = 0; r < memory_.ranks(); ++r) peers.flags[r] = reinterpret_cast<std::uint32_t*>(memory_.at(r));
  peers.before = words_ + at;
  peers.number = ++calls_[at];
  peers.trouble = trouble_.as<volatile cuda::PeerTrouble>();
  peers.patience_ns = patience_ns_;
  peers.what = what;
  return peers;
}

void PeerCalls::end(const Counts& calls) {
  for (std::size_t line = 0; line < calls.size(); ++line) before_[line] += calls[line];
}

int PeerCalls::missing() const { return trouble_.as<volatile cuda::PeerTrouble>()->missing - 1; }
int PeerCalls::what() const { return trouble_.as<volatile cuda::PeerTrouble>()->what; }
void PeerCalls::stop() { trouble_.as<volatile cuda::PeerTrouble>()->stop = 1; }

}  // namespace fathom
