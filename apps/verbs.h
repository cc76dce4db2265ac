// One file per verb: each adds its subcommand to the program and, when chosen, sets what main should run.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>

namespace CLI {
class App;
}

namespace fathom {

// Exit codes, the same for every verb and format (docs: `fathom --help`).
enum ExitCode { kYes = 0, kNo = 1, kWrongInput = 2, kFailure = 3 };

struct Session {
  std::filesystem::path executable;               // where data files are looked for first
  std::optional<std::filesystem::path> data_dir;  // --data-dir
  std::string colour = "auto";                    // --color auto|always|never
  bool quiet = false;
  std::function<int()> run;  // the chosen verb; returns an ExitCode
};

void add_plan_verb(CLI::App& program, Session& session);
void add_check_verb(CLI::App& program, Session& session);
void add_simulate_verb(CLI::App& program, Session& session);
void add_validate_verb(CLI::App& program, Session& session);
void add_probe_verb(CLI::App& program, Session& session);
void add_score_verb(CLI::App& program, Session& session);
void add_calibrate_verb(CLI::App& program, Session& session);
void add_catalog_verb(CLI::App& program, Session& session);
void add_explain_verb(CLI::App& program, Session& session);

// Should text on stdout be coloured? --color, NO_COLOR, CLICOLOR_FORCE, CLICOLOR, TERM and whether it is a terminal.
bool use_colour(const Session& session);

}  // namespace fathom
