// NVIDIA's collectives library, on threads of this process: everyone shows its memory, all meet, everyone takes what it needs.
#include <barrier>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <vector>

#include "comm/cuda_nccl.h"
#include "executor/cuda/emulated/launches.h"

namespace fathom {

namespace {

struct World {
  explicit World(int ranks) : meeting(ranks), shown(static_cast<std::size_t>(ranks)) {}
  std::barrier<> meeting;
  std::vector<const void*> shown;
  std::mutex mutex;
  std::condition_variable came;
  std::map<std::pair<int, int>, std::deque<std::vector<float>>> messages;  // from, to
};

struct Member {
  std::shared_ptr<World> world;
  int rank = 0, ranks = 1;
};

Member& member_of(void* comm) { return *static_cast<Member*>(comm); }

}  // namespace

bool nccl_available(std::string*) { return true; }
bool nccl_everywhere(Communicator&) { return true; }
std::string nccl_version() { return "emulated"; }

NcclGroup::NcclGroup(Communicator& group) {
  auto* member = new Member{.world = nullptr, .rank = group.rank(), .ranks = group.size()};
  if (group.rank() == 0) member->world = std::make_shared<World>(group.size());
  const std::shared_ptr<World>* made = &member->world;
  std::vector<const std::shared_ptr<World>*> all(static_cast<std::size_t>(group.size()));
  group.all_gather(std::as_bytes(std::span(&made, 1)), std::as_writable_bytes(std::span(all)));
  if (group.rank() > 0) member->world = *all.front();
  group.barrier();
  comm_ = member;
}

NcclGroup::~NcclGroup() { delete static_cast<Member*>(comm_); }
void NcclGroup::abort() {}

void NcclGroup::sum_bf16(std::uint16_t* values, std::size_t count, cudaStream_t) const {
  emulated::launch([values, count, &m = member_of(comm_)] {
    m.world->shown[static_cast<std::size_t>(m.rank)] = values;
    m.world->meeting.arrive_and_wait();
    std::vector<float> sums(count);
    for (const void* theirs : m.world->shown) {
      for (std::size_t i = 0; i < count; ++i) sums[i] += emulated::wide(static_cast<const std::uint16_t*>(theirs)[i]);
    }
    m.world->meeting.arrive_and_wait();
    for (std::size_t i = 0; i < count; ++i) values[i] = emulated::narrow(sums[i]);
  });
}

void NcclGroup::gather(const float* mine, float* all, std::size_t count_each, cudaStream_t) const {
  emulated::launch([mine, all, count_each, &m = member_of(comm_)] {
    const std::vector<float> own(mine, mine + count_each);  // may lie in `all`
    m.world->shown[static_cast<std::size_t>(m.rank)] = own.data();
    m.world->meeting.arrive_and_wait();
    for (std::size_t r = 0; r < m.world->shown.size(); ++r) {
      std::copy_n(static_cast<const float*>(m.world->shown[r]), count_each, all + r * count_each);
    }
    m.world->meeting.arrive_and_wait();
  });
}

void NcclGroup::send(const float* values, std::size_t count, int to, cudaStream_t) const {
  emulated::launch([values, count, to, &m = member_of(comm_)] {
    const std::lock_guard lock(m.world->mutex);
    m.world->messages[{m.rank, to}].emplace_back(values, values + count);
    m.world->came.notify_all();
  });
}

void NcclGroup::receive(float* values, std::size_t count, int from, cudaStream_t) const {
  emulated::launch([values, count, from, &m = member_of(comm_)] {
    std::unique_lock lock(m.world->mutex);
    auto& waiting = m.world->messages[{from, m.rank}];
    m.world->came.wait(lock, [&] { return !waiting.empty(); });
    emulated::demand(waiting.front().size() == count, "a message of another length");
    std::copy(waiting.front().begin(), waiting.front().end(), values);
    waiting.pop_front();
  });
}

}  // namespace fathom
