#include "manifests/file_kind.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace fathom::manifests {

namespace {

// A line that starts with these words; CRs and byte order marks are no hindrance.
bool has_line(std::string_view text, std::string_view start) {
  for (std::size_t at = text.find(start); at != std::string_view::npos; at = text.find(start, at + 1)) {
    if (at == 0 || text[at - 1] == '\n' || (at == 3 && text.starts_with("\xEF\xBB\xBF"))) return true;
  }
  return false;
}

bool is_script(std::string_view file_name, std::string_view text) {
  if (file_name.ends_with(".sh") || file_name.ends_with(".bash")) return true;
  if (!text.starts_with("#!")) return false;
  const std::string_view line = text.substr(0, text.find('\n'));
  const std::size_t last = line.find_last_of("/ ", line.find_last_not_of(" \r"));
  std::string_view shell = line.substr(last == std::string_view::npos ? 2 : last + 1);
  while (shell.ends_with('\r') || shell.ends_with(' ')) shell.remove_suffix(1);
  if (shell.starts_with('-')) return line.find("bash") != std::string_view::npos;  // #!/bin/bash -e
  return shell == "sh" || shell == "bash" || shell == "dash";
}

bool has_key(std::string_view text, std::string_view key) {
  return text.find("\"" + std::string(key) + "\"") != std::string_view::npos;
}

bool is_word_char(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

bool has_word(std::string_view text, std::string_view word) {
  for (std::size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    if ((at == 0 || !is_word_char(text[at - 1])) && (end == text.size() || !is_word_char(text[end]))) return true;
  }
  return false;
}

}  // namespace

std::string to_string(FileKind kind) {
  return kind == FileKind::kManifest ? "manifest" : kind == FileKind::kAlertRules ? "rules" : "script";
}

std::optional<FileKind> kind_of_file(std::string_view file_name, std::string_view text) {
  if (is_script(file_name, text)) return FileKind::kScript;
  if (has_line(text, "format:")) return std::nullopt;
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && text[first] == '{') {
    const bool object = has_key(text, "apiVersion") && has_key(text, "kind");
    const bool access_policy = has_key(text, "Statement") && has_key(text, "Effect") && has_key(text, "Action");
    if (object || access_policy) return FileKind::kManifest;
  }
  if (has_line(text, "apiVersion:") && has_line(text, "kind:")) return FileKind::kManifest;
  const bool rules = text.find("rules:") != std::string_view::npos && text.find("expr:") != std::string_view::npos;
  if (has_line(text, "groups:") && rules) return FileKind::kAlertRules;
  return std::nullopt;
}

bool speaks_of_serving(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  static constexpr std::array<std::string_view, 22> kWords = {
      "gpu",  "gpus",      "npu",       "mlu",      "dcu",    "vgpu",           "nvidia", "dcgm",
      "cuda", "ascend910", "vllm",      "sglang",   "triton", "tritonserver",   "trtllm", "llama",
      "llm",  "mindie",    "inference", "deepseek", "qwen",   "leaderworkerset"};
  return std::any_of(kWords.begin(), kWords.end(), [&](std::string_view word) { return has_word(lower, word); });
}

}  // namespace fathom::manifests
