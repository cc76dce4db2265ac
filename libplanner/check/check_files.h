// Which files `fathom check` was asked to look at.
#pragma once

#include <filesystem>
#include <vector>

namespace fathom {

// Files as they are named, each once; of a folder, the designs in it and below it: every cluster.yaml, and every other
// YAML file that says `format: fathom-cluster`, by name, and the manifests, alert rules and scripts that speak of serving.
// Folders that start with a dot are left out. Throws InputError for what is not there, and for a folder without any of them.
std::vector<std::filesystem::path> files_to_check(const std::vector<std::filesystem::path>& named);

}  // namespace fathom
