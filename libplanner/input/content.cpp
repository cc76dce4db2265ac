#include "input/content.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "input/error.h"

namespace fathom {

std::string text_of_file(const std::filesystem::path& path) {
  const std::string name = path.string();
  std::error_code trouble;
  const std::filesystem::file_status status = std::filesystem::status(path, trouble);
  if (!std::filesystem::exists(status)) throw InputError(name, {}, "there is no such file");
  if (std::filesystem::is_directory(status)) throw InputError(name, {}, "this is a directory, not a file");
  std::ifstream in(path, std::ios::binary);
  if (!in) throw InputError(name, {}, fmt::format("cannot be read: {}", std::strerror(errno)));

  std::string text;
  std::string chunk(1 << 16, '\0');
  while (in.read(chunk.data(), static_cast<std::streamsize>(chunk.size())) || in.gcount() > 0) {
    text.append(chunk, 0, static_cast<std::size_t>(in.gcount()));
    if (text.size() > kMostFileBytes) throw InputError(name, {}, "the file is larger than 64 MiB");
  }
  if (in.bad()) throw InputError(name, {}, fmt::format("cannot be read: {}", std::strerror(errno)));
  return text;
}

}  // namespace fathom
