#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "comm/communicator.h"
#include "comm/conformance.h"
#include "comm/faulty_communicator.h"
#include "input/error.h"

namespace fathom {
namespace {

using namespace std::chrono_literals;

constexpr CommunicatorOptions kPatient;
constexpr CommunicatorOptions kImpatient{.timeout = 300ms};

std::string failure_of(int ranks, const CommunicatorOptions& options, const std::function<void(Communicator&)>& body) {
  try {
    run_on_threads(ranks, options, body);
  } catch (const RankFailure& failure) {
    return failure.what();
  }
  return "no failure";
}

std::chrono::steady_clock::duration time_of(const std::function<void()>& body) {
  const auto begin = std::chrono::steady_clock::now();
  body();
  return std::chrono::steady_clock::now() - begin;
}

TEST(ThreadCommunicator, DoesEverythingThatACommunicatorDoesWithOneToEightRanks) {
  for (int ranks = 1; ranks <= 8; ++ranks) {
    run_on_threads(ranks, kPatient, [](Communicator& world) { conformance::everything(world); });
  }
}

TEST(ThreadCommunicator, SixteenRanksOnFewCoresReduceAThousandTimesInSeconds) {
  EXPECT_LT(time_of([] {
              run_on_threads(16, kPatient, [](Communicator& world) {
                std::vector<float> data(512, 1.0f);
                for (int i = 0; i < 1000; ++i) world.all_reduce(data);
              });
            }),
            20s);
}

TEST(ThreadCommunicator, ARankThatThrowsIsNamedAndEndsTheOthers) {
  const auto body = [](Communicator& world) {
    world.enter("moe.all_reduce", 5);
    if (world.rank() == 3) throw std::runtime_error("out of memory");
    std::vector<float> data(10);
    if (world.rank() == 0) {
      std::vector<std::byte> never(1);
      world.receive(1, never);
    }
    world.all_reduce(data);
  };
  std::string message;
  EXPECT_LT(time_of([&] { message = failure_of(4, kPatient, body); }), 5s);
  EXPECT_EQ(message, "rank 3 failed in moe.all_reduce of layer 5: out of memory");
}

TEST(ThreadCommunicator, AFailureWithoutALayerNamesNone) {
  EXPECT_EQ(failure_of(2, kPatient,
                       [](Communicator& world) {
                         if (world.rank() == 1) throw std::runtime_error("no");
                         world.barrier();
                       }),
            "rank 1 failed before its first operator: no");
  EXPECT_EQ(failure_of(2, kPatient,
                       [](Communicator& world) {
                         world.enter("output.head", -1);
                         if (world.rank() == 1) throw 7;
                         world.barrier();
                       }),
            "rank 1 failed in output.head: an unknown exception");
}

TEST(ThreadCommunicator, WrongInputStaysWrongInput) {
  try {
    run_on_threads(3, kPatient, [](Communicator& world) {
      if (world.rank() == 2) throw InputError("model.yaml", {.line = 3, .column = 1}, "unknown key");
      world.barrier();
    });
    FAIL() << "nothing was thrown";
  } catch (const InputError& error) {
    EXPECT_EQ(error.at().line, 3);
  }
}

TEST(ThreadCommunicator, ARankThatHangsIsNamedWithItsOperatorAndLeftBehind) {
  // static: the thread that is left behind may look at them for as long as the program runs.
  static const Fault kFault{.rank = 1, .operator_name = "attention.core", .layer = 5, .kind = Fault::Kind::kHang};
  const auto body = [](Communicator& inner) {
    FaultyCommunicator world(inner, kFault);
    std::vector<float> data(20000);
    for (int layer = 0; layer < 8; ++layer) {
      world.enter("attention.core", layer);
      world.enter("attention.all_reduce", layer);
      world.all_reduce(data);
    }
  };
  std::string message;
  EXPECT_LT(time_of([&] { message = failure_of(2, kImpatient, body); }), 5s);
  EXPECT_EQ(message,
            "rank 1 did not come to attention.all_reduce of layer 5 within 300 ms (it was in attention.core of layer "
            "5); rank 0 waited");
}

TEST(ThreadCommunicator, AHangInAGroupIsBlamedOnTheRankThatHangsNotOnTheOneThatWaitsForIt) {
  static const Fault kFault{.rank = 0, .operator_name = "mlp.up", .kind = Fault::Kind::kHang};
  const auto body = [](Communicator& inner) {
    FaultyCommunicator world(inner, kFault);
    const auto pair = world.split(world.rank() / 2, world.rank());
    std::vector<std::byte> activations(4);
    if (world.rank() < 2) {
      if (world.rank() == 1) std::this_thread::sleep_for(100ms);  // waits later and so would time out later
      pair->enter("mlp.up", 3);
      pair->enter("mlp.all_reduce", 3);
      pair->barrier();
      world.send(world.rank() + 2, activations);
    } else {
      pair->enter("stage.receive", 4);
      world.receive(world.rank() - 2, activations);
    }
  };
  const std::string message = failure_of(4, kImpatient, body);
  EXPECT_TRUE(message.starts_with("rank 0 did not come to ") &&
              message.find("within 300 ms (it was in mlp.up of layer 3); rank ") != std::string::npos)
      << message;
}

TEST(ThreadCommunicator, RanksThatWaitForEachOtherAreToldSo) {
  const std::string message = failure_of(2, kImpatient, [](Communicator& world) {
    world.enter(world.rank() == 0 ? "first" : "second", 1);
    std::vector<std::byte> data(1);
    world.receive(1 - world.rank(), data);
  });
  EXPECT_TRUE(message ==
                  "rank 1 did not come to first of layer 1 within 300 ms (it was in second of layer 1, waiting "
                  "for rank 0); rank 0 waited" ||
              message ==
                  "rank 0 did not come to second of layer 1 within 300 ms (it was in first of layer 1, waiting "
                  "for rank 1); rank 1 waited")
      << message;
}

TEST(ThreadCommunicator, ARankThatNeverEndsIsMissedAtTheEnd) {
  static const Fault kFault{.rank = 2, .operator_name = "cleanup", .kind = Fault::Kind::kHang};
  EXPECT_TRUE(failure_of(3, kImpatient, [](Communicator& inner) {
                FaultyCommunicator world(inner, kFault);
                world.enter("cleanup", -1);
              }).starts_with("rank 2 did not come to the end within 300 ms (it was in cleanup); rank "));
}

TEST(ThreadCommunicator, DifferentCallsThatMeetAreAFailure) {
  const std::string message = failure_of(2, kPatient, [](Communicator& world) {
    world.enter("norm", 0);
    std::vector<float> data(world.rank() == 0 ? 3 : 4);
    world.all_reduce(data);
  });
  EXPECT_TRUE(message ==
                  "rank 0 failed in norm of layer 0: all_reduce of 12 bytes meets all_reduce of 16 bytes of rank "
                  "1" ||
              message ==
                  "rank 1 failed in norm of layer 0: all_reduce of 16 bytes meets all_reduce of 12 bytes of rank "
                  "0")
      << message;
}

TEST(ThreadCommunicator, AMessageOfAnotherLengthIsAFailure) {
  EXPECT_EQ(failure_of(2, kPatient,
                       [](Communicator& world) {
                         world.enter("stage.receive", 9);
                         std::vector<std::byte> data(world.rank() == 0 ? 3 : 4);
                         world.rank() == 0 ? world.send(1, data) : world.receive(0, data);
                       }),
            "rank 1 failed in stage.receive of layer 9: received 3 bytes from rank 0, expected 4");
}

TEST(ThreadCommunicator, RanksThatLeaveAFailedRunKeepTheirMemoryWhileOthersReadIt) {
  // Under the address and thread sanitizers this finds a rank that frees what another one is still copying.
  for (int i = 0; i < 20; ++i) {
    std::atomic<int> calls = 0;
    const std::string message = failure_of(4, kPatient, [&calls, i](Communicator& world) {
      const auto others = world.split(world.rank() == 3, 0);
      if (world.rank() == 3) {
        while (calls < i) std::this_thread::yield();
        throw std::runtime_error("now");
      }
      for (;;) {
        std::vector<float> data(200000);
        others->all_reduce(data);
        ++calls;
      }
    });
    EXPECT_EQ(message, "rank 3 failed before its first operator: now");
  }
}

}  // namespace
}  // namespace fathom
