#include <algorithm>
#include <exception>
#include <new>

#include "machine/machine.h"

namespace fathom::probe {

namespace {

bool is_wanted(const Case& c, const ProbeOptions& options) {
  const auto names = [&](const std::string& only) { return c.name.starts_with(only) || only.starts_with(c.name); };
  return options.only.empty() || std::any_of(options.only.begin(), options.only.end(), names);
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
  MachineRecord record;
  record.profile = to_string(options.depth);
  for (const Machine* machine : machines) machine->describe(record);
  for (const Machine* machine : machines) {
    for (const Case& c : machine->cases(options)) {
      if (!is_wanted(c, options)) continue;
      if (progress) progress(c.name);
      for (Result& result : run(c)) record.results.push_back(std::move(result));
    }
  }
  return record;
}

}  // namespace fathom::probe
