#include "report/check_place.h"

#include <filesystem>

namespace fathom {

namespace fs = std::filesystem;

std::string file_name(const std::string& file, const CheckReport& report) {
  if (report.folder.empty() || file.starts_with('<')) return file;
  const fs::path folder(report.folder);
  const fs::path absolute = (folder / file).lexically_normal();  // an absolute file stays what it is
  const std::string relative = absolute.lexically_relative(folder).generic_string();
  return relative.empty() || relative == ".." || relative.starts_with("../") ? absolute.generic_string() : relative;
}

std::string file_uri(const std::string& file, const CheckReport& report) {
  const std::string name = file_name(file, report);
  std::string out = name.starts_with('/') ? "file://" : "";
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (letter || std::string_view("-._~/").find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += '%';
      out += "0123456789ABCDEF"[byte >> 4];
      out += "0123456789ABCDEF"[byte & 15];
    }
  }
  return out;
}

int end_column(const Finding& finding) {
  return finding.spot.width > 0 ? finding.spot.at.column + finding.spot.width : 0;
}

}  // namespace fathom
