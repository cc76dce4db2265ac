// Ranks as threads of one process: they read each other's memory between barriers. See run_on_threads() in
// communicator.h, which makes the world's communicators.
#pragma once

#include <memory>
#include <vector>

#include "comm/communicator.h"
#include "comm/thread_world.h"

namespace fathom {

struct ThreadGroup;  // what the members of one group share

class ThreadCommunicator : public Communicator {
 public:
  ThreadCommunicator(std::shared_ptr<ThreadGroup> group, int rank);
  static std::shared_ptr<ThreadGroup> make_group(std::shared_ptr<ThreadWorld> world, std::vector<int> world_ranks);

  int rank() const override { return rank_; }
  int size() const override;
  int world_rank(int rank) const override;

  void all_reduce(std::span<float> data) override;
  void all_gather(std::span<const std::byte> mine, std::span<std::byte> all) override;
  std::vector<std::vector<std::byte>> all_to_all(const std::vector<std::vector<std::byte>>& send) override;
  void send(int to, std::span<const std::byte> data) override;
  void receive(int from, std::span<std::byte> data) override;
  void barrier() override;
  void look() override;
  std::unique_ptr<Communicator> split(int colour, int key) override;
  void enter(std::string_view name, int layer) override;

 private:
  enum class Call { kAllReduce, kAllGather, kAllToAll, kBarrier, kSplit };
  friend struct ThreadGroup;
  class Reading;

  static std::string_view name(Call call);
  void check_rank(int rank) const;

  // A collective call: everyone shows a pointer, all meet, everyone reads the others' memory, all meet again.
  void show(Call call, const void* data, std::size_t bytes);
  template <class T>
  const T* shown(int rank) const;
  void finish(Call call, std::size_t bytes);
  void meet(Call call);
  void wait(Call call, std::uint64_t meeting);

  std::shared_ptr<ThreadGroup> group_;
  int rank_;
  std::uint64_t meetings_ = 0;  // that this rank has come to
  std::uint64_t calls_ = 0;     // collective ones
};

}  // namespace fathom
