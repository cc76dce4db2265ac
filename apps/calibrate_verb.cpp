// fathom calibrate MEASUREMENTS.csv: moves an engine's profile towards measurements and says how far each value went.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>

#include "catalog/catalog.h"
#include "input/content.h"
#include "input/error.h"
#include "input/value.h"
#include "output.h"
#include "report/page.h"
#include "report/score_text.h"
#include "score/calibrate.h"
#include "score/engine_versions.h"
#include "verbs.h"

namespace fathom {

namespace {

struct CalibrateVerbOptions {
  std::filesystem::path file;
  CalibrationOptions fit;
  std::optional<std::filesystem::path> output;
  std::string source, date;
  bool one_for_all = false;
  int folds = 5;
};

std::string this_month() {
  const std::chrono::year_month_day today(std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now()));
  return fmt::format("{}-{:02}", static_cast<int>(today.year()), static_cast<unsigned>(today.month()));
}

void check_engine(const std::string& id, const std::filesystem::path& data_dir) {
  const std::vector<std::string> known = engine_ids(data_dir);
  if (std::find(known.begin(), known.end(), id) != known.end()) return;
  const std::string meant = did_you_mean(id, known);
  throw CLI::ValidationError(
      "--engine", fmt::format("{} is not in catalogs/engines.yaml{}: {}", id,
                              meant.empty() ? "" : fmt::format(" (did you mean {}?)", meant), fmt::join(known, ", ")));
}

// "0.17", "1.0.0": three numbers at most.
std::string wrong_version(const std::string& text) {
  int dots = 0;
  bool digit = false, good = true;
  for (const char c : text) {
    good = good && (c == '.' ? digit : c >= '0' && c <= '9');
    dots += c == '.' ? 1 : 0;
    digit = c != '.';
  }
  return good && digit && dots <= 2 ? "" : text + " is no version: one to three numbers with dots, as 0.17 or 1.0.0";
}

std::string wrong_parameter(const std::string& name) {
  if (find_engine_parameter(name) != nullptr) return "";
  std::vector<std::string> known;
  for (const EngineParameter& p : engine_parameters()) known.emplace_back(p.name);
  return fmt::format("{} is no parameter that can be fitted: {}", name, fmt::join(known, ", "));
}

Calibration fitted(const CalibrateVerbOptions& options, const Catalog& catalog) {
  const std::vector<Measurement> rows = read_measurements(options.file, catalog.data_dir());
  EngineBook engines(catalog.data_dir());
  try {
    Calibration result = calibrate(rows, catalog, engines, options.fit);
    if (options.folds > 1 && result.groups > 1) {
      result.held_out = held_out_error(rows, catalog, options.fit, options.folds);
    }
    return result;
  } catch (const std::invalid_argument& nothing) {
    throw InputError(options.file.string(), {}, nothing.what(),
                     "full rows of this engine and version are needed; fathom score says why rows are not predicted");
  }
}

std::string source_of(const std::filesystem::path& file, int rows, int groups) {
  return fmt::format("fathom calibrate {}: {} in {}", file.filename().string(), counted(rows, "row"),
                     counted(groups, "group"));
}

EntryOrigin origin_of(const CalibrateVerbOptions& options, const Calibration& result,
                      const std::filesystem::path& data_dir) {
  EntryOrigin origin{.source = options.source,
                     .date = options.date.empty() ? this_month() : options.date,
                     .span = {.id = options.fit.engine, .since = options.fit.since, .before = options.fit.before}};
  if (origin.source.empty()) {
    origin.source = source_of(options.file, result.rows, result.groups);
  }
  for (const EngineSpan& span : engine_spans(data_dir)) {
    if (span.id == origin.span.id && span.since == origin.span.since) origin.span.released = span.released;
  }
  return origin;
}

// The code under which the shipped file names its fit, to the table that the source tree ships beside the catalogs.
constexpr const char* kFitSource = "FIT";

bool is_shipped_table(const std::filesystem::path& file, const std::filesystem::path& data_dir) {
  std::error_code missing;  // an installed program has no table
  return std::filesystem::equivalent(file, data_dir / ".." / "data" / "measurements" / "measurements.csv", missing);
}

int run_calibrate_all(const CalibrateVerbOptions& options, const Session& session, const Catalog& catalog) {
  const std::vector<Measurement> rows = read_measurements(options.file, catalog.data_dir());
  try {
    const EnginesCalibration result = calibrate_all(rows, catalog);
    if (!session.quiet) std::cerr << calibration_text(result);
    const std::string priors = text_of_file(catalog.data_dir() / "priors" / "engines.yaml");
    const std::string date = options.date.empty() ? this_month() : options.date;
    std::string source = options.source;
    if (source.empty()) {
      source = is_shipped_table(options.file, catalog.data_dir()) ? kFitSource
                                                                  : source_of(options.file, result.rows, result.groups);
    }
    write_outputs({{.format = "yaml", .file = options.output}}, session,
                  [&](const std::string&, bool) { return as_yaml(result, priors, source, date); });
  } catch (const std::invalid_argument& nothing) {
    throw InputError(options.file.string(), {}, nothing.what(), "fathom score says why rows are not predicted");
  }
  return kYes;
}

int run_calibrate(CalibrateVerbOptions options, const Session& session) {
  if (options.output) check_outputs({*options.output}, options.file);
  const Catalog catalog(find_data_dir(session.executable, session.data_dir));
  if (options.fit.engine.empty()) return run_calibrate_all(options, session, catalog);
  check_engine(options.fit.engine, catalog.data_dir());
  options.fit.by_device = !options.one_for_all;
  const Calibration result = fitted(options, catalog);
  if (!session.quiet) std::cerr << calibration_text(result);
  const EntryOrigin origin = origin_of(options, result, catalog.data_dir());
  write_outputs({{.format = "yaml", .file = options.output}}, session,
                [&](const std::string&, bool) { return as_yaml(result, origin); });
  return kYes;
}

}  // namespace

void add_calibrate_verb(CLI::App& program, Session& session) {
  auto options = std::make_shared<CalibrateVerbOptions>();
  CLI::App* verb = program.add_subcommand("calibrate", "fit an engine's profile to measurements");
  verb->add_option("MEASUREMENTS", options->file, "a table as docs/measurements-csv.md describes it")->required();
  CLI::Option* engine = verb->add_option("--engine", options->fit.engine,
                                         "its id in catalogs/engines.yaml (default: all in one fit, from "
                                         "catalogs/priors/engines.yaml, whose text is printed with what was found)");
  verb->add_option("--since", options->fit.since, "only versions from this one on")
      ->check(wrong_version)
      ->needs(engine);
  verb->add_option("--before", options->fit.before, "only versions before this one")
      ->check(wrong_version)
      ->needs(engine);
  verb->add_option("--fix", options->fit.fixed, "parameters that stay")->check(wrong_parameter)->needs(engine);
  CLI::Option* folds =
      verb->add_option("--folds", options->folds,
                       "parts that the groups are dealt into for the held-out error of one engine; 0: none")
          ->check(CLI::Range(0, 100))
          ->capture_default_str();
  verb->add_flag("--one-for-all", options->one_for_all, "the same values on all devices")->needs(engine);
  verb->add_option("--source", options->source,
                   "what the entry names as the source of its values (default: the table)");
  verb->add_option("--date", options->date, "and as their date (default: this month)");
  verb->add_option("-o,--output", options->output, "the entry for catalogs/engines.yaml (default: standard output)");
  verb->footer("What moved goes to standard error. How far that holds elsewhere: fathom score --kfold group.");
  verb->callback([options, &session, engine, folds] {
    if (folds->count() > 0 && engine->count() == 0) {
      throw CLI::ValidationError(
          "--folds", "is of one engine and needs --engine; of all in one fit: fathom score MEASUREMENTS --kfold group");
    }
    session.run = [options, &session] { return run_calibrate(*options, session); };
  });
}

}  // namespace fathom
