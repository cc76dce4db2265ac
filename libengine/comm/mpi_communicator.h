// Ranks as processes, on one host or several. Everything is made of nonblocking messages of MPI_COMM_WORLD, since those
// can be waited for with a time limit; groups differ by tag. Only the thread that called run_on_mpi() may use it.
#pragma once

#include <vector>

#include "comm/communicator.h"
#include "comm/mpi_session.h"

namespace fathom {

class MpiCommunicator : public Communicator {
 public:
  // `group` is a number that no other group with two of these members has.
  MpiCommunicator(MpiSession& session, std::vector<int> world_ranks, int rank, int group);

  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(world_ranks_.size()); }
  int world_rank(int rank) const override;

  void all_reduce(std::span<float> data) override;
  void all_gather(std::span<const std::byte> mine, std::span<std::byte> all) override;
  std::vector<std::vector<std::byte>> all_to_all(const std::vector<std::vector<std::byte>>& send) override;
  void send(int to, std::span<const std::byte> data) override;
  void receive(int from, std::span<std::byte> data) override;
  void barrier() override;
  void look() override { session_.look(); }
  std::unique_ptr<Communicator> split(int colour, int key) override;
  void enter(std::string_view name, int layer) override { session_.doing = {.name = name, .layer = layer}; }

 private:
  enum class Call { kAllReduce, kAllGather, kAllToAll, kMessage, kBarrier, kSplit };
  int tag(Call call) const;
  void gather(Call call, std::string_view name, const void* mine, std::size_t bytes, void* all);

  MpiSession& session_;
  const std::vector<int> world_ranks_;
  const int rank_;
  const int group_;
};

}  // namespace fathom
