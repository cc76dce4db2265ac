// The edits of --fix: what findings propose, applied to the text of their file. docs/check.md#mending
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "check/finding.h"

namespace fathom {

struct Edit {  // in bytes of the text before
  std::size_t start = 0, length = 0;
  std::string text;
  const Finding* finding = nullptr;
};

struct MendedText {
  std::string text;
  std::vector<Edit> edits;  // applied, by place
  int overlapping = 0;      // proposed, but another edit had the place first
};

// The mend of an input error that is a matter of spelling only: "kw" for "kW", "Memory" for "memory". Absent for anything
// that might have been meant otherwise.
std::optional<Mend> spelling_mend(const InputError& error, std::string_view text);

// Of the findings that propose one. A value in quotes is replaced together with them; a line that a
// mend empties goes.
MendedText apply_mends(const std::string& text, const std::vector<Finding>& findings);

// "-1.2 kW" and "+2.4 kW" with three lines around, as `git apply` and `patch -p1` read it. Empty when nothing changes.
std::string unified_diff(const std::string& name, const std::string& before, const MendedText& after);

}  // namespace fathom
