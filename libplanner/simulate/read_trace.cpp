#include "simulate/read_trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "input/content.h"
#include "input/csv.h"
#include "units/number.h"

namespace fathom {

namespace {

constexpr double kMostTokens = 1e8;
constexpr double kMostSeconds = 1e12;
constexpr std::size_t kMostBlocks = 100'000'000;
constexpr const char* kHint =
    "known are Azure (TIMESTAMP,ContextTokens,GeneratedTokens), BurstGPT, Mooncake JSONL, and input_len,output_len";

enum Field { kTime, kInput, kOutput, kPriority, kBlocks, kFields };

// "Request tokens", "request_tokens" and "RequestTokens" are one name.
std::string plain(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0)
      out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return out;
}

std::optional<Field> field_of(std::string_view name) {
  static const std::array<std::vector<std::string>, kFields> kNames = {{
      {"timestamp", "time", "arrival", "arrivals", "arrivaltime", "arrivedat"},
      {"contexttokens", "requesttokens", "inputlength", "inputlen", "inputtokens", "promptlen", "prompttokens",
       "numprefilltokens"},
      {"generatedtokens", "responsetokens", "outputlength", "outputlen", "outputtokens", "completiontokens",
       "numdecodetokens"},
      {"priority"},
      {"hashids"},
  }};
  const std::string wanted = plain(name);
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (std::find(kNames[i].begin(), kNames[i].end(), wanted) != kNames[i].end()) return static_cast<Field>(i);
  }
  return std::nullopt;
}

// Gregorian; years begin in March, so that the leap day is the last of one.
double days_since_1970(int year, int month, int day) {
  const int y = month > 2 ? year : year - 1, m = (month + 9) % 12;
  return 365.0 * y + std::floor(y / 4.0) - std::floor(y / 100.0) + std::floor(y / 400.0) +
         std::floor((153 * m + 2) / 5.0) + day - 1 - 719468;
}

// "2023-11-16 18:17:03.9799600", with T and a time zone or without: seconds since 1970.
std::optional<double> date_seconds(std::string_view text) {
  const auto digits = [&](std::size_t at, std::size_t count) -> std::optional<int> {
    int value = 0;
    for (std::size_t i = at; i < at + count; ++i) {
      if (i >= text.size() || std::isdigit(static_cast<unsigned char>(text[i])) == 0) return std::nullopt;
      value = value * 10 + (text[i] - '0');
    }
    return value;
  };
  if (text.size() < 19 || text[4] != '-' || text[7] != '-' || (text[10] != ' ' && text[10] != 'T') || text[13] != ':' ||
      text[16] != ':')
    return std::nullopt;
  const auto year = digits(0, 4), month = digits(5, 2), day = digits(8, 2), hour = digits(11, 2),
             minute = digits(14, 2), second = digits(17, 2);
  if (!year || !month || !day || !hour || !minute || !second || *hour > 23 || *minute > 59 || *second > 60)
    return std::nullopt;
  const bool leap = (*year % 4 == 0 && *year % 100 != 0) || *year % 400 == 0;
  constexpr std::array<int, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (*month < 1 || *month > 12 || *day < 1) return std::nullopt;
  if (*day > kDays[static_cast<std::size_t>(*month) - 1] + (*month == 2 && leap ? 1 : 0)) return std::nullopt;
  double fraction = 0, unit = 0.1;
  std::size_t i = 19;
  if (i < text.size() && text[i] == '.') {
    for (++i; i < text.size() && std::isdigit(static_cast<unsigned char>(text[i])) != 0; ++i, unit /= 10)
      fraction += (text[i] - '0') * unit;
  }
  double zone = 0;
  if (i < text.size() && (text[i] == '+' || text[i] == '-')) {
    const auto hours = digits(i + 1, 2), minutes = digits(i + 4, 2);
    if (!hours || !minutes || text[i + 3] != ':' || i + 6 != text.size()) return std::nullopt;
    zone = (text[i] == '-' ? -60.0 : 60.0) * (*hours * 60 + *minutes);
  } else if (i != text.size() && text.substr(i) != "Z") {
    return std::nullopt;
  }
  const double days = days_since_1970(*year, *month, *day);
  return days * 86400 + *hour * 3600.0 + *minute * 60.0 + *second + fraction - zone;
}

class TraceReader {
 public:
  TraceReader(const std::string& text, const std::string& file) : text_(text), file_(file) {}

  RequestTrace run() {
    const std::size_t start = text_.find_first_not_of(" \t\r\n\xef\xbb\xbf");
    if (start == std::string::npos) throw InputError(file_, {}, "the file is empty", kHint);
    text_[start] == '{' ? lines() : table();
    if (trace_.requests.empty())
      throw InputError(file_, {1, 1},
                       fmt::format("no request of the trace was answered ({} {})", trace_.skipped,
                                   trace_.skipped == 1 ? "row" : "rows"));
    if (trace_.timed) sort();
    return std::move(trace_);
  }

 private:
  [[noreturn]] void fail(Position at, const std::string& message, const std::string& hint = {}) const {
    throw InputError(file_, at, message, hint);
  }

  void table() {
    const CsvTable table = parse_csv(text_, file_);
    std::array<int, kFields> at;
    at.fill(-1);
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
      const std::optional<Field> field = field_of(table.columns[i]);
      if (!field) continue;
      if (at[*field] >= 0)
        fail({1, 1},
             fmt::format("{} and {} say the same", in_quotes(table.columns[static_cast<std::size_t>(at[*field])]),
                         in_quotes(table.columns[i])));
      at[*field] = static_cast<int>(i);
    }
    if (at[kInput] < 0 || at[kOutput] < 0)
      fail({1, 1}, fmt::format("no column holds the lengths of {}", at[kInput] < 0 ? "prompts" : "answers"), kHint);
    trace_.timed = at[kTime] >= 0;
    for (const std::vector<CsvCell>& row : table.rows) {
      const auto cell = [&](Field f) -> const CsvCell& { return row[static_cast<std::size_t>(at[f])]; };
      SimulatedRequest request;
      if (trace_.timed) request.arrival = time(cell(kTime));
      request.input = tokens(number(cell(kInput)), cell(kInput).at);
      request.output = tokens(number(cell(kOutput)), cell(kOutput).at);
      if (at[kPriority] >= 0) request.priority = priority(number(cell(kPriority)), cell(kPriority).at);
      add(request);
    }
  }

  double number(const CsvCell& cell) const {
    const std::optional<ScannedNumber> n = scan_number(trimmed(cell.text));
    if (!n || !n->rest.empty() || !n->in_range)
      fail(cell.at, fmt::format("expected a number, found {}", in_quotes(cell.text)));
    return n->value;
  }
  double time(const CsvCell& cell) const {
    if (const std::optional<double> date = date_seconds(trimmed(cell.text))) return *date;
    const std::optional<ScannedNumber> n = scan_number(trimmed(cell.text));
    if (!n || !n->rest.empty() || !n->in_range)
      fail(cell.at, fmt::format("expected a time, found {}", in_quotes(cell.text)),
           "seconds, or a date such as 2023-11-16 18:17:03.98");
    return seconds(n->value, cell.at);
  }
  double seconds(double value, Position at) const {
    if (!(std::abs(value) <= kMostSeconds)) fail(at, "no trace lasts that long");
    return value;
  }
  int tokens(double value, Position at) const {
    if (!(value >= 0 && value <= kMostTokens) || value != std::floor(value))
      fail(at, fmt::format("expected a number of tokens, found {:g}", value));
    return static_cast<int>(value);
  }
  int priority(double value, Position at) const {
    if (!(std::abs(value) <= 1e6) || value != std::floor(value)) fail(at, "expected a whole number as priority");
    return static_cast<int>(value);
  }

  void lines() {
    int line = 0;
    for (std::size_t begin = 0; begin < text_.size();) {
      ++line;
      const std::size_t end = std::min(text_.find('\n', begin), text_.size());
      const std::string_view row = trimmed(std::string_view(text_).substr(begin, end - begin));
      if (!row.empty() && row != "\xef\xbb\xbf") object(row, {line, 1});
      begin = end + 1;
    }
  }

  void object(std::string_view row, Position at) {
    if (row.starts_with("\xef\xbb\xbf")) row.remove_prefix(3);
    const nlohmann::json json = nlohmann::json::parse(row, nullptr, false);
    if (!json.is_object()) fail(at, "expected one JSON object per line");
    std::array<const nlohmann::json*, kFields> found{};
    for (const auto& [key, value] : json.items()) {
      if (const std::optional<Field> field = field_of(key)) found[*field] = &value;
    }
    const auto value = [&](Field f, const char* what) {
      if (found[f] == nullptr || !found[f]->is_number()) fail(at, fmt::format("no number tells {}", what), kHint);
      return found[f]->get<double>();
    };
    SimulatedRequest request;
    if (trace_.requests.empty() && trace_.skipped == 0) trace_.timed = found[kTime] != nullptr;
    if (trace_.timed) request.arrival = seconds(value(kTime, "the time"), at) / 1000;
    request.input = tokens(value(kInput, "the length of the prompt"), at);
    request.output = tokens(value(kOutput, "the length of the answer"), at);
    if (found[kPriority] != nullptr) request.priority = priority(value(kPriority, "the priority"), at);
    if (found[kBlocks] != nullptr && request.output > 0) blocks(*found[kBlocks], request, at);
    add(request);
  }

  void blocks(const nlohmann::json& list, SimulatedRequest& request, Position at) {
    if (!list.is_array()) fail(at, "\"hash_ids\" is no list");
    if (trace_.blocks.size() + list.size() > kMostBlocks) fail(at, "the trace has too many blocks");
    for (const nlohmann::json& id : list) {
      if (!id.is_number_integer()) fail(at, "\"hash_ids\" holds something else than whole numbers");
      trace_.blocks.push_back(id.get<std::uint64_t>());
    }
    request.in_trace = static_cast<int>(trace_.block_ends.size());
    trace_.block_ends.push_back(static_cast<int>(trace_.blocks.size()));
  }

  void add(SimulatedRequest request) {
    if (request.output < 1) {
      ++trace_.skipped;
      return;
    }
    request.input = std::max(1, request.input);
    trace_.requests.push_back(request);
  }

  void sort() {
    std::stable_sort(trace_.requests.begin(), trace_.requests.end(),
                     [](const SimulatedRequest& a, const SimulatedRequest& b) { return a.arrival < b.arrival; });
  }

  const std::string& text_;
  const std::string& file_;
  RequestTrace trace_;
};

}  // namespace

RequestTrace parse_trace(const std::string& text, const std::string& file_name) {
  return TraceReader(text, file_name).run();
}

RequestTrace read_trace(const std::filesystem::path& path) { return parse_trace(text_of_file(path), path.string()); }

}  // namespace fathom
