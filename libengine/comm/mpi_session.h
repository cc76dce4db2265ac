// This process in the world that mpirun started: waits with a time limit, messages that nobody waits for, and failures,
// which the processes tell each other so that one of them prints one message.
#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "comm/mpi_transfers.h"
#include "comm/rank_messages.h"

namespace fathom {

class MpiSession {
 public:
  explicit MpiSession(std::chrono::milliseconds timeout);  // MPI is initialised

  int rank() const { return rank_; }
  int size() const { return size_; }

  // Returns when all transfers are complete. Throws RankFailure after the time limit, when another process has failed,
  // or when mpirun ends this one.
  void wait(std::string_view call, MpiTransfers& transfers);

  void look();  // throws as wait() does, but for the time limit

  void send_later(int to, int tag, std::span<const std::byte> data);  // copies
  void finish_sends();

  // What to say of an exception that left the body: its own words when it is from wait().
  std::string failure(std::string_view what) const;
  // After an exception left the body: agrees with the others on who prints, and ends the process with this status.
  [[noreturn]] void end_process(const std::string& message, int status);

  Doing doing;
  int next_group = 1;  // groups have numbers, which make their tags; see MpiCommunicator::split

 private:
  enum class Cause { kThrown, kLauncher, kTimeout, kTold };
  struct Notice {  // as sent
    int rank;
    Cause cause;
    int missing;  // the rank that it waits for; -1: none
    int waited_ms;
  };
  struct LateSend {
    std::vector<std::byte> data;
    MpiTransfers transfers;
  };

  bool test(MpiTransfers& transfers);
  [[noreturn]] void stop(std::string_view call, Notice notice);
  void tell(const Notice& notice);
  void read_notices();
  bool has(Cause cause) const;
  bool is_spokesman() const;
  std::string wait_message(std::string_view call) const;
  void progress_sends();

  const std::chrono::milliseconds timeout_;
  int rank_ = 0;
  int size_ = 0;
  std::list<LateSend> late_sends_;
  std::map<int, Notice> notices_;  // by rank, this one's included
  std::string stop_message_;       // empty: not stopped
};

}  // namespace fathom
