#include "print/told_apart.h"

#include <map>
#include <tuple>

namespace fathom::probe {

std::vector<std::string> told_apart(const std::vector<Result>& results) {
  const auto name_of = [](const Result& r) { return std::tuple(r.name, r.device, r.shape); };
  std::map<decltype(name_of(results.front())), int> counts;
  for (const Result& r : results) ++counts[name_of(r)];
  std::vector<std::string> texts;
  for (const Result& r : results) texts.push_back(counts[name_of(r)] > 1 ? r.protocol.text() : "");
  return texts;
}

}  // namespace fathom::probe
