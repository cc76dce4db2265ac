// Run by tests/comm/mpi_test.sh and across_namespaces.sh under mpirun, where this binary is the program.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <vector>

#include "comm/communicator.h"
#include "comm/conformance.h"
#include "comm/faulty_communicator.h"
#include "input/error.h"

namespace fathom {
namespace {

using namespace std::chrono_literals;

class MpiWorld : public testing::Test {
 protected:
  void SetUp() override {
    if (mpi_ranks() == 0) GTEST_SKIP() << "waived: not under mpirun";
  }
};

using MpiFault = MpiWorld;  // in other runs than MpiWorld, since they end the process

TEST_F(MpiWorld, DoesEverythingThatACommunicatorDoes) { run_on_mpi({}, conformance::everything); }

TEST_F(MpiWorld, RunsAgainInTheSameProcess) {
  run_on_mpi({}, [](Communicator& world) { EXPECT_EQ(world.size(), mpi_ranks()); });
  run_on_mpi({}, conformance::everything);
}

TEST_F(MpiWorld, HasTheBitsOfThreads) {
  constexpr std::size_t kCount = 30011;
  const auto sums = [](Communicator& world) {
    std::vector<float> data(kCount);
    for (std::size_t i = 0; i < kCount; ++i) data[i] = conformance::addend(world.rank(), i);
    world.all_reduce(data);
    return data;
  };
  std::vector<float> by_threads;
  run_on_threads(mpi_ranks(), {}, [&](Communicator& world) {
    const auto data = sums(world);
    if (world.rank() == 0) by_threads = data;
  });
  run_on_mpi({}, [&](Communicator& world) {
    const auto data = sums(world);
    EXPECT_EQ(std::memcmp(data.data(), by_threads.data(), kCount * sizeof(float)), 0);
  });
}

TEST_F(MpiWorld, ReducesAThousandTimesInSecondsWithMoreRanksThanCores) {
  const auto begin = std::chrono::steady_clock::now();
  run_on_mpi({}, [](Communicator& world) {
    std::vector<float> data(512, 1.0f);
    for (int i = 0; i < 1000; ++i) world.all_reduce(data);
  });
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 20s);
}

void attention_layers(Communicator& world) {
  std::vector<float> data(20000);
  for (int layer = 0; layer < 8; ++layer) {
    world.enter("attention.core", layer);
    world.enter("attention.all_reduce", layer);
    world.all_reduce(data);
  }
}

// Rank 2 waits for rank 3 in their group and the others, who began to wait before it, for a message from rank 2.
void wait_in_a_row(Communicator& world) {
  const auto pair = world.split(world.rank() / 2, world.rank());
  std::vector<std::byte> message(1);
  if (world.rank() < 2) {
    world.enter("stage.receive", 4);
    world.receive(2, message);
    return;
  }
  std::this_thread::sleep_for(300ms);
  world.enter("attention.core", 3);
  if (world.rank() == 3) std::this_thread::sleep_for(1h);
  world.enter("attention.all_reduce", 3);
  pair->barrier();
}

void pull_the_cable(Communicator& world) {  // of across_namespaces.sh
  world.enter("attention.core", 2);
  world.barrier();
  if (world.rank() == 0 && std::system("ip link set cable down") != 0) throw std::runtime_error("no cable");
  attention_layers(world);
}

void send_another_length(Communicator& world) {
  world.enter("stage.receive", 9);
  std::vector<std::byte> data(world.rank() == 2 ? 4 : 3);
  world.rank() == 2 ? world.receive(0, data) : world.send(2, data);
  world.barrier();
}

// FATHOM_TEST_FAULT says which; mpi_test.sh looks at the message and the exit status.
TEST_F(MpiFault, EndsTheRun) {
  const char* const wanted = std::getenv("FATHOM_TEST_FAULT");
  if (!wanted) GTEST_SKIP() << "waived: no FATHOM_TEST_FAULT";
  const std::string_view kind = wanted;
  const auto with = [](Fault::Kind fault) {
    return [fault](Communicator& inner) {
      FaultyCommunicator world(inner, {.rank = 2, .operator_name = "attention.core", .layer = 3, .kind = fault});
      attention_layers(world);
    };
  };
  if (kind == "throw") run_on_mpi({}, with(Fault::Kind::kThrow));
  if (kind == "hang") run_on_mpi({.timeout = 1000ms}, with(Fault::Kind::kHang));
  if (kind == "kill") run_on_mpi({}, with(Fault::Kind::kKill));
  if (kind == "row") run_on_mpi({.timeout = 1000ms}, wait_in_a_row);
  if (kind == "cable") run_on_mpi({.timeout = 1000ms}, pull_the_cable);
  if (kind == "length") run_on_mpi({}, send_another_length);
  if (kind == "input") run_on_mpi({}, [](Communicator&) { throw InputError("model.yaml", {}, "unknown key"); });
  FAIL() << "this line should not be reached";
}

}  // namespace
}  // namespace fathom
