// fathom probe: what this node really does, and whether that is what it should do.
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <chrono>
#include <iostream>
#include <memory>

#include "cases/network.h"
#include "catalog/catalog.h"
#include "health/limits_of_parts.h"
#include "importers/importers.h"
#include "input/error.h"
#include "input/utf8.h"
#include "inventory/surroundings.h"
#include "machine/machine.h"
#include "output.h"
#include "print/probe_report.h"
#include "probe_fleet.h"
#include "rates/rates.h"
#include "verbs.h"

namespace fathom {

namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kFormats = {"text", "json", "junit", "prometheus", "md"};
const std::vector<std::string> kDepths = {"quick", "standard", "full"};

struct ProbeVerbOptions {
  std::vector<std::string> formats;
  std::optional<fs::path> output, replay, requirements, attestation;
  std::vector<fs::path> imports, peers;
  std::string depth = "quick";
  std::string name;
  FleetOptions fleet;
  probe::RedfishAccess redfish;
  std::optional<int> required_gpus;
  bool checklist = false, fits = false, all_figures = false;
  probe::ProbeOptions probe;
};

std::string print(const probe::ProbeReport& report, const std::string& format, bool colour) {
  if (format == "json") return probe_json(report);
  if (format == "junit") return probe_junit(report);
  if (format == "prometheus") return probe_prometheus(report);
  return probe_text(report, format == "md", colour);
}

// One line that is written over, on a terminal only: cases take seconds.
probe::Progress progress(const Session& session) {
  if (session.quiet || isatty(STDERR_FILENO) == 0) return {};
  return [](const std::string& text) { std::cerr << "\rfathom: " << text << "\033[K" << std::flush; };
}

// A figure that is wrong, zero or out of the hardware's reach is void for every printer, in a record from elsewhere, too.
void hold_against_peaks(probe::MachineRecord& record, const Catalog& catalog) {
  for (probe::Result& result : record.results) hold_against(result, peak_of(result, record, catalog));
}

std::string today() { return fmt::format("{:%F}", fmt::gmtime(std::chrono::system_clock::now())); }

probe::MachineRecord imported(const std::vector<fs::path>& files) {
  probe::MachineRecord record = probe::import_file(files.front());
  for (std::size_t i = 1; i < files.size(); ++i) join(record, probe::import_file(files[i]));
  if (files.size() > 1) record.file.clear();
  record.tool = fmt::format("fathom {}", FATHOM_VERSION);
  return record;
}

probe::Depth depth_of(const ProbeVerbOptions& options) {
  return static_cast<probe::Depth>(std::find(kDepths.begin(), kDepths.end(), options.depth) - kDepths.begin());
}

probe::MachineRecord measure(const ProbeVerbOptions& options, const Session& session, const Catalog& catalog) {
  probe::ProbeOptions how = options.probe;
  how.depth = depth_of(options);
  if (!options.redfish.url.empty()) how.redfish = options.redfish;
  if (options.checklist && how.only.empty()) how.only = {"host.storage", "host.network"};
  const std::unique_ptr<probe::System> system = probe::local_system();
  const std::unique_ptr<probe::Machine> host = host_machine(*system, how), gpus = gpu_machine(catalog, how);
  const probe::Progress tell = progress(session);
  probe::MachineRecord record = run_probe({host.get(), gpus.get()}, how, tell);
  if (tell) std::cerr << "\r\033[K" << std::flush;
  record.tool = fmt::format("fathom {}", FATHOM_VERSION);
  record.date = today();
  return record;
}

probe::MachineRecord machine_of(const ProbeVerbOptions& options, const Session& session, const Catalog& catalog) {
  probe::MachineRecord record;
  if (options.replay) {
    record = probe::read_record(*options.replay);
  } else if (!options.imports.empty()) {
    record = imported(options.imports);
  } else {
    record = measure(options, session, catalog);
  }
  hold_against_peaks(record, catalog);
  if (!options.name.empty()) record.node = options.name;
  if (options.attestation) record.power_attestation = probe::read_power_attestation(*options.attestation);
  return record;
}

std::optional<probe::RequiredGpus> required_of(const ProbeVerbOptions& options) {
  if (!options.required_gpus) return std::nullopt;
  return probe::RequiredGpus{.count = *options.required_gpus, .source = "--require-gpus"};
}

// GPUs of which no case was asked for are left out of the record: nobody counts them.
void check_count(const ProbeVerbOptions& options) {
  const std::vector<std::string> names = probe::gpu_case_names();
  const auto wanted = [&](const std::string& name) { return is_wanted(name, options.probe); };
  if (options.required_gpus && std::none_of(names.begin(), names.end(), wanted))
    throw CLI::ValidationError("--require-gpus", "--only names no case of GPUs, so none of them is looked at");
}

// What is asked for has to be measured, and what is measured has to be looked at.
void check_only(const ProbeVerbOptions& options) {
  for (const std::string& name : options.probe.only) {
    if (options.checklist && !name.starts_with("host.storage") && !name.starts_with("host.network"))
      throw CLI::ValidationError("--only", name + " is no case of the checklist: those are host.storage, host.network");
  }
  if (options.probe.storage && !is_wanted("host.storage", options.probe))
    throw CLI::ValidationError("--storage", "--only names no case of storage: host.storage");
  if (!options.probe.peer.empty() && !is_wanted("host.network", options.probe))
    throw CLI::ValidationError("--peer", "--only names no case of the network: host.network");
}

// A node is no peer of itself, and none counts twice.
void check_peers(const ProbeVerbOptions& options) {
  std::vector<fs::path> seen = options.imports;
  if (options.replay) seen.push_back(*options.replay);
  for (const fs::path& file : options.peers) {
    std::error_code ignored;
    const auto same = [&](const fs::path& other) { return fs::equivalent(other, file, ignored); };
    if (std::any_of(seen.begin(), seen.end(), same)) {
      throw CLI::ValidationError("--peers", file.string() + " is named already: it is not another node");
    }
    seen.push_back(file);
  }
}

// What is saved can be replayed. What readers refuse took minutes to measure all the same: it is kept under another name.
void save_record(const fs::path& file, const Session& session, const probe::MachineRecord& record) {
  const std::string text = record_json(record);
  try {
    probe::parse_record(text, file.string());
  } catch (const InputError& error) {
    const fs::path kept = file.string() + ".rejected";
    save_file(kept, session, text);
    throw InputError(file.string(), {},
                     fmt::format("it could not be replayed, and is kept as {}: {}", kept.string(), error.message()));
  }
  save_file(file, session, text);
}

// What `plan --profile` makes of the record: how well its curves and surfaces predict figures that they have not seen.
int print_fits(const probe::MachineRecord& record, const Catalog& catalog) {
  const probe::RecordRates rates = rates_of(record, catalog);
  const Profile profile = fit_profile(rates.measurements);
  const std::vector<std::string> fits = fit_texts(profile);
  for (const std::string& fit : fits) std::cout << fit << "\n";
  for (const std::string& unused : rates.unused) std::cout << "not used by a plan: " << unused << "\n";
  for (const std::string& note : record.notes) std::cout << "note: " << note << "\n";
  if (!profile.rows.empty() && fits.empty()) {
    std::cout << "each format's products are two rates of two points: none can be left out and predicted\n";
  } else if (fits.empty()) {
    std::cout << "no product in four shapes, and no collective in three sizes: a plan takes no times\n";
  }
  return fits.empty() ? kNo : kYes;
}

int run_fleet(const ProbeVerbOptions& options, const Session& session) {
  if (!options.formats.empty() && !options.fleet.run && !options.fleet.judge)
    throw CLI::ValidationError("--format",
                               "is of a report, which --run and --judge give: without them the launch is printed");
  const std::vector<OutputRequest> requests = parse_outputs(options.formats, {"text", "json", "md"});
  check_outputs(files_of(requests), options.fleet.hosts);
  FleetOptions fleet = options.fleet;
  fleet.depth = depth_of(options);
  return probe_fleet(fleet, requests, session);
}

int run_verb(const ProbeVerbOptions& options, const Session& session) {
  if (!options.fleet.hosts.empty()) return run_fleet(options, session);
  const std::vector<OutputRequest> requests = parse_outputs(options.formats, kFormats);
  std::vector<fs::path> targets = files_of(requests);
  if (options.output) targets.push_back(*options.output);
  check_outputs(targets, options.replay.value_or(""));
  for (const auto& files : {options.imports, options.peers}) {
    for (const fs::path& file : files) check_outputs(targets, file);
  }
  for (const auto& file : {options.attestation, options.requirements}) {
    if (file) check_outputs(targets, *file);
  }
  check_peers(options);
  check_count(options);
  check_only(options);
  if (!options.redfish.url.empty()) {
    const std::string trouble = trouble_with_access(options.redfish);
    if (!trouble.empty()) throw CLI::ValidationError("--redfish", trouble);
  }
  if (options.attestation)
    probe::read_power_attestation(*options.attestation);  // what is wrong is said before any work
  const Catalog catalog(find_data_dir(session.executable, session.data_dir));
  const probe::Requirements requirements =
      probe::read_requirements(options.requirements.value_or(catalog.data_dir() / "checklist.yaml"));

  std::vector<probe::MachineRecord> nodes;
  for (const fs::path& file : options.peers) nodes.push_back(probe::read_record(file));

  probe::ProbeReport report;
  report.version = FATHOM_VERSION;
  report.all_figures = options.all_figures;
  report.record = machine_of(options, session, catalog);
  if (options.fits) {
    const int code = print_fits(report.record, catalog);
    if (options.output) save_record(*options.output, session, report.record);
    return code;
  }
  if (options.checklist) {
    report.checklist = check_environment(report.record, requirements);
  } else {
    report.health = judge_health(report.record, catalog, nodes, required_of(options));
    for (const probe::MachineRecord& node : nodes)
      report.health->notes.insert(report.health->notes.end(), node.notes.begin(), node.notes.end());
  }
  write_outputs(requests, session,
                [&](const std::string& format, bool colour) { return print(report, format, colour); });
  if (options.output) save_record(*options.output, session, report.record);
  return report.passed() ? kYes : kNo;
}

int run_asked(const ProbeVerbOptions& options, const Session& session) {
  try {
    return run_verb(options, session);
  } catch (const std::invalid_argument& error) {
    throw CLI::ValidationError("--only", error.what());
  }
}

constexpr const char* kFooter =
    "Exit codes, in every format: 0 healthy (with --checklist: every line passed); 1 findings, or not all of it could "
    "be "
    "told; 2 wrong usage or input; 3 trouble with this machine.";

// Options of one node make no sense for many: those that its own probe takes stand in hosts.yaml.
void add_fleet_options(CLI::App& verb, ProbeVerbOptions& options) {
  options.fleet.verb = &verb;
  CLI::Option* fleet = verb.add_option("--fleet", options.fleet.hosts,
                                       "the nodes of this hosts.yaml: prints the launch; with --run runs it");
  for (const char* name : {"--replay", "--import", "--checklist", "--only", "--storage", "--peer", "--attestation",
                           "--peers", "--name", "--output", "--fits", "--redfish", "--require-gpus"})
    fleet->excludes(verb.get_option(name));
  CLI::Option* run =
      verb.add_flag("--run", options.fleet.run, "probe them, gather their records, judge each and all")->needs(fleet);
  verb.add_flag("--judge", options.fleet.judge, "judge records that were gathered before")->needs(fleet)->excludes(run);
  verb.add_flag("--pairs", options.fleet.pairs, "and the network between every two of them, by iperf3")->needs(fleet);
  verb.add_option("--records", options.fleet.records, "folder of their records: fleet")->needs(fleet);
}

}  // namespace

void add_probe_verb(CLI::App& program, Session& session) {
  auto options = std::make_shared<ProbeVerbOptions>();
  CLI::App* verb = program.add_subcommand("probe", "what this node really does; its health; the environment checklist");
  CLI::Option* format = verb->add_option("-f,--format", options->formats,
                                         "text, json, junit, prometheus or md, optionally =FILE; repeatable")
                            ->take_all();
  verb->add_option("-o,--output", options->output, "save the machine's record, to be replayed or compared");
  CLI::Option* replay = verb->add_option("--replay", options->replay, "judge a recorded machine, and touch none");
  CLI::Option* import =
      verb->add_option(
              "--import", options->imports,
              "judge what other tools wrote: nccl-tests, nvbandwidth, fio, iperf3, perftest, llama-bench; repeatable")
          ->take_all()
          ->excludes(replay);
  CLI::Option* checklist = verb->add_flag("--checklist", options->checklist,
                                          "the environment: power, network, storage, clock, a verdict for each");
  verb->add_option("--requirements", options->requirements,
                   "what the checklist requires, instead of catalogs/checklist.yaml")
      ->needs(checklist);
  verb->add_option("--profile", options->depth, "quick (to 2 minutes), standard (to 10) or full")
      ->check(CLI::IsMember(kDepths))
      ->excludes(replay)
      ->excludes(import);
  verb->add_option("--only", options->probe.only,
                   "only cases whose names begin so, each of them whole: host.memory; repeatable")
      ->take_all()
      ->excludes(replay)
      ->excludes(import);
  verb->add_option("--storage", options->probe.storage,
                   "measure the storage in this folder: a file is written and removed")
      ->check(CLI::ExistingDirectory)
      ->excludes(replay)
      ->excludes(import);
  verb->add_option("--peer", options->probe.peer, "measure the network to HOST[:PORT], where iperf3 -s runs")
      ->check(probe::trouble_with_peer)
      ->excludes(replay)
      ->excludes(import);
  verb->add_flag("--all", options->all_figures,
                 "in text, a row for each figure instead of one for a case's many shapes")
      ->excludes(checklist);
  verb->add_flag("--fits", options->fits, "instead of a verdict, how well plan --profile predicts from this record")
      ->excludes(checklist)
      ->excludes(format);  // lines of text alone
  verb->add_option("--attestation", options->attestation, "who attests redundant power: a YAML file");
  CLI::Option* redfish =
      verb->add_option(
              "--redfish", options->redfish.url,
              "https://HOST of the node's management controller: its power supplies; without a login http://, too")
          ->excludes(replay)
          ->excludes(import);
  verb->add_option("--redfish-login", options->redfish.login, "netrc file with the controller's name and password")
      ->check(CLI::ExistingFile)
      ->needs(redfish);
  verb->add_flag("--redfish-any-certificate", options->redfish.any_certificate,
                 "take the controller's certificate, whoever signed it")
      ->needs(redfish);
  verb->add_option("--peers", options->peers, "records of other nodes to hold this one against; repeatable")
      ->excludes(checklist);
  verb->add_option("--require-gpus", options->required_gpus,
                   "how many GPUs the node has to have: with fewer it has failed")
      ->check([](const std::string& text) -> std::string {
        int count = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
        const bool whole = error == std::errc() && end == text.data() + text.size();
        if (whole && count >= 1 && count <= probe::kMostGpus) return "";
        return fmt::format("a whole number from 1 to {}, not {}", probe::kMostGpus, text);
      })
      ->excludes(import)
      ->excludes(checklist)
      ->excludes(verb->get_option("--fits"));
  verb->add_option("--name", options->name, "what the record calls this node, instead of its host name")
      ->check([](const std::string& name) -> std::string {
        if (name.empty()) return "it is empty";
        return find_steering(name) == std::string::npos ? "" : "it has a control character";
      });
  add_fleet_options(*verb, *options);
  verb->footer(kFooter);
  verb->callback([options, &session] { session.run = [options, &session] { return run_asked(*options, session); }; });
}

}  // namespace fathom
