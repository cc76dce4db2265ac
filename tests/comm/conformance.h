// What every backend must do, said once: each function is called by every rank of the world that a backend made.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "comm/communicator.h"

namespace fathom::conformance {

// Magnitudes differ by up to 2^16, so that another order of additions gives other bits.
inline float addend(int rank, std::size_t i) {
  std::uint32_t hash = static_cast<std::uint32_t>(rank) * 2654435761u + static_cast<std::uint32_t>(i) * 40503u + 17u;
  hash ^= hash >> 13;
  hash *= 1597334677u;
  hash ^= hash >> 16;
  const float mantissa = static_cast<float>(hash & 0xffff) / 65536.0f - 0.5f;
  return mantissa * static_cast<float>(1u << (hash >> 28));
}

inline float sum_in_rank_order(const Communicator& ranks, std::size_t i) {
  float sum = addend(ranks.world_rank(0), i);
  for (int rank = 1; rank < ranks.size(); ++rank) sum += addend(ranks.world_rank(rank), i);
  return sum;
}

inline int world_rank(const Communicator& ranks) { return ranks.world_rank(ranks.rank()); }

inline void all_reduce_sums_in_rank_order(Communicator& ranks, std::size_t count) {
  std::vector<float> data(count);
  for (std::size_t i = 0; i < count; ++i) data[i] = addend(world_rank(ranks), i);
  ranks.all_reduce(data);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const float wanted = sum_in_rank_order(ranks, i);
    wrong += std::memcmp(&wanted, &data[i], sizeof wanted) != 0;
  }
  EXPECT_EQ(wrong, 0u) << "of " << count << " sums by " << ranks.size() << " ranks on rank " << ranks.rank();
}

inline void all_reduce_sums_in_rank_order(Communicator& ranks) {
  for (const std::size_t count : {0, 1, 2, 3, 1000, 4096, 4097, 100003}) all_reduce_sums_in_rank_order(ranks, count);
}

inline std::vector<std::byte> message(int from, int to, std::size_t bytes) {
  std::vector<std::byte> data(bytes);
  for (std::size_t i = 0; i < bytes; ++i) {
    data[i] = static_cast<std::byte>(i * 7 + static_cast<std::size_t>(from * 31 + to * 101));
  }
  return data;
}

inline void all_gather_keeps_rank_order(Communicator& ranks) {
  for (const std::size_t bytes : {0, 1, 5, 16384, 16385, 300001}) {
    const auto mine = message(ranks.rank(), 0, bytes);
    std::vector<std::byte> all(bytes * static_cast<std::size_t>(ranks.size()));
    ranks.all_gather(mine, all);
    for (int rank = 0; rank < ranks.size(); ++rank) {
      const auto wanted = message(rank, 0, bytes);
      EXPECT_TRUE(std::equal(wanted.begin(), wanted.end(), all.begin() + rank * static_cast<std::ptrdiff_t>(bytes)))
          << bytes << " bytes of rank " << rank << " on rank " << ranks.rank();
    }
  }
}

// Some parts are empty, among them whole rows and a rank's part for itself.
inline void all_to_all_delivers_uneven_and_empty_parts(Communicator& ranks) {
  const auto bytes_of = [](int from, int to) { return static_cast<std::size_t>(from * to % 3 * 40000 + from * to); };
  std::vector<std::vector<std::byte>> send;
  for (int to = 0; to < ranks.size(); ++to) {
    send.push_back(message(ranks.rank(), to, bytes_of(ranks.rank(), to)));
  }
  const auto received = ranks.all_to_all(send);
  ASSERT_EQ(received.size(), send.size());
  for (int from = 0; from < ranks.size(); ++from) {
    const auto wanted = message(from, ranks.rank(), bytes_of(from, ranks.rank()));
    EXPECT_TRUE(received[static_cast<std::size_t>(from)] == wanted) << "from " << from << " on rank " << ranks.rank();
  }
}

// Everyone sends to everyone, itself included, before anyone receives; the receiver takes the senders in its own order.
inline void messages_arrive_in_the_order_sent(Communicator& ranks) {
  constexpr std::array<std::size_t, 5> kSizes = {3, 0, 200000, 1, 4096};
  for (const std::size_t bytes : kSizes) {
    for (int to = 0; to < ranks.size(); ++to) ranks.send(to, message(ranks.rank(), to, bytes));
  }
  for (int from = ranks.size() - 1; from >= 0; --from) {
    for (const std::size_t bytes : kSizes) {
      std::vector<std::byte> data(bytes);
      ranks.receive(from, data);
      EXPECT_TRUE(data == message(from, ranks.rank(), bytes)) << bytes << " bytes from " << from;
    }
  }
}

// Rows and columns of a grid, in use at the same time as the world, and a group of a group.
inline void groups_work_side_by_side(Communicator& world) {
  const int width = world.size() % 2 == 0 ? world.size() / 2 : world.size();
  const int row = world.rank() / width;
  const int column = world.rank() % width;
  const auto tensor = world.split(row, column);
  const auto data = world.split(column, row);
  const auto backwards = tensor->split(0, -tensor->rank());
  EXPECT_EQ(tensor->size(), width);
  EXPECT_EQ(tensor->rank(), column);
  EXPECT_EQ(tensor->world_rank(0), row * width);
  EXPECT_EQ(data->size(), world.size() / width);
  EXPECT_EQ(data->rank(), row);
  EXPECT_EQ(data->world_rank(0), column);
  EXPECT_EQ(backwards->rank(), width - 1 - column);
  EXPECT_EQ(backwards->world_rank(0), row * width + width - 1);
  for (int round = 0; round < 20; ++round) {
    // A message of the world and one of the row between the same ranks, received in the other order.
    const int next = row * width + (column + 1) % width;
    const int previous = row * width + (column + width - 1) % width;
    world.send(next, message(1, round, 8));
    tensor->send((column + 1) % width, message(2, round, 8));
    all_reduce_sums_in_rank_order(*tensor, 100);
    all_reduce_sums_in_rank_order(*data, 5000);
    std::vector<std::byte> got(8);
    tensor->receive((column + width - 1) % width, got);
    EXPECT_TRUE(got == message(2, round, 8));
    world.receive(previous, got);
    EXPECT_TRUE(got == message(1, round, 8));
    all_reduce_sums_in_rank_order(*backwards, 10);
    world.barrier();
  }
}

inline void everything(Communicator& world) {
  all_reduce_sums_in_rank_order(world);
  all_gather_keeps_rank_order(world);
  all_to_all_delivers_uneven_and_empty_parts(world);
  messages_arrive_in_the_order_sent(world);
  groups_work_side_by_side(world);
}

}  // namespace fathom::conformance
