#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>

#include "harness/contradictions.h"
#include "importers/importers.h"
#include "importers/tool_json.h"
#include "input/content.h"
#include "input/utf8.h"
#include "units/number.h"

namespace fathom::probe {

namespace {

[[noreturn]] void fail_unknown(const std::string& file) {
  throw InputError(
      file, {}, "this is no output that can be imported",
      "known are nccl-tests (text, -J FILE), nvbandwidth -j, fio --output-format=json, iperf3 -J, perftest "
      "--out_json, llama-bench -o json or md");
}

void check_text(const std::string& text, const std::string& file) {
  bool is_text = find_steering(text, "\n\r\t") == std::string::npos;
  for (std::size_t at = 0; is_text && at < text.size();) {
    const std::size_t length = code_point_at(text, at).length;
    is_text = length > 0;
    at += length;
  }
  if (!is_text) throw InputError(file, {}, "this is no text: it is not valid UTF-8, or has control characters");
}

std::string day_of_seconds(double seconds) {
  using namespace std::chrono;
  return fmt::format("{:%F}", fmt::gmtime(sys_seconds(std::chrono::seconds(static_cast<std::int64_t>(seconds)))));
}

// The day on which a tool says that it ran; empty where it says none, or none that a calendar has.
std::string date_in(const Node& root) {
  constexpr double kLatest = 4102444800;  // 2100-01-01
  for (const Node& seconds :
       {root.find({"timestamp"}), root.find({"start", "timestamp", "timesecs"})}) {  // fio, iperf3
    const auto told = seconds.maybe_number();
    if (told && *told > 0 && *told < kLatest) return day_of_seconds(*told);
  }
  const std::vector<Node> items = root.items();
  const Node bench = items.empty() ? Node() : items.front().find({"test_time"});
  for (const Node& time : {root.find({"start_time"}), bench}) {  // nccl-tests, llama-bench
    if (const std::string day = time.text().substr(0, 10); day_of(day)) return day;
  }
  return {};
}

void import_json(const Document& json, MachineRecord& record) {
  const Node root = root_of(json);
  record.date = date_in(root);
  const auto has = [&](std::initializer_list<const char*> keys) { return static_cast<bool>(root.find(keys)); };
  if (root.find({"format"}).text() == "fathom-machine") {
    root.fail("this is a record already", "fathom probe --replay FILE judges it");
  }
  if (has({"fio version"})) {
    record.results = results_of_fio(json);
  } else if (root.find({"start", "version"}).text().starts_with("iperf") ||
             (has({"error"}) && has({"start"}) && has({"end"}))) {
    record.results = results_of_iperf3(json);
  } else if (has({"nvbandwidth"})) {
    import_nvbandwidth(json, record);
  } else if (has({"nccl_version"})) {
    import_nccl_tests(json, record);
  } else if (has({"test_info"})) {
    record.results = results_of_perftest(json);
  } else if (!root.items().empty() && root.items().front().find({"n_gen"})) {
    record.results = results_of_llama_bench(json);
  } else {
    fail_unknown(json.file);
  }
}

// What was damaged on its way here, or edited: sizes and groups that cannot be.
void check_results(const std::vector<Result>& results, const std::string& file) {
  for (const Result& r : results) {
    const std::string contradiction = contradiction_in(r);
    if (!contradiction.empty()) throw InputError(file, {}, fmt::format("of {}: {}", r.name, contradiction));
  }
}

// Tools measure one thing again (cycles of nccl-tests, jobs of fio beside each other), and so do people: all figures stay, and the later
// ones are told apart by the number of their run.
void number_runs(std::vector<Result>& results) {
  for (Result& r : results) r.shape.erase("run");
  std::map<std::size_t, int> runs;  // by the first of them
  for (const auto& [first, later] : find_twins(results))
    results[later].shape["run"] = fmt::format("{}", ++runs[first] + 1);
}

}  // namespace

MachineRecord import_text(const std::string& text, const std::string& file_name) {
  check_text(text, file_name);
  MachineRecord record;
  record.file = file_name;
  record.node = std::filesystem::path(file_name).stem().string();
  record.profile = "imported";
  if (text.find("out-of-place") != std::string::npos && text.find("busbw") != std::string::npos) {
    import_nccl_tests_text(text, file_name, record);
  } else if (text.find("t/s |") != std::string::npos) {
    record.results = results_of_llama_bench_table(text, file_name);
  } else {
    const std::size_t brace = text.find_first_of("{[");
    if (brace == std::string::npos) fail_unknown(file_name);
    const Document json = parse_tool_json(text, file_name);
    check_texts(json.file, json.root);
    import_json(json, record);
  }
  for (const Result& r : record.results) {
    if (r.device != "gpu0" || record.gpu(r.device) != nullptr) continue;  // llama-bench tells no more of them
    Gpu gpu;
    gpu.device = r.device;
    gpu.name = kUnknownGpu;
    record.gpus.push_back(std::move(gpu));
  }
  if (record.results.empty()) throw InputError(file_name, {}, "there is no measurement in it");
  check_results(record.results, file_name);
  number_runs(record.results);
  return record;
}

void join(MachineRecord& record, const MachineRecord& more) {
  const auto is_same = [](const Result& a, const Result& b) {
    return a.figure && b.figure && a.figure->median == b.figure->median && a.name == b.name && a.device == b.device &&
           a.shape == b.shape && a.protocol == b.protocol;
  };
  for (const Result& r : more.results) {
    if (std::any_of(record.results.begin(), record.results.end(), [&](const Result& own) { return is_same(own, r); }))
      throw InputError(more.file, {}, "its figure of " + r.name + " is there already: the file is imported twice");
  }
  record.date = std::max(record.date, more.date);
  record.notes.insert(record.notes.end(), more.notes.begin(), more.notes.end());
  record.results.insert(record.results.end(), more.results.begin(), more.results.end());
  number_runs(record.results);
  for (const Gpu& gpu : more.gpus) {
    const auto same =
        std::find_if(record.gpus.begin(), record.gpus.end(), [&](const Gpu& g) { return g.device == gpu.device; });
    if (same == record.gpus.end()) {
      record.gpus.push_back(gpu);
    } else if (same->name == kUnknownGpu) {
      same->name = gpu.name;
    }
  }
}

MachineRecord import_file(const std::filesystem::path& path) {
  MachineRecord record = import_text(text_of_file(path), path.string());
  struct stat status = {};
  if (record.date.empty() && ::stat(path.c_str(), &status) == 0) {
    record.date = day_of_seconds(static_cast<double>(status.st_mtime));
    record.notes.push_back(fmt::format("{} does not tell when it was measured: {} is when the file was written",
                                       path.string(), record.date));
  }
  return record;
}

}  // namespace fathom::probe
