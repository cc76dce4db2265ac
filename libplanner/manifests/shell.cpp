#include "manifests/shell.h"

#include <algorithm>
#include <array>

#include "input/utf8.h"

namespace fathom::manifests {

namespace {

constexpr int kDeepest = 20;

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

bool is_keyword(std::string_view word) {
  static constexpr std::array<std::string_view, 20> kWords = {"if", "then", "else", "elif", "fi",   "while",  "until",
                                                              "do", "done", "for",  "in",   "case", "esac",   "!",
                                                              "{",  "}",    "time", "sudo", "exec", "command"};
  return std::find(kWords.begin(), kWords.end(), word) != kWords.end();
}

bool is_assignment(std::string_view word) {
  const std::size_t equals = word.find('=');
  if (equals == 0 || equals == std::string_view::npos) return false;
  return word.substr(0, equals).find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") ==
         std::string_view::npos;
}

class Reader {
 public:
  Reader(std::string_view text, int line, int column, int depth)
      : text_(text), line_(line), column_(column), depth_(depth) {}

  std::vector<ShellCommand> read() {
    while (at_ < text_.size()) step();
    end_command(false);
    return std::move(out_);
  }

 private:
  void step() {
    const char c = text_[at_];
    if (c == '\n') {
      end_command(false);
      advance();
      read_inputs();
    } else if (is_blank(c)) {
      advance();
    } else if (c == '\\' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n') {
      advance();
      advance();
    } else if (c == '#') {
      while (at_ < text_.size() && text_[at_] != '\n') advance();
    } else if (c == '<' || c == '>' || text_.substr(at_, 2) == "&>") {
      redirection();
    } else if (c == '|' || c == ';' || c == '&' || c == '(' || c == ')') {
      const bool pipe = c == '|' && text_.substr(at_, 2) != "||";
      end_command(pipe);
      while (at_ < text_.size() && text_[at_] == c) advance();
    } else {
      word();
    }
  }

  void advance() {
    const auto byte = static_cast<unsigned char>(text_[at_]);
    if (text_[at_] == '\n') {
      ++line_;
      column_ = 1;
    } else if ((byte & 0xC0) != 0x80) {
      ++column_;
    }
    ++at_;
  }

  void word() {
    ShellWord w{.text = {}, .mark = {{line_, column_}, 0}};
    const int line = line_;
    read_word(w.text);
    w.mark.width = line == line_ ? column_ - w.mark.at.column : 0;
    const bool redirects = at_ < text_.size() && (text_[at_] == '<' || text_[at_] == '>');
    if (redirects && w.text.find_first_not_of("0123456789") == std::string::npos) return;  // the 2 of 2>&1
    if (words_.empty() && (is_keyword(w.text) || is_assignment(w.text))) return;
    words_.push_back(std::move(w));
  }

  void read_word(std::string& out) {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '\'') {
        advance();
        while (at_ < text_.size() && text_[at_] != '\'') take(out);
        if (at_ < text_.size()) advance();
      } else if (c == '"') {
        double_quoted(out);
      } else if (c == '\\') {
        advance();
        if (at_ < text_.size() && text_[at_] == '\n') {
          advance();
        } else if (at_ < text_.size()) {
          take(out);
        }
      } else if (c == '$' && text_.substr(at_, 2) == "$(") {
        substitution(out);
      } else if (is_blank(c) || std::string_view("\n|;&()<>").find(c) != std::string_view::npos) {
        return;
      } else {
        take(out);
      }
    }
  }

  void take(std::string& out) {
    out += text_[at_];
    advance();
  }

  void double_quoted(std::string& out) {
    advance();
    while (at_ < text_.size() && text_[at_] != '"') {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) {
        advance();
        take(out);
      } else if (text_.substr(at_, 2) == "$(") {
        substitution(out);
      } else {
        take(out);
      }
    }
    if (at_ < text_.size()) advance();
  }

  // The commands inside $(…) are commands as well.
  void substitution(std::string& out) {
    const std::size_t start = at_;
    take(out);
    take(out);
    const int line = line_, column = column_;
    const std::size_t inner = at_;
    int open = 1;
    while (at_ < text_.size() && open > 0) {
      if (text_[at_] == '(') ++open;
      if (text_[at_] == ')') --open;
      take(out);
    }
    if (open > 0 || depth_ >= kDeepest || text_.substr(start, 3) == "$((") return;
    Reader nested(text_.substr(inner, at_ - inner - 1), line, column, depth_ + 1);
    for (ShellCommand& command : nested.read()) out_.push_back(std::move(command));
  }

  void redirection() {
    if (text_.substr(at_, 2) == "<<" && text_.substr(at_, 3) != "<<<") {
      advance();
      advance();
      const bool dash = at_ < text_.size() && text_[at_] == '-';
      if (dash) advance();
      while (at_ < text_.size() && is_blank(text_[at_])) advance();
      std::string end;
      read_word(end);
      if (!end.empty()) pending_.push_back({end, dash, false});
      if (!pending_.empty()) pending_.back().of_open_command = true;
      return;
    }
    while (at_ < text_.size() && (text_[at_] == '<' || text_[at_] == '>' || text_[at_] == '&')) advance();
    while (at_ < text_.size() && is_blank(text_[at_])) advance();
    std::string target;
    read_word(target);
  }

  // Here-documents start on the line behind the one that asks for them.
  void read_inputs() {
    for (const Pending& p : pending_) {
      const int first = line_;
      std::string body;
      while (at_ < text_.size()) {
        std::string line;
        while (at_ < text_.size() && text_[at_] != '\n') take(line);
        if (at_ < text_.size()) advance();
        std::string_view bare = line;
        while (p.dash && bare.starts_with('\t')) bare.remove_prefix(1);
        while (bare.ends_with('\r')) bare.remove_suffix(1);
        if (bare == p.end) break;
        body += line + "\n";
      }
      if (p.command < out_.size()) {
        out_[p.command].input = body;
        out_[p.command].input_line = first;
      }
    }
    pending_.clear();
  }

  void end_command(bool piped) {
    for (Pending& p : pending_) {
      if (p.of_open_command) p.command = words_.empty() ? out_.size() + 1'000'000 : out_.size();
      p.of_open_command = false;
    }
    if (words_.empty()) return;
    out_.push_back({.words = std::move(words_), .piped = piped, .input = {}, .input_line = 0});
    words_.clear();
  }

  struct Pending {
    std::string end;
    bool dash = false;
    bool of_open_command = false;
    std::size_t command = 0;
  };

  std::string_view text_;
  std::size_t at_ = 0;
  int line_, column_, depth_;
  std::vector<ShellWord> words_;
  std::vector<Pending> pending_;
  std::vector<ShellCommand> out_;
};

}  // namespace

bool ShellCommand::runs(std::string_view wanted, std::initializer_list<std::string_view> verbs) const {
  const std::string& name = program();
  if (name != wanted && !name.ends_with("/" + std::string(wanted))) return false;
  std::size_t at = 1;
  for (const std::string_view verb : verbs) {
    // Options of the program itself, each with its value: kubectl -n serving apply.
    while (at < words.size() && words[at].text.starts_with('-')) {
      at += words[at].text.find('=') == std::string::npos && at + 2 < words.size() ? 2 : 1;
    }
    if (at >= words.size() || words[at].text != verb) return false;
    ++at;
  }
  return true;
}

bool ShellCommand::has(std::string_view option) const {
  return std::any_of(words.begin() + 1, words.end(),
                     [&](const ShellWord& w) { return w.text.substr(0, w.text.find('=')) == option; });
}

const ShellWord* ShellCommand::value(std::string_view option) const {
  for (std::size_t i = 1; i + 1 < words.size(); ++i) {
    if (words[i].text == option) return &words[i + 1];
  }
  return nullptr;
}

std::string ShellCommand::text_of(std::string_view option) const {
  if (const ShellWord* behind = value(option)) return behind->text;
  for (const ShellWord& w : words) {
    const std::size_t equals = w.text.find('=');
    if (equals != std::string::npos && std::string_view(w.text).substr(0, equals) == option)
      return w.text.substr(equals + 1);
  }
  return {};
}

ShellScript read_shell(std::string_view text) {
  ShellScript script;
  int line = 1;
  if (text.starts_with("#!")) {
    const std::string_view first = text.substr(0, text.find('\n'));
    script.shell = first.find("bash") != std::string_view::npos ? "bash" : "sh";
  }
  script.commands = Reader(text, line, 1, 0).read();
  return script;
}

}  // namespace fathom::manifests
