// Device memory that the ranks of a group write into each other's: threads of one process by peer access, processes of one host by
// CUDA's handles.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "comm/communicator.h"
#include "cuda/peers.h"
#include "storage/cuda_memory.h"

namespace fathom {

// The device of each rank of this host: its number among the ranks here. Sets the calling thread's. Throws
// std::invalid_argument when there are fewer devices than ranks, or two ranks have the same.
void take_device(Communicator& world);

// Whether every rank's GPU can write into the memory of every other's: all on one host, and linked. All ranks call it and agree.
bool gpus_reach_each_other(Communicator& group);

// One rank's share of a block that every rank of the group has. It lives until the last rank of its process that may write to it is
// through with it.
class PeerMemory {
 public:
  PeerMemory() = default;
  // All ranks call it with the same size. Zeros at first. Throws std::runtime_error where devices cannot reach each other.
  PeerMemory(Communicator& group, Account& account, std::size_t bytes);
  PeerMemory(PeerMemory&& other) noexcept { *this = std::move(other); }
  PeerMemory& operator=(PeerMemory&& other) noexcept;
  ~PeerMemory();

  std::byte* at(int rank) const { return at_[static_cast<std::size_t>(rank)]; }  // as this device addresses it
  int rank() const { return rank_; }
  int ranks() const { return static_cast<int>(at_.size()); }

 private:
  std::byte* reach(const struct PeerCard& theirs, const struct PeerCard& mine);

  Account* account_ = nullptr;
  std::int64_t bytes_ = 0;
  std::vector<std::shared_ptr<void>> held_;  // own, and those of other ranks of this process
  std::vector<void*> opened_;                // of other processes
  std::vector<std::byte*> at_;
  int rank_ = 0;
};

// What lies where in a rank's room: the same on every rank.
class PeerPlan {
 public:
  std::size_t take(std::int64_t count, std::size_t size) {
    constexpr std::size_t kAlignment = 256;
    const std::size_t at = bytes_;
    bytes_ += (static_cast<std::size_t>(count) * size + kAlignment - 1) / kAlignment * kAlignment;
    return at;
  }
  std::size_t bytes() const { return bytes_; }

 private:
  std::size_t bytes_ = 0;
};

// What the calls of one group share, and the trouble that they tell.
class PeerCalls {
 public:
  // The group of all or some ranks; `bytes` for the users of the group, at room().
  PeerCalls(Communicator& group, Account& account, std::size_t bytes, std::chrono::milliseconds patience);

  // Before the calls of a step; `words`, one for each line, hold before() on the device when the step runs.
  void begin(const std::uint32_t* words);
  // The next call of the step on one of its lines: calls that take their turns apart are counted apart.
  cuda::Peers next(int what, int line);
  static constexpr int kLines = 2;
  using Counts = std::array<std::uint32_t, kLines>;
  const Counts& calls() const { return calls_; }    // since begin(), by line
  const Counts& before() const { return before_; }  // in all steps that ended
  void end(const Counts& calls);                    // a step of so many
  // The same place of every rank's room, `offset` bytes into it.
  template <class T, class Array>
  void place(std::size_t offset, Array& at) const {
    for (int r = 0; r < memory_.ranks(); ++r) at[r] = reinterpret_cast<T*>(memory_.at(r) + kShared + offset);
  }
  template <class T>
  T* own(std::size_t offset) const {
    return reinterpret_cast<T*>(memory_.at(memory_.rank()) + kShared + offset);
  }

  int missing() const;  // the rank of the group that a call waited for in vain; -1: none
  int what() const;     // of that call
  void stop();          // calls that wait give up

 private:
  static constexpr std::size_t kShared = (cuda::kPeerFlags + 63) / 64 * 64 * sizeof(std::uint32_t);
  PeerMemory memory_;
  PinnedBuffer trouble_;
  const std::uint32_t* words_ = nullptr;
  Counts calls_ = {}, before_ = {};
  std::uint64_t patience_ns_;
};

}  // namespace fathom
