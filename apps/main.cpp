// fathom: will this cluster serve that model? Wires the verbs and turns what they throw into messages and exit codes.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <iostream>

#include "input/error.h"
#include "input/value.h"
#include "units/money.h"
#include "verbs.h"

namespace {

constexpr const char* kFooter =
    "Exit codes: 0 yes; 1 no (infeasible, findings, threshold broken); 2 wrong usage or input; 3 internal, I/O or "
    "device trouble.\n"
    "Start with: fathom plan examples/r1-appliance-h100/cluster.yaml";

// What CLI11 says, and the verb that may have been meant.
std::string explain(const CLI::ParseError& error, const CLI::App& program, int argc, char** argv) {
  const std::string general = "\n   = help: fathom --help, fathom VERB --help";
  std::string text = error.what();
  const std::string word = argc > 1 ? argv[1] : "";
  if (word.empty() || word.front() == '-') return text + general;
  std::vector<std::string> verbs;
  for (const CLI::App* verb : program.get_subcommands(nullptr)) verbs.push_back(verb->get_name());
  if (std::find(verbs.begin(), verbs.end(), word) != verbs.end())
    return text + "\n   = help: fathom " + word + " --help";
  const std::string close = fathom::did_you_mean(word, verbs);
  text = "unknown verb \"" + word + "\"\n   = help: ";
  if (!close.empty()) return text + "did you mean \"" + close + "\"?";
  return text + "fathom --help lists the verbs";
}

int run(int argc, char** argv) {
  fathom::Session session;
  session.executable = argv[0];
  CLI::App program("fathom decides whether a cluster will serve a language model, before money is spent.", "fathom");
  program.set_version_flag("--version", FATHOM_VERSION);
  program.footer(kFooter);
  program.require_subcommand(1);
  program.fallthrough();
  program.add_option("--data-dir", session.data_dir, "where the catalogs are (default: beside the program)");
  program.add_option("--color", session.colour, "auto, always or never")
      ->check(CLI::IsMember({"auto", "always", "never"}));
  program.add_flag("-q,--quiet", session.quiet, "no notes on stderr");
  fathom::add_plan_verb(program, session);
  fathom::add_check_verb(program, session);
  fathom::add_simulate_verb(program, session);
  fathom::add_validate_verb(program, session);
  fathom::add_probe_verb(program, session);
  fathom::add_score_verb(program, session);
  fathom::add_calibrate_verb(program, session);
  fathom::add_catalog_verb(program, session);
  fathom::add_explain_verb(program, session);
  try {
    program.parse(argc, argv);
    return session.run();
  } catch (const CLI::Success& asked) {  // --help, --version
    program.exit(asked);
    return fathom::kYes;
  } catch (const CLI::ParseError& error) {
    std::cerr << "error: " << explain(error, program, argc, argv) << "\n";
    return fathom::kWrongInput;
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const fathom::InputError& error) {
    std::cerr << fathom::render(error) << "\n";
    return fathom::kWrongInput;
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << "\n";
    return fathom::kFailure;
  }
}
