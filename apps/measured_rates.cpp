#include "measured_rates.h"

#include <fmt/format.h>

#include "health/health.h"
#include "input/content.h"
#include "input/error.h"
#include "input/value.h"
#include "profile/fit.h"
#include "rates/rates.h"
#include "record/machine_record.h"

namespace fathom {

namespace {

bool is_machine(const std::filesystem::path& path) {
  const Document document = parse_yaml(text_of_file(path), path.string(), probe::kMostRecordValues);
  const Value* format = document.root.find("format");
  return format != nullptr && format->text == "fathom-machine";
}

MeasuredRates of_machine(const std::filesystem::path& path, const Catalog& catalog) {
  const probe::MachineRecord record = probe::read_record(path);
  const probe::RecordRates rates = rates_of(record, catalog);
  auto profile = std::make_shared<Profile>(fit_profile(rates.measurements));
  if (profile->surfaces.empty() && profile->curves.empty() && profile->rows.empty() && !profile->watts &&
      !profile->storage) {
    throw InputError(record.file, {}, "nothing in this record gives rates for a plan",
                     "that takes products of four shapes or collectives of three sizes at least: fathom probe "
                     "--profile standard -o FILE");
  }
  profile->file = record.file;
  MeasuredRates result{.profile = profile, .notes = record.notes};
  if (const probe::HealthReport report = judge_health(record, catalog); report.health != probe::Health::kHealthy) {
    result.notes.push_back(fmt::format("the machine of {0} is {1} by its record: fathom probe --replay {0} says why",
                                       record.file, to_string(report.health)));
  }
  if (!rates.unused.empty())
    result.notes.push_back(fmt::format("of {} not used: {}", record.file, fmt::join(rates.unused, "; ")));
  return result;
}

}  // namespace

MeasuredRates read_measured_rates(const std::filesystem::path& path, const Catalog& catalog) {
  if (is_machine(path)) return of_machine(path, catalog);
  return {.profile = std::make_shared<Profile>(read_profile(path)), .notes = {}};
}

}  // namespace fathom
