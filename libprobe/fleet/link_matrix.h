// Bandwidths between nodes taken apart: what a sender does to all of its links, what a receiver does, and what is left is the
// link's own. ln t_ij = typical + send_i + receive_j + own_ij, by median polish (Tukey): one bad link does not blame its nodes.
#pragma once

#include <optional>
#include <vector>

namespace fathom::probe {

using LinkMatrix = std::vector<std::vector<std::optional<double>>>;  // [from][to], B/s; absent: not measured

// Factors on the typical bandwidth: 1 is like the others, 0.5 half as fast.
struct LinkParts {
  double typical = 0;                 // B/s
  std::vector<double> send, receive;  // of each node; 1 where nothing was measured
  LinkMatrix own;                     // of each link
};

// Below kLeastForNodes nodes, or with fewer than three links of a node in a direction, a node cannot be told from its links: all is the links'.
inline constexpr std::size_t kLeastForNodes = 4;
LinkParts parts_of(const LinkMatrix& bandwidths);

}  // namespace fathom::probe
