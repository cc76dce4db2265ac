// What the ranks of one run_on_threads() share: who does what, who waits for whom, and the first failure.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "comm/rank_messages.h"

namespace fathom {

// Where threads sleep until something changed. What they wait for is an atomic that is set before changed() is called.
class Bell {
 public:
  void ring();
  template <class Done>
  bool sleep(std::chrono::milliseconds time, const Done& done) {
    std::unique_lock lock(mutex_);
    return rung_.wait_for(lock, time, done);
  }

 private:
  std::mutex mutex_;
  std::condition_variable rung_;
};

class ThreadWorld {
 public:
  ThreadWorld(int ranks, std::chrono::milliseconds timeout);

  int ranks() const { return static_cast<int>(states_.size()); }

  void enter(int rank, const Doing& doing);
  Doing doing(int rank) const;

  // Returns when done() is true. `missing` names the world ranks that have not come, as long as it is not. Throws
  // RankFailure when the run has failed, and fails it when nobody came in time.
  void wait(int rank, std::string_view call, Bell& bell, const std::function<bool()>& done,
            const std::function<std::vector<int>()>& missing);

  void fail(std::exception_ptr error);  // the first one is kept
  bool failed() const { return failed_; }
  std::exception_ptr failure() const;  // null: none
  [[noreturn]] static void leave();    // throws the RankFailure of a rank whose run has failed elsewhere

  // Ranks that others waited for in vain. Their threads may never end.
  bool lost(int rank) const;

 private:
  struct State {
    Doing doing;
    int waits_for = -1;  // a world rank; -1: does not wait
    bool lost = false;
  };

  void set_waits_for(int rank, int other);
  void time_out(int rank, std::string_view call, const std::vector<int>& missing);

  // These need mutex_ held.
  State& state(int rank) { return states_[static_cast<std::size_t>(rank)]; }
  const State& state(int rank) const { return states_[static_cast<std::size_t>(rank)]; }
  void fail_locked(std::exception_ptr error);
  bool waits_for_a_busy_rank(int rank) const;
  std::string it_was(int rank) const;

  const std::chrono::milliseconds timeout_;
  const int looks_;  // before a waiting thread sleeps
  mutable std::mutex mutex_;
  std::vector<State> states_;
  std::exception_ptr failure_;
  std::atomic<bool> failed_ = false;
};

}  // namespace fathom
