// Documents are part of the program: what they name must exist. Links and #anchors of README.md, CONTRIBUTING.md, docs/,
// catalogs/ and examples/, paths in backticks, functions listed with their file, and documents that comments refer to.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fathom {
namespace {

namespace fs = std::filesystem;

using Findings = std::vector<std::string>;  // "file:line: what is wrong"

const fs::path kRoot = FATHOM_SOURCE_DIR;

std::string content(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

struct Line {
  int number = 0;
  std::string text;
};

std::vector<Line> lines_of(const std::string& text) {
  std::vector<Line> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back({static_cast<int>(lines.size()) + 1, line});
  return lines;
}

// Without fenced blocks, which hold programs and their output.
std::vector<Line> prose_of(const std::string& text) {
  std::vector<Line> prose;
  bool fenced = false;
  for (const Line& line : lines_of(text)) {
    const bool fence = line.text.starts_with("```");
    if (fence) fenced = !fenced;
    if (!fence && !fenced) prose.push_back(line);
  }
  return prose;
}

// "# Where things go" -> "where-things-go", as GitHub makes anchors: punctuation goes, blanks become hyphens.
std::string anchor_of(std::string_view heading) {
  std::string anchor;
  for (const char c : heading.substr(std::min(heading.find_first_not_of("# "), heading.size()))) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == ' ') anchor += '-';
    if (byte >= 0x80 || std::isalnum(byte) != 0 || c == '-' || c == '_')
      anchor += static_cast<char>(std::tolower(byte));
  }
  return anchor;
}

std::set<std::string> anchors_of(const std::string& text) {
  std::map<std::string, int> seen;
  std::set<std::string> anchors;
  for (const Line& line : prose_of(text)) {
    if (!line.text.starts_with("#")) continue;
    const std::string anchor = anchor_of(line.text);
    const int before = seen[anchor]++;
    anchors.insert(before == 0 ? anchor : anchor + "-" + std::to_string(before));
  }
  return anchors;
}

// What is wrong with "file.md#anchor", seen from `folder`; empty when it resolves. "#anchor" is in `self`, a text.
std::string unresolved(const std::string& target, const fs::path& folder, const std::string& self) {
  const std::size_t hash = target.find('#');
  const fs::path file = folder / target.substr(0, hash);
  if (!fs::exists(file)) return target + " does not exist";
  if (hash == std::string::npos || (hash != 0 && file.extension() != ".md")) return {};
  const std::string anchor = target.substr(hash + 1);
  return anchors_of(hash == 0 ? self : content(file)).contains(anchor) ? "" : target + ": no such heading";
}

// The pieces of a line between single backticks; `rest` gets the line without them.
std::vector<std::string> code_spans(const std::string& line, std::string& rest) {
  std::vector<std::string> spans;
  rest.clear();
  for (std::size_t at = 0; at < line.size();) {
    const std::size_t open = std::min(line.find('`', at), line.size());
    rest += line.substr(at, open - at);
    const std::size_t close = open < line.size() ? line.find('`', open + 1) : std::string::npos;
    if (close == std::string::npos) break;
    spans.push_back(line.substr(open + 1, close - open - 1));
    at = close + 1;
  }
  return spans;
}

std::vector<std::string> links(const std::string& text) {
  std::vector<std::string> targets;
  for (std::size_t at = text.find("]("); at != std::string::npos; at = text.find("](", at + 1)) {
    const std::size_t end = text.find(')', at);
    if (end == std::string::npos) break;
    const std::string target = text.substr(at + 2, end - at - 2);
    if (target.find("://") == std::string::npos && !target.starts_with("mailto:")) targets.push_back(target);
  }
  return targets;
}

// ---------------------------------------------------------------------------------------------------------------------
// Paths and functions

constexpr std::string_view kPathLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./*";

// Names that stand for others in instructions: "tests/room/noun_test.cpp".
bool is_placeholder(const std::string& word) {
  for (const char* name : {"room", "noun", "verb", "NNNN"}) {
    for (std::size_t at = word.find(name); at != std::string::npos; at = word.find(name, at + 1)) {
      const bool starts = at == 0 || word[at - 1] == '/';
      const char after = at + std::strlen(name) < word.size() ? word[at + std::strlen(name)] : '/';
      if (starts && std::isalnum(static_cast<unsigned char>(after)) == 0) return true;
    }
  }
  return false;
}

// Rooms may be written without "libplanner/".
std::vector<fs::path> places_of(const std::string& path) {
  const std::string first = path.substr(0, path.find('/'));
  std::vector<fs::path> places;
  for (const char* base : {"", "libplanner"}) {
    if (fs::is_directory(kRoot / base / first)) places.push_back(kRoot / base / path);
  }
  return places;
}

bool exists_somewhere(const std::string& path) {
  // Of a pattern, the folders before its first star.
  const std::size_t star = path.find('*');
  const std::string fixed = star == std::string::npos ? path : path.substr(0, path.rfind('/', star));
  const std::vector<fs::path> places = places_of(fixed);
  return std::any_of(places.begin(), places.end(), [](const fs::path& place) { return fs::exists(place); });
}

bool has_word(const std::string& text, const std::string& word) {
  const auto in_word = [&](std::size_t at) {
    return at < text.size() && (std::isalnum(static_cast<unsigned char>(text[at])) != 0 || text[at] == '_');
  };
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
    if ((at == 0 || !in_word(at - 1)) && !in_word(at + word.size())) return true;
  }
  return false;
}

bool defined_in(const std::string& name, const std::string& file) {
  const std::vector<fs::path> places = places_of(file);
  return std::any_of(places.begin(), places.end(),
                     [&](const fs::path& place) { return has_word(content(place), name); });
}

// A span like "room/file.cpp", "room/file.cpp:function", "docs/" or "tests/**/*_test.sh".
std::string missing_path(const std::string& span) {
  const std::size_t colon = span.find(':');
  const std::string path = span.substr(0, colon);
  if (path.find('/') == std::string::npos || path.find_first_not_of(kPathLetters) != std::string::npos) return {};
  const std::string first = path.substr(0, path.find('/'));
  if (first == "build" || is_placeholder(path) || places_of(first).empty()) return {};
  if (!exists_somewhere(path)) return path + " does not exist";
  if (colon == std::string::npos || defined_in(span.substr(colon + 1), path)) return {};
  return path + " has no " + span.substr(colon + 1);
}

// "Functions: `a`, `b` (room/x.h, room/y.h), `c` (room/z.h)." -> each name with the files behind it.
struct Listed {
  std::vector<std::string> names, files;
};

std::vector<Listed> listed_functions(std::string_view text) {
  std::vector<Listed> lists;
  Listed open;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == '`') {
      const std::size_t close = text.find('`', at + 1);
      if (close == std::string_view::npos) break;
      open.names.emplace_back(text.substr(at + 1, close - at - 1));
      at = close + 1;
    } else if (text[at] == '(') {
      const std::size_t close = std::min(text.find(')', at), text.size());
      std::istringstream words(std::string(text.substr(at + 1, close - at - 1)));
      for (std::string word; words >> word;) {
        if (word.ends_with(',')) word.pop_back();
        open.files.push_back(word);
      }
      lists.push_back(std::exchange(open, {}));
      at = close + 1;
    } else if (text[at] == '.' || text[at] == ';') {
      break;  // the list ends with its clause
    } else {
      ++at;
    }
  }
  return lists;
}

Findings check_functions(const std::string& file, const std::string& text) {
  Findings findings;
  for (std::string_view start : {"Functions: ", "Function: "}) {
    for (std::size_t at = text.find(start); at != std::string::npos; at = text.find(start, at + 1)) {
      const std::string line =
          std::to_string(1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
      const std::string here = file + ":" + line + ": ";
      const std::vector<Listed> lists = listed_functions(std::string_view(text).substr(at + start.size()));
      if (lists.empty()) findings.push_back(here + "functions are listed without their file");
      for (const Listed& list : lists) {
        for (const std::string& source : list.files) {
          if (!exists_somewhere(source)) findings.push_back(here + source + " does not exist");
        }
        for (const std::string& name : list.names) {
          const bool found = std::any_of(list.files.begin(), list.files.end(),
                                         [&](const std::string& source) { return defined_in(name, source); });
          if (!found) findings.push_back(here + name + " is not in the file named beside it");
        }
      }
    }
  }
  return findings;
}

// ---------------------------------------------------------------------------------------------------------------------
// Documents and comments

std::vector<fs::path> files_under(const fs::path& folder, const std::set<std::string>& extensions) {
  std::vector<fs::path> found;
  if (fs::is_regular_file(folder)) found.push_back(folder);
  if (fs::is_directory(folder)) {
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (entry.is_regular_file() && extensions.contains(entry.path().extension())) found.push_back(entry.path());
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<fs::path> documents() {
  std::vector<fs::path> found;
  for (const char* place : {"README.md", "CONTRIBUTING.md", "docs", "catalogs", "examples"}) {
    std::ranges::move(files_under(kRoot / place, {".md"}), std::back_inserter(found));
  }
  return found;
}

Findings check_document(const fs::path& path, const std::string& text) {
  const std::string file = fs::relative(path, kRoot);
  Findings findings = check_functions(file, text);
  for (const Line& line : prose_of(text)) {
    const std::string here = file + ":" + std::to_string(line.number) + ": ";
    std::string rest;
    for (const std::string& span : code_spans(line.text, rest)) {
      if (const std::string wrong = missing_path(span); !wrong.empty()) findings.push_back(here + wrong);
    }
    for (const std::string& target : links(rest)) {
      if (const std::string wrong = unresolved(target, path.parent_path(), text); !wrong.empty()) {
        findings.push_back(here + wrong);
      }
    }
  }
  return findings;
}

// "docs/formulas/power.md" and "docs/formulas/network.md#collectives" anywhere in a source file.
Findings check_references(const std::string& file, const std::string& text) {
  Findings findings;
  for (const Line& line : lines_of(text)) {
    for (std::size_t at = line.text.find("docs/"); at != std::string::npos; at = line.text.find("docs/", at + 1)) {
      const std::size_t end = line.text.find_first_not_of(std::string(kPathLetters) + "#", at);
      std::string target = line.text.substr(at, end - at);
      while (target.ends_with('.')) target.pop_back();
      if (is_placeholder(target) || target.find('*') != std::string::npos) continue;
      const std::string wrong = unresolved(target, kRoot, {});
      if (!wrong.empty()) findings.push_back(file + ":" + std::to_string(line.number) + ": " + wrong);
    }
  }
  return findings;
}

std::string joined(const Findings& findings) {
  std::string text;
  for (const std::string& finding : findings) text += finding + "\n";
  return text;
}

TEST(Docs, LinksPathsAndFunctionsExist) {
  Findings findings;
  for (const fs::path& path : documents())
    std::ranges::move(check_document(path, content(path)), std::back_inserter(findings));
  EXPECT_EQ(joined(findings), "");
}

TEST(Docs, DocumentsThatSourcesReferToExist) {
  Findings findings;
  const std::set<std::string> sources = {".h", ".cpp", ".cu", ".cuh", ".cmake", ".sh", ".txt", ".yaml", ".md"};
  for (const char* place :
       {"apps", "libplanner", "libprobe", "libengine", "kernels", "tests", "cmake", "catalogs", "templates", "examples",
        "CMakeLists.txt", "CONTRIBUTING.md", "README.md", "fathom", "test"}) {
    for (const fs::path& path : files_under(kRoot / place, sources)) {
      const std::string file = fs::relative(path, kRoot);
      if (file == "tests/house/docs_test.cpp") continue;  // invents some
      std::ranges::move(check_references(file, content(path)), std::back_inserter(findings));
    }
  }
  EXPECT_EQ(joined(findings), "");
}

TEST(Docs, EveryFormulaPageAndDecisionIsListed) {
  const std::map<std::string, std::string> indices = {{"docs/formulas", "docs/formulas.md"},
                                                      {"docs/decisions", "docs/decisions/README.md"}};
  for (const auto& [folder, index] : indices) {
    const std::string text = content(kRoot / index);
    for (const fs::path& page : files_under(kRoot / folder, {".md"})) {
      if (page.filename() == "README.md") continue;
      EXPECT_NE(text.find(page.filename().string() + ")"), std::string::npos)
          << index << " does not list " << page.filename();
    }
  }
}

// The checker itself.

TEST(Docs, AnchorsAreMadeAsOnGitHub) {
  EXPECT_EQ(anchor_of("## TTFT and TPOT"), "ttft-and-tpot");
  EXPECT_EQ(anchor_of("# 0002: Six classes, `low`/`high`"), "0002-six-classes-lowhigh");
  EXPECT_EQ(anchor_of("## `fathom plan`, step by step"), "fathom-plan-step-by-step");
  EXPECT_EQ(anchors_of("# A\n```\n# no heading\n```\n## A\n"), (std::set<std::string>{"a", "a-1"}));
}

TEST(Docs, ABrokenLinkOrPathIsFoundWithItsLine) {
  const fs::path page = kRoot / "docs" / "page.md";
  EXPECT_EQ(joined(check_document(page, "# A\n\n[gone](gone.md), [here](#a), [there](#b)\n")),
            "docs/page.md:3: gone.md does not exist\ndocs/page.md:3: #b: no such heading\n");
  EXPECT_EQ(joined(check_document(page, "`units/quantity.h`, `units/gone.h` and `1/s`\n")),
            "docs/page.md:1: units/gone.h does not exist\n");
  EXPECT_EQ(joined(check_document(page, "`model/format.h:bits_per_weight`, `model/format.h:bits`\n")),
            "docs/page.md:1: model/format.h has no bits\n");
  EXPECT_EQ(
      joined(check_document(page, "`tests/room/noun_test.cpp`, `tests/**/*_test.sh`, [web](https://example.org)\n")),
      "");
}

TEST(Docs, AFunctionMustBeInTheFileNamedBesideIt) {
  const fs::path page = kRoot / "docs" / "page.md";
  EXPECT_EQ(
      joined(check_document(
          page, "Functions: `shard`, `sherd` (layout/layout.h,\nlayout/layout.cpp), `span` (network/topology.h).\n")),
      "docs/page.md:1: sherd is not in the file named beside it\n");
  EXPECT_EQ(joined(check_document(page, "\nFunction: `shard`.\n")),
            "docs/page.md:2: functions are listed without their file\n");
}

TEST(Docs, AReferenceOfACommentMustResolve) {
  EXPECT_EQ(joined(check_references("a.h", "// docs/formulas/power.md#node, docs/formulas/power.md. docs/decisions\n")),
            "");
  EXPECT_EQ(joined(check_references("a.h", "\n// docs/formulas/power.md#gone.\n")),
            "a.h:2: docs/formulas/power.md#gone: no such heading\n");
}

}  // namespace
}  // namespace fathom
