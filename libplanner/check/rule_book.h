// The rules by name: what each is about, how grave it is unless the user says otherwise, and why. Those of check are
// catalogs/rules.yaml, those of probe catalogs/probe_rules.yaml.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "check/finding.h"

namespace fathom {

struct Rule {
  std::string id;  // "family.rule"
  Severity level = Severity::kError;
  std::string title;        // one line
  std::string explanation;  // paragraphs: what is compared with what, and why it matters
  std::string source;       // of the figures in it; key of `sources` in the file, resolved to its title

  std::string family() const { return id.substr(0, id.find('.')); }
};

class RuleBook {
 public:
  // Throws InputError.
  explicit RuleBook(const std::filesystem::path& data_dir, const std::string& file = "rules.yaml");

  const std::vector<Rule>& rules() const { return rules_; }  // by family, then as the file has them
  const Rule* find(const std::string& id) const;             // nullptr when there is none
  std::vector<std::string> ids() const;

 private:
  std::vector<Rule> rules_;
};

}  // namespace fathom
