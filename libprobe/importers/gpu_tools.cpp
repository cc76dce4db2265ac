// nccl-tests and nvbandwidth: collectives and copies.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include "importers/importers.h"
#include "importers/tool_json.h"
#include "units/number.h"

namespace fathom::probe {

namespace {

// "all_reduce_perf", a path to it, or a file's name with it inside: "all_reduce".
std::string operation_in(const std::string& text) {
  static const std::pair<const char*, const char*> kOperations[] = {{"all_reduce", "all_reduce"},
                                                                    {"allreduce", "all_reduce"},
                                                                    {"all_gather", "all_gather"},
                                                                    {"allgather", "all_gather"},
                                                                    {"reduce_scatter", "reduce_scatter"},
                                                                    {"alltoall", "all_to_all"},
                                                                    {"all_to_all", "all_to_all"},
                                                                    {"sendrecv", "send_recv"},
                                                                    {"broadcast", "broadcast"},
                                                                    {"gather", "gather"},
                                                                    {"scatter", "scatter"},
                                                                    {"hypercube", "hypercube"},
                                                                    {"reduce", "reduce"}};
  for (const auto& [spelling, name] : kOperations) {
    if (text.find(spelling) != std::string::npos) return name;
  }
  return {};
}

[[noreturn]] void fail_operation(const std::string& file) {
  throw InputError(file, {}, "it does not tell which collective was measured",
                   "name the file after it: all_reduce.txt");
}

// The devices that took part, in the order of their ranks; on several hosts, those of one are not those of another.
struct RankDevices {
  std::vector<std::string> devices, names;
  std::set<std::string> hosts;

  void add(const std::string& host, int device, const std::string& name) {
    hosts.insert(host);
    devices.push_back(fmt::format("gpu{}", device));
    names.push_back(name);
  }
  std::string group() const {
    return hosts.size() > 1 ? fmt::format("{} nodes", hosts.size()) : fmt::format("{}", fmt::join(devices, ","));
  }
  void tell(MachineRecord& record) const {
    for (std::size_t i = 0; i < devices.size() && hosts.size() <= 1; ++i) {
      if (record.gpu(devices[i]) != nullptr) continue;
      Gpu gpu;
      gpu.device = devices[i];
      gpu.name = names[i].empty() ? kUnknownGpu : names[i];
      record.gpus.push_back(std::move(gpu));
    }
  }
};

// nccl-tests has the names of NCCL's types.
std::string dtype_of(const std::string& type) {
  static const std::map<std::string, std::string> kNames = {
      {"float", "fp32"}, {"half", "fp16"}, {"bfloat16", "bf16"}, {"double", "fp64"}};
  const auto known = kNames.find(type);
  return known == kNames.end() ? type : known->second;
}

struct Row {
  double bytes = 0, microseconds = 0;
  std::optional<double> wrong;
  std::string type, reduction, place;
};

Result collective(const std::string& operation, const RankDevices& ranks, const std::string& engine, const Row& row) {
  Result r = without_figure("collective." + operation, ranks.group(), Status::kPassed, "");
  r.shape = {{"bytes", fmt::format("{:.0f}", row.bytes)},
             {"ranks", fmt::format("{}", ranks.devices.size())},
             {"dtype", dtype_of(row.type)},
             {"place", row.place}};
  if (!row.reduction.empty() && row.reduction != "none") r.shape["reduction"] = row.reduction;
  r.unit = Unit::kTime;
  sum_up(r, {row.microseconds * 1e-6});
  r.protocol.engine = engine;
  r.protocol.statistic = "mean";
  if (row.wrong) {
    r.correctness =
        Correctness{.method = "every element", .worst_error = std::max(*row.wrong, 0.0), .correct = *row.wrong == 0};
    if (!r.correctness->correct) {
      r.status = Status::kIncorrect;
      r.why = fmt::format("{:.0f} wrong elements", *row.wrong);
    }
  }
  return r;
}

// Zero bytes move in no time, and are no measurement.
bool is_measured(const Row& row) { return row.bytes > 0; }

// What the test says of itself behind its rows.
struct Summary {
  bool told = false;          // "# Out of bounds values" was reached
  std::string out_of_bounds;  // how many checks failed, when some did
};

std::vector<Result> collectives(const std::string& operation, const RankDevices& ranks, const std::string& engine,
                                const std::vector<Row>& rows, const Summary& summary) {
  std::vector<Result> results;
  for (const Row& row : rows) {
    if (is_measured(row)) results.push_back(collective(operation, ranks, engine, row));
  }
  // Checks that failed belong to the rows that say so. Where none does, it may have been any.
  const bool placed = std::any_of(rows.begin(), rows.end(), [](const Row& row) { return row.wrong.value_or(0) != 0; });
  for (Result& r : results) {
    if (!summary.told) r.notes.emplace_back("the test did not conclude: nobody summed up what was out of bounds");
    if (summary.out_of_bounds.empty() || placed) continue;
    r.correctness.reset();
    r.status = Status::kIncorrect;
    r.why = fmt::format("out of bounds values: {}, and no row tells where", summary.out_of_bounds);
  }
  return results;
}

// "#  Rank  0 Group  0 Pid  1234 on host device  0 [0x19] NVIDIA H100 80GB HBM3"; older versions have no group.
void read_rank(const std::string& line, RankDevices& ranks) {
  const std::vector<std::string> words = words_of_line(line);
  const auto at = std::find(words.begin(), words.end(), "device");
  const auto on = std::find(words.begin(), words.end(), "on");
  if (at == words.end() || at + 1 == words.end() || on == words.end() || on + 1 == words.end()) return;
  const auto number = number_in(*(at + 1));
  if (!number || *number < 0 || *number > 1e6) return;
  std::string name;
  for (auto word = at + 2; word != words.end(); ++word) {
    if (word->starts_with("[") || word->starts_with("0x") || word->ends_with("]")) continue;
    name += (name.empty() ? "" : " ") + *word;
  }
  ranks.add(*(on + 1), static_cast<int>(*number), name);
}

// "#       size         count      type   redop    root     time …" names as many columns as the rows have, older versions fewer.
std::vector<std::string> columns_of_header(const std::string& line) {
  const std::vector<std::string> words = words_of_line(line.substr(1));
  return !words.empty() && words[0] == "size" ? words : std::vector<std::string>();
}

// One line of figures, and where it stands.
struct Line {
  std::string file, text;
  int number = 0;
  std::vector<std::string> words = words_of_line(text);

  [[noreturn]] void fail(std::size_t word, const std::string& message, const std::string& hint) const {
    std::size_t at = text.find_first_not_of(" \t");
    for (std::size_t i = 0; i < word; ++i) at = text.find_first_not_of(" \t", text.find_first_of(" \t", at));
    throw InputError(file, Position{.line = number, .column = static_cast<int>(at) + 1}, message, hint);
  }
  // Absent for "N/A", and for nothing else: a figure that cannot be read must not vanish.
  std::optional<double> figure(std::size_t word, const char* name) const {
    if (words[word] == "N/A") return std::nullopt;
    const std::optional<double> found = number_in(words[word]);
    if (!found) fail(word, fmt::format("expected {} here, found {}", name, in_quotes(words[word])), "a number, or N/A");
    return found;
  }
};

// Of a test that was cut off, the last row may be cut off, too.
void check_row(const Line& line, std::size_t columns) {
  constexpr std::size_t kFewest = 11;  // size, count, type, and four for each place
  if (columns >= kFewest && line.words.size() == columns) return;
  line.fail(0,
            columns < kFewest ? "there is no line \"#  size  count  type …\" that tells the columns of this row"
                              : fmt::format("the row has {} of {} columns", line.words.size(), columns),
            "take the row out, or measure again");
}

bool is_row(const std::vector<std::string>& words, std::size_t columns) {
  if (words.empty()) return false;
  if (words.size() == columns && words[0].front() >= '0' && words[0].front() <= '9') return true;
  return number_in(words[0]) && (words.size() == 1 || number_in(words[1]));
}

// size count type redop root | time algbw busbw #wrong | the same in place. In old versions the last is "error", the largest deviation:
// whether that is too much is told by the summary alone.
std::vector<Row> rows_of(const Line& line, const std::vector<std::string>& header) {
  const std::vector<std::string>& words = line.words;
  const auto bytes = line.figure(0, "a size in bytes");
  if (!bytes) line.fail(0, "expected a size in bytes here", "a number");
  std::vector<Row> rows;
  for (const auto& [place, first] : {std::pair("out", words.size() - 8), std::pair("in", words.size() - 4)}) {
    const auto time = line.figure(first, "a time in microseconds");
    const auto wrong = line.figure(first + 3, "how many elements are wrong");
    if (!time) continue;
    rows.push_back({.bytes = *bytes,
                    .microseconds = *time,
                    .wrong = header[first + 3] == "error" ? std::nullopt : wrong,
                    .type = words[2],
                    .reduction = words.size() >= 13 ? words[3] : "",
                    .place = place});
  }
  return rows;
}

// "# Out of bounds values : 3 FAILED"
void read_summary(const std::string& line, Summary& summary) {
  if (!line.starts_with("# Out of bounds values")) return;
  const std::vector<std::string> words = words_of_line(line.substr(std::min(line.find(':'), line.size() - 1) + 1));
  if (words.size() != 2) return;  // cut off
  summary.told = true;
  if (words[0] != "0" || words[1] != "OK") summary.out_of_bounds = words[0] + " " + words[1];
}

}  // namespace

void import_nccl_tests(const Document& json, MachineRecord& record) {
  const Node root = root_of(json);
  std::string operation;
  for (const Node& arg : root.find({"args"}).items()) {
    if (operation.empty()) operation = operation_in(arg.text());
  }
  if (operation.empty()) operation = operation_in(std::filesystem::path(json.file).filename().string());
  if (operation.empty()) fail_operation(json.file);
  RankDevices ranks;
  for (const Node& device : root.need({"config", "devices"}).items()) {
    ranks.add(device.find({"hostname"}).text(),
              static_cast<int>(std::clamp(device.need({"device"}).number(), 0.0, 1e6)),
              device.find({"device_info"}).text());
  }
  if (ranks.devices.empty()) root.fail("no device took part");
  ranks.tell(record);
  const std::string engine = "nccl-tests, NCCL " + root.find({"nccl_version"}).text();
  std::vector<Row> rows;
  for (const Node& result : root.need({"results"}).items()) {
    for (const auto& [key, place] : {std::pair("out_of_place", "out"), std::pair("in_place", "in")}) {
      const Node side = result.find({key});
      if (!side || side.value->kind != Value::Kind::kMapping || !side.find({"time"})) continue;
      const Node wrong = side.find({"nwrong"});
      rows.push_back(
          {.bytes = result.need({"size"}).number(),
           .microseconds = side.need({"time"}).number(),
           .wrong = wrong.text().empty() || wrong.text() == "N/A" ? std::nullopt : std::optional(wrong.number()),
           .type = result.find({"type"}).text(),
           .reduction = result.find({"redop"}).text(),
           .place = place});
    }
  }
  Summary summary{.told = static_cast<bool>(root.find({"out_of_bounds"})), .out_of_bounds = {}};
  if (const std::string okay = root.find({"out_of_bounds", "okay"}).text(); !okay.empty() && okay != "true")
    summary.out_of_bounds = root.find({"out_of_bounds", "count"}).text() + " FAILED";
  record.results = collectives(operation, ranks, engine, rows, summary);
}

void import_nccl_tests_text(const std::string& text, const std::string& file_name, MachineRecord& record) {
  std::string operation, engine = "nccl-tests";
  RankDevices ranks;
  std::vector<Row> rows;
  Summary summary;
  std::vector<std::string> header;
  int number = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.starts_with("# Collective test starting")) operation = operation_in(line.substr(line.find(':') + 1));
    if (line.starts_with("# nccl-tests version")) engine = "nccl-tests " + words_of_line(line + " ?")[3];
    if (line.starts_with("#") && line.find(" Rank ") != std::string::npos) read_rank(line, ranks);
    if (line.starts_with("#")) {
      read_summary(line, summary);
      if (const std::vector<std::string> told = columns_of_header(line); !told.empty()) header = told;
      continue;
    }
    const Line here{.file = file_name, .text = line, .number = number};
    if (!is_row(here.words, header.size())) continue;
    check_row(here, header.size());
    for (const Row& row : rows_of(here, header)) rows.push_back(row);
  }
  if (operation.empty()) operation = operation_in(std::filesystem::path(file_name).filename().string());
  if (operation.empty()) fail_operation(file_name);
  if (ranks.devices.empty())
    throw InputError(file_name, {}, "no line \"#  Rank\" tells which devices took part",
                     "keep the lines that begin with #");
  ranks.tell(record);
  record.results = collectives(operation, ranks, engine, rows, summary);
}

namespace {

enum class Cells {
  kRow,         // of GPUs
  kFromRow,     // a matrix of GPUs, written by that of the row to that of the column
  kFromColumn,  // read by that of the row from that of the column
};
struct Copy {
  const char *test, *name, *directions, *by;
  Cells cells;
};
// What a copy reads from lies in the column: nvbandwidth's reads are copies from the peer to the target, by the target (its sources at
// 0.8), though the line that it prints above such a matrix has the arrow the other way.
constexpr Copy kCopies[] = {
    {"host_to_device_memcpy_ce", "gpu.copy.h2d", "1", "copy engine", Cells::kRow},
    {"device_to_host_memcpy_ce", "gpu.copy.d2h", "1", "copy engine", Cells::kRow},
    {"host_to_device_memcpy_sm", "gpu.copy.h2d", "1", "kernel", Cells::kRow},
    {"device_to_host_memcpy_sm", "gpu.copy.d2h", "1", "kernel", Cells::kRow},
    {"device_local_copy", "gpu.memory.copy", "1", "copy engine", Cells::kRow},
    {"device_to_device_memcpy_read_ce", "gpu.peer.copy", "1", "copy engine", Cells::kFromColumn},
    {"device_to_device_memcpy_write_ce", "gpu.peer.copy", "1", "copy engine, write", Cells::kFromRow},
    {"device_to_device_memcpy_read_sm", "gpu.peer.copy", "1", "kernel", Cells::kFromColumn},
    {"device_to_device_memcpy_write_sm", "gpu.peer.copy", "1", "kernel, write", Cells::kFromRow}};

std::string device_of(Cells cells, std::size_t row, std::size_t column) {
  if (cells == Cells::kRow) return fmt::format("gpu{}", column);
  const bool from_row = cells == Cells::kFromRow;
  return fmt::format("gpu{}>gpu{}", from_row ? row : column, from_row ? column : row);
}

Result copy_result(const Copy& copy, const std::string& device, double gigabytes_per_s, const std::string& engine) {
  Result r = without_figure(copy.name, device, Status::kPassed, "");
  r.shape = {{"directions", copy.directions}, {"by", copy.by}};
  sum_up(r, {gigabytes_per_s * 1e9});
  r.protocol.engine = engine;
  r.protocol.statistic = "median";
  r.protocol.pattern = "random";
  return r;
}

}  // namespace

void import_nvbandwidth(const Document& json, MachineRecord& record) {
  const Node root = root_of(json).need({"nvbandwidth"});
  if (const Node error = root.find({"error"}); error && !error.text().empty())
    error.fail("nvbandwidth ended with: " + error.text());
  const std::string engine = "nvbandwidth " + root.find({"version"}).text();
  std::size_t devices = 0;
  for (const Node& test : root.need({"testcases"}).items()) {
    const std::string name = test.need({"name"}).text();
    const auto copy =
        std::find_if(std::begin(kCopies), std::end(kCopies), [&](const Copy& c) { return name == c.test; });
    const std::vector<Node> rows = test.find({"bandwidth_matrix"}).items();
    if (copy == std::end(kCopies) || rows.empty()) continue;  // sums over all, latencies, several nodes
    for (std::size_t row = 0; row < rows.size(); ++row) {
      const std::vector<Node> cells = rows[row].items();
      devices = std::max({devices, cells.size(), copy->cells == Cells::kRow ? 0 : rows.size()});
      for (std::size_t column = 0; column < cells.size(); ++column) {
        if (cells[column].text() == "N/A") continue;
        const std::string device = device_of(copy->cells, row, column);
        record.results.push_back(copy_result(*copy, device, cells[column].number(), engine));
      }
    }
  }
  if (record.results.empty()) root.fail("none of the test cases is a copy that has passed");
  for (std::size_t i = 0; i < std::min<std::size_t>(devices, 1024); ++i) {
    Gpu gpu;
    gpu.device = fmt::format("gpu{}", i);
    gpu.name = kUnknownGpu;
    record.gpus.push_back(std::move(gpu));
  }
}

}  // namespace fathom::probe
