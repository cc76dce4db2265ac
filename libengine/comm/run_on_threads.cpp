#include <algorithm>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <numeric>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "comm/communicator.h"
#include "comm/rank_messages.h"
#include "comm/thread_communicator.h"
#include "comm/thread_world.h"
#include "input/error.h"

namespace fathom {
namespace {

// Shared with the threads, so that one which is left behind finds everything where it was.
struct Run {
  Run(int ranks, const CommunicatorOptions& options, const std::function<void(Communicator&)>& its_body)
      : body(its_body),
        timeout(options.timeout),
        world(std::make_shared<ThreadWorld>(ranks, options.timeout)),
        ended(static_cast<std::size_t>(ranks), false) {}

  const std::function<void(Communicator&)> body;
  const std::chrono::milliseconds timeout;
  const std::shared_ptr<ThreadWorld> world;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<bool> ended;
};

void run_rank(Run& run, Communicator& communicator) {
  ThreadWorld& world = *run.world;
  const int rank = communicator.rank();
  try {
    run.body(communicator);
    communicator.enter("the end", -1);
    communicator.barrier();  // so that a rank which never ends is missed, too
  } catch (const InputError&) {
    world.fail(std::current_exception());
  } catch (const RankAbsence&) {
    world.fail(std::current_exception());
  } catch (const std::exception& error) {
    world.fail(std::make_exception_ptr(RankFailure(rank_failed(rank, world.doing(rank), error.what()))));
  } catch (...) {
    world.fail(std::make_exception_ptr(RankFailure(rank_failed(rank, world.doing(rank), "an unknown exception"))));
  }
}

void start(const std::shared_ptr<Run>& run, std::vector<std::thread>& threads) {
  std::vector<int> world_ranks(run->ended.size());
  std::iota(world_ranks.begin(), world_ranks.end(), 0);
  const auto group = ThreadCommunicator::make_group(run->world, world_ranks);
  for (const int rank : world_ranks) {
    threads.emplace_back([run, group, rank] {
      {
        ThreadCommunicator communicator(group, rank);
        run_rank(*run, communicator);
      }
      std::lock_guard lock(run->mutex);
      run->ended[static_cast<std::size_t>(rank)] = true;
      run->changed.notify_all();
    });
  }
}

// Returns when all threads ended, or the run has failed and those that have not ended will not: the others waited for
// them in vain, or they had the time limit once more to hear of the failure.
void wait_for_end(Run& run) {
  constexpr std::chrono::milliseconds kLook{20};
  std::unique_lock lock(run.mutex);
  const auto all_ended = [&run] {
    for (std::size_t rank = 0; rank < run.ended.size(); ++rank) {
      if (!run.ended[rank] && !run.world->lost(static_cast<int>(rank))) return false;
    }
    return true;
  };
  while (!run.changed.wait_for(lock, kLook, all_ended)) {
    if (run.world->failed()) break;
  }
  run.changed.wait_for(lock, run.timeout, all_ended);
}

}  // namespace

void run_on_threads(int ranks, const CommunicatorOptions& options, const std::function<void(Communicator&)>& body) {
  const auto run = std::make_shared<Run>(ranks, options, body);
  std::vector<std::thread> threads;
  try {
    start(run, threads);
  } catch (const std::system_error& error) {
    run->world->fail(std::make_exception_ptr(
        RankFailure("cannot start a thread for rank " + std::to_string(threads.size()) + ": " + error.what())));
    std::lock_guard lock(run->mutex);
    std::fill(run->ended.begin() + static_cast<std::ptrdiff_t>(threads.size()), run->ended.end(), true);
  }
  wait_for_end(*run);
  for (std::size_t rank = 0; rank < threads.size(); ++rank) {
    std::unique_lock lock(run->mutex);
    const bool ended = run->ended[rank];
    lock.unlock();
    ended ? threads[rank].join() : threads[rank].detach();
  }
  if (const auto failure = run->world->failure()) std::rethrow_exception(failure);
}

}  // namespace fathom
