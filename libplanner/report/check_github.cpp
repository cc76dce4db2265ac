#include "report/check_github.h"

#include <fmt/format.h>

#include <array>
#include <vector>

#include "report/check_place.h"
#include "report/check_text.h"
#include "report/page.h"

namespace fathom {

namespace {

constexpr std::size_t kMostOfALevel = 10;

std::string escaped_data(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '%') {
      out += "%25";
    } else if (c == '\r') {
      out += "%0D";
    } else if (c == '\n') {
      out += "%0A";
    } else {
      out += c;
    }
  }
  return out;
}

std::string escaped_property(std::string_view text) {
  std::string out;
  for (const char c : escaped_data(text)) {
    if (c == ':') {
      out += "%3A";
    } else if (c == ',') {
      out += "%2C";
    } else {
      out += c;
    }
  }
  return out;
}

const char* command_of(Severity severity) {
  return severity == Severity::kError ? "error" : severity == Severity::kWarning ? "warning" : "notice";
}

std::string annotation(const Finding& f, const CheckReport& report, const std::string& more) {
  std::string out = fmt::format("::{} file={}", command_of(f.severity), escaped_property(file_name(f.file, report)));
  if (f.spot.at.line > 0) {
    out += fmt::format(",line={0},endLine={0},col={1}", f.spot.at.line, f.spot.at.column);
    if (f.spot.width > 0) out += fmt::format(",endColumn={}", end_column(f) - 1);  // the last that belongs to it
  }
  std::string message = f.message;
  for (const std::string& term : f.terms) message += "\n" + term;
  if (!f.help.empty()) message += "\nhelp: " + f.help;
  return out + fmt::format(",title={}::{}\n", escaped_property(f.rule), escaped_data(message + more));
}

// A plain line of the log. The runner looks for commands behind blanks ("::") and anywhere ("##[").
std::string log_line(const Finding& f) {
  std::string line = concise_line(f);
  for (std::size_t at = line.find("##["); at != std::string::npos; at = line.find("##[", at)) line.insert(at + 2, " ");
  return "- " + line + "\n";
}

}  // namespace

std::string check_github(const CheckReport& report) {
  std::string out;
  for (const Severity level : {Severity::kError, Severity::kWarning, Severity::kNote}) {
    std::vector<const Finding*> list;
    for (const CheckedFile& file : report.files) {
      for (const Finding& f : file.findings) {
        if (f.severity == level) list.push_back(&f);
      }
    }
    const std::size_t shown = std::min(kMostOfALevel, list.size()), more = list.size() - shown;
    const std::string noun = fmt::format("{} more {}{}", more, name_of(level), more == 1 ? "" : "s");
    for (std::size_t i = 0; i < shown; ++i) {
      const bool last = i + 1 == shown && more > 0;
      out += annotation(*list[i], report, last ? fmt::format("\n({} in the log)", noun) : "");
    }
    if (more == 0) continue;
    out += fmt::format("::group::{} than GitHub shows\n", noun);
    for (std::size_t i = shown; i < list.size(); ++i) out += log_line(*list[i]);
    out += "::endgroup::\n";
  }
  return out;
}

}  // namespace fathom
