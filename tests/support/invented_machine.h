// A node of four GPUs that nobody measured, for tests: all is well with it, and tests plant what is not.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "input/content.h"
#include "record/machine_record.h"

namespace fathom::probe {

inline const std::filesystem::path kInventedMachine =
    std::filesystem::path(FATHOM_SOURCE_DIR) / "tests/data/machines/invented-4-gpus.json";

// The text of the file with every `before` behind `anchor`, in that line, as `after`.
inline std::string edited_machine(const std::string& anchor, const std::string& before, const std::string& after) {
  std::string text = text_of_file(kInventedMachine);
  const std::size_t line = text.find(anchor);
  const std::size_t at = line == std::string::npos ? line : text.find(before, line);
  EXPECT_NE(at, std::string::npos) << anchor << ": " << before;
  if (at != std::string::npos) text.replace(at, before.size(), after);
  return text;
}

inline MachineRecord invented_machine() { return read_record(kInventedMachine); }

}  // namespace fathom::probe
