// fathom plan CLUSTER.yaml: layout, fit, speed, power, cost, availability, and what limits them.
#include <CLI/CLI.hpp>
#include <memory>

#include "bom/cluster.h"
#include "catalog/catalog.h"
#include "measured_rates.h"
#include "output.h"
#include "plan/make_plan.h"
#include "report/plan_json.h"
#include "report/plan_text.h"
#include "verbs.h"

namespace fathom {

namespace {

const std::vector<std::string> kFormats = {"text", "json", "md"};

struct PlanOptions {
  std::filesystem::path cluster;
  std::vector<std::string> formats;
  std::optional<std::filesystem::path> save;
  std::optional<std::filesystem::path> profile;
  bool every_operator = false;
  bool every_candidate = false;
};

std::string print(const Plan& plan, const std::string& format, bool colour, const PlanOptions& options) {
  if (format == "json") return plan_json(plan);
  return plan_text(plan, {.style = format == "md" ? TextStyle::kMarkdown : TextStyle::kTerminal,
                          .colour = colour,
                          .every_operator = options.every_operator,
                          .every_candidate = options.every_candidate});
}

int run_plan(const PlanOptions& options, const Session& session) {
  const std::vector<OutputRequest> requests = parse_outputs(options.formats, kFormats);
  std::vector<std::filesystem::path> targets = files_of(requests);
  if (options.save) targets.push_back(*options.save);
  check_outputs(targets, options.cluster);
  if (options.profile) check_outputs(targets, *options.profile);

  const Catalog catalog(find_data_dir(session.executable, session.data_dir));
  const Cluster cluster = read_cluster(options.cluster, catalog);
  MeasuredRates rates;
  if (options.profile) rates = read_measured_rates(*options.profile, catalog);
  Plan plan = make_plan(cluster, catalog, rates.profile);
  plan.notes.insert(plan.notes.end(), rates.notes.begin(), rates.notes.end());
  plan.version = FATHOM_VERSION;
  write_outputs(requests, session,
                [&](const std::string& format, bool colour) { return print(plan, format, colour, options); });
  if (options.save) save_file(*options.save, session, plan_json(plan));
  return plan.fits && plan.meets ? kYes : kNo;
}

}  // namespace

void add_plan_verb(CLI::App& program, Session& session) {
  auto options = std::make_shared<PlanOptions>();
  CLI::App* verb =
      program.add_subcommand("plan", "what layout, does it fit, how fast, how much power, what cost, what limits it");
  verb->add_option("CLUSTER", options->cluster, "cluster.yaml: the bill of materials and the workload")->required();
  verb->add_option("-f,--format", options->formats, "text, json or md, optionally =FILE; repeatable")->take_all();
  verb->add_option("-o,--output", options->save, "save the plan (JSON) for later verbs");
  verb->add_option("--profile", options->profile,
                   "measured rates before those of the catalogs: fathom probe -o, or fathom validate --save-profile");
  verb->add_flag("--operators", options->every_operator, "list every operator, not only the longest");
  verb->add_flag("--candidates", options->every_candidate, "list every rejected layout with its reason");
  verb->footer("Exit code 0 when the cluster does what the workload asks, 1 when not.");
  verb->callback([options, &session] { session.run = [options, &session] { return run_plan(*options, session); }; });
}

}  // namespace fathom
