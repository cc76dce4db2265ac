#include "manifests/indentation.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "units/number.h"

namespace fathom::manifests {

namespace {

// What belongs under metadata or spec and never at the left edge of an object.
bool belongs_below(std::string_view line) {
  static constexpr std::array<std::string_view, 20> kKeys = {
      "name:",        "namespace:",   "labels:",      "annotations:",    "generateName:",
      "replicas:",    "selector:",    "template:",    "containers:",     "ports:",
      "serviceName:", "minReplicas:", "maxReplicas:", "scaleTargetRef:", "podSelector:",
      "strategy:",    "policyTypes:", "matchLabels:", "volumes:",        "leaderWorkerTemplate:"};
  return std::any_of(kKeys.begin(), kKeys.end(), [&](std::string_view key) { return line.starts_with(key); });
}

bool is_bare(std::string_view line, std::string_view key) {
  if (!line.starts_with(key)) return false;
  const std::string_view rest = trimmed(line.substr(key.size()));
  return rest.empty() || rest.starts_with('#');
}

}  // namespace

std::string without_flattened(std::string_view text, Remarks& out) {
  std::string kept;
  std::string document;  // so far
  bool flattened = false;
  std::string_view parent;
  int parent_line = 0, number = 0;
  const auto flush = [&] {
    if (flattened)
      document.erase(std::remove_if(document.begin(), document.end(), [](char c) { return c != '\n'; }),
                     document.end());
    kept += document;
    document.clear();
    flattened = false;
    parent = {};
  };
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    ++number;
    if (line.starts_with("---")) flush();
    const std::string_view bare = trimmed(line);
    if (!bare.empty() && !bare.starts_with('#')) {
      if (!parent.empty() && !flattened && belongs_below(line)) {
        flattened = true;
        out.push_back(
            {.rule = "manifest.indentation",
             .mark = {{parent_line, 1}, static_cast<int>(parent.size())},
             .message = fmt::format("nothing stands under {}: what belongs there begins at the same column, on line {}",
                                    parent, number),
             .terms = {},
             .help = "indent everything by its depth; as it is, the object has no specification"});
      }
      parent = {};
      for (const std::string_view key : {"metadata", "spec"}) {
        if (is_bare(line, std::string(key) + ":")) parent = key;
      }
      parent_line = number;
    }
    document += line;
    if (end < text.size()) document += '\n';
    at = end + 1;
  }
  flush();
  return kept;
}

}  // namespace fathom::manifests
