// One run of `fathom check`: every file with the settings of its folder, the conditions on its plan, and the baseline.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "check/baseline.h"
#include "check/check_files.h"
#include "check/check_report.h"
#include "check/fail_if.h"
#include "check/mend.h"
#include "check/settings.h"

namespace fathom {

struct CheckRunOptions {  // as on the command line
  std::vector<std::string> rules, fail_if, columns;
  std::optional<std::filesystem::path> settings, baseline;
};

class CheckRun {
 public:
  // Throws InputError: an unknown rule, a condition or file that cannot be read. Catalog and book must outlive the run.
  CheckRun(const Catalog& catalog, const RuleBook& book, const CheckRunOptions& options);

  CheckedFile check(const std::filesystem::path& path);

  const std::string& folder() const { return folder_; }  // where the program runs, absolute
  std::string name_of(const std::string& file) const;    // from there
  std::vector<std::string> notes() const;                // on the run as a whole

 private:
  const CheckSettings& settings_for(const std::filesystem::path& path);
  void check_plan(const CheckSettings& settings, const RuleLevels& levels, CheckedFile& file);
  void leave_out_known(CheckedFile& file);

  const Catalog& catalog_;
  const RuleBook& book_;
  RuleLevels levels_;                                         // of the command line
  std::vector<std::pair<bill::Field, std::string>> columns_;  // likewise
  std::vector<Expression> conditions_;
  std::optional<CheckSettings> given_;                   // --settings
  std::map<std::filesystem::path, CheckSettings> read_;  // by file
  std::map<std::filesystem::path, const CheckSettings*> of_folder_;
  std::optional<Baseline> baseline_;
  std::string folder_;
  int planned_ = 0;  // files that conditions were held to
};

}  // namespace fathom
