// The network to another node, through iperf3, which must be listening there (iperf3 -s). Both directions, one after the other.
#pragma once

#include <string>
#include <vector>

#include "harness/result.h"
#include "system/system.h"

namespace fathom::probe {

struct NetworkRules {
  Seconds run = Seconds(10), omitted = Seconds(3);  // the first seconds are TCP finding its window
  int streams = 8;
};

// Why this is no such peer; empty when it is.
std::string trouble_with_peer(const std::string& peer);

// `peer` is "HOST", "HOST:PORT" or "[IPv6]:PORT".
std::vector<Result> measure_network(const NetworkRules& rules, const std::string& peer, const System& system);

}  // namespace fathom::probe
