#include "weights/safetensors.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <map>
#include <stdexcept>

#include "input/error.h"
#include "weights/safetensors_header.h"

namespace fathom {

std::optional<int> bits_of(const std::string& dtype) {
  static const std::map<std::string, int> kBits = {
      {"BOOL", 8},    {"U8", 8},   {"I8", 8},      {"U16", 16},    {"I16", 16},    {"U32", 32},   {"I32", 32},
      {"U64", 64},    {"I64", 64}, {"F16", 16},    {"F32", 32},    {"F64", 64},    {"BF16", 16},  {"C64", 64},
      {"F8_E4M3", 8}, {"F4", 4},   {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"F8_E5M2", 8}, {"F8_E8M0", 8}};
  const auto found = kBits.find(dtype);
  return found == kBits.end() ? std::nullopt : std::optional<int>(found->second);
}

std::string shape_text(const std::vector<std::int64_t>& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

std::int64_t StoredTensor::cols() const { return shape.size() < 2 ? 1 : shape.back(); }

std::int64_t StoredTensor::rows() const {
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
  std::int64_t rows = 1;
  for (std::size_t i = 0; i < shape.size() && (i == 0 || i + 1 < shape.size()); ++i) rows *= shape[i];
  return rows;
}

namespace {

constexpr std::int64_t kLengthBytes = 8;
constexpr std::int64_t kLongestHeader = 100'000'000;  // the limit of the format's own library
const std::string kDamaged = "the file is damaged or incomplete: fetch it again";

// All `count` bytes, or why not.
std::string read_fully(int descriptor, std::int64_t from, std::int64_t count, void* out) {
  for (std::int64_t done = 0; done < count;) {
    const ssize_t n =
        ::pread(descriptor, static_cast<char*>(out) + done, static_cast<std::size_t>(count - done), from + done);
    if (n == 0) return "it ends early";
    if (n < 0 && errno != EINTR) return std::strerror(errno);
    if (n > 0) done += n;
  }
  return {};
}

std::string read_header(int descriptor, const std::string& file, std::int64_t file_bytes) {
  const auto check = [&](const std::string& why) {
    if (!why.empty()) throw InputError(file, {}, "cannot be read: " + why, kDamaged);
  };
  std::string start(static_cast<std::size_t>(std::min<std::int64_t>(file_bytes, 40)), '\0');
  check(read_fully(descriptor, 0, static_cast<std::int64_t>(start.size()), start.data()));
  if (start.starts_with("version https://git-lfs")) {
    throw InputError(file, {}, "this is a Git LFS pointer, not the file itself", "fetch it with `git lfs pull`");
  }
  if (file_bytes < kLengthBytes) {
    throw InputError(file, {}, fmt::format("no safetensors file: {} bytes hold no header length", file_bytes),
                     kDamaged);
  }
  std::uint64_t length = 0;
  std::memcpy(&length, start.data(), kLengthBytes);
  const std::int64_t longest = std::min(kLongestHeader, file_bytes - kLengthBytes);
  if (length > static_cast<std::uint64_t>(longest)) {
    throw InputError(
        file, {},
        fmt::format("no safetensors file: a header of {} bytes, expected {} at most (the file has {} bytes)", length,
                    longest, file_bytes),
        kDamaged);
  }
  std::string header(length, '\0');
  check(read_fully(descriptor, kLengthBytes, static_cast<std::int64_t>(length), header.data()));
  return header;
}

// Number of elements, or nothing when it is beyond all files.
std::optional<std::int64_t> elements(const std::vector<std::int64_t>& shape) {
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
  std::int64_t count = 1;
  for (std::int64_t size : shape) {
    if (size > std::numeric_limits<std::int64_t>::max() / 64 / count) return std::nullopt;
    count *= size;
  }
  return count;
}

// Offsets are relative to the end of the header until here.
void place(std::vector<StoredTensor>& tensors, const std::string& file, std::int64_t data, std::int64_t file_bytes) {
  const auto fail = [&](const StoredTensor& t, const std::string& what) {
    throw InputError(file, {}, fmt::format("tensor \"{}\": {}", t.name, what), kDamaged);
  };
  const std::int64_t data_bytes = file_bytes - data;
  for (StoredTensor& t : tensors) {
    if (t.begin > t.end || t.end > data_bytes) {
      fail(t, fmt::format("data_offsets [{}, {}] lie outside the file, which has {} bytes of data", t.begin, t.end,
                          data_bytes));
    }
    const std::optional<int> bits = bits_of(t.dtype);
    if (!bits)
      fail(t, fmt::format("\"{}\" is no element type; expected one of F32, F16, BF16, F8_E4M3, I32 …", t.dtype));
    const std::optional<std::int64_t> count = elements(t.shape);
    if (!count || (*count * *bits + 7) / 8 != t.end - t.begin) {
      fail(t, fmt::format("{} {} takes {} bytes, but data_offsets [{}, {}] hold {}", t.dtype, shape_text(t.shape),
                          count ? std::to_string((*count * *bits + 7) / 8) : "more than 2^60", t.begin, t.end,
                          t.end - t.begin));
    }
    t.begin += data;
    t.end += data;
  }
  std::vector<const StoredTensor*> in_order;
  for (const StoredTensor& t : tensors) {
    if (t.begin < t.end) in_order.push_back(&t);
  }
  std::sort(in_order.begin(), in_order.end(), [](const auto* a, const auto* b) { return a->begin < b->begin; });
  for (std::size_t i = 1; i < in_order.size(); ++i) {
    if (in_order[i]->begin < in_order[i - 1]->end) {
      fail(*in_order[i], fmt::format("its bytes are also those of \"{}\"", in_order[i - 1]->name));
    }
  }
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) : name_(path.string()) {
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a pipe must not keep us waiting
  if (descriptor_ < 0) throw InputError(name_, {}, fmt::format("cannot be opened: {}", std::strerror(errno)));
  try {
    struct stat status {};
    if (::fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) throw InputError(name_, {}, "is no file");
    const std::string header = read_header(descriptor_, name_, status.st_size);
    tensors_ = parse_safetensors_header(header, name_);
    place(tensors_, name_, kLengthBytes + static_cast<std::int64_t>(header.size()), status.st_size);
    for (std::size_t i = 0; i < tensors_.size(); ++i) by_name_.emplace(tensors_[i].name, i);
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

SafetensorsFile::~SafetensorsFile() { ::close(descriptor_); }

const StoredTensor* SafetensorsFile::find(const std::string& name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &tensors_[found->second];
}

void SafetensorsFile::read(const StoredTensor& t, const Part& part, void* out) const {
  constexpr std::int64_t kBatch = 4 << 20;
  const std::int64_t item = bits_of(t.dtype).value_or(0) / 8;
  const std::int64_t rows = t.rows(), cols = t.cols();
  const bool inside = part.row >= 0 && part.rows >= 0 && part.row <= rows - part.rows && part.col >= 0 &&
                      part.cols >= 0 && part.col <= cols - part.cols;
  if (item == 0 || !inside) throw std::invalid_argument(t.name + ": no such part");
  if (part.rows == 0 || part.cols == 0) return;
  const std::int64_t stride = cols * item, width = part.cols * item;
  const std::int64_t start = t.begin + part.row * stride + part.col * item;
  if (width == stride) return read_bytes(t, start, part.rows * stride, out);
  // Columns: whole rows in batches, or of rows longer than a batch just what is wanted.
  const std::int64_t rows_at_once = std::max<std::int64_t>(1, kBatch / stride);
  std::vector<char> batch;
  auto* to = static_cast<char*>(out);
  for (std::int64_t row = 0; row < part.rows; row += rows_at_once) {
    const std::int64_t n = std::min(rows_at_once, part.rows - row);
    if (n == 1) {
      read_bytes(t, start + row * stride, width, to);
    } else {
      batch.resize(static_cast<std::size_t>((n - 1) * stride + width));
      read_bytes(t, start + row * stride, (n - 1) * stride + width, batch.data());
      for (std::int64_t i = 0; i < n; ++i)
        std::memcpy(to + i * width, batch.data() + i * stride, static_cast<std::size_t>(width));
    }
    to += n * width;
  }
}

void SafetensorsFile::read_bytes(const StoredTensor& t, std::int64_t from, std::int64_t count, void* out) const {
  const std::string why = read_fully(descriptor_, from, count, out);
  if (!why.empty()) throw InputError(name_, {}, fmt::format("tensor \"{}\" cannot be read: {}", t.name, why), kDamaged);
}

}  // namespace fathom
