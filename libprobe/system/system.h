// What lies outside of the program: files of the kernel and other people's tools, behind a seam so that tests can plant any
// machine they like.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "units/quantity.h"

namespace fathom::probe {

struct CommandOutcome {
  enum class End { kExited, kNotFound, kTimedOut, kKilled };
  End end = End::kNotFound;
  int code = 0;  // of kExited
  std::string out, err;

  bool succeeded() const { return end == End::kExited && code == 0; }
};

class System {
 public:
  virtual ~System() = default;
  virtual std::optional<std::string> file(const std::string& path) const = 0;      // absent: not there, or not for us
  virtual std::vector<std::string> names_in(const std::string& folder) const = 0;  // sorted; empty when there is none
  // Runs a program found on PATH, with no input and the messages of the C locale, and ends it after `limit`.
  virtual CommandOutcome run(const std::vector<std::string>& words, Seconds limit) const = 0;
};

std::unique_ptr<System> local_system();

// Why a tool gave no answer, in words: "chronyc is not installed".
std::string trouble_with(const std::string& tool, const CommandOutcome& outcome);

// The first line of a file, without blanks around it.
std::optional<std::string> line_of_file(const System& system, const std::string& path);

}  // namespace fathom::probe
