// What can be said of a result or of a line of the checklist, in one word. Whether a node is healthy is decided elsewhere
// (libprobe/health): the code that measures only says what happened.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace fathom::probe {

enum class Status {
  kPassed,            // measured, or as required
  kFailed,            // against what is required
  kUnstable,          // the samples scatter or drift too much for their median to mean something
  kIncorrect,         // the data that was moved or computed is wrong: dominates any speed
  kImplausible,       // above what the hardware can do, or no data: the figure is void
  kNeedsAttestation,  // no instrument can tell: a person has to
  kNotSupported,      // this machine, file system or build cannot do it
  kNotRun,            // not asked for, or no memory for it
  kUnknown,           // asked for, and the answer could not be had: no tool, no permission, no room
};
inline constexpr Status kLastStatus = Status::kUnknown;

const char* to_string(Status status);  // "not_supported"
std::vector<std::string> status_words();

// Whether the figure beside it may be used.
constexpr bool has_data(Status status) { return status == Status::kPassed || status == Status::kUnstable; }

}  // namespace fathom::probe
