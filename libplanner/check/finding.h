// What `fathom check` finds: one thing that is wrong, doubtful or not to be verified, and where it stands in which file.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "input/error.h"

namespace fathom {

enum class Severity { kOff, kNote, kWarning, kError };

// A stretch of one line. Line 0: the file as a whole.
struct Spot {
  Position at;
  int width = 0;  // code points; 0: to the end of the line
};

// A replacement that cannot change what the writer meant: an alias, a sum, a unit.
struct Mend {
  Spot spot;
  std::string text;
};

struct Finding {
  std::string rule;  // id in catalogs/rules.yaml: "power.supply"
  Severity severity = Severity::kError;
  std::string file;  // as the user named it
  Spot spot;
  std::string message;             // one line: what is wrong, with the figures
  std::vector<std::string> terms;  // how they come about: "16 x 1.2 kW = 19.2 kW"
  std::string help;                // the nearest change that mends it; may be empty
  std::optional<Mend> mend = {};
  std::string fingerprint = {};  // the same when lines move: check/baseline.h
};

}  // namespace fathom
