#include "record/record_version.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "harness/case_units.h"
#include "input/error.h"
#include "units/number.h"

namespace fathom::probe {

namespace {

// "1.2"; no more digits than a number of versions ever has.
std::optional<std::pair<int, int>> version_of(const std::string& text) {
  const std::size_t dot = text.find('.');
  const auto is_number = [](const std::string& word) {
    return !word.empty() && word.size() <= 4 && word.find_first_not_of("0123456789") == std::string::npos;
  };
  if (dot == std::string::npos || !is_number(text.substr(0, dot)) || !is_number(text.substr(dot + 1)))
    return std::nullopt;
  return std::pair(std::stoi(text.substr(0, dot)), std::stoi(text.substr(dot + 1)));
}

}  // namespace

void check_format(const Document& document) {
  const Value* format = document.root.find("format");
  if (format != nullptr && format->text == "fathom-machine") return;
  throw InputError(document.file, format != nullptr ? format->at : document.root.at, "this is no machine's record",
                   "expected \"format\": \"fathom-machine\"; fathom probe -o FILE writes one, and fathom probe "
                   "--import FILE reads the output of other tools");
}

int check_version(const Document& document) {
  const Value* version = document.root.find("format_version");
  const std::string expected = fmt::format("expected \"format_version\": \"{}.{}\"", kRecordMajor, kRecordMinor);
  if (version == nullptr)
    throw InputError(document.file, document.root.at, "the record does not say its format_version", expected);
  const std::optional<std::pair<int, int>> told = version_of(version->text);
  if (told && told->first == kRecordMajor) return told->second;
  const bool newer = told && told->first > kRecordMajor;
  throw InputError(document.file, version->at,
                   fmt::format("this program reads records of format_version {}.x, found {}", kRecordMajor,
                               in_quotes(version->text)),
                   newer ? "a newer fathom wrote it: update this one" : expected);
}

std::string newer_than_known(int minor) {
  return fmt::format("format_version {}.{} is newer than the {}.{} that this program knows", kRecordMajor, minor,
                     kRecordMajor, kRecordMinor);
}

std::string left_unread(int minor, std::vector<std::string> unread, const MachineRecord& record) {
  constexpr std::size_t kMostNamed = 8;
  for (const Result& r : record.results) {
    if (r.figure && !unit_of(r)) unread.push_back("what the case " + in_quotes(r.name) + " means");
  }
  std::sort(unread.begin(), unread.end());
  unread.erase(std::unique(unread.begin(), unread.end()), unread.end());
  if (unread.empty()) return fmt::format("{}: {}: all of it was read", record.file, newer_than_known(minor));
  const std::size_t more = unread.size() - std::min(unread.size(), kMostNamed);
  unread.resize(unread.size() - more);
  return fmt::format("{}: {}: left unread: {}{}", record.file, newer_than_known(minor), fmt::join(unread, ", "),
                     more > 0 ? fmt::format(" and {} more", more) : "");
}

}  // namespace fathom::probe
