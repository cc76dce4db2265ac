#include "output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/Error.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <stdexcept>

#include "verbs.h"

namespace fathom {

namespace fs = std::filesystem;

OutputRequest parse_output(const std::string& text, const std::vector<std::string>& known) {
  const std::size_t equals = text.find('=');
  OutputRequest request{.format = text.substr(0, equals), .file = {}};
  if (equals != std::string::npos) request.file = text.substr(equals + 1);
  if (std::find(known.begin(), known.end(), request.format) == known.end()) {
    throw CLI::ValidationError("--format", fmt::format("{} is not one of {}", request.format, fmt::join(known, ", ")));
  }
  if (request.file && request.file->empty())
    throw CLI::ValidationError("--format", "no file name after " + request.format + "=");
  return request;
}

std::vector<OutputRequest> parse_outputs(const std::vector<std::string>& texts, const std::vector<std::string>& known) {
  std::vector<OutputRequest> requests;
  for (const std::string& text : texts) requests.push_back(parse_output(text, known));
  if (requests.empty()) requests.push_back({.format = known.front(), .file = {}});
  return requests;
}

std::vector<fs::path> files_of(const std::vector<OutputRequest>& requests) {
  std::vector<fs::path> files;
  for (const OutputRequest& request : requests) {
    if (request.file) files.push_back(*request.file);
  }
  return files;
}

void check_outputs(const std::vector<fs::path>& targets, const fs::path& input) {
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const fs::path& target = targets[i];
    std::error_code ignored;
    if (target.empty()) throw CLI::ValidationError("output", "the file name is empty");
    if (target == "-")
      throw CLI::ValidationError("output",
                                 "- is no file: a format without =FILE is for standard output, and ./- is one");
    if (fs::equivalent(target, input, ignored)) {
      throw CLI::ValidationError("output", target.string() + " is the input: it would be overwritten");
    }
    const auto same = [&](const fs::path& other) {
      return fs::weakly_canonical(other, ignored) == fs::weakly_canonical(target, ignored);
    };
    const bool device = fs::exists(target, ignored) && !fs::is_regular_file(target, ignored);
    if (!device && std::any_of(targets.begin(), targets.begin() + static_cast<std::ptrdiff_t>(i), same)) {
      throw CLI::ValidationError("output", target.string() + " is named twice");
    }
    const fs::path folder = target.has_parent_path() ? target.parent_path() : ".";
    if (!fs::is_directory(folder))
      throw std::runtime_error("cannot write " + target.string() + ": there is no folder " + folder.string());
    if (::access(device ? target.c_str() : folder.c_str(), W_OK) != 0)
      throw std::runtime_error(fmt::format("cannot write {}: {}", target.string(), std::strerror(errno)));
    if (fs::is_directory(target)) throw std::runtime_error("cannot write " + target.string() + ": it is a folder");
  }
}

namespace {

[[noreturn]] void fail_to_write(const fs::path& path, int error) {
  throw std::runtime_error(fmt::format("cannot write {}: {}", path.string(), std::strerror(error)));
}

// All of `text`, or an errno.
int write_all(int descriptor, const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t n = ::write(descriptor, text.data() + done, text.size() - done);
    if (n < 0 && errno != EINTR) return errno;
    if (n > 0) done += static_cast<std::size_t>(n);
  }
  return 0;
}

void write_through(const fs::path& path, const std::string& text) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (descriptor < 0) fail_to_write(path, errno);
  const int error = write_all(descriptor, text);
  ::close(descriptor);
  if (error != 0) fail_to_write(path, error);
}

}  // namespace

void write_file(const fs::path& path, const std::string& text) {
  std::error_code ignored;
  const fs::file_status status = fs::status(path, ignored);
  if (fs::exists(status) && !fs::is_regular_file(status)) return write_through(path, text);
  const fs::path target = fs::exists(status) ? fs::canonical(path) : path;  // a link stays a link
  std::string temporary = target.string() + ".XXXXXX";
  const int descriptor = ::mkstemp(temporary.data());
  if (descriptor < 0) fail_to_write(path, errno);
  int error = write_all(descriptor, text);
  const mode_t mask = ::umask(0);
  ::umask(mask);
  const auto mode = fs::exists(status) ? static_cast<mode_t>(status.permissions() & fs::perms::mask) : 0666 & ~mask;
  ::fchmod(descriptor, mode);  // mkstemp makes it private
  if (::close(descriptor) != 0 && error == 0) error = errno;
  if (error == 0 && ::rename(temporary.c_str(), target.c_str()) != 0) error = errno;
  if (error != 0) {
    ::unlink(temporary.c_str());
    fail_to_write(path, error);
  }
}

void write_output(const OutputRequest& request, const std::string& text) {
  if (request.file) {
    write_file(*request.file, text);
    return;
  }
  std::cout << text;
  if (!std::cout.flush()) throw std::runtime_error("cannot write to standard output");
}

void write_outputs(const std::vector<OutputRequest>& requests, const Session& session, const Printer& print) {
  for (const OutputRequest& request : requests) {
    if (request.file) {
      save_file(*request.file, session, print(request.format, false));
    } else {
      write_output(request, print(request.format, use_colour(session)));
    }
  }
}

void save_file(const fs::path& path, const Session& session, const std::string& text) {
  write_file(path, text);
  if (!session.quiet) std::cerr << fmt::format("wrote {}\n", path.string());
}

}  // namespace fathom
