#include "comm/thread_world.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "comm/communicator.h"

namespace fathom {
namespace {

using Clock = std::chrono::steady_clock;

// A sleeping rank looks this often whether the run has failed: nobody has to know all bells in order to stop all ranks.
constexpr std::chrono::milliseconds kLook{10};

// With a core for each rank, some ten microseconds of looking are cheaper than a sleep. Otherwise the rank sleeps at
// once: one that only yields loses whole time slices as soon as another program wants the cores (sixteen ranks on two
// busy cores: 7 ms for each all_reduce instead of 0.3).
int looks_for(int ranks) { return ranks <= static_cast<int>(std::thread::hardware_concurrency()) ? 2000 : 1; }

}  // namespace

void Bell::ring() {
  { std::lock_guard lock(mutex_); }  // a thread between its last look and its sleep must not miss it
  rung_.notify_all();
}

ThreadWorld::ThreadWorld(int ranks, std::chrono::milliseconds timeout)
    : timeout_(timeout), looks_(looks_for(ranks)), states_(static_cast<std::size_t>(ranks)) {}

void ThreadWorld::enter(int rank, const Doing& doing) {
  std::lock_guard lock(mutex_);
  state(rank).doing = doing;
}

void ThreadWorld::wait(int rank, std::string_view call, Bell& bell, const std::function<bool()>& done,
                       const std::function<std::vector<int>()>& missing) {
  for (int i = 0; i < looks_; ++i) {
    if (done()) return;
  }
  const auto deadline = Clock::now() + timeout_;
  while (!bell.sleep(std::min(kLook, timeout_), done)) {
    if (failed()) leave();
    const std::vector<int> absent = missing();
    if (absent.empty()) continue;
    set_waits_for(rank, absent.front());
    if (Clock::now() >= deadline) time_out(rank, call, absent);
  }
  set_waits_for(rank, -1);
}

// The rank that is told as missing is one that does not wait itself. One that does will come when the rank that it
// waits for does, and its own limit decides; unless they wait for each other.
void ThreadWorld::time_out(int rank, std::string_view call, const std::vector<int>& missing) {
  std::lock_guard lock(mutex_);
  const auto busy = std::find_if(missing.begin(), missing.end(), [&](int other) { return state(other).waits_for < 0; });
  if (busy == missing.end() && waits_for_a_busy_rank(missing.front())) return;
  const int named = busy == missing.end() ? missing.front() : *busy;
  for (const int other : missing) state(other).lost = state(other).waits_for < 0;
  fail_locked(std::make_exception_ptr(RankFailure(text(Absence{.missing = named,
                                                               .waiting = rank,
                                                               .place = state(rank).doing,
                                                               .call = call,
                                                               .waited = timeout_,
                                                               .it_was = it_was(named)}))));
  leave();
}

bool ThreadWorld::waits_for_a_busy_rank(int rank) const {
  for (int steps = 0; steps < ranks(); ++steps) {
    rank = state(rank).waits_for;
    if (rank < 0) return true;
  }
  return false;
}

std::string ThreadWorld::it_was(int rank) const {
  const State& it = state(rank);
  const std::string place = it.doing.name.empty() ? "had entered no operator" : "was in " + text(it.doing);
  return it.waits_for < 0 ? place : fmt::format("{}, waiting for rank {}", place, it.waits_for);
}

void ThreadWorld::fail(std::exception_ptr error) {
  std::lock_guard lock(mutex_);
  fail_locked(std::move(error));
}

void ThreadWorld::fail_locked(std::exception_ptr error) {
  if (!failure_) failure_ = std::move(error);
  failed_ = true;
}

std::exception_ptr ThreadWorld::failure() const {
  std::lock_guard lock(mutex_);
  return failure_;
}

void ThreadWorld::leave() { throw RankFailure("another rank failed"); }

bool ThreadWorld::lost(int rank) const {
  std::lock_guard lock(mutex_);
  return state(rank).lost;
}

Doing ThreadWorld::doing(int rank) const {
  std::lock_guard lock(mutex_);
  return state(rank).doing;
}

void ThreadWorld::set_waits_for(int rank, int other) {
  std::lock_guard lock(mutex_);
  state(rank).waits_for = other;
}

}  // namespace fathom
