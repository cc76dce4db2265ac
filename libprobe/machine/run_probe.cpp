#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <new>
#include <stdexcept>

#include "machine/machine.h"
#include "units/number.h"

namespace fathom::probe {

namespace {

// "host.memory" names its results, and is named by the case of one: "host.memory.triad".
bool is_named(const Case& c, const std::string& name) {
  return c.name.starts_with(name) || name.starts_with(c.name + ".");
}

bool is_wanted(const Case& c, const ProbeOptions& options) {
  return options.only.empty() ||
         std::any_of(options.only.begin(), options.only.end(), [&](const auto& name) { return is_named(c, name); });
}

void check_names(const std::vector<Case>& cases, const ProbeOptions& options) {
  for (const std::string& name : options.only) {
    const auto named = [&](const Case& c) { return is_named(c, name); };
    if (std::any_of(cases.begin(), cases.end(), named)) continue;
    std::string known;
    for (const Case& c : cases) known += (known.empty() ? "" : ", ") + c.name;
    throw std::invalid_argument(fmt::format("there is no case {}; there are {}", in_quotes(name), known));
  }
}

std::vector<Result> run(const Case& c) {
  try {
    return c.run();
  } catch (const std::bad_alloc&) {
    return {without_figure(c.name, "host", Status::kNotRun, "there is not enough memory")};
  } catch (const std::exception& error) {
    return {without_figure(c.name, "host", Status::kUnknown, error.what())};
  }
}

}  // namespace

MachineRecord run_probe(const std::vector<const Machine*>& machines, const ProbeOptions& options,
                        const Progress& progress) {
  std::vector<Case> cases;
  for (const Machine* machine : machines) {
    for (Case& c : machine->cases()) cases.push_back(std::move(c));
  }
  check_names(cases, options);
  MachineRecord record;
  record.profile = to_string(options.depth);
  for (const Machine* machine : machines) machine->describe(record);
  for (const Case& c : cases) {
    if (!is_wanted(c, options)) continue;
    if (progress) progress(c.name);
    for (Result& result : run(c)) record.results.push_back(std::move(result));
  }
  return record;
}

}  // namespace fathom::probe
