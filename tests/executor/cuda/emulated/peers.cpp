// What ranks do in each other's memory: threads of this process that wait for each other's flags.
#include "cuda/peers.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <thread>

#include "executor/cuda/emulated/launches.h"

namespace fathom::cuda {

using emulated::demand;
using emulated::launch;
using emulated::narrow;
using emulated::wide;

namespace {

std::atomic_ref<std::uint32_t> flag(const Peers& peers, int of, int from, int turn) {
  return std::atomic_ref(peers.flags[of][turn * kPeerBlocks * kMostPeers + from]);
}

void wait_for(const Peers& peers, int peer, int turn, std::uint32_t least) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::nanoseconds(peers.patience_ns);
  while (static_cast<std::int32_t>(flag(peers, peers.rank, peer, turn).load() - least) < 0) {
    if (peers.trouble->missing != 0 || peers.trouble->stop != 0) return;
    if (std::chrono::steady_clock::now() > until) {
      peers.trouble->what = peers.what;
      peers.trouble->missing = peer + 1;
      return;
    }
    std::this_thread::yield();
  }
}

std::uint32_t number_of(const Peers& peers) { return peers.ranks > 1 ? *peers.before + peers.number : 0; }

void meet(const Peers& peers, int turn) {
  for (int r = 0; r < peers.ranks; ++r) {
    if (r != peers.rank) flag(peers, r, peers.rank, turn).store(number_of(peers));
  }
  for (int r = 0; r < peers.ranks; ++r) {
    if (r != peers.rank) wait_for(peers, r, turn, number_of(peers));
  }
}

void norm_row(const PeerReduce& op, const float* x, std::uint16_t* out) {
  double squares = 0;
  for (int i = 0; i < op.width; ++i) squares += static_cast<double>(x[i]) * x[i];
  const auto factor = static_cast<float>(1 / std::sqrt(squares / op.width + static_cast<double>(op.epsilon)));
  for (int i = 0; i < op.width; ++i) out[i] = narrow(x[i] * factor * op.weight[i]);
}

}  // namespace

std::size_t peer_packet_bytes(int, int, int) { return 0; }
std::size_t peer_flight_bytes(int, int, int) { return 0; }

void peer_reduce(const Launch&, const PeerReduce& op) {
  demand(op.rows > 0 && op.width % 8 == 0, "peer_reduce: sizes");
  demand(op.peers.ranks == 1 || op.rows <= std::max(op.packet_rows, op.flight_rows) ||
             op.sums[op.peers.rank] != op.sums[(op.peers.rank + 1) % op.peers.ranks],
         "peer_reduce: no room for sums");
  launch([op] {
    const Peers& peers = op.peers;
    meet(peers, 0);
    for (std::int64_t i = 0; i < std::int64_t{op.rows} * op.width; ++i) {
      float sum = 0;
      for (int r = 0; r < peers.ranks; ++r) sum += wide(op.partial[r][i]);
      op.residual[i] = (op.replace ? 0 : op.residual[i]) + sum;
    }
    for (std::int64_t row = 0; op.weight != nullptr && row < op.rows; ++row) {
      norm_row(op, op.residual + row * op.width, op.out + row * op.width);
    }
    meet(peers, 1);
  });
}

void peer_gather(const Launch&, const PeerGather& op) {
  launch([op] {
    if (op.meet_first) meet(op.peers, 0);
    for (std::int64_t row = 0; row < op.rows; ++row) {
      for (std::int64_t i = 0; i < op.count; ++i) {
        const std::int64_t at = row * op.stride + op.first + i;
        for (int r = 0; r < op.peers.ranks; ++r) {
          if (r != op.peers.rank) op.at[r][at] = op.at[op.peers.rank][at];
        }
      }
    }
    meet(op.peers, 1);
  });
}

void peer_dispatch(const Launch&, const PeerDispatch& op) {
  demand(op.peers.ranks == op.places.groups * op.places.tp && op.places.rows <= op.places.slots,
         "peer_dispatch: sizes");
  launch([op] {
    const PeerRows& p = op.places;
    meet(op.peers, 0);
    for (std::int64_t row = op.peers.rank % p.tp; row < p.slots; row += p.tp) {
      const std::int64_t slot = std::int64_t{p.group} * p.slots + row;
      for (int to = 0; to < op.peers.ranks; ++to) {
        bool any = false;
        for (int k = 0; k < p.chosen; ++k) {
          const int e = row < p.rows ? p.expert[row * p.chosen + k] : -1;
          const bool held = e >= 0 && to >= p.owner[e] && to < p.owner[e] + p.owners;
          op.visitor_expert[to][slot * p.chosen + k] = held ? e : -1;
          op.visitor_weight[to][slot * p.chosen + k] = held ? op.weight[row * p.chosen + k] : 0;
          any = any || held;
        }
        if (any) std::copy_n(op.x + row * p.width, p.width, op.visitor[to] + slot * p.width);
      }
    }
    meet(op.peers, 1);
  });
}

void peer_return(const Launch&, const PeerReturn& op) {
  launch([op] {
    const PeerRows& p = op.places;
    for (std::int64_t slot = 0; slot < std::int64_t{p.groups} * p.slots; ++slot) {
      const std::int32_t* expert = op.visitor_expert + slot * p.chosen;
      if (std::all_of(expert, expert + p.chosen, [](int e) { return e < 0; })) continue;
      const std::int64_t row = slot % p.slots, to = slot / p.slots * p.tp + row % p.tp;
      std::copy_n(op.sums + slot * p.width, p.width, op.answers[to] + (op.peers.rank * p.slots + row) * p.width);
    }
    meet(op.peers, 0);
    for (std::int64_t row = 0; row < p.rows; ++row) {
      const bool mine = row % p.tp == op.peers.rank % p.tp;
      for (std::int64_t i = 0; i < p.width; ++i) {
        float sum = op.add ? op.out[row * p.width + i] : 0;
        for (int from = 0; mine && from < op.peers.ranks; ++from) {
          bool asked = false;
          for (int k = 0; k < p.chosen; ++k) {
            const int e = p.expert[row * p.chosen + k];
            asked = asked || (e >= 0 && from >= p.owner[e] && from < p.owner[e] + p.owners);
          }
          if (asked) sum += wide(op.answers[op.peers.rank][(from * p.slots + row) * p.width + i]);
        }
        op.out[row * p.width + i] = sum;
      }
    }
    meet(op.peers, 1);
  });
}

void peer_send(const Launch&, const PeerMessage& op) {
  demand(op.count % 4 == 0 && op.count <= op.room, "peer_send: sizes");
  launch([op] {
    const Peers& peers = op.peers;
    const std::uint32_t message = number_of(peers);
    const int to = peers.rank + 1;
    wait_for(peers, to, 1, message - 2);
    std::copy_n(op.values, op.count, op.mailbox[to] + message % 2 * op.room);
    flag(peers, to, peers.rank, 0).store(message);
  });
}

void peer_receive(const Launch&, const PeerMessage& op) {
  demand(op.count % 4 == 0 && op.count <= op.room, "peer_receive: sizes");
  launch([op] {
    const Peers& peers = op.peers;
    const std::uint32_t message = number_of(peers);
    const int from = peers.rank - 1;
    wait_for(peers, from, 0, message);
    std::copy_n(op.mailbox[peers.rank] + message % 2 * op.room, op.count, op.values);
    flag(peers, from, peers.rank, 1).store(message);
  });
}

}  // namespace fathom::cuda
