// llama-bench: tokens per second of a model on llama.cpp, prompts (pp) and generation (tg).
#include <fmt/format.h>

#include <map>
#include <sstream>

#include "importers/importers.h"
#include "importers/tool_json.h"
#include "units/number.h"

namespace fathom::probe {

namespace {

Result result_named(bool prompt, const std::string& backend) {
  const bool host = backend.empty() || backend == "CPU" || backend == "BLAS";
  Result r = without_figure(prompt ? "engine.llama_cpp.prefill" : "engine.llama_cpp.decode", host ? "host" : "gpu0",
                            Status::kPassed, "");
  r.unit = Unit::kTokensPerSecond;
  if (!backend.empty()) r.shape["backend"] = backend;
  return r;
}

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  std::istringstream in(line.substr(1));
  for (std::string cell; std::getline(in, cell, '|');) cells.emplace_back(trimmed(cell));
  return cells;
}

}  // namespace

std::vector<Result> results_of_llama_bench(const Document& llama_bench) {
  std::vector<Result> results;
  for (const Node& row : root_of(llama_bench).items()) {
    const double prompt = row.need({"n_prompt"}).number(), generated = row.need({"n_gen"}).number();
    Result r = result_named(generated == 0, row.find({"backends"}).text());
    r.shape["model"] = row.find({"model_type"}).text();
    r.shape["prompt_tokens"] = fmt::format("{:.0f}", prompt);
    r.shape["generated_tokens"] = fmt::format("{:.0f}", generated);
    if (const auto threads = row.find({"n_threads"}).maybe_number())
      r.shape["threads"] = fmt::format("{:.0f}", *threads);
    std::vector<double> rates;
    for (const Node& sample : row.find({"samples_ts"}).items()) rates.push_back(sample.number());
    sum_up(r, rates.empty() ? std::vector{row.need({"avg_ts"}).number()} : rates);
    r.protocol.engine = "llama.cpp " + row.find({"build_commit"}).text();
    results.push_back(std::move(r));
  }
  if (results.empty()) root_of(llama_bench).fail("llama-bench has measured nothing");
  return results;
}

// | model | size | params | backend | threads | test | t/s |, where test is pp512 or tg128 and t/s "12.3 ± 0.4".
std::vector<Result> results_of_llama_bench_table(const std::string& text, const std::string& file_name) {
  std::vector<std::string> columns;
  std::vector<Result> results;
  std::istringstream lines(text);
  int number_of_line = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number_of_line;
    if (!line.starts_with("|") || line.find_first_not_of("|-: \r") == std::string::npos) continue;
    const std::vector<std::string> cells = cells_of(line);
    if (columns.empty()) {
      columns = cells;
      continue;
    }
    std::map<std::string, std::string> row;
    for (std::size_t i = 0; i < std::min(columns.size(), cells.size()); ++i) row[columns[i]] = cells[i];
    const auto rate = number_in(row["t/s"].substr(0, row["t/s"].find(' ')));
    const std::string test = row["test"];
    const bool prompt = test.starts_with("pp");
    const auto tokens = number_in(test.size() > 2 ? test.substr(2) : "");
    if (!rate || !tokens || (!prompt && !test.starts_with("tg"))) {
      throw InputError(file_name, {number_of_line, 1}, "expected a test like pp512 or tg128 and its t/s in this line");
    }
    Result r = result_named(prompt, row["backend"]);
    r.shape["model"] = row["model"];
    r.shape[prompt ? "prompt_tokens" : "generated_tokens"] = fmt::format("{:.0f}", *tokens);
    if (!row["threads"].empty()) r.shape["threads"] = row["threads"];
    sum_up(r, {*rate});
    r.protocol.engine = "llama.cpp";
    r.protocol.statistic = "mean";
    results.push_back(std::move(r));
  }
  if (results.empty()) throw InputError(file_name, {}, "the table of llama-bench has no line with a test");
  return results;
}

}  // namespace fathom::probe
