#include "check/mend.h"

#include <fmt/format.h>

#include <algorithm>

#include "input/excerpt.h"
#include "input/utf8.h"
#include "input/value.h"
#include "units/number.h"

namespace fathom {

namespace {

// Behind the quote that closes the one at the start of `rest`, on the same line; 0 when there is none.
std::size_t quoted_length(std::string_view rest) {
  const char quote = rest.front();
  for (std::size_t at = 1; at < rest.size(); ++at) {
    if (quote == '"' && rest[at] == '\\') {
      ++at;
    } else if (rest[at] == quote) {
      if (quote == '\'' && rest.substr(at + 1).starts_with('\'')) {
        ++at;  // '' is an apostrophe
      } else {
        return at + 1;
      }
    }
  }
  return 0;
}

// What is removed leaves no blanks before it, and no empty line.
void take_blanks(const std::string& text, std::size_t line_start, std::size_t line_end, Edit& edit) {
  const auto is_blank = [&](std::size_t at) { return text[at] == ' ' || text[at] == '\t'; };
  std::size_t end = edit.start + edit.length;
  while (end < line_end && is_blank(end)) ++end;
  if (end < line_end) return;
  std::size_t start = edit.start;
  while (start > line_start && is_blank(start - 1)) --start;
  if (start == line_start) end = std::min(text.find('\n', end), text.size() - 1) + 1;
  edit.start = start;
  edit.length = end - start;
}

std::optional<Edit> edit_of(const std::string& text, const Finding& finding) {
  const Spot& spot = finding.mend->spot;
  const auto line = line_of(text, spot.at.line);
  if (!line || spot.at.column < 1) return std::nullopt;
  const std::size_t start = offset_of_column(*line, spot.at.column);
  std::size_t end = spot.width > 0 ? offset_of_column(*line, spot.at.column + spot.width) : line->size();
  if (start < line->size() && ((*line)[start] == '"' || (*line)[start] == '\'') && spot.width > 0) {
    const std::size_t length = quoted_length(line->substr(start));
    if (length == 0) return std::nullopt;  // a text of several lines
    end = start + length;
  }
  const auto line_start = static_cast<std::size_t>(line->data() - text.data());
  Edit edit{.start = line_start + start, .length = end - start, .text = finding.mend->text, .finding = &finding};
  if (edit.text.empty()) take_blanks(text, line_start, line_start + line->size(), edit);
  return edit;
}

// [first, last) of the lines of `text`, each with its end.
std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return lines;
}

struct Change {  // lines of the text before, from 0
  std::size_t first = 0, last = 0;
  std::vector<std::string> lines;  // what stands there now
};

// Edits of the same or touching lines are one change.
std::vector<Change> changes_of(const std::string& before, const std::vector<std::string_view>& lines,
                               const std::vector<Edit>& edits) {
  std::vector<std::size_t> starts;
  for (const std::string_view line : lines) starts.push_back(static_cast<std::size_t>(line.data() - before.data()));
  const auto line_at = [&](std::size_t offset) {
    return static_cast<std::size_t>(std::upper_bound(starts.begin(), starts.end(), offset) - starts.begin()) - 1;
  };
  std::vector<Change> changes;
  for (std::size_t i = 0; i < edits.size();) {
    Change change{.first = line_at(edits[i].start), .last = 0, .lines = {}};
    std::string text;
    std::size_t from = starts[change.first];
    for (change.last = change.first; i < edits.size() && line_at(edits[i].start) <= change.last; ++i) {
      text += before.substr(from, edits[i].start - from) + edits[i].text;
      from = edits[i].start + edits[i].length;
      change.last = std::max(change.last, line_at(from));
    }
    text += before.substr(from, starts[change.last] + lines[change.last].size() - from);
    for (const std::string_view line : lines_of(text)) change.lines.emplace_back(line);
    changes.push_back(std::move(change));
  }
  return changes;
}

std::string diff_line(char sign, std::string_view line) {
  std::string out = sign + std::string(line);
  return out.ends_with('\n') ? out : out + "\n\\ No newline at end of file\n";
}

// What stands behind "@@ -": "3,2", or "3" for one line.
std::string range(std::size_t first, std::size_t count) {
  const std::size_t number = count == 0 ? first : first + 1;
  return count == 1 ? fmt::format("{}", number) : fmt::format("{},{}", number, count);
}

}  // namespace

std::optional<Mend> spelling_mend(const InputError& error, std::string_view text) {
  const std::string word = error.suggestion();
  const auto line = line_of(text, error.at().line);
  if (word.empty() || !line) return std::nullopt;
  std::string_view rest = line->substr(offset_of_column(*line, error.at().column));
  if (rest.starts_with('"') || rest.starts_with('\'')) rest.remove_prefix(1);
  const auto number = scan_number(rest);
  const std::size_t behind = number && !number->rest.empty()
                                 ? static_cast<std::size_t>(number->rest.data() - rest.data())
                                 : std::string_view::npos;
  for (const std::size_t at : {std::size_t{0}, behind}) {  // the word itself, or the unit of a number
    if (at >= rest.size() || folded(rest.substr(at, word.size())) != folded(word)) continue;
    const std::string_view after = rest.substr(at + word.size());
    if (!after.empty() && std::string_view(" \t,:]}\"'").find(after[0]) == std::string_view::npos) continue;
    const std::size_t start = static_cast<std::size_t>(rest.data() - line->data()) + at;
    return Mend{{{error.at().line, code_points(line->substr(0, start)) + 1}, code_points(word)}, word};
  }
  return std::nullopt;
}

MendedText apply_mends(const std::string& text, const std::vector<Finding>& findings) {
  std::vector<Edit> edits;
  for (const Finding& finding : findings) {
    if (!finding.mend) continue;
    if (auto edit = edit_of(text, finding)) edits.push_back(std::move(*edit));
  }
  std::stable_sort(edits.begin(), edits.end(), [](const Edit& a, const Edit& b) { return a.start < b.start; });
  MendedText out;
  std::size_t done = 0;  // of the text before
  for (Edit& edit : edits) {
    const bool taken = !out.edits.empty() && (edit.start < done || edit.start == out.edits.back().start);
    if (taken) {
      const Edit& other = out.edits.back();
      const bool same = edit.start == other.start && edit.length == other.length && edit.text == other.text;
      out.overlapping += same ? 0 : 1;
      continue;
    }
    if (text.compare(edit.start, edit.length, edit.text) == 0) continue;
    out.text += text.substr(done, edit.start - done) + edit.text;
    done = edit.start + edit.length;
    out.edits.push_back(std::move(edit));
  }
  out.text += text.substr(done);
  return out;
}

std::string unified_diff(const std::string& name, const std::string& before, const MendedText& after) {
  if (after.edits.empty()) return {};
  constexpr std::size_t kAround = 3;
  const std::vector<std::string_view> lines = lines_of(before);
  const std::vector<Change> changes = changes_of(before, lines, after.edits);
  std::string out = fmt::format("--- a/{}\n+++ b/{}\n", name, name);
  std::ptrdiff_t shift = 0;  // lines that earlier hunks added
  for (std::size_t i = 0; i < changes.size();) {
    std::size_t end = i + 1;  // changes that share a hunk
    while (end < changes.size() && changes[end].first <= changes[end - 1].last + 2 * kAround) ++end;
    const std::size_t first = changes[i].first - std::min(kAround, changes[i].first);
    const std::size_t last = std::min(lines.size(), changes[end - 1].last + 1 + kAround);
    std::string body;
    std::size_t at = first;
    std::ptrdiff_t added = 0;
    for (; i < end; ++i) {
      for (; at < changes[i].first; ++at) body += diff_line(' ', lines[at]);
      for (; at <= changes[i].last; ++at) body += diff_line('-', lines[at]);
      for (const std::string& line : changes[i].lines) body += diff_line('+', line);
      added += static_cast<std::ptrdiff_t>(changes[i].lines.size()) -
               static_cast<std::ptrdiff_t>(changes[i].last - changes[i].first + 1);
    }
    for (; at < last; ++at) body += diff_line(' ', lines[at]);
    const auto count = static_cast<std::ptrdiff_t>(last - first);
    out += fmt::format("@@ -{} +{} @@\n{}", range(first, last - first),
                       range(static_cast<std::size_t>(static_cast<std::ptrdiff_t>(first) + shift),
                             static_cast<std::size_t>(count + added)),
                       body);
    shift += added;
  }
  return out;
}

}  // namespace fathom
