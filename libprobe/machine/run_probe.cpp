#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <new>
#include <stdexcept>

#include "machine/machine.h"
#include "units/number.h"

namespace fathom::probe {

namespace {

bool is_named(const std::string& case_name, const std::string& name) {
  return case_name.starts_with(name) || name.starts_with(case_name + ".");
}

void check_names(const std::vector<Case>& cases, const ProbeOptions& options) {
  for (const std::string& name : options.only) {
    const auto named = [&](const Case& c) { return is_named(c.name, name); };
    if (std::any_of(cases.begin(), cases.end(), named)) continue;
    std::string known;
    for (const Case& c : cases) known += (known.empty() ? "" : ", ") + c.name;
    throw std::invalid_argument(fmt::format("there is no case {}; there are {}", in_quotes(name), known));
  }
}

Seconds since(std::chrono::steady_clock::time_point start) {
  return Seconds(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
}

const char* device_of(const Case& c) { return c.name.starts_with("host.") ? "host" : "gpu"; }

std::vector<Result> run(const Case& c) {
  try {
    return c.run();
  } catch (const std::bad_alloc&) {
    return {without_figure(c.name, device_of(c), Status::kNotRun, "there is not enough memory")};
  } catch (const std::exception& error) {
    return {without_figure(c.name, device_of(c), Status::kUnknown, error.what())};
  }
}

}  // namespace

bool is_wanted(const std::string& case_name, const ProbeOptions& options) {
  return options.only.empty() || std::any_of(options.only.begin(), options.only.end(),
                                             [&](const std::string& name) { return is_named(case_name, name); });
}

MachineRecord run_probe(const std::vector<const Machine*>& machines, const ProbeOptions& options,
                        const Progress& progress) {
  std::vector<Case> cases;
  for (const Machine* machine : machines) {
    for (Case& c : machine->cases()) cases.push_back(std::move(c));
  }
  check_names(cases, options);
  const auto start = std::chrono::steady_clock::now();
  MachineRecord record;
  record.profile = to_string(options.depth);
  for (const Machine* machine : machines) machine->describe(record);
  for (const Case& c : cases) {
    if (!is_wanted(c.name, options)) continue;
    if (progress) progress(c.name);
    const auto case_start = std::chrono::steady_clock::now();
    for (Result& result : run(c)) record.results.push_back(std::move(result));
    record.case_times.push_back({.name = c.name, .time = since(case_start)});
  }
  for (const Machine* machine : machines) machine->conclude(record);
  record.duration = since(start);
  return record;
}

}  // namespace fathom::probe
