// Where results go: standard output, or a file that is complete or not there at all.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace fathom {

// "json" or "json=report.json".
struct OutputRequest {
  std::string format;
  std::optional<std::filesystem::path> file;
};
// Throws CLI::ValidationError for a format outside `known`.
OutputRequest parse_output(const std::string& text, const std::vector<std::string>& known);

// Writes to `path.tmp` in the same folder, then renames. Throws std::runtime_error.
void write_file(const std::filesystem::path& path, const std::string& text);
void write_output(const OutputRequest& request, const std::string& text);

}  // namespace fathom
