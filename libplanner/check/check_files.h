// Which files `fathom check` was asked to look at.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace fathom {

// Files as they are named, each once; of a folder, what is in it and below it, by name: every cluster.yaml, every other YAML file
// that says `format: fathom-cluster`, every bill, and the manifests, alert rules and scripts that speak of serving. A bill is a .csv
// or .tsv file with "bom" or "bill", 清单 or 报价 in its name, or with a header that names a quantity and a price. Folders that start
// with a dot are left out. Throws InputError for what is not there, and for a folder without any of them.
std::vector<std::filesystem::path> files_to_check(const std::vector<std::filesystem::path>& named);

// What a file is, once it is named: "bill" for .csv and .tsv, "plan" for a plan that was saved, "manifest", "rules" or "script" for
// files of operations, else "cluster". What comes from standard input has no name and is a bill when its header is one.
std::string kind_of_file(const std::filesystem::path& path, const std::string& text);

}  // namespace fathom
