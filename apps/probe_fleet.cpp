#include "probe_fleet.h"

#include <fmt/chrono.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>

#include "catalog/catalog.h"
#include "fleet/judge.h"
#include "fleet_arguments.h"
#include "input/content.h"
#include "print/fleet_report.h"
#include "verbs.h"

namespace fathom {

namespace {

namespace fs = std::filesystem;

// Records of an earlier run must not stand for nodes that give none now.
void make_folders(const fs::path& records) {
  if (fs::exists(records) && (!fs::is_directory(records) || !fs::is_empty(records)))
    throw CLI::ValidationError("--records", records.string() + " is there already, and not an empty folder");
  for (const char* name : {"pairs", "jobs"}) fs::create_directories(records / name);
}

// Two runs of one host in one second have different processes.
std::string run_now() {
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  return fmt::format("{:%Y%m%d%H%M%S}x{:x}", fmt::gmtime(now), getpid());
}

probe::FleetAnswers answers_of(const probe::FleetPlan& plan, const FleetOptions& options, const Session& session) {
  if (!options.run) {
    if (!fs::is_directory(options.records))
      throw CLI::ValidationError("--records", options.records.string() + " is no folder: --run gathers records there");
    return probe::read_answers(plan, options.records.string());
  }
  const std::unique_ptr<probe::System> system = probe::local_system();
  need_launcher(plan, *system);  // before anything is made
  make_folders(options.records);
  const bool quiet = session.quiet || isatty(STDERR_FILENO) == 0;
  const auto tell = [&](const std::string& text) {
    if (!quiet) std::cerr << "\rfathom: " << text << "\033[K" << std::flush;
  };
  const auto save = [&](const std::string& file, const std::string& text) { write_file(options.records / file, text); };
  probe::FleetAnswers answers = run_fleet(plan, *system, save, tell);
  if (!quiet) std::cerr << "\r\033[K" << std::flush;
  return answers;
}

// What the printed script ends with.
std::vector<std::string> judge_words(const FleetOptions& options, const Session& session) {
  std::vector<std::string> words = {session.executable.string()};
  if (session.data_dir) words.insert(words.end(), {"--data-dir", session.data_dir->string()});
  words.insert(words.end(),
               {"probe", "--fleet", options.hosts.string(), "--judge", "--records", options.records.string()});
  if (options.pairs) words.emplace_back("--pairs");
  return words;
}

}  // namespace

int probe_fleet(const FleetOptions& options, const std::vector<OutputRequest>& requests, const Session& session) {
  const Catalog catalog(find_data_dir(session.executable, session.data_dir));
  const probe::Fleet fleet = probe::read_hosts(options.hosts);
  check_arguments(fleet, *options.verb);
  probe::FleetOrder order{.depth = options.depth,
                          .pairs = options.pairs,
                          .folder = options.records.string(),
                          .job_template = {},
                          .run = run_now(),
                          .judge = judge_words(options, session)};
  if (fleet.launcher == probe::Launcher::kKubernetes)
    order.job_template = text_of_file(catalog.data_dir().parent_path() / "templates/kubernetes/probe-job.yaml");
  const probe::FleetPlan plan = plan_fleet(fleet, order);
  if (!options.run && !options.judge) {
    std::cout << script_of(plan, order);
    return kYes;
  }
  probe::FleetReport report = judge_nodes(fleet, answers_of(plan, options, session), catalog);
  report.version = FATHOM_VERSION;
  write_outputs(requests, session, [&](const std::string& format, bool colour) {
    return format == "json" ? fleet_json(report) : fleet_text(report, format == "md", colour);
  });
  return report.passed() ? kYes : kNo;
}

}  // namespace fathom
