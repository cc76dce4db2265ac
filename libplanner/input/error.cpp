#include "input/error.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string_view>

#include "input/excerpt.h"

namespace fathom {

InputError::InputError(std::string file, Position at, std::string message, std::string hint)
    : std::runtime_error(place_text(file, at.line, at.column) + ": " + message),
      file_(std::move(file)),
      at_(at),
      message_(std::move(message)),
      hint_(std::move(hint)) {}

namespace {

std::optional<std::string> line_of_file(const std::string& file, int number) {
  std::error_code ignored;
  if (number < 1 || !std::filesystem::is_regular_file(file, ignored)) return std::nullopt;
  std::ifstream in(file, std::ios::binary);
  std::string line;
  for (int i = 0; i < number; ++i) {
    if (!std::getline(in, line)) return std::nullopt;
  }
  return std::string(line_of(line, 1).value_or(""));  // without carriage return and byte order mark
}

}  // namespace

std::string InputError::suggestion() const {
  constexpr std::string_view kAsks = "did you mean ";
  for (const std::string& text : {hint_, message_}) {
    const std::size_t at = text.rfind(kAsks);
    if (at == std::string::npos || !text.ends_with('?')) continue;
    std::string word = text.substr(at + kAsks.size(), text.size() - at - kAsks.size() - 1);
    if (word.size() > 2 && word.front() == '"' && word.back() == '"') word = word.substr(1, word.size() - 2);
    const bool several = word.find('"') != std::string::npos || word.find(" or ") != std::string::npos;
    return several ? std::string() : word;
  }
  return {};
}

InputError& InputError::quoting(std::string text) {
  quoted_ = std::move(text);
  return *this;
}

std::string render(const InputError& error) {
  const Position at = error.at();
  std::string out = fmt::format("error: {}\n  --> {}", printable(error.message()),
                                printable(place_text(error.file(), at.line, at.column)));
  const auto line = error.quoted().empty() ? line_of_file(error.file(), at.line) : error.quoted();
  if (line) {
    const Excerpt excerpt = excerpt_of(*line, at.column);
    const std::string number = fmt::format("{:5}", at.line);
    out += fmt::format("\n{} | {}\n{:{}} | {:{}}^", number, excerpt.text, "", number.size(), "", excerpt.caret);
  }
  if (!error.hint().empty()) out += "\n   = help: " + printable(error.hint());
  return out;
}

}  // namespace fathom
