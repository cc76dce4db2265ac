#include "input/value.h"

#include <fmt/format.h>
#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>
#include <unordered_map>

#include "input/content.h"
#include "input/utf8.h"
#include "units/number.h"

namespace fathom {

namespace {

constexpr std::size_t kDeepest = 64;

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Turns byte offsets into lines and columns. Remembers the last answer, because a parser asks in ascending order and a
// line may be megabytes long.
class Locator {
 public:
  explicit Locator(std::string_view text) : text_(text) {
    for (std::size_t at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1)) {
      line_starts_.push_back(at + 1);
    }
  }

  Position at_offset(std::size_t offset) {
    offset = std::min(offset, text_.size());
    const auto next_line = std::upper_bound(line_starts_.begin(), line_starts_.end(), offset);
    const auto line = static_cast<std::size_t>(next_line - line_starts_.begin());
    const std::size_t start = line_starts_[line - 1];
    if (last_offset_ < start || last_offset_ > offset) {
      last_offset_ = start;
      last_column_ = 1;
    }
    for (; last_offset_ < offset; ++last_offset_) {
      // Bytes 10xxxxxx continue a code point that has been counted at its first byte.
      if ((static_cast<unsigned char>(text_[last_offset_]) & 0xC0) != 0x80) ++last_column_;
    }
    return {static_cast<int>(line), last_column_};
  }

  Position at_mark(const YAML::Mark& mark) { return mark.is_null() ? Position{} : at_offset(offset_of(mark)); }

  // yaml-cpp counts lines and bytes from 0.
  std::size_t offset_of(const YAML::Mark& mark) const {
    const auto line = static_cast<std::size_t>(mark.line);
    if (line >= line_starts_.size()) return text_.size();
    return std::min(line_starts_[line] + static_cast<std::size_t>(mark.column), text_.size());
  }

  bool is_end(const YAML::Mark& mark) const {
    return mark.is_null() || text_.find_first_not_of(" \t\r\n", offset_of(mark)) == std::string_view::npos;
  }

  std::string_view from(const YAML::Mark& mark) const { return text_.substr(offset_of(mark)); }

 private:
  std::string_view text_;
  std::vector<std::size_t> line_starts_ = {0};
  std::size_t last_offset_ = 0;
  int last_column_ = 1;
};

// ---------------------------------------------------------------------------------------------------------------------
// Building the tree

// False when the quotes that open `text`, behind an anchor perhaps, never close. yaml-cpp 0.7 lets a file end inside
// quotes when its last character is a line end, and so would swallow all lines that follow a forgotten quote.
bool closes_its_quotes(std::string_view text) {
  while (text.starts_with('&') || text.starts_with('!')) {
    text.remove_prefix(std::min(text.find_first_of(" \t\r\n"), text.size()));
    text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  }
  if (!text.starts_with('"') && !text.starts_with('\'')) return true;
  const char quote = text[0];
  for (std::size_t at = 1; at < text.size(); ++at) {
    const bool is_escape = quote == '"' ? text[at] == '\\' : text.substr(at, 2) == "''";
    if (is_escape) {
      ++at;
    } else if (text[at] == quote) {
      return true;
    }
  }
  return false;
}

// What an alias copies.
struct Anchor {
  Value value;
  std::size_t nodes = 0;
  std::size_t bytes = 0;
  std::size_t depth = 0;
};

Anchor measured(const Value& value) {
  Anchor sum{.value = {}, .nodes = 1, .bytes = value.text.size(), .depth = 0};
  const auto add = [&sum](const Value& child) {
    const Anchor part = measured(child);
    sum.nodes += part.nodes;
    sum.bytes += part.bytes;
    sum.depth = std::max(sum.depth, part.depth + 1);
  };
  for (const Value& item : value.items) add(item);
  for (const Entry& entry : value.entries) {
    add(entry.value);
    sum.bytes += entry.key.size();
  }
  return sum;
}

class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(std::string file, Locator& locator, bool several, std::size_t most_values)
      : file_(std::move(file)), locator_(locator), several_(several), most_values_(most_values) {}

  std::vector<Value> take_roots() { return std::move(roots_); }

  // Where the innermost list or mapping starts that has not ended.
  Position innermost_open() const { return frames_.empty() ? Position{} : frames_.back().value.at; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (!several_ && !roots_.empty()) {
      fail(mark, "a second document starts here, but a file holds one", "split the file, or check the indentation");
    }
    anchors_.clear();  // an anchor's number says which one it is within its document only
    roots_.emplace_back();
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    complete(make(Value::Kind::kNull, mark), mark, anchor);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    refuse_tag(mark, tag);
    Value value = make(Value::Kind::kScalar, mark);
    value.text = text;
    value.quoted = tag == "!";  // yaml-cpp's mark of '…', "…" and block texts
    if (value.quoted && !closes_its_quotes(locator_.from(mark))) {
      fail(mark, "this quoted text is never closed", "add the closing quote");
    }
    complete(std::move(value), mark, anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(Value::Kind::kSequence, mark, tag, anchor);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(Value::Kind::kMapping, mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override { close(); }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t id) override {
    const auto found = anchors_.find(id);
    if (found == anchors_.end()) {
      fail(mark, "this alias stands inside its own anchor, so it would never end", "write the part out instead");
    }
    const Anchor& anchor = found->second;
    spend(mark, anchor.nodes, anchor.bytes);
    check_depth(mark, frames_.size() + anchor.depth);
    Value copy = anchor.value;
    copy.at = locator_.at_mark(mark);
    complete(std::move(copy), mark, 0);
  }

 private:
  // A list or mapping that has not ended yet.
  struct Frame {
    Value value;
    YAML::Mark mark;
    YAML::anchor_t anchor = 0;
    std::optional<Entry> pending;                // a key that waits for its value
    std::unordered_map<std::string, int> lines;  // of the keys so far
  };

  [[noreturn]] void fail(const YAML::Mark& mark, const std::string& message, const std::string& hint = {}) {
    throw InputError(file_, locator_.at_mark(mark), message, hint);
  }

  Value make(Value::Kind kind, const YAML::Mark& mark) {
    spend(mark, 1, 0);
    Value value;
    value.kind = kind;
    value.at = locator_.at_mark(mark);
    return value;
  }

  void open(Value::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    refuse_tag(mark, tag);
    check_depth(mark, frames_.size() + 1);
    Frame frame;
    frame.value = make(kind, mark);
    frame.mark = mark;
    frame.anchor = anchor;
    frames_.push_back(std::move(frame));
  }

  void close() {
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    complete(std::move(frame.value), frame.mark, frame.anchor);
  }

  // Hands a finished value to what encloses it.
  void complete(Value value, const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != 0) remember(value, mark, anchor);
    if (frames_.empty()) {
      roots_.back() = std::move(value);
    } else if (Frame& frame = frames_.back(); frame.value.kind == Value::Kind::kSequence) {
      frame.value.items.push_back(std::move(value));
    } else if (frame.pending) {
      // An empty value is reported where the next token stands; its key is the better place.
      if (value.kind == Value::Kind::kNull) value.at = frame.pending->at;
      frame.pending->value = std::move(value);
      frame.value.entries.push_back(std::move(*frame.pending));
      frame.pending.reset();
    } else {
      start_entry(frame, value, mark);
    }
  }

  void start_entry(Frame& frame, const Value& key, const YAML::Mark& mark) {
    // Not earlier: yaml-cpp takes a bracket that never closes for the start of a key and complains at the end only.
    if (key.kind != Value::Kind::kScalar) fail(mark, "a key must be a single word or text");
    if (key.text == "<<" && !key.quoted) fail(mark, "merge keys (\"<<\") are not supported", "write the keys out");
    const auto [first, is_new] = frame.lines.emplace(key.text, key.at.line);
    if (!is_new) {
      fail(mark, fmt::format("duplicate key {}: it stands on line {} already", in_quotes(key.text), first->second),
           "keep one of the two");
    }
    frame.pending = Entry{key.text, key.at, {}};
  }

  void remember(const Value& value, const YAML::Mark& mark, YAML::anchor_t id) {
    Anchor anchor = measured(value);
    spend(mark, anchor.nodes, anchor.bytes);  // the copy kept here counts as well
    anchor.value = value;
    anchors_[id] = std::move(anchor);
  }

  void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!") return;
    fail(mark, fmt::format("YAML tags such as {} are not supported", in_quotes(tag)), "remove the tag; quote texts");
  }

  // Aliases multiply: ten lines can stand for a billion values.
  void spend(const YAML::Mark& mark, std::size_t nodes, std::size_t bytes) {
    nodes_ += nodes;
    bytes_ += bytes;
    if (nodes_ > most_values_)
      fail(mark, fmt::format("the file holds more than {} values, aliases included", most_values_));
    if (bytes_ > kMostFileBytes) fail(mark, "the file's aliases expand to more than 64 MiB of text");
  }

  void check_depth(const YAML::Mark& mark, std::size_t depth) {
    if (depth > kDeepest) fail(mark, fmt::format("lists and mappings are nested more than {} levels deep", kDeepest));
  }

  std::string file_;
  Locator& locator_;
  bool several_;
  std::size_t most_values_;
  std::vector<Value> roots_;  // of the documents
  std::vector<Frame> frames_;
  std::map<YAML::anchor_t, Anchor> anchors_;
  std::size_t nodes_ = 0;
  std::size_t bytes_ = 0;
};

// ---------------------------------------------------------------------------------------------------------------------
// Before and after yaml-cpp

void check_text(std::string_view text, const std::string& file, Locator& locator) {
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = code_point_at(text, at);
    if (point.length == 0) {
      const auto byte = static_cast<unsigned char>(text[at]);
      throw InputError(file, locator.at_offset(at), fmt::format("the byte 0x{:02X} is not valid UTF-8", byte),
                       "save the file as UTF-8");
    }
    // yaml-cpp takes some of these for the end of the file or for another encoding.
    if (point.value < 0x20 && point.value != '\t' && point.value != '\n' && point.value != '\r') {
      throw InputError(file, locator.at_offset(at),
                       fmt::format("the control character 0x{:02X} does not belong in a text file",
                                   static_cast<unsigned>(point.value)));
    }
    at += point.length;
  }
}

struct PlainWords {
  std::string_view yaml_cpp;  // how its message starts
  std::string_view message;
  std::string_view hint;
};

constexpr PlainWords kPlainWords[] = {
    {"end of map flow", "expected \",\" or \"}\" here", ""},
    {"end of sequence flow", "expected \",\" or \"]\" here", ""},
    {"end of map", "expected a \"key: value\" line here", "check the indentation of this line"},
    {"end of sequence", "expected a \"- item\" line here", "check the indentation of this line"},
    {"illegal map value", "a \":\" is not expected here",
     "quote a text that contains \": \", or check the indentation"},
    {"illegal map key", "a key is not expected here", "check the indentation of this line"},
    {"illegal block entry", "a \"- item\" is not expected here", "check the indentation of this line"},
    {"illegal flow end", "this closing bracket does not match an opening one", ""},
    {"illegal EOF in scalar", "a quoted text is never closed", "add the closing quote"},
    {"illegal document indicator in scalar", "a quoted text is never closed", "add the closing quote"},
    {"illegal tab", "a tab is used for indentation", "indent with blanks"},
    {"unknown token", "a text cannot start with this character", "put the text in quotes"},
    {"the referenced anchor is not defined", "this alias has no anchor before it",
     "quote a text that starts with \"*\""},
    {"alias not found", "\"*\" starts an alias, but no name follows", "put the text in quotes"},
    {"anchor not found", "\"&\" starts an anchor, but no name follows", "put the text in quotes"},
    {"unknown escape character", "unknown escape in a double-quoted text", "write \\\\ for a backslash"},
    {"invalid unicode", "an escape names no Unicode character", "write the character itself instead of \\u…"},
};

InputError in_plain_words(const YAML::Exception& error, const std::string& file, Locator& locator,
                          const TreeBuilder& builder) {
  const Position at = locator.at_mark(error.mark);
  if (dynamic_cast<const YAML::DeepRecursion*>(&error) != nullptr) {
    return {file, at, "lists and mappings are nested too deeply"};
  }
  // The end of the file is no help to somebody who looks for an open bracket.
  if (locator.is_end(error.mark) && error.msg.starts_with("end of map flow")) {
    return {file, builder.innermost_open(), "this \"{\" is never closed", "add the closing \"}\""};
  }
  if (locator.is_end(error.mark) && error.msg.starts_with("end of sequence flow")) {
    return {file, builder.innermost_open(), "this \"[\" is never closed", "add the closing \"]\""};
  }
  for (const PlainWords& words : kPlainWords) {
    if (error.msg.starts_with(words.yaml_cpp)) return {file, at, std::string(words.message), std::string(words.hint)};
  }
  return {file, at, "invalid YAML: " + error.msg};
}

// The roots of the documents in `text`, at least one.
std::vector<Value> roots_of(std::string text, const std::string& file_name, bool several, std::size_t most_values) {
  if (text.starts_with(kByteOrderMark)) text.erase(0, kByteOrderMark.size());
  if (!text.ends_with('\n')) text += '\n';  // without it, yaml-cpp points one token before an unexpected end
  Locator locator(text);
  if (text.size() > kMostFileBytes) throw InputError(file_name, {}, "the file is larger than 64 MiB");
  check_text(text, file_name, locator);

  TreeBuilder builder(file_name, locator, several, most_values);
  try {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    throw in_plain_words(error, file_name, locator, builder);
  }
  std::vector<Value> roots = builder.take_roots();
  std::erase_if(roots, [](const Value& root) { return root.kind == Value::Kind::kNull; });
  if (roots.empty()) throw InputError(file_name, {}, "the file is empty");
  return roots;
}

}  // namespace

const Value* Value::find(std::string_view key) const {
  for (const Entry& entry : entries) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

Document parse_yaml(std::string text, std::string file_name, std::size_t most_values) {
  std::vector<Value> roots = roots_of(std::move(text), file_name, false, most_values);
  return {std::move(file_name), std::move(roots.front())};
}

std::vector<Document> parse_yaml_stream(std::string text, const std::string& file_name) {
  std::vector<Document> documents;
  for (Value& root : roots_of(std::move(text), file_name, true, kMostValues))
    documents.push_back({file_name, std::move(root)});
  return documents;
}

Document read_yaml(const std::filesystem::path& path) { return parse_yaml(text_of_file(path), path.string()); }

// ---------------------------------------------------------------------------------------------------------------------
// Spelling

std::string folded(std::string_view word) {
  std::string out(word);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    if (c == '-' || c == ' ') c = '_';
  }
  return out;
}

namespace {

// Insertions, deletions, replacements and swapped neighbours (optimal string alignment). Distances from `enough` on are all
// alike: most candidates are out after a few letters.
std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t enough) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    // A swap reaches over one row, so both have to be out.
    const auto least = [](const std::vector<std::size_t>& distances) {
      return *std::min_element(distances.begin(), distances.end());
    };
    if (least(row) >= enough && least(last) >= enough) return enough;
    before.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

}  // namespace

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
  constexpr std::size_t kLongest = 100;  // a pasted paragraph is no misspelt word
  if (word.empty() || word.size() > kLongest) return {};
  const std::string wanted = folded(word);
  // In words of up to three letters, two changes leave nothing in common.
  std::size_t best = (word.size() < 4 ? 1 : std::max<std::size_t>(2, word.size() / 3)) + 1;
  std::string closest;
  for (const std::string& candidate : candidates) {
    const std::size_t longer = std::max(wanted.size(), candidate.size()),
                      shorter = std::min(wanted.size(), candidate.size());
    if (candidate.size() > kLongest || longer - shorter >= best) continue;
    const std::size_t distance = edit_distance(wanted, folded(candidate), best);
    if (distance >= best || distance >= word.size()) continue;
    best = distance;
    closest = candidate;
  }
  return closest;
}

}  // namespace fathom
