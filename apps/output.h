// Where results go: standard output, or a file that is complete or not there at all.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace fathom {

struct Session;

// "json" or "json=report.json".
struct OutputRequest {
  std::string format;
  std::optional<std::filesystem::path> file;
};
// Throws CLI::ValidationError for a format outside `known`.
OutputRequest parse_output(const std::string& text, const std::vector<std::string>& known);

// Everything behind -f; without it the first of `known` on standard output.
std::vector<OutputRequest> parse_outputs(const std::vector<std::string>& texts, const std::vector<std::string>& known);
std::vector<std::filesystem::path> files_of(const std::vector<OutputRequest>& requests);

// Before any work is done: every target is writable in principle, none is an input, and none is named twice. Throws
// CLI::ValidationError for what the user can mend on the command line, std::runtime_error for a missing folder.
void check_outputs(const std::vector<std::filesystem::path>& targets, const std::filesystem::path& input);

// A regular file (behind links) is replaced at once: written under a name of its own in the same folder, then renamed; it
// keeps its permissions.
// Devices and pipes are written to. Throws std::runtime_error.
void write_file(const std::filesystem::path& path, const std::string& text);
void write_output(const OutputRequest& request, const std::string& text);

// Every request, as `print` makes it of a format; says which files were written.
using Printer = std::function<std::string(const std::string& format, bool colour)>;
void write_outputs(const std::vector<OutputRequest>& requests, const Session& session, const Printer& print);
void save_file(const std::filesystem::path& path, const Session& session, const std::string& text);

}  // namespace fathom
