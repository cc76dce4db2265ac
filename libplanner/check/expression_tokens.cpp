#include "check/expression_tokens.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "input/utf8.h"
#include "units/number.h"

namespace fathom {

namespace {

constexpr std::size_t kLongest = 4000;

constexpr std::array<std::string_view, 5> kWords = {"and", "or", "not", "true", "false"};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_key_part(char c) { return is_letter(c) || is_digit(c) || c == '_'; }
// Units may be written with ° and µ, amounts with 万.
bool is_unit_part(char c) { return is_letter(c) || c == '%' || static_cast<unsigned char>(c) >= 0x80; }

bool is_word(std::string_view text) { return std::find(kWords.begin(), kWords.end(), text) != kWords.end(); }
bool is_currency(std::string_view text) {
  const auto& known = known_currencies();
  return std::find(known.begin(), known.end(), text) != known.end();
}

class Cutter {
 public:
  explicit Cutter(const ExpressionSource& source) : source_(source), text_(source.text) {}

  std::vector<Token> run() {
    if (text_.size() > kLongest) source_.fail(1, fmt::format("an expression has at most {} characters", kLongest));
    for (skip_blanks(); at_ < text_.size(); skip_blanks()) next();
    add(Token::Kind::kEnd, at_, {});
    return std::move(out_);
  }

 private:
  void next() {
    const char c = text_[at_];
    if (is_digit(c) || (c == '.' && at_ + 1 < text_.size() && is_digit(text_[at_ + 1]))) return amount(at_);
    if (is_letter(c) || c == '_') return word();
    if (c == '"' || c == '\'') return quoted(c);
    for (const std::string_view sign : {"<=", ">=", "==", "!=", "<", ">", "+", "-", "*", "/", "(", ")"}) {
      if (text_.substr(at_).starts_with(sign)) return take_sign(sign);
    }
    wrong_sign();
  }

  [[noreturn]] void wrong_sign() const {
    for (const auto& [wrong, right] : {std::pair("&&", "and"),
                                       {"&", "and"},
                                       {"||", "or"},
                                       {"|", "or"},
                                       {"!", "not"},
                                       {"=", "=="},
                                       {"≤", "<="},
                                       {"≥", ">="},
                                       {"≠", "!="},
                                       {"×", "*"},
                                       {"−", "-"}}) {
      if (text_.substr(at_).starts_with(wrong))
        source_.fail(column(at_), fmt::format("\"{}\" is no sign of an expression", wrong),
                     fmt::format("write {}", right));
    }
    const std::size_t length = std::max<std::size_t>(1, code_point_at(text_, at_).length);
    source_.fail(column(at_), "an expression has no " + in_quotes(text_.substr(at_, length)),
                 "it is made of keys of the plan, amounts, + - * /, < <= > >= == !=, and, or, not and brackets");
  }

  void take_sign(std::string_view sign) {
    add(Token::Kind::kSign, at_, std::string(sign));
    at_ += sign.size();
  }

  // and, or, a key, or a currency before its amount.
  void word() {
    const std::size_t start = at_;
    if (text_.size() > at_ + 3 && is_currency(text_.substr(at_, 3)) && !is_key_part(text_[at_ + 3])) {
      at_ += 3;
      skip_blanks();
      if (at_ < text_.size() && is_digit(text_[at_])) return amount(start);
      at_ = start;
    }
    while (at_ < text_.size() && (is_key_part(text_[at_]) || text_[at_] == '.')) {
      ++at_;
      if (at_ < text_.size() && text_[at_] == '[') index();
    }
    std::string name(text_.substr(start, at_ - start));
    const Token::Kind kind = is_word(name) ? Token::Kind::kSign : Token::Kind::kKey;
    add(kind, start, std::move(name));
  }

  void index() {
    const std::size_t close = text_.find(']', at_);
    const std::string_view digits = close == std::string_view::npos ? "" : text_.substr(at_ + 1, close - at_ - 1);
    if (digits.empty() || digits.size() > 6 || !std::all_of(digits.begin(), digits.end(), is_digit)) {
      source_.fail(column(at_), "expected the number of an item in brackets, counted from 0", "pools[0].layout.tp");
    }
    at_ = close + 1;
  }

  void quoted(char quote) {
    const std::size_t start = at_;
    const std::size_t close = text_.find(quote, at_ + 1);
    if (close == std::string_view::npos) source_.fail(column(at_), "this quoted text is never closed");
    at_ = close + 1;
    add(Token::Kind::kText, start, std::string(text_.substr(start + 1, close - start - 1)));
  }

  // From `start`, where a currency may stand, with the number at `at_`.
  void amount(std::size_t start) {
    const auto number = scan_number(text_.substr(at_));
    if (!number) source_.fail(column(at_), "this is no number");
    at_ = number->rest.empty() ? text_.size() : static_cast<std::size_t>(number->rest.data() - text_.data());
    take_unit();
    std::string_view words = trimmed(text_.substr(start, at_ - start));
    std::string why;
    const auto read = parse_any_amount(words, why);
    if (!read) {
      source_.fail(column(start), fmt::format("{} is no amount", in_quotes(words)),
                   why.empty() ? "write a number, or one with its unit or currency: 2 s, 80 GiB, 5e6 CNY" : why);
    }
    add(Token::Kind::kAmount, start, std::string(words));
    out_.back().amount = *read;
  }

  // What belongs to the number before: "GiB/s", "万 CNY", "/day". A word such as "and" does not.
  void take_unit() {
    std::size_t end = unit_end(at_);
    if (end > at_ && is_word(text_.substr(at_, end - at_))) return;
    if (end > at_) {
      const std::size_t behind = text_.find_first_not_of(" \t", end);
      if (behind != std::string_view::npos) {
        const std::size_t currency = unit_end(behind);
        if (is_currency(text_.substr(behind, currency - behind))) end = currency;
      }
    }
    if (end + 1 < text_.size() && text_[end] == '/' && is_letter(text_[end + 1])) {
      std::size_t close = end + 1;
      while (close < text_.size() && (is_letter(text_[close]) || text_[close] == '-')) ++close;
      const bool key = close < text_.size() && (is_key_part(text_[close]) || text_[close] == '.');
      if (!key) end = close;
    }
    at_ = std::max(at_, end);
  }

  std::size_t unit_end(std::size_t at) const {
    while (at < text_.size() && is_unit_part(text_[at])) ++at;
    return at;
  }

  void skip_blanks() { at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size()); }

  void add(Token::Kind kind, std::size_t at, std::string text) {
    out_.push_back({.kind = kind, .text = std::move(text), .amount = {}, .column = column(at)});
  }

  int column(std::size_t at) const { return code_points(text_.substr(0, at)) + 1; }

  const ExpressionSource& source_;
  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<Token> out_;
};

}  // namespace

void ExpressionSource::fail(int column, const std::string& message, const std::string& hint) const {
  InputError error(name, {1, column}, message, hint);
  error.quoting(text);
  throw error;
}

std::vector<Token> tokens_of(const ExpressionSource& source) { return Cutter(source).run(); }

}  // namespace fathom
