#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>

#include "weights/safetensors.h"

namespace fathom {

namespace fs = std::filesystem;

namespace {

std::string header_of(const std::vector<TensorToWrite>& tensors) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  std::set<std::string> names;
  std::size_t begin = 0;
  for (const TensorToWrite& t : tensors) {
    std::size_t bits = static_cast<std::size_t>(bits_of(t.dtype).value_or(0));
    for (std::int64_t size : t.shape) bits *= static_cast<std::size_t>(size);
    if (bits != t.bytes.size() * 8 || !bits_of(t.dtype)) {
      throw std::invalid_argument(
          fmt::format("{}: {} {} does not take {} bytes", t.name, t.dtype, shape_text(t.shape), t.bytes.size()));
    }
    if (!names.insert(t.name).second) throw std::invalid_argument(t.name + " comes twice");
    header[t.name] = {{"dtype", t.dtype}, {"shape", t.shape}, {"data_offsets", {begin, begin + t.bytes.size()}}};
    begin += t.bytes.size();
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // so that the bytes that follow are aligned
  return text;
}

// All of `bytes`, or an errno.
int write_all(int descriptor, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(descriptor, bytes.data(), bytes.size());
    if (n < 0 && errno != EINTR) return errno;
    if (n > 0) bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return 0;
}

}  // namespace

void write_safetensors(const fs::path& path, const std::vector<TensorToWrite>& tensors) {
  const std::string header = header_of(tensors);
  const std::uint64_t length = header.size();
  std::error_code ignored;
  const fs::path target = fs::exists(path, ignored) ? fs::canonical(path) : path;  // a link stays a link
  std::string temporary = target.string() + ".XXXXXX";
  const int descriptor = ::mkstemp(temporary.data());
  if (descriptor < 0) throw std::runtime_error(fmt::format("cannot write {}: {}", path.string(), std::strerror(errno)));
  int error = write_all(descriptor, std::as_bytes(std::span(&length, 1)));
  if (error == 0) error = write_all(descriptor, std::as_bytes(std::span(header)));
  for (const TensorToWrite& t : tensors) {
    if (error == 0) error = write_all(descriptor, t.bytes);
  }
  const mode_t mask = ::umask(0);
  ::umask(mask);
  ::fchmod(descriptor, 0666 & ~mask);  // mkstemp makes it private
  if (::close(descriptor) != 0 && error == 0) error = errno;
  if (error == 0 && ::rename(temporary.c_str(), target.c_str()) != 0) error = errno;
  if (error != 0) {
    ::unlink(temporary.c_str());
    throw std::runtime_error(fmt::format("cannot write {}: {}", path.string(), std::strerror(error)));
  }
}

}  // namespace fathom
