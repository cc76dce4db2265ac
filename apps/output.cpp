#include "output.h"

#include <fmt/format.h>

#include <CLI/Error.hpp>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <stdexcept>

namespace fathom {

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

void write_file(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::path temporary = path;
  temporary += ".tmp";
  const auto fail = [&](const std::filesystem::path& where) {
    throw std::runtime_error(fmt::format("cannot write {}: {}", where.string(), std::strerror(errno)));
  };
  {
    std::ofstream out(temporary, std::ios::binary);
    if (!out) fail(path);
    out << text;
    out.flush();
    if (!out) {
      std::filesystem::remove(temporary);
      fail(path);
    }
  }
  std::error_code error;
  std::filesystem::rename(temporary, path, error);
  if (error) {
    std::filesystem::remove(temporary);
    throw std::runtime_error(fmt::format("cannot write {}: {}", path.string(), error.message()));
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

}  // namespace fathom
