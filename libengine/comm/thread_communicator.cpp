#include "comm/thread_communicator.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <deque>
#include <exception>
#include <mutex>
#include <new>
#include <thread>
#include <utility>

#include "comm/rank_order_sum.h"

namespace fathom {
namespace {

// Up to here a copy costs less than the second meeting that reading the owner's memory needs.
constexpr std::size_t kSmall = 16 * 1024;

using Bytes = std::vector<std::byte>;

// Messages of one rank to another.
struct Mailbox {
  Bell bell;
  std::mutex mutex;
  std::deque<Bytes> messages;
  std::atomic<std::uint64_t> sent = 0;
  std::uint64_t received = 0;  // the receiver's
};

}  // namespace

struct ThreadGroup {
  // What a rank shows in a collective call.
  struct Slot {
    ThreadCommunicator::Call call = {};
    std::size_t bytes = 0;
    const void* data = nullptr;
    Bytes copy;  // of small data, which then need no second meeting
  };
  struct alignas(64) Member {
    int world_rank = 0;
    std::atomic<std::uint64_t> came_to = 0;  // meetings
    std::array<Slot, 2> slots;               // calls take turns: this one's is read until everyone came to the next
  };

  ThreadGroup(std::shared_ptr<ThreadWorld> its_world, std::size_t size)
      : world(std::move(its_world)), members(size), mailboxes(size * size) {}

  const std::shared_ptr<ThreadWorld> world;
  std::vector<Member> members;
  std::vector<Mailbox> mailboxes;  // [from * size + to]
  Bell bell;
  std::atomic<std::uint64_t> arrivals = 0;  // at all meetings so far
  std::atomic<int> readers = 0;             // ranks that are reading other ranks' memory
};

// While a rank reads the others' memory, they stay: a rank that leaves because the run has failed would free it. Either
// the reader sees the failure and does not begin, or the leaving rank sees the reader and lets it finish.
class ThreadCommunicator::Reading {
 public:
  explicit Reading(ThreadGroup& group) : group_(group) {
    ++group_.readers;
    if (!group_.world->failed()) return;
    --group_.readers;
    wait_for_readers(group_);
    ThreadWorld::leave();
  }
  ~Reading() { --group_.readers; }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;

  static void wait_for_readers(const ThreadGroup& group) {
    while (group.readers > 0) std::this_thread::yield();
  }

 private:
  ThreadGroup& group_;
};

std::shared_ptr<ThreadGroup> ThreadCommunicator::make_group(std::shared_ptr<ThreadWorld> world,
                                                            std::vector<int> world_ranks) {
  auto group = std::make_shared<ThreadGroup>(std::move(world), world_ranks.size());
  for (std::size_t i = 0; i < world_ranks.size(); ++i) group->members[i].world_rank = world_ranks[i];
  return group;
}

ThreadCommunicator::ThreadCommunicator(std::shared_ptr<ThreadGroup> group, int rank)
    : group_(std::move(group)), rank_(rank) {}

int ThreadCommunicator::size() const { return static_cast<int>(group_->members.size()); }

int ThreadCommunicator::world_rank(int rank) const {
  check_rank(rank);
  return group_->members[static_cast<std::size_t>(rank)].world_rank;
}

void ThreadCommunicator::enter(std::string_view name, int layer) {
  group_->world->enter(world_rank(rank_), {.name = name, .layer = layer});
}

void ThreadCommunicator::barrier() { show(Call::kBarrier, nullptr, 0); }

// Every element is summed in rank order by one rank: small data by everyone for itself, large data in chunks, each by
// its owner into the owner's memory, from where the others copy it.
void ThreadCommunicator::all_reduce(std::span<float> data) {
  show(Call::kAllReduce, data.data(), data.size_bytes());
  const auto sum = [&](std::size_t begin, std::size_t end) {
    std::vector<const float*> addends;
    for (int rank = 0; rank < size(); ++rank) addends.push_back(shown<float>(rank) + begin);
    rank_order_sum(addends, data.subspan(begin, end - begin));
  };
  if (data.size_bytes() <= kSmall) return sum(0, data.size());

  const auto ranks = static_cast<std::size_t>(size());
  const auto begin_of = [&](int rank) { return data.size() * static_cast<std::size_t>(rank) / ranks; };
  {
    const Reading reading(*group_);
    sum(begin_of(rank_), begin_of(rank_ + 1));
  }
  meet(Call::kAllReduce);
  {
    const Reading reading(*group_);
    for (int rank = 0; rank < size(); ++rank) {
      if (rank == rank_) continue;
      std::copy(shown<float>(rank) + begin_of(rank), shown<float>(rank) + begin_of(rank + 1), &data[begin_of(rank)]);
    }
  }
  meet(Call::kAllReduce);
}

void ThreadCommunicator::all_gather(std::span<const std::byte> mine, std::span<std::byte> all) {
  if (all.size() != mine.size() * static_cast<std::size_t>(size())) {
    throw RankFailure(fmt::format("all_gather of {} bytes by {} ranks into {} bytes", mine.size(), size(), all.size()));
  }
  show(Call::kAllGather, mine.data(), mine.size());
  if (!mine.empty()) {
    const Reading reading(*group_);
    for (int rank = 0; rank < size(); ++rank) {
      std::byte* const part = &all[static_cast<std::size_t>(rank) * mine.size()];
      if (shown<std::byte>(rank) != part) std::memcpy(part, shown<std::byte>(rank), mine.size());
    }
  }
  finish(Call::kAllGather, mine.size());
}

std::vector<Bytes> ThreadCommunicator::all_to_all(const std::vector<Bytes>& send) {
  if (send.size() != group_->members.size()) {
    throw RankFailure(fmt::format("all_to_all of {} parts among {} ranks", send.size(), size()));
  }
  const std::vector<Bytes>* const mine = &send;
  show(Call::kAllToAll, &mine, sizeof mine);
  std::vector<Bytes> received(send.size());
  try {
    const Reading reading(*group_);
    for (int rank = 0; rank < size(); ++rank) {
      const std::vector<Bytes>& theirs = **shown<const std::vector<Bytes>*>(rank);
      received[static_cast<std::size_t>(rank)] = theirs[static_cast<std::size_t>(rank_)];
    }
  } catch (const std::bad_alloc& error) {
    ThreadWorld& world = *group_->world;
    const int me = world_rank(rank_);
    world.fail(std::make_exception_ptr(RankFailure(rank_failed(me, world.doing(me), error.what()))));
    Reading::wait_for_readers(*group_);
    throw;
  }
  meet(Call::kAllToAll);
  return received;
}

void ThreadCommunicator::look() {
  if (group_->world->failed()) ThreadWorld::leave();
}

void ThreadCommunicator::send(int to, std::span<const std::byte> data) {
  check_rank(to);
  if (group_->world->failed()) ThreadWorld::leave();
  Mailbox& mailbox = group_->mailboxes[static_cast<std::size_t>(rank_ * size() + to)];
  {
    Bytes message(data.begin(), data.end());
    std::lock_guard lock(mailbox.mutex);
    mailbox.messages.push_back(std::move(message));
  }
  ++mailbox.sent;
  mailbox.bell.ring();
}

void ThreadCommunicator::receive(int from, std::span<std::byte> data) {
  check_rank(from);
  Mailbox& mailbox = group_->mailboxes[static_cast<std::size_t>(from * size() + rank_)];
  group_->world->wait(
      world_rank(rank_), "receive", mailbox.bell, [&mailbox] { return mailbox.sent > mailbox.received; },
      [this, from] { return std::vector<int>{world_rank(from)}; });
  ++mailbox.received;
  Bytes message;
  {
    std::lock_guard lock(mailbox.mutex);
    message = std::move(mailbox.messages.front());
    mailbox.messages.pop_front();
  }
  if (message.size() != data.size()) {
    throw RankFailure(
        fmt::format("received {} bytes from rank {}, expected {}", message.size(), world_rank(from), data.size()));
  }
  std::copy(message.begin(), message.end(), data.begin());
}

std::unique_ptr<Communicator> ThreadCommunicator::split(int colour, int key) {
  const std::array<int, 2> mine = {colour, key};
  show(Call::kSplit, mine.data(), sizeof mine);
  std::vector<std::pair<int, int>> members;  // key, rank
  for (int rank = 0; rank < size(); ++rank) {
    const int* theirs = shown<int>(rank);
    if (theirs[0] == colour) members.emplace_back(theirs[1], rank);
  }
  std::sort(members.begin(), members.end());

  // The first member makes the group, the others take it from there.
  std::shared_ptr<ThreadGroup> group;
  if (members.front().second == rank_) {
    std::vector<int> world_ranks;
    for (const auto& [_, rank] : members) world_ranks.push_back(world_rank(rank));
    group = make_group(group_->world, std::move(world_ranks));
  }
  const std::shared_ptr<ThreadGroup>* const made = &group;
  show(Call::kSplit, &made, sizeof made);
  std::shared_ptr<ThreadGroup> taken;
  {
    const Reading reading(*group_);
    taken = **shown<const std::shared_ptr<ThreadGroup>*>(members.front().second);
  }
  meet(Call::kSplit);
  const auto place = std::find(members.begin(), members.end(), std::pair(key, rank_)) - members.begin();
  return std::make_unique<ThreadCommunicator>(std::move(taken), static_cast<int>(place));
}

void ThreadCommunicator::show(Call call, const void* data, std::size_t bytes) {
  const std::size_t turn = ++calls_ % 2;
  ThreadGroup::Slot& slot = group_->members[static_cast<std::size_t>(rank_)].slots[turn];
  slot.call = call;
  slot.bytes = bytes;
  slot.data = data;
  if (bytes > 0 && bytes <= kSmall) {
    const auto* first = static_cast<const std::byte*>(data);
    slot.copy.assign(first, first + bytes);
    slot.data = slot.copy.data();
  }
  meet(call);
  for (const ThreadGroup::Member& member : group_->members) {
    const ThreadGroup::Slot& theirs = member.slots[turn];
    if (theirs.call == call && theirs.bytes == bytes) continue;  // else every rank sees it, and none reads
    throw RankFailure(fmt::format("{} of {} bytes meets {} of {} bytes of rank {}", name(call), bytes,
                                  name(theirs.call), theirs.bytes, member.world_rank));
  }
}

template <class T>
const T* ThreadCommunicator::shown(int rank) const {
  return static_cast<const T*>(group_->members[static_cast<std::size_t>(rank)].slots[calls_ % 2].data);
}

void ThreadCommunicator::finish(Call call, std::size_t bytes) {
  if (bytes > kSmall) meet(call);
}

void ThreadCommunicator::meet(Call call) {
  ThreadGroup& group = *group_;
  const std::uint64_t meeting = ++meetings_;
  group.members[static_cast<std::size_t>(rank_)].came_to = meeting;
  const std::uint64_t everyone =
      meeting * group.members.size();  // nobody comes to the next one before this is complete
  if (++group.arrivals == everyone) {
    group.bell.ring();
    return;
  }
  try {
    wait(call, meeting);
  } catch (const RankFailure&) {
    Reading::wait_for_readers(group);
    throw;
  }
}

void ThreadCommunicator::wait(Call call, std::uint64_t meeting) {
  ThreadGroup& group = *group_;
  const std::uint64_t everyone = meeting * group.members.size();
  group.world->wait(
      world_rank(rank_), name(call), group.bell, [&group, everyone] { return group.arrivals >= everyone; },
      [&group, meeting] {
        std::vector<int> missing;
        for (const ThreadGroup::Member& member : group.members) {
          if (member.came_to < meeting) missing.push_back(member.world_rank);
        }
        return missing;
      });
}

std::string_view ThreadCommunicator::name(Call call) {
  switch (call) {
    case Call::kAllReduce:
      return "all_reduce";
    case Call::kAllGather:
      return "all_gather";
    case Call::kAllToAll:
      return "all_to_all";
    case Call::kBarrier:
      return "barrier";
    case Call::kSplit:
      return "split";
  }
  return "";
}

void ThreadCommunicator::check_rank(int rank) const {
  if (rank < 0 || rank >= size()) throw RankFailure(fmt::format("no rank {} in a group of {}", rank, size()));
}

}  // namespace fathom
