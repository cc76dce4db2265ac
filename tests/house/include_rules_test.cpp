// The include graph is the design, so it is tested: rooms include only what tests/house/include_rules.txt allows.
//
// Beyond rooms, libplanner sees the standard library, fmt, and, in .cpp files only, yaml-cpp, nlohmann and Eigen. Threads,
// clocks and devices belong to the program around it.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace fathom {
namespace {

namespace fs = std::filesystem;

const std::string kTableFile = "tests/house/include_rules.txt";

using Findings = std::vector<std::string>;                   // "file:line: what is wrong; the rule"
using Table = std::map<std::string, std::set<std::string>>;  // room -> rooms that it may include

std::string read_file(const fs::path& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << "cannot read " << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string joined(const std::set<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text.empty() ? "no other room" : text;
}

// Rooms may allow only rooms above them, so a table without findings has no cycle.
Table parse_table(const std::string& text, Findings& findings) {
  Table table;
  std::istringstream lines(text);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    if (line.empty() || line[0] == '#') continue;
    const std::string here = kTableFile + ":" + std::to_string(number) + ": ";
    const std::size_t colon = line.find(':');
    const std::string room = line.substr(0, colon);
    if (colon == std::string::npos || table.contains(room)) {
      findings.push_back(here + "expected 'room: allowed allowed ...' and each room once, found '" + line + "'");
      continue;
    }
    std::set<std::string> allowed;
    std::istringstream words(line.substr(colon + 1));
    for (std::string word; words >> word;) {
      if (word == "*") {
        for (const auto& [above, rooms] : table) allowed.insert(above);
      } else if (table.contains(word)) {
        allowed.insert(word);
      } else {
        findings.push_back(here + "'" + room + "' allows '" + word +
                           "', which is not above it; the table has no cycles, so rooms allow only rooms above them");
      }
    }
    table[room] = allowed;
  }
  return table;
}

// Why `room` may not include <name>, or nothing.
std::optional<std::string> refusal_of_library(const std::string& name, bool header) {
  if (name == "thread" || name == "chrono") return "libplanner is pure functions of files: no threads, no clocks";
  const bool standard = name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string::npos;
  if (standard || name.starts_with("fmt/")) return {};
  for (const char* library : {"yaml-cpp/", "nlohmann/", "Eigen/"}) {
    if (!name.starts_with(library)) continue;
    if (!header) return {};
    return "yaml-cpp, nlohmann and Eigen cost seconds per inclusion: in .cpp files only";
  }
  return "libplanner includes only itself, the standard library and fmt, and in .cpp files yaml-cpp, nlohmann and "
         "Eigen";
}

std::optional<std::string> refusal_of_room(const std::string& path, const std::string& room, const Table& table) {
  const std::string other = path.substr(0, path.find('/'));
  if (path.find('/') == std::string::npos || !table.contains(other)) {
    return "write \"room/file.h\", where room is one of the rooms in " + kTableFile;
  }
  if (other == room || table.at(room).contains(other)) return {};
  return room + " may include " + joined(table.at(room)) + ": " + kTableFile;
}

// `#include <fmt/core.h>` -> "<fmt/core.h"; anything else -> "".
std::string included(std::string line) {
  std::erase_if(line, [](char c) { return c == ' ' || c == '\t'; });
  if (!line.starts_with("#include")) return {};
  return line.substr(8, line.find_first_of(">\"", 9) - 8);
}

// `path` is "libplanner/room/file".
Findings check_source(const std::string& path, const std::string& text, const Table& table) {
  const std::string room = fs::path(path).parent_path().filename();
  if (!table.contains(room)) return {path + ":1: room '" + room + "' has no line in " + kTableFile};
  Findings findings;
  std::istringstream lines(text);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    const std::string found = included(line);
    if (found.empty()) continue;
    const std::string name = found.substr(1);
    const std::optional<std::string> refusal =
        found[0] == '<' ? refusal_of_library(name, path.ends_with(".h")) : refusal_of_room(name, room, table);
    if (refusal) findings.push_back(path + ":" + std::to_string(number) + ": includes '" + name + "'; " + *refusal);
  }
  return findings;
}

std::string lines_of(const Findings& findings) {
  std::string text;
  for (const std::string& finding : findings) text += finding + "\n";
  return text;
}

TEST(IncludeRules, TheTableHasNoCycle) {
  Findings findings;
  parse_table(read_file(fs::path(FATHOM_SOURCE_DIR) / kTableFile), findings);
  EXPECT_EQ(lines_of(findings), "");
}

TEST(IncludeRules, EveryFileOfThePlannerFollowsTheTable) {
  const fs::path root = FATHOM_SOURCE_DIR;
  Findings ignored;
  const Table table = parse_table(read_file(root / kTableFile), ignored);
  Findings findings;
  for (const auto& entry : fs::recursive_directory_iterator(root / "libplanner")) {
    const std::string path = fs::relative(entry.path(), root);
    if (!path.ends_with(".h") && !path.ends_with(".cpp")) continue;
    std::ranges::move(check_source(path, read_file(entry.path()), table), std::back_inserter(findings));
  }
  std::ranges::sort(findings);
  EXPECT_EQ(lines_of(findings), "");
}

// Libraries are another matter there: engine and probe have threads, clocks, MPI and processes, and kernels have intrinsics.
Findings findings_outside_the_planner(const std::string& table_file, const std::vector<const char*>& libraries) {
  const fs::path root = FATHOM_SOURCE_DIR;
  Findings findings;
  const Table table = parse_table(read_file(root / table_file), findings);
  for (const char* library : libraries) {
    for (const auto& entry : fs::recursive_directory_iterator(root / library)) {
      const std::string path = fs::relative(entry.path(), root);
      const std::string kind = entry.path().extension();
      if (kind != ".h" && kind != ".cpp" && kind != ".cu" && kind != ".cuh") continue;
      std::ranges::copy_if(check_source(path, read_file(entry.path()), table), std::back_inserter(findings),
                           [](const std::string& finding) {
                             return finding.find("libplanner includes") == std::string::npos &&
                                    finding.find("no threads") == std::string::npos;
                           });
    }
  }
  std::ranges::sort(findings);
  return findings;
}

TEST(IncludeRules, EveryFileOfTheEngineAndTheKernelsFollowsItsTable) {
  EXPECT_EQ(lines_of(findings_outside_the_planner("tests/house/engine_include_rules.txt", {"libengine", "kernels"})),
            "");
}

TEST(IncludeRules, EveryFileOfTheProbeFollowsItsTable) {
  EXPECT_EQ(lines_of(findings_outside_the_planner("tests/house/probe_include_rules.txt", {"libprobe"})), "");
}

// The checker itself, on invented tables and files.

Table small_table() {
  Findings none;
  return parse_table("# comment\nunits:\nmodel: units\nplan: *\nreport: units plan\n", none);
}

TEST(IncludeRules, ATableWithACycleIsRefused) {
  Findings findings;
  parse_table("units: model\nmodel: units\n", findings);
  EXPECT_EQ(
      lines_of(findings),
      "tests/house/include_rules.txt:1: 'units' allows 'model', which is not above it; the table has no cycles, so "
      "rooms allow only rooms above them\n");
}

TEST(IncludeRules, AStarAllowsEveryRoomAbove) { EXPECT_EQ(joined(small_table().at("plan")), "model units"); }

TEST(IncludeRules, AFindingNamesFileLineAndRule) {
  EXPECT_EQ(lines_of(check_source("libplanner/report/table.cpp", "#include <string>\n\n#include \"model/model.h\"\n",
                                  small_table())),
            "libplanner/report/table.cpp:3: includes 'model/model.h'; report may include plan units: "
            "tests/house/include_rules.txt\n");
}

TEST(IncludeRules, ARoomMayIncludeItselfAndWhatTheTableAllows) {
  const std::string text = "#include \"model/a.h\"\n#include \"units/quantity.h\"\n#include <fmt/core.h>\n";
  EXPECT_EQ(lines_of(check_source("libplanner/model/a.cpp", text, small_table())), "");
}

TEST(IncludeRules, AHeaderMayNotIncludeAParser) {
  for (const std::string name : {"yaml-cpp/yaml.h", "nlohmann/json.hpp", "Eigen/Dense"}) {
    const std::string text = "#include <" + name + ">\n";
    EXPECT_EQ(check_source("libplanner/model/a.h", text, small_table()).size(), 1u) << name;
    EXPECT_EQ(check_source("libplanner/model/a.cpp", text, small_table()).size(), 0u) << name;
  }
}

TEST(IncludeRules, NoFileMayIncludeTheOutsideWorld) {
  for (const std::string name : {"thread", "chrono", "cuda_runtime.h", "CLI/CLI.hpp", "unistd.h", "gtest/gtest.h"}) {
    EXPECT_EQ(check_source("libplanner/model/a.cpp", "#include <" + name + ">\n", small_table()).size(), 1u) << name;
  }
  for (const std::string name : {"quantity.h", "../apps/verb.h", "kernels/kernels.h"}) {
    EXPECT_EQ(check_source("libplanner/model/a.cpp", "#include \"" + name + "\"\n", small_table()).size(), 1u) << name;
  }
}

TEST(IncludeRules, ARoomWithoutALineIsRefused) {
  EXPECT_EQ(lines_of(check_source("libplanner/cellar/a.cpp", "", small_table())),
            "libplanner/cellar/a.cpp:1: room 'cellar' has no line in tests/house/include_rules.txt\n");
}

}  // namespace
}  // namespace fathom
