// A shell script as the commands that it may run, in their order: enough to see what is called with which words. It expands
// nothing, follows no control flow, and takes any text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "manifests/remark.h"

namespace fathom::manifests {

struct ShellWord {
  std::string text;  // without quotes; "$NAME" stays as it is
  Mark mark;
};

struct ShellCommand {
  std::vector<ShellWord> words;  // never empty: the program first, behind keywords, assignments and sudo
  bool piped = false;            // its output goes into the next command
  std::string input;             // of a here-document
  int input_line = 0;            // its first line

  const std::string& program() const { return words.front().text; }
  // The words behind `program` start with these: {"apply"} of kubectl, options of the program left out.
  bool runs(std::string_view wanted, std::initializer_list<std::string_view> verbs = {}) const;
  bool has(std::string_view option) const;                // "--timeout" also as "--timeout=…"
  const ShellWord* value(std::string_view option) const;  // behind it; nullptr for "--timeout=…" and when there is none
  std::string text_of(std::string_view option) const;     // either way; empty when there is none
};

struct ShellScript {
  std::string shell;  // of the first line: "bash", "sh"; empty without
  std::vector<ShellCommand> commands;
};

ShellScript read_shell(std::string_view text);

}  // namespace fathom::manifests
