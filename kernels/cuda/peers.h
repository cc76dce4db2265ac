// GPUs of one machine that write into each other's memory: sums, gathers and messages between them as kernels, so that a captured
// graph holds them too.
//
// Every rank of a group launches the same calls in the same order on its device. A rank that waits in vain says so in its
// PeerTrouble and goes on with whatever lies there: the step's results are worthless then, and the host looks after each step.
// Reference for the sums: fp32 addition in rank order, which makes every rank's bits the same.
#pragma once

#include <cstdint>

#include "cuda/launch.h"

namespace fathom::cuda {

inline constexpr int kMostPeers = 8;
inline constexpr int kPeerBlocks = 128;  // of a call that meets its peers block by block, at most

// In host memory that the device sees.
struct PeerTrouble {
  std::int32_t missing = 0;  // 1 + the rank of the group that did not come; 0: none
  std::int32_t what = 0;     // the call's `what`
  std::int32_t stop = 0;     // set by the host: stop waiting
};

inline constexpr int kPeerFlags = 2 * kPeerBlocks * kMostPeers;  // words of a rank's flags, zero at first

// A group as one of its ranks sees it.
struct Peers {
  int rank = 0, ranks = 1;
  std::uint32_t* flags[kMostPeers] = {};  // everyone's
  // The call's number, one more than that of the call before on every rank: *before + number. What is captured into a graph has the
  // same `number` each time; `before` is the host's to change between steps.
  const std::uint32_t* before = nullptr;  // on this device
  std::uint32_t number = 1;
  volatile PeerTrouble* trouble = nullptr;
  std::uint64_t patience_ns = 0;
  int what = 0;  // names the call in its trouble
};

// residual = (replace ? 0 : residual) + sum over the ranks of partial, and with `weight` the RMS norm of that. One rank alone may call
// it, whose partial is the sum.
//
// Up to packet_rows rows each rank sends its part to all others and sums for itself, every eight bytes with a mark (one flight); up
// to flight_rows the same with a flag for each row, which takes half the bytes; more rows are summed by one rank each and sent
// round (two flights), rounded to bf16 on the way. Bound by latency, then by the links.
struct PeerReduce {
  Peers peers;
  int rows = 0, width = 0;                  // width: a multiple of 8, at most 16384
  std::uint16_t* partial[kMostPeers] = {};  // everyone's, bf16 [rows, width]
  std::uint16_t* sums[kMostPeers] = {};     // everyone's, bf16 [rows, width]: of two flights
  void* flights[kMostPeers] = {};           // everyone's, peer_flight_bytes(): of one flight without marks
  void* packets[kMostPeers] = {};           // everyone's, peer_packet_bytes(), zero at first: of one flight
  int packet_rows = 0, flight_rows = 0;     // at most kPeerBlocks
  float* residual = nullptr;                // [rows, width]
  bool replace = false;
  const float* weight = nullptr;  // [width]
  float epsilon = 0;
  std::uint16_t* out = nullptr;  // the norm: bf16 [rows, width]
};
std::size_t peer_packet_bytes(int ranks, int rows, int width);
std::size_t peer_flight_bytes(int ranks, int rows, int width);
void peer_reduce(const Launch& how, const PeerReduce& op);

// Every rank's columns [first, first + count) of fp32 rows, to the same place of every rank.
struct PeerGather {
  Peers peers;
  int rows = 0;
  std::int64_t first = 0, count = 0, stride = 0;
  float* at[kMostPeers] = {};  // everyone's, [rows, stride]
  bool meet_first = false;     // peers may still read what lies there
};
void peer_gather(const Launch& how, const PeerGather& op);

// Rows to the ranks that hold their experts, and what those made of them back. Ranks of a stage are numbered group * tp + rank of the
// tensor-parallel group; row r of a group is sent and summed by its rank r % tp. A group has `slots` places at every rank, whatever
// its rows: nothing about the routing is known to the host.
struct PeerRows {
  int rows = 0, slots = 0;  // of the own group; the most rows of any group
  int group = 0, groups = 1, tp = 1;
  int width = 0;                         // a multiple of 8
  int chosen = 0;                        // at most 32
  const std::int32_t* expert = nullptr;  // own rows' [rows, chosen]; -1: none
  const std::int32_t* owner = nullptr;   // of each expert, the first of the ranks that hold it
  int owners = 1;                        // so many ranks in a row hold an expert, a part each
};

struct PeerDispatch {
  Peers peers;  // the stage
  PeerRows places;
  const std::uint16_t* x = nullptr;         // bf16 [rows, width]
  const float* weight = nullptr;            // [rows, chosen]
  std::uint16_t* visitor[kMostPeers] = {};  // everyone's, bf16 [groups * slots, width]: of those with experts there
  std::int32_t* visitor_expert[kMostPeers] =
      {};                                  // everyone's, [groups * slots, chosen]; -1: held elsewhere, or no such row
  float* visitor_weight[kMostPeers] = {};  // everyone's, [groups * slots, chosen]
};
void peer_dispatch(const Launch& how, const PeerDispatch& op);

struct PeerReturn {
  Peers peers;
  PeerRows places;
  const std::uint16_t* sums = nullptr;           // bf16 [groups * slots, width]: of each visitor, of the experts here
  const std::int32_t* visitor_expert = nullptr;  // own
  std::uint16_t* answers[kMostPeers] = {};       // everyone's, bf16 [ranks, slots, width]
  float* out =
      nullptr;  // [rows, width]: the answers' sum in rank order; zeros for rows that another rank of the group sums
  bool add = false;  // to what is there
};
void peer_return(const Launch& how, const PeerReturn& op);

// fp32 values to the rank after this one, which receives them in the order sent. Two messages may be under way.
struct PeerMessage {
  Peers peers;
  std::int64_t count = 0;           // a multiple of 4
  float* values = nullptr;          // own: sent, or to receive
  float* mailbox[kMostPeers] = {};  // everyone's: two of `room` values
  std::int64_t room = 0;
};
void peer_send(const Launch& how, const PeerMessage& op);
void peer_receive(const Launch& how, const PeerMessage& op);

}  // namespace fathom::cuda
