// A file as text, read once and whole.
#pragma once

#include <filesystem>
#include <string>

namespace fathom {

inline constexpr std::size_t kMostFileBytes = 64ull << 20;

// Throws InputError: no such file, a directory, unreadable, or more than kMostFileBytes, even from devices and pipes,
// which have no size.
std::string text_of_file(const std::filesystem::path& path);

}  // namespace fathom
