#include "score/measurement.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "input/csv.h"
#include "input/value.h"

namespace fathom {

bool requests_differ(const Measurement& row) {
  return row.load_kind != LoadKind::kNone && row.load_kind != LoadKind::kSingle && row.load_kind != LoadKind::kBatch;
}

std::optional<double> Measurement::number(const std::string& key) const {
  const auto found = shape.find(key);
  if (found == shape.end()) return std::nullopt;
  double parsed = 0;
  const char* end = found->second.data() + found->second.size();
  const auto result = std::from_chars(found->second.data(), end, parsed);
  return result.ec == std::errc() && result.ptr == end ? std::optional(parsed) : std::nullopt;
}

std::string Measurement::word(const std::string& key) const {
  const auto found = shape.find(key);
  return found == shape.end() ? std::string() : found->second;
}

namespace {

const std::vector<std::string> kLoadKinds = {"", "single", "batch", "closed", "open", "burst", "max"};
const std::vector<std::string> kOffloads = {"", "experts", "experts:gpu", "experts:gpu_frac", "layers:gpu", "mmap"};

bool has_number(Offload::Kind kind) {
  return kind == Offload::Kind::kExpertsPerLayer || kind == Offload::Kind::kExpertShare ||
         kind == Offload::Kind::kLayers;
}

}  // namespace

std::string to_string(LoadKind kind) { return kLoadKinds[static_cast<std::size_t>(kind)]; }

std::string to_string(const Offload& offload) {
  const std::string& name = kOffloads[static_cast<std::size_t>(offload.kind)];
  return has_number(offload.kind) ? fmt::format("{}={:g}", name, offload.on_gpu) : name;
}

namespace {

const std::vector<std::string> kColumns = {"id",
                                           "category",
                                           "group",
                                           "completeness",
                                           "model",
                                           "weight_format",
                                           "kv_format",
                                           "accelerator",
                                           "accelerators",
                                           "nodes",
                                           "host",
                                           "scale_up",
                                           "scale_out",
                                           "engine",
                                           "engine_version",
                                           "role",
                                           "tp",
                                           "pp",
                                           "ep",
                                           "attention_dp",
                                           "replicas",
                                           "prefill_pool",
                                           "decode_pool",
                                           "offload",
                                           "input_len",
                                           "output_len",
                                           "context_len",
                                           "prefix_hit",
                                           "load_kind",
                                           "load",
                                           "accept_len",
                                           "metric",
                                           "value",
                                           "unit",
                                           "message_bytes",
                                           "shape",
                                           "confidence",
                                           "date",
                                           "source",
                                           "note"};

// One row while it is read: cells by column name, complaints at them.
class Row {
 public:
  Row(const CsvTable& table, const std::vector<CsvCell>& cells) : table_(table), cells_(cells) {}

  const CsvCell& cell(const char* column) const { return cells_[static_cast<std::size_t>(table_.column(column))]; }
  const std::string& text(const char* column) const { return cell(column).text; }
  int line() const { return cells_.front().at.line; }

  [[noreturn]] void fail(const char* column, const std::string& message, const std::string& hint = {}) const {
    throw InputError(table_.file, cell(column).at, message, hint);
  }

  std::optional<double> number(const char* column, const char* wanted = "a number of at least 0") const {
    const std::string& t = text(column);
    if (t.empty()) return std::nullopt;
    double value = 0;
    const auto [end, error] = std::from_chars(t.data(), t.data() + t.size(), value);
    if (error != std::errc() || end != t.data() + t.size() || !std::isfinite(value)) {
      fail(column, fmt::format("{} is \"{}\": expected a number without unit or separators", column, t),
           "units follow from the metric; leave unknown cells empty");
    }
    if (value < 0) fail(column, fmt::format("{} is {}: expected {}", column, t, wanted));
    return value;
  }

  // A degree or a count: at least one.
  std::optional<double> count(const char* column) const {
    constexpr const char* kWanted = "a whole number of at least 1";
    const std::optional<double> value = number(column, kWanted);
    if (value && (*value < 1 || *value != std::floor(*value) || *value > 1e6)) {
      fail(column, fmt::format("{} is {}: expected {}", column, text(column), kWanted));
    }
    return value;
  }

  // Index in a closed list of words.
  std::size_t choice(const char* column, const std::vector<std::string>& words) const {
    const std::string& t = text(column);
    const auto found = std::find(words.begin(), words.end(), t);
    if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
    const std::string meant = did_you_mean(t, words);
    std::vector<std::string> named = words;
    std::erase(named, "");
    const char* unless = named.size() < words.size() ? ", or nothing" : "";
    fail(column, fmt::format("{} is \"{}\": expected one of {}{}", column, t, fmt::join(named, ", "), unless),
         meant.empty() ? "" : fmt::format("did you mean \"{}\"?", meant));
  }

 private:
  const CsvTable& table_;
  const std::vector<CsvCell>& cells_;
};

// "key=value key=value"
std::map<std::string, std::string> pairs(const Row& row, const char* column) {
  std::map<std::string, std::string> out;
  const std::string& text = row.text(column);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const std::string word = text.substr(at, end - at);
    at = end + 1;
    if (word.empty()) continue;
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos || equals == 0) {
      row.fail(column, fmt::format("{} holds \"{}\": expected key=value pairs with blanks between", column, word));
    }
    out[word.substr(0, equals)] = word.substr(equals + 1);
  }
  return out;
}

std::optional<WorkerPool> worker_pool(const Row& row, const char* column) {
  const auto words = pairs(row, column);
  if (words.empty()) return std::nullopt;
  WorkerPool pool;
  for (const auto& [key, text] : words) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < 1) {
      row.fail(column, fmt::format("{} is \"{}\": expected a whole number of at least 1", key, text));
    }
    int* field = key == "workers"        ? &pool.workers
                 : key == "tp"           ? &pool.tp
                 : key == "attention_dp" ? &pool.attention_dp
                 : key == "ep"           ? &pool.ep
                                         : nullptr;
    if (field == nullptr)
      row.fail(column, fmt::format("unknown key \"{}\" in {}", key, column), "workers, tp, attention_dp, ep");
    *field = value;
  }
  return pool;
}

Offload offload(const Row& row) {
  const std::string& text = row.text("offload");
  if (text.empty()) return {};
  const std::size_t equals = std::min(text.find('='), text.size());
  const auto name = std::find(kOffloads.begin() + 1, kOffloads.end(), text.substr(0, equals));
  Offload out;
  bool good = name != kOffloads.end();
  if (good) {
    out.kind = static_cast<Offload::Kind>(name - kOffloads.begin());
    good = has_number(out.kind) == (equals < text.size());
    if (good && has_number(out.kind)) {
      const char* end = text.data() + text.size();
      const auto result = std::from_chars(text.data() + equals + 1, end, out.on_gpu);
      good = result.ec == std::errc() && result.ptr == end && out.on_gpu >= 0;
    }
  }
  if (!good) {
    row.fail("offload", fmt::format("offload is \"{}\"", text),
             "experts, experts:gpu=K, experts:gpu_frac=F, layers:gpu=N, mmap, or empty");
  }
  return out;
}

std::vector<std::string> split(const std::string& text, char between) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(between, at), text.size());
    const std::size_t first = std::min(text.find_first_not_of(' ', at), end);
    const std::size_t last = text.find_last_not_of(' ', end > first ? end - 1 : 0);
    if (end > first) out.push_back(text.substr(first, last + 1 - first));
    at = end + 1;
  }
  return out;
}

// "x12" between 'x' and nothing, "12ch" between nothing and "ch", "ddr5-4800" after its dash: a whole number, or nothing.
std::optional<int> number_between(const std::string& word, const std::string& before, const std::string& after) {
  if (word.size() <= before.size() + after.size() || !word.starts_with(before) || !word.ends_with(after))
    return std::nullopt;
  int value = 0;
  const char* end = word.data() + word.size() - after.size();
  const auto result = std::from_chars(word.data() + before.size(), end, value);
  return result.ec == std::errc() && result.ptr == end && value > 0 && value <= 1'000'000 ? std::optional(value)
                                                                                          : std::nullopt;
}

// "intel-xeon-6980p x2; mrdimm-8800 12ch": what follows the id may be missing.
MeasuredHost host(const Row& row) {
  const std::string& text = row.text("host");
  if (text.empty()) return {};
  const auto refuse = [&](const std::string& word) {
    row.fail("host", fmt::format("host is \"{}\": \"{}\" is not expected there", text, word),
             "ID xSOCKETS; MEMORY-RATE CHANNELSch, as in intel-xeon-6980p x2; mrdimm-8800 12ch");
  };
  MeasuredHost out;
  const std::size_t semicolon = std::min(text.find(';'), text.size());
  std::vector<std::string> words = split(text.substr(0, semicolon), ' ');
  if (words.empty()) refuse(text);
  out.cpu = words.front();
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::optional<int> sockets = number_between(words[i], "x", "");
    if (!sockets || i > 1) refuse(words[i]);
    out.sockets = *sockets;
  }
  if (semicolon == text.size()) return out;
  words = split(text.substr(semicolon + 1), ' ');
  if (words.empty()) refuse(";");
  for (const std::string& word : words) {
    const std::size_t dash = word.find('-');
    const std::optional<int> channels = number_between(word, "", "ch");
    const std::optional<int> rate =
        dash == std::string::npos || dash == 0 ? std::nullopt : number_between(word, word.substr(0, dash + 1), "");
    if (channels && !out.channels) {
      out.channels = *channels;
    } else if (rate && !out.transfers_per_s) {
      out.transfers_per_s = *rate * 1e6;
    } else {
      refuse(word);
    }
  }
  return out;
}

// The one thing that a note decides, since no column holds it: one of these, between semicolons.
bool notes_framework(const std::string& note) {
  const std::vector<std::string> parts = split(note, ';');
  return std::any_of(parts.begin(), parts.end(), [](const std::string& part) {
    return part == "through PyTorch" || part == "through torch.distributed";
  });
}

Measurement measurement(const Row& row) {
  Measurement m;
  m.line = row.line();
  m.id = row.text("id");
  if (m.id.empty()) row.fail("id", "a row needs an id");
  m.category = row.text("category");
  if (m.category.empty()) row.fail("category", "a row needs a category", "a to g, or one of your own");
  m.group = row.text("group");
  if (m.group.empty()) row.fail("group", "a row needs a group", "rows of one source and one machine, say");
  m.completeness = static_cast<Completeness>(row.choice("completeness", {"full", "partial", "context"}));
  m.model = row.text("model");
  m.weight_format = row.text("weight_format");
  m.kv_format = row.text("kv_format");
  m.accelerator = row.text("accelerator");
  m.accelerators = row.count("accelerators");
  m.nodes = row.count("nodes");
  m.host = host(row);
  m.scale_up = row.text("scale_up");
  m.scale_out = row.text("scale_out");
  m.engine = row.text("engine");
  m.engine_version = row.text("engine_version");
  m.role = static_cast<MeasuredRole>(row.choice("role", {"aggregated", "disaggregated", "prefill", "decode", "micro"}));
  m.tp = row.count("tp");
  m.pp = row.count("pp");
  m.ep = row.count("ep");
  m.attention_dp = row.count("attention_dp");
  m.replicas = row.count("replicas");
  m.prefill_pool = worker_pool(row, "prefill_pool");
  m.decode_pool = worker_pool(row, "decode_pool");
  m.offload = offload(row);
  m.input_len = row.number("input_len");
  m.output_len = row.number("output_len");
  m.context_len = row.number("context_len");
  m.prefix_hit = row.number("prefix_hit");
  if (m.prefix_hit && *m.prefix_hit > 1) row.fail("prefix_hit", "prefix_hit is a share between 0 and 1");
  m.load_kind = static_cast<LoadKind>(row.choice("load_kind", kLoadKinds));
  m.load = row.number("load");
  m.accept_len = row.number("accept_len");
  if (m.accept_len && *m.accept_len < 1) row.fail("accept_len", "a step gives at least one token");
  m.metric = find_metric(row.text("metric"));
  if (m.metric == nullptr) {
    std::vector<std::string> names;
    for (const Metric& one : metrics()) names.emplace_back(one.name);
    const std::string meant = did_you_mean(row.text("metric"), names);
    row.fail("metric", fmt::format("unknown metric \"{}\"", row.text("metric")),
             meant.empty() ? "docs/measurements-csv.md lists them" : fmt::format("did you mean \"{}\"?", meant));
  }
  if (row.text("unit") != m.metric->unit) {
    row.fail("unit", fmt::format("unit is \"{}\": {} is in {}", row.text("unit"), m.metric->name, m.metric->unit));
  }
  constexpr const char* kWanted = "a number above 0";
  const std::optional<double> value = row.number("value", kWanted);
  if (!value || *value <= 0) row.fail("value", fmt::format("value is \"{}\": expected {}", row.text("value"), kWanted));
  m.value = *value;
  m.message_bytes = row.number("message_bytes");
  m.shape = pairs(row, "shape");
  m.confidence = row.text("confidence");
  m.date = row.text("date");
  m.source = row.text("source");
  m.note = row.text("note");
  m.notes_framework = notes_framework(m.note);
  return m;
}

std::vector<Measurement> measurements(const CsvTable& table) {
  for (const std::string& column : kColumns) {
    if (table.column(column) < 0) {
      throw InputError(table.file, {1, 1}, fmt::format("the table has no column \"{}\"", column),
                       "docs/measurements-csv.md describes all of them; unknown cells stay empty");
    }
  }
  for (const std::string& column : table.columns) {
    if (std::find(kColumns.begin(), kColumns.end(), column) == kColumns.end()) {
      const std::string meant = did_you_mean(column, kColumns);
      throw InputError(table.file, {1, 1}, fmt::format("unknown column \"{}\"", column),
                       meant.empty() ? "docs/measurements-csv.md describes the columns"
                                     : fmt::format("did you mean \"{}\"?", meant));
    }
  }
  if (table.rows.empty()) {
    throw InputError(table.file, {}, "the table holds no measurement",
                     "below the names of the columns there is one line per measured value");
  }
  std::vector<Measurement> out;
  std::set<std::string> ids;
  for (const std::vector<CsvCell>& cells : table.rows) {
    const Row row(table, cells);
    out.push_back(measurement(row));
    if (!ids.insert(out.back().id).second) row.fail("id", fmt::format("the id {} stands here twice", out.back().id));
  }
  return out;
}

}  // namespace

std::vector<Measurement> read_measurements(const std::filesystem::path& path) { return measurements(read_csv(path)); }

std::vector<Measurement> parse_measurements(const std::string& text, const std::string& file_name) {
  return measurements(parse_csv(text, file_name));
}

}  // namespace fathom
