// fathom check FILE…: is the design true? Findings for people and for CI; exit code 1 when there is one that is grave enough.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "catalog/catalog.h"
#include "check/check.h"
#include "output.h"
#include "verbs.h"

namespace fathom {

namespace {

struct CheckVerbOptions {
  std::vector<std::filesystem::path> files;
};

int run_check(const CheckVerbOptions& options, const Session& session) {
  const Catalog catalog(find_data_dir(session.executable, session.data_dir));
  const RuleBook book(catalog.data_dir());
  bool grave = false, unreadable = false;
  for (const std::filesystem::path& file : options.files) {
    const CheckedFile checked = check_file(file, catalog, book, {});
    unreadable |= checked.unreadable;
    for (const Finding& f : checked.findings) {
      grave |= f.severity == Severity::kError;
      std::cout << fmt::format("{}:{}:{}: [{}] {}\n", f.file, f.spot.at.line, f.spot.at.column, f.rule, f.message);
    }
  }
  return unreadable ? kWrongInput : grave ? kNo : kYes;
}

}  // namespace

void add_check_verb(CLI::App& program, Session& session) {
  auto options = std::make_shared<CheckVerbOptions>();
  CLI::App* verb = program.add_subcommand("check", "what is wrong with a design: parts, ports, power, sums, claims");
  verb->add_option("FILE", options->files, "cluster.yaml, a bill of materials, a plan, manifests")->required();
  verb->callback([options, &session] { session.run = [options, &session] { return run_check(*options, session); }; });
}

}  // namespace fathom
