#include "comm/mpi_communicator.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <utility>

#include "comm/mpi_transfers.h"
#include "comm/rank_order_sum.h"

namespace fathom {
namespace {

// Up to here every rank gets all addends and sums for itself: one exchange instead of two.
constexpr std::size_t kSmall = 4 * 1024;

using Bytes = std::vector<std::byte>;

}  // namespace

MpiCommunicator::MpiCommunicator(MpiSession& session, std::vector<int> world_ranks, int rank, int group)
    : session_(session), world_ranks_(std::move(world_ranks)), rank_(rank), group_(group) {}

int MpiCommunicator::world_rank(int rank) const {
  if (rank < 0 || rank >= size()) throw RankFailure(fmt::format("no rank {} in a group of {}", rank, size()));
  return world_ranks_[static_cast<std::size_t>(rank)];
}

int MpiCommunicator::tag(Call call) const { return group_ * 8 + static_cast<int>(call); }  // 7 is the session's

// Every element is summed in rank order by one rank: small data by everyone for itself, large data in chunks, each by
// its owner, which gets everyone's part of it and sends the sums to all.
void MpiCommunicator::all_reduce(std::span<float> data) {
  const auto ranks = static_cast<std::size_t>(size());
  const bool is_small = data.size_bytes() <= kSmall;
  const auto chunk = [&](int rank) {
    if (is_small) return data;
    const std::size_t begin = data.size() * static_cast<std::size_t>(rank) / ranks;
    const std::size_t end = data.size() * (static_cast<std::size_t>(rank) + 1) / ranks;
    return data.subspan(begin, end - begin);
  };
  const std::span<float> mine = chunk(rank_);
  std::vector<float> theirs(mine.size() * (ranks - 1));
  std::vector<const float*> addends;
  {
    MpiTransfers transfers;
    float* next = theirs.data();
    for (int rank = 0; rank < size(); ++rank) {
      if (rank == rank_) {
        addends.push_back(mine.data());
        continue;
      }
      transfers.receive(world_rank(rank), tag(Call::kAllReduce), next, mine.size_bytes());
      addends.push_back(next);
      next += mine.size();
    }
    for (int rank = 0; rank < size(); ++rank) {
      if (rank == rank_) continue;
      transfers.send(world_rank(rank), tag(Call::kAllReduce), chunk(rank).data(), chunk(rank).size_bytes());
    }
    session_.wait("all_reduce", transfers);
  }
  rank_order_sum(addends, mine);
  if (is_small) return;

  MpiTransfers transfers;
  for (int rank = 0; rank < size(); ++rank) {
    if (rank == rank_) continue;
    transfers.receive(world_rank(rank), tag(Call::kAllReduce), chunk(rank).data(), chunk(rank).size_bytes());
    transfers.send(world_rank(rank), tag(Call::kAllReduce), mine.data(), mine.size_bytes());
  }
  session_.wait("all_reduce", transfers);
}

void MpiCommunicator::all_gather(std::span<const std::byte> mine, std::span<std::byte> all) {
  if (all.size() != mine.size() * world_ranks_.size()) {
    throw RankFailure(fmt::format("all_gather of {} bytes by {} ranks into {} bytes", mine.size(), size(), all.size()));
  }
  gather(Call::kAllGather, "all_gather", mine.data(), mine.size(), all.data());
}

void MpiCommunicator::gather(Call call, std::string_view name, const void* mine, std::size_t bytes, void* all) {
  MpiTransfers transfers;
  for (int rank = 0; rank < size(); ++rank) {
    std::byte* const part = static_cast<std::byte*>(all) + static_cast<std::size_t>(rank) * bytes;
    if (rank == rank_) {
      if (bytes > 0 && part != mine) std::memcpy(part, mine, bytes);
      continue;
    }
    transfers.receive(world_rank(rank), tag(call), part, bytes);
    transfers.send(world_rank(rank), tag(call), mine, bytes);
  }
  session_.wait(name, transfers);
}

std::vector<Bytes> MpiCommunicator::all_to_all(const std::vector<Bytes>& send) {
  if (send.size() != world_ranks_.size()) {
    throw RankFailure(fmt::format("all_to_all of {} parts among {} ranks", send.size(), size()));
  }
  std::vector<std::uint64_t> lengths;  // [from * size + to]
  for (const Bytes& part : send) lengths.push_back(part.size());
  std::vector<std::uint64_t> all_lengths(send.size() * send.size());
  gather(Call::kAllToAll, "all_to_all", lengths.data(), lengths.size() * sizeof(std::uint64_t), all_lengths.data());

  std::vector<Bytes> received(send.size());
  MpiTransfers transfers;
  for (int rank = 0; rank < size(); ++rank) {
    const auto at = static_cast<std::size_t>(rank);
    if (rank == rank_) {
      received[at] = send[at];
      continue;
    }
    received[at].resize(all_lengths[at * send.size() + static_cast<std::size_t>(rank_)]);
    if (!received[at].empty()) {
      transfers.receive(world_rank(rank), tag(Call::kAllToAll), received[at].data(), received[at].size());
    }
    if (!send[at].empty()) transfers.send(world_rank(rank), tag(Call::kAllToAll), send[at].data(), send[at].size());
  }
  session_.wait("all_to_all", transfers);
  return received;
}

void MpiCommunicator::send(int to, std::span<const std::byte> data) {
  session_.send_later(world_rank(to), tag(Call::kMessage), data);
}

void MpiCommunicator::receive(int from, std::span<std::byte> data) {
  MpiTransfers transfers;
  transfers.receive(world_rank(from), tag(Call::kMessage), data.data(), data.size());
  session_.wait("receive", transfers);
}

void MpiCommunicator::barrier() {
  gather(Call::kBarrier, "barrier", nullptr, 0, nullptr);  // messages of no bytes
}

// The group's number is the lowest that is new to all of its members: two groups with two members in common then have
// different numbers, since the later one's is above all that either member has seen.
std::unique_ptr<Communicator> MpiCommunicator::split(int colour, int key) {
  const std::array<int, 3> mine = {colour, key, session_.next_group};
  std::vector<std::array<int, 3>> all(world_ranks_.size());
  gather(Call::kSplit, "split", mine.data(), sizeof mine, all.data());
  std::vector<std::pair<int, int>> members;  // key, rank
  int group = 0;
  for (int rank = 0; rank < size(); ++rank) {
    const auto& [their_colour, their_key, their_group] = all[static_cast<std::size_t>(rank)];
    if (their_colour != colour) continue;
    members.emplace_back(their_key, rank);
    group = std::max(group, their_group);
  }
  std::sort(members.begin(), members.end());
  session_.next_group = group + 1;

  std::vector<int> world_ranks;
  for (const auto& [_, rank] : members) world_ranks.push_back(world_rank(rank));
  const auto place = std::find(members.begin(), members.end(), std::pair(key, rank_)) - members.begin();
  return std::make_unique<MpiCommunicator>(session_, std::move(world_ranks), static_cast<int>(place), group);
}

}  // namespace fathom
