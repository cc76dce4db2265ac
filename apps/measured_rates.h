// The file behind `--profile`: rates that an engine's run was fitted to, or the record of a machine.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "profile/profile.h"

namespace fathom {

struct MeasuredRates {
  std::shared_ptr<const Profile> profile;
  std::vector<std::string> notes;  // what of the file was not used, and why
};

// Throws InputError for a file that is neither, or of which nothing can be used.
MeasuredRates read_measured_rates(const std::filesystem::path& path, const Catalog& catalog);

}  // namespace fathom
