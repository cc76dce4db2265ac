#include "comm/mpi_session.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <thread>

#include "comm/communicator.h"
#include "comm/mpi_api.h"
#include "comm/sigterm_watch.h"

namespace fathom {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr int kNoticeTag = 7;  // MpiCommunicator leaves it free

// A waiting rank looks a few times, which is enough when the others are about to come, and then sleeps, so that more
// ranks than cores can work.
constexpr int kLooks = 30;
constexpr microseconds kNap{20};

// For the others' notices. They are asleep for microseconds; mpirun sends SIGKILL one second after SIGTERM, and this is
// taken twice.
constexpr milliseconds kGrace{300};
// For the spokesman's message and MPI_Abort, before another rank does both.
constexpr milliseconds kPatience{10'000};

milliseconds since(Clock::time_point begin) { return std::chrono::duration_cast<milliseconds>(Clock::now() - begin); }

}  // namespace

MpiSession::MpiSession(milliseconds timeout) : timeout_(timeout) {
  MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
  MPI_Comm_size(MPI_COMM_WORLD, &size_);
}

void MpiSession::wait(std::string_view call, MpiTransfers& transfers) {
  const auto begin = Clock::now();
  for (int looks = 0; !test(transfers); ++looks) {
    progress_sends();
    if (looks < kLooks) continue;
    read_notices();
    const milliseconds waited = since(begin);
    const auto stop_for = [&](Cause cause) {
      stop(call, {.rank = rank_,
                  .cause = cause,
                  .missing = transfers.missing(),
                  .waited_ms = static_cast<int>(std::min(waited, timeout_).count())});
    };
    if (SigtermWatch::seen()) stop_for(Cause::kLauncher);
    if (!notices_.empty()) stop_for(Cause::kTold);
    if (waited >= timeout_) stop_for(Cause::kTimeout);
    std::this_thread::sleep_for(kNap);
  }
}

void MpiSession::look() {
  progress_sends();
  read_notices();
  const auto stop_for = [&](Cause cause) {
    stop("a wait", {.rank = rank_, .cause = cause, .missing = -1, .waited_ms = 0});
  };
  if (SigtermWatch::seen()) stop_for(Cause::kLauncher);
  if (!notices_.empty()) stop_for(Cause::kTold);
}

bool MpiSession::test(MpiTransfers& transfers) {
  try {
    return transfers.test();
  } catch (const RankFailure& error) {
    tell({.rank = rank_, .cause = Cause::kThrown, .missing = -1, .waited_ms = 0});
    stop_message_ = rank_failed(rank_, doing, error.what());
    throw RankFailure(stop_message_);
  }
}

void MpiSession::send_later(int to, int tag, std::span<const std::byte> data) {
  LateSend& late = late_sends_.emplace_back();
  late.data.assign(data.begin(), data.end());
  late.transfers.send(to, tag, late.data.data(), late.data.size());
  progress_sends();
}

void MpiSession::progress_sends() {
  while (!late_sends_.empty() && late_sends_.front().transfers.test()) late_sends_.pop_front();
}

void MpiSession::finish_sends() {
  for (LateSend& late : late_sends_) wait("receive", late.transfers);
  late_sends_.clear();
}

// Tells the others, hears from those that wait, too, and throws the message of this rank. In this order, since the
// memory of what is under way goes away with the exception, and MPI must not work on it any more.
void MpiSession::stop(std::string_view call, Notice notice) {
  tell(notice);
  stop_message_ = wait_message(call);
  throw RankFailure(stop_message_);
}

void MpiSession::tell(const Notice& notice) {
  static Notice sent;  // outlives the sends, which nobody completes
  sent = notice;
  notices_[rank_] = notice;
  for (int other = 0; other < size_; ++other) {
    if (other == rank_) continue;
    MPI_Request request;
    MPI_Isend(&sent, sizeof sent, MPI_BYTE, other, kNoticeTag, MPI_COMM_WORLD, &request);
    MPI_Request_free(&request);
  }
  const auto begin = Clock::now();
  while (since(begin) < kGrace && notices_.size() < static_cast<std::size_t>(size_)) {
    read_notices();
    std::this_thread::sleep_for(kNap);
  }
}

void MpiSession::read_notices() {
  int found = 0;
  MPI_Status status;
  while (MPI_Iprobe(MPI_ANY_SOURCE, kNoticeTag, MPI_COMM_WORLD, &found, &status) == MPI_SUCCESS && found) {
    Notice notice;
    if (MPI_Recv(&notice, sizeof notice, MPI_BYTE, status.MPI_SOURCE, kNoticeTag, MPI_COMM_WORLD, &status)) return;
    notices_[notice.rank] = notice;
  }
}

bool MpiSession::has(Cause cause) const {
  return std::any_of(notices_.begin(), notices_.end(), [cause](const auto& it) { return it.second.cause == cause; });
}

// The lowest rank among those that know most: whose body threw; or else that has waited for long for a rank which does
// not wait itself; or else, when ranks wait for each other, whose time is over.
bool MpiSession::is_spokesman() const {
  const bool long_is_any_time = has(Cause::kLauncher);
  const auto turn = [&](const Notice& notice) {
    if (notice.cause == Cause::kThrown) return 0;
    const bool waited_long = long_is_any_time || milliseconds(2 * notice.waited_ms) >= timeout_;
    if (waited_long && !notices_.contains(notice.missing)) return 1;
    return notice.cause == Cause::kTimeout ? 2 : 3;
  };
  const auto first = std::min_element(notices_.begin(), notices_.end(),
                                      [&](const auto& a, const auto& b) { return turn(a.second) < turn(b.second); });
  return first->first == rank_;
}

std::string MpiSession::wait_message(std::string_view call) const {
  const Notice& mine = notices_.at(rank_);
  if (has(Cause::kThrown)) return "another rank failed";
  if (has(Cause::kLauncher)) {
    const std::string place = doing.name.empty() ? std::string(call) : text(doing);
    if (mine.missing < 0) return fmt::format("ended by the launcher while waiting in {}", place);
    return fmt::format("ended by the launcher while waiting in {} for rank {} (killed?)", place, mine.missing);
  }
  const milliseconds waited(mine.waited_ms);
  const auto other = notices_.find(mine.missing);
  return text(Absence{
      .missing = mine.missing,
      .waiting = rank_,
      .place = doing,
      .call = call,
      .waited = waited >= 0.9 * timeout_ ? timeout_ : waited,  // told a moment before its time is over: as if it were
      .it_was = other == notices_.end() ? "" : fmt::format("waited for rank {}", other->second.missing),
  });
}

std::string MpiSession::failure(std::string_view what) const {
  return stop_message_.empty() ? rank_failed(rank_, doing, what) : stop_message_;
}

void MpiSession::end_process(const std::string& message, int status) {
  if (stop_message_.empty()) tell({.rank = rank_, .cause = Cause::kThrown, .missing = -1, .waited_ms = 0});
  std::cout.flush();
  std::fflush(nullptr);
  const bool launcher_ends_us = has(Cause::kLauncher);
  if (!is_spokesman()) {
    std::signal(SIGTERM, SIG_DFL);
    // Not at once: Open MPI ends a process that works on the connection to one that went away, before it has spoken.
    std::this_thread::sleep_for(launcher_ends_us ? kGrace : kPatience);
    if (launcher_ends_us) _exit(status);
  }
  std::fprintf(stderr, "%s\n", message.c_str());
  std::fflush(stderr);
  if (launcher_ends_us) _exit(status);
  std::this_thread::sleep_for(kGrace / 3);  // mpirun passes the message on before it ends us
  MPI_Abort(MPI_COMM_WORLD, status);
  _exit(status);
}

}  // namespace fathom
