#include "check_run.h"

#include <algorithm>

#include "bom/cluster.h"
#include "plan/make_plan.h"
#include "report/check_place.h"
#include "report/plan_json.h"

namespace fathom {

namespace fs = std::filesystem;

CheckRun::CheckRun(const Catalog& catalog, const RuleBook& book, const CheckRunOptions& options)
    : catalog_(catalog), book_(book), folder_(fs::current_path().string()) {
  for (const std::string& text : options.rules) {
    const auto [rule, level] = parse_rule_level(text, book, "--rule");
    levels_[rule] = level;
  }
  for (const std::string& text : options.fail_if) conditions_.emplace_back(text, "--fail-if");
  for (const std::string& text : options.columns) {
    for (auto& column : bill::parse_columns(text, "--columns")) columns_.push_back(std::move(column));
  }
  if (options.settings) given_ = read_settings(*options.settings, book);
  if (options.baseline) baseline_ = Baseline::read(*options.baseline);
}

CheckedFile CheckRun::check(const fs::path& path) {
  const CheckSettings& settings = settings_for(path);
  const RuleLevels levels = joined(settings.levels, levels_);
  bill::ReadOptions bill = settings.bill;
  bill.columns.insert(bill.columns.begin(), columns_.begin(), columns_.end());
  CheckedFile file =
      check_file(path, catalog_, book_, {.levels = levels, .version = FATHOM_VERSION, .bill = std::move(bill)});
  if (!file.unreadable) check_plan(settings, levels, file);
  if (!file.unreadable && baseline_) leave_out_known(file);
  return file;
}

const CheckSettings& CheckRun::settings_for(const fs::path& path) {
  static const CheckSettings kNone;
  if (given_) return *given_;
  const fs::path folder = path == "-" || !path.has_parent_path() ? fs::path(".") : path.parent_path();
  const auto known = of_folder_.find(folder);
  if (known != of_folder_.end()) return *known->second;
  const CheckSettings* settings = &kNone;
  if (const auto found = find_settings(folder)) {
    if (!read_.contains(*found)) read_.emplace(*found, read_settings(*found, book_));
    settings = &read_.at(*found);
  }
  of_folder_[folder] = settings;
  return *settings;
}

// A design is planned for its conditions; a saved plan has its values.
void CheckRun::check_plan(const CheckSettings& settings, const RuleLevels& levels, CheckedFile& file) {
  std::vector<Expression> conditions = settings.fail_if;
  conditions.insert(conditions.end(), conditions_.begin(), conditions_.end());
  if (conditions.empty() || (file.kind != "cluster" && file.kind != "plan")) return;
  try {
    std::string json = file.text;
    std::vector<ExchangeRate> rates;
    if (file.kind == "cluster") {
      const Cluster cluster = read_cluster(parse_yaml(file.text, file.file), catalog_);
      json = plan_json(make_plan(cluster, catalog_));
      rates = cluster.finance.exchange;
    }
    check_conditions(conditions, PlanValues(json, file.file), rates, book_, levels, file);
    ++planned_;
  } catch (const InputError& error) {
    refuse(file, error, book_);
  }
}

void CheckRun::leave_out_known(CheckedFile& file) {
  const auto gone = std::erase_if(file.findings, [&](const Finding& finding) { return baseline_->knows(finding); });
  file.known = static_cast<int>(gone);
}

std::string CheckRun::name_of(const std::string& file) const {
  CheckReport here;
  here.folder = folder_;
  return file_name(file, here);
}

std::vector<std::string> CheckRun::notes() const {
  if (!conditions_.empty() && planned_ == 0) {
    return {"--fail-if was held to nothing: none of the files is a design or a plan that can be read"};
  }
  return {};
}

}  // namespace fathom
