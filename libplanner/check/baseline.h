// Findings that are known already: only what is new since then counts. docs/check.md#baseline
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "check/finding.h"
#include "input/value.h"

namespace fathom {

// Names each finding by its rule and the text of its line, so that the name survives when lines move; the second finding
// of a rule on the same text gets another name. `text` is that of the findings' file.
void add_fingerprints(std::string_view text, std::vector<Finding>& findings);

class Baseline {
 public:
  // Files are named from the folder of the baseline, so that it can be kept with them.
  explicit Baseline(const std::filesystem::path& path) : folder_(path.parent_path()) {}

  void add(const Finding& finding);
  bool knows(const Finding& finding) const;
  std::size_t size() const { return known_.size(); }
  std::string json() const;  // one line per finding, sorted

  // Throws InputError.
  static Baseline read(const std::filesystem::path& path);
  static Baseline parse(const Document& document, const std::filesystem::path& path);

 private:
  std::string name_of(const std::string& file) const;

  struct Known {
    std::string file, rule, fingerprint, message;
    auto key() const { return std::tie(file, rule, fingerprint); }
    bool operator<(const Known& other) const { return key() < other.key(); }
  };
  std::filesystem::path folder_;
  std::set<Known> known_;
};

}  // namespace fathom
