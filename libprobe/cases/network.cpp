#include "cases/network.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "importers/importers.h"
#include "importers/tool_json.h"
#include "units/number.h"

namespace fathom::probe {

namespace {

struct Address {
  std::string host, port;
};

Address address_of(const std::string& peer) {
  const std::size_t colon = peer.rfind(':'), bracket = peer.find(']');
  const bool bare_ipv6 = bracket == std::string::npos && peer.find(':') != colon;
  if (colon == std::string::npos || bare_ipv6 || (bracket != std::string::npos && colon < bracket)) return {peer, ""};
  Address address{peer.substr(0, colon), peer.substr(colon + 1)};
  return address;
}

std::vector<std::string> command(const NetworkRules& rules, const Address& address, bool reverse) {
  std::string host = address.host;
  if (host.starts_with("[") && host.ends_with("]")) host = host.substr(1, host.size() - 2);
  std::vector<std::string> words = {"iperf3", "-J",
                                    "-c",     host,
                                    "-P",     fmt::format("{}", rules.streams),
                                    "-t",     fmt::format("{:.0f}", rules.run.value),
                                    "-O",     fmt::format("{:.0f}", rules.omitted.value)};
  if (!address.port.empty()) words.insert(words.end(), {"-p", address.port});
  if (reverse) words.emplace_back("-R");
  return words;
}

// iperf3 ends with 1 and says why in its JSON.
std::vector<Result> run(const NetworkRules& rules, const Address& address, bool reverse, const System& system) {
  const CommandOutcome said = system.run(command(rules, address, reverse), rules.run + rules.omitted + Seconds(30));
  if (said.end != CommandOutcome::End::kExited || said.out.find('{') == std::string::npos) {
    return {without_figure("host.network", "host", Status::kUnknown, trouble_with("iperf3", said))};
  }
  return results_of_iperf3(parse_tool_json(said.out, "the output of iperf3"));
}

// Of names and of addresses, a zone behind % with them: "fe80::1%eth0".
bool is_of_hosts(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-._:%").find(c) != std::string_view::npos;
}

}  // namespace

std::string trouble_with_peer(const std::string& peer) {
  const Address address = address_of(peer);
  std::string host = address.host;
  if (host.starts_with("[") && host.ends_with("]")) host = host.substr(1, host.size() - 2);
  if (host.empty() || host.front() == '-' || !std::all_of(host.begin(), host.end(), is_of_hosts))
    return in_quotes(peer) + " is no host";
  if (address.host.size() == peer.size()) return {};
  const auto port = scan_number(address.port);
  const bool digits = address.port.find_first_not_of("0123456789") == std::string::npos;
  if (digits && port && port->value >= 1 && port->value <= 65535) return {};
  return fmt::format("{} is no port: a whole number from 1 to 65535", in_quotes(address.port));
}

std::vector<Result> measure_network(const NetworkRules& rules, const std::string& peer, const System& system) {
  const Address address = address_of(peer);
  std::vector<Result> results = run(rules, address, false, system);
  if (!results.front().figure) return results;
  for (Result& r : run(rules, address, true, system)) results.push_back(std::move(r));
  // Which way is known here; old iperf3 do not tell, and two figures of one way could not be told apart.
  for (std::size_t i = 0; i < results.size(); ++i) {
    results[i].shape["direction"] = i == 0 ? "send" : "receive";
    results[i].shape["peer"] = peer;
  }
  return results;
}

}  // namespace fathom::probe
