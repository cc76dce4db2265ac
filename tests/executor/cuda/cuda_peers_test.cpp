// Sums, gathers and messages between GPUs, exact: of small integers every order gives the same. Left out with one GPU.
#include "comm/cuda_peers.h"

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <random>
#include <vector>

#include "comm/communicator.h"
#include "comm/cuda_nccl.h"
#include "host/convert.h"

namespace fathom {
namespace {

constexpr std::chrono::milliseconds kPatience{5000};

int devices() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess ? count : 0;
}

// On threads, each with its GPU and a stream.
template <class Body>
void on_ranks(int ranks, const Body& body) {
  run_on_threads(ranks, {.timeout = std::chrono::milliseconds(60'000)}, [&](Communicator& world) {
    take_device(world);
    const CudaStream stream;
    body(world, cuda::Launch{.stream = stream}, stream);
  });
}

// Calls one by one, each a step of its own.
class Steps {
 public:
  explicit Steps(PeerCalls& calls) : calls_(calls), words_(account_, Purpose::kActivations, 16) {}
  cuda::Peers next(int what, int line = 0) {
    cuda_ok(cudaMemcpy(words_.as<void>(), calls_.before().data(), sizeof(PeerCalls::Counts), cudaMemcpyHostToDevice),
            "words");
    calls_.begin(words_.as<std::uint32_t>());
    const cuda::Peers peers = calls_.next(what, line);
    calls_.end(calls_.calls());
    return peers;
  }

 private:
  Account account_;
  PeerCalls& calls_;
  DeviceBuffer words_;
};

template <class T>
void upload(T* to, const std::vector<T>& values) {
  cuda_ok(cudaMemcpy(to, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice), "upload");
}
template <class T>
std::vector<T> download(const T* from, std::size_t count) {
  std::vector<T> values(count);
  cuda_ok(cudaMemcpy(values.data(), from, count * sizeof(T), cudaMemcpyDeviceToHost), "download");
  return values;
}

// Integers of one call and rank, the same wherever they are asked for.
std::vector<float> integers(std::size_t count, int rank, int call) {
  std::minstd_rand engine(static_cast<unsigned>(1000 * call + rank + 1));
  std::vector<float> values(count);
  for (float& v : values) v = static_cast<float>(static_cast<int>(engine() % 17) - 8);
  return values;
}

std::vector<std::uint16_t> in_bf16(const std::vector<float>& values) {
  std::vector<std::uint16_t> codes;
  for (float v : values) codes.push_back(host::to_bf16(v));
  return codes;
}

class PeerSums : public ::testing::TestWithParam<int> {};

TEST_P(PeerSums, AreExactInOneFlightAndInTwo) {
  const int ranks = GetParam();
  if (ranks > devices()) GTEST_SKIP() << "fewer GPUs than ranks";
  constexpr int kPacketRows = 16, kFlightRows = 100, kMostRows = 700;
  for (int width : {256, 7168, 16384}) {
    on_ranks(ranks, [&](Communicator& world, const cuda::Launch& how, const CudaStream& stream) {
      Account account;
      const std::size_t all = static_cast<std::size_t>(kMostRows) * static_cast<std::size_t>(width);
      const std::size_t packets = 2 * all * sizeof(std::uint16_t);
      PeerCalls calls(world, account,
                      packets + cuda::peer_packet_bytes(ranks, kPacketRows, width) +
                          cuda::peer_flight_bytes(ranks, kFlightRows, width),
                      kPatience);
      Steps steps(calls);
      const DeviceBuffer residual(account, Purpose::kActivations, all * sizeof(float));
      const DeviceBuffer weight(account, Purpose::kActivations, static_cast<std::size_t>(width) * sizeof(float));
      const DeviceBuffer out(account, Purpose::kActivations, all * sizeof(std::uint16_t));
      upload(weight.as<float>(), std::vector<float>(static_cast<std::size_t>(width), 1.0f));
      cuda::PeerReduce op;
      calls.place<std::uint16_t>(0, op.partial);
      calls.place<std::uint16_t>(all * sizeof(std::uint16_t), op.sums);
      calls.place<void>(packets, op.packets);
      calls.place<void>(packets + cuda::peer_packet_bytes(ranks, kPacketRows, width), op.flights);
      op.width = width;
      op.packet_rows = kPacketRows;
      op.flight_rows = kFlightRows;
      op.residual = residual.as<float>();
      op.epsilon = 1e-5f;
      op.out = out.as<std::uint16_t>();
      int call = 0;
      for (int rows : {1, 3, 16, 17, 100, 1, 101, 130, 16, 99, 700, 2}) {
        for (bool replace : {true, false}) {
          const std::size_t count = static_cast<std::size_t>(rows) * static_cast<std::size_t>(width);
          std::vector<float> expected(count, replace ? 0.0f : 100.0f);
          for (int r = 0; r < ranks; ++r) {
            const std::vector<float> part = integers(count, r, call);
            for (std::size_t i = 0; i < count; ++i) expected[i] += part[i];
          }
          upload(calls.own<std::uint16_t>(0), in_bf16(integers(count, world.rank(), call)));
          upload(residual.as<float>(), std::vector<float>(count, 100.0f));
          op.peers = steps.next(call);
          op.rows = rows;
          op.replace = replace;
          op.weight = call % 3 == 0 ? nullptr : weight.as<float>();
          cuda::peer_reduce(how, op);
          stream.wait();
          ASSERT_EQ(calls.missing(), -1);
          ASSERT_EQ(download(residual.as<float>(), count), expected) << rows << " x " << width;
          if (op.weight != nullptr) {
            double squares = 0;
            for (int i = 0; i < width; ++i)
              squares +=
                  static_cast<double>(expected[static_cast<std::size_t>(i)]) * expected[static_cast<std::size_t>(i)];
            const double factor = 1 / std::sqrt(squares / width + 1e-5);
            const std::vector<std::uint16_t> normed =
                download(out.as<std::uint16_t>(), static_cast<std::size_t>(width));
            for (int i = 0; i < width; i += 97) {
              const double wanted = expected[static_cast<std::size_t>(i)] * factor;
              ASSERT_NEAR(host::from_bf16(normed[static_cast<std::size_t>(i)]), wanted, std::abs(wanted) / 100 + 1e-6);
            }
          }
          ++call;
        }
      }
    });
  }
}

// Every way after every other, one behind the other on the device, overlapping as in a step: nobody waits for the host between them.
TEST_P(PeerSums, AreExactBackToBack) {
  const int ranks = GetParam();
  if (ranks > devices()) GTEST_SKIP() << "fewer GPUs than ranks";
  constexpr int kWidth = 7168, kPacketRows = 9, kFlightRows = 73, kMostRows = 200, kTimes = 6;
  on_ranks(ranks, [&](Communicator& world, const cuda::Launch& how, const CudaStream& stream) {
    Account account;
    const std::size_t all = static_cast<std::size_t>(kMostRows) * kWidth, partials = 2 * all * sizeof(std::uint16_t);
    const std::size_t packets = cuda::peer_packet_bytes(ranks, kPacketRows, kWidth);
    PeerCalls calls(world, account, partials + packets + cuda::peer_flight_bytes(ranks, kFlightRows, kWidth),
                    kPatience);
    const DeviceBuffer words(account, Purpose::kActivations, sizeof(PeerCalls::Counts));
    words.clear();
    const DeviceBuffer residual(account, Purpose::kActivations, all * sizeof(float));
    residual.clear();
    const DeviceBuffer weight(account, Purpose::kActivations, kWidth * sizeof(float));
    weight.clear();
    const DeviceBuffer out(account, Purpose::kActivations, all * sizeof(std::uint16_t));
    upload(calls.own<std::uint16_t>(0), in_bf16(integers(all, world.rank(), 3)));
    world.barrier();
    std::vector<float> expected(all);
    cuda::PeerReduce op;
    calls.place<std::uint16_t>(0, op.partial);
    calls.place<std::uint16_t>(all * sizeof(std::uint16_t), op.sums);
    calls.place<void>(partials, op.packets);
    calls.place<void>(partials + packets, op.flights);
    op.width = kWidth;
    op.packet_rows = kPacketRows;
    op.flight_rows = kFlightRows;
    op.residual = residual.as<float>();
    op.weight = weight.as<float>();
    op.out = out.as<std::uint16_t>();
    calls.begin(words.as<std::uint32_t>());
    bool first = true;
    for (int time = 0; time < kTimes; ++time) {
      for (int rows : {9, 48, 1, 9, 73, 73, 2, 200, 8, 60}) {
        op.peers = calls.next(time, 0);
        op.rows = rows;
        cuda::peer_reduce({.stream = how.stream, .overlap = !first}, op);
        first = false;
        for (int r = 0; r < ranks; ++r) {
          const std::vector<float> part = integers(all, r, 3);
          for (std::size_t i = 0; i < static_cast<std::size_t>(rows) * kWidth; ++i) expected[i] += part[i];
        }
      }
    }
    stream.wait();
    ASSERT_EQ(calls.missing(), -1);
    ASSERT_EQ(download(residual.as<float>(), all), expected);
  });
}

TEST_P(PeerSums, OfNcclAreTheSame) {
  const int ranks = GetParam();
  if (ranks > devices()) GTEST_SKIP() << "fewer GPUs than ranks";
  if (std::string why_not; !nccl_available(&why_not)) GTEST_SKIP() << why_not;
  on_ranks(ranks, [&](Communicator& world, const cuda::Launch&, const CudaStream& stream) {
    const NcclGroup nccl(world);
    Account account;
    for (std::size_t count : {std::size_t{8}, std::size_t{7168}, std::size_t{1'000'000}}) {
      const DeviceBuffer values(account, Purpose::kActivations, count * sizeof(std::uint16_t));
      upload(values.as<std::uint16_t>(), in_bf16(integers(count, world.rank(), 1)));
      nccl.sum_bf16(values.as<std::uint16_t>(), count, stream);
      stream.wait();
      std::vector<float> expected(count);
      for (int r = 0; r < ranks; ++r) {
        const std::vector<float> part = integers(count, r, 1);
        for (std::size_t i = 0; i < count; ++i) expected[i] += part[i];
      }
      ASSERT_EQ(download(values.as<std::uint16_t>(), count), in_bf16(expected));  // up to 32 in size: exact in bf16
    }
  });
}

TEST_P(PeerSums, GathersPutColumnsInPlace) {
  const int ranks = GetParam();
  if (ranks > devices()) GTEST_SKIP() << "fewer GPUs than ranks";
  on_ranks(ranks, [&](Communicator& world, const cuda::Launch& how, const CudaStream& stream) {
    Account account;
    constexpr int kRows = 65;
    constexpr std::int64_t kStride = 9000;
    PeerCalls calls(world, account, kRows * kStride * sizeof(float), kPatience);
    Steps steps(calls);
    int call = 0;
    for (int rows : {1, 7, kRows}) {
      for (std::int64_t share : {std::int64_t{1000}, std::int64_t{997}}) {
        const std::vector<float> everything = integers(static_cast<std::size_t>(rows * kStride), 99, call);
        std::vector<float> own(everything.size(), -1.0f), expected = own;
        for (std::size_t i = 0; i < own.size(); ++i) {
          const std::int64_t owner = static_cast<std::int64_t>(i) % kStride / share;
          if (owner < ranks) expected[i] = everything[i];
          if (owner == world.rank()) own[i] = everything[i];
        }
        world.barrier();  // the others wrote here in the call before
        upload(calls.own<float>(0), own);
        world.barrier();
        cuda::PeerGather op;
        op.peers = steps.next(call++);
        op.rows = rows;
        op.first = share * world.rank();
        op.count = share;
        op.stride = kStride;
        op.meet_first = call % 2 == 0;
        calls.place<float>(0, op.at);
        cuda::peer_gather(how, op);
        stream.wait();
        ASSERT_EQ(calls.missing(), -1);
        ASSERT_EQ(download(calls.own<float>(0), expected.size()), expected) << rows << " rows of " << share;
      }
    }
  });
}

// The sender runs ahead by two messages.
TEST_P(PeerSums, MessagesArriveInOrder) {
  const int ranks = GetParam();
  if (ranks > devices()) GTEST_SKIP() << "fewer GPUs than ranks";
  on_ranks(ranks, [&](Communicator& world, const cuda::Launch& how, const CudaStream& stream) {
    Account account;
    constexpr std::int64_t kRoom = 300'000;
    PeerCalls calls(world, account, 2 * kRoom * sizeof(float), kPatience);
    Steps steps(calls);
    const DeviceBuffer values(account, Purpose::kActivations, kRoom * sizeof(float));
    int message = 0;
    for (std::int64_t count : {4, 300'000, 4096, 8, 123'456, 7168}) {
      cuda::PeerMessage op;
      op.count = count;
      op.values = values.as<float>();
      op.room = kRoom;
      calls.place<float>(0, op.mailbox);
      const std::vector<float> sent = integers(static_cast<std::size_t>(count), 5, message);
      if (world.rank() > 0) {
        op.peers = steps.next(message, 0);
        cuda::peer_receive(how, op);
        stream.wait();
        ASSERT_EQ(download(values.as<float>(), sent.size()), sent) << count;
      } else {
        upload(values.as<float>(), sent);
      }
      if (world.rank() + 1 < ranks) {
        op.peers = steps.next(message, 1);
        cuda::peer_send(how, op);
        stream.wait();
      }
      ASSERT_EQ(calls.missing(), -1);
      ++message;
    }
  });
}

TEST_P(PeerSums, TellWhoDidNotCome) {
  const int ranks = GetParam();
  if (ranks > devices()) GTEST_SKIP() << "fewer GPUs than ranks";
  on_ranks(ranks, [&](Communicator& world, const cuda::Launch& how, const CudaStream& stream) {
    Account account;
    PeerCalls calls(world, account, 1 << 20, std::chrono::milliseconds(300));
    Steps steps(calls);
    const DeviceBuffer residual(account, Purpose::kActivations, 1 << 16);
    if (world.rank() == 1) return world.barrier();
    cuda::PeerReduce op;
    calls.place<std::uint16_t>(0, op.partial);
    calls.place<std::uint16_t>(1 << 12, op.sums);
    calls.place<void>(1 << 13, op.packets);
    op.peers = steps.next(42);
    op.rows = 1, op.width = 256, op.packet_rows = 4;
    op.residual = residual.as<float>();
    cuda::peer_reduce(how, op);
    stream.wait();
    EXPECT_EQ(calls.missing(), 1);
    EXPECT_EQ(calls.what(), 42);
    world.barrier();
  });
}

INSTANTIATE_TEST_SUITE_P(Ranks, PeerSums, ::testing::Values(2, 4));

}  // namespace
}  // namespace fathom
