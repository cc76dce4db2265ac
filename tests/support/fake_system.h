// A system that a test makes up: files by path, answers by command line.
#pragma once

#include <map>
#include <set>

#include "system/system.h"

namespace fathom::probe {

class FakeSystem : public System {
 public:
  std::map<std::string, std::string> files;
  std::map<std::string, std::string>
      answers;  // by a beginning of the command line; commands without one are not installed

  std::optional<std::string> file(const std::string& path) const override {
    const auto it = files.find(path);
    return it == files.end() ? std::nullopt : std::optional(it->second);
  }
  std::vector<std::string> names_in(const std::string& folder) const override {
    std::set<std::string> names;
    for (const auto& [path, text] : files) {
      if (path.starts_with(folder + "/"))
        names.insert(path.substr(folder.size() + 1, path.find('/', folder.size() + 1) - folder.size() - 1));
    }
    return {names.begin(), names.end()};
  }
  CommandOutcome run(const std::vector<std::string>& words, Seconds) const override {
    std::string line;
    for (const std::string& word : words) line += (line.empty() ? "" : " ") + word;
    for (const auto& [beginning, out] : answers) {
      if (line.starts_with(beginning)) return {.end = CommandOutcome::End::kExited, .code = 0, .out = out, .err = {}};
    }
    return {};
  }
};

}  // namespace fathom::probe
