#include "harness/contradictions.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "units/number.h"

namespace fathom::probe {

namespace {

// Of a shape, what is counted. Other numbers there are words: a peer may be called 10.
struct Count {
  const char* key;
  double least = 1;
};
constexpr Count kCounts[] = {{"array_bytes"},
                             {"batch"},
                             {"block_bytes"},
                             {"bytes"},
                             {"chosen"},
                             {"context"},
                             {"depth"},
                             {"directions"},
                             {"experts"},
                             {"file_bytes"},
                             {"generated_tokens", 0},
                             {"head_dim"},
                             {"heads"},
                             {"hidden"},
                             {"inner"},
                             {"jobs"},
                             {"k"},
                             {"kv_heads"},
                             {"m"},
                             {"n"},
                             {"nodes"},
                             {"of"},
                             {"prompt_tokens", 0},
                             {"ranks"},
                             {"run"},
                             {"streams"},
                             {"threads"},
                             {"together"}};

std::string no_count(const Result& result) {
  for (const Count& count : kCounts) {
    const auto text = result.shape.find(count.key);
    if (text == result.shape.end()) continue;
    const std::optional<double> number = number_of(result, count.key);
    if (number && *number >= count.least && *number <= kLargestFigure && std::floor(*number) == *number) continue;
    return fmt::format("{} of a shape is a whole number, {} at least, found {}", in_quotes(count.key), count.least,
                       in_quotes(text->second));
  }
  return {};
}

std::string no_group(const Result& result) {
  const std::vector<std::string> parts = devices_of(result.device);
  if (std::any_of(parts.begin(), parts.end(), [](const std::string& part) { return part.empty(); }))
    return fmt::format("the device {} names nothing", in_quotes(result.device));
  if (result.device.find('>') != std::string::npos && parts.size() == 2 && parts[0] == parts[1])
    return fmt::format("{} is no pair: both are one device", in_quotes(result.device));
  const std::optional<double> ranks = number_of(result, "ranks");
  if (ranks && std::all_of(parts.begin(), parts.end(), is_gpu_key) && *ranks != static_cast<double>(parts.size()))
    return fmt::format("there are {} ranks, and {} of them in {}", *ranks, parts.size(), in_quotes(result.device));
  return {};
}

}  // namespace

std::string contradiction_in(const Result& result) {
  const std::string group = no_group(result);
  return group.empty() ? no_count(result) : group;
}

Twins find_twins(const std::vector<Result>& results) {
  const auto key_of = [](const Result& r) {
    const Protocol& p = r.protocol;
    return std::tuple(r.name, r.device, r.shape, p.engine, p.kernel, p.pattern, p.cache, p.launch, p.statistic);
  };
  std::map<decltype(key_of(results.front())), std::size_t> seen;
  Twins twins;
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (!results[i].figure) continue;  // a case that failed twice says so twice
    const auto [at, is_new] = seen.emplace(key_of(results[i]), i);
    if (!is_new) twins.emplace_back(at->second, i);
  }
  return twins;
}

}  // namespace fathom::probe
