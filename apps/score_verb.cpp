// fathom score MEASUREMENTS.csv: how far predictions are from published or own measurements.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "catalog/catalog.h"
#include "input/error.h"
#include "output.h"
#include "report/score_chart.h"
#include "report/score_csv.h"
#include "report/score_json.h"
#include "report/score_text.h"
#include "score/calibrate.h"
#include "score/engine_versions.h"
#include "score/score.h"
#include "verbs.h"

namespace fathom {

namespace {

const std::vector<std::string> kFormats = {"text", "json", "md", "csv", "svg"};
constexpr int kFolds = 5;

struct ScoreVerbOptions {
  std::filesystem::path file;
  std::vector<std::string> formats;
  bool details = false;
  bool partial = false;
  std::string kfold;
};

std::string print(const Score& result, const std::string& format, bool colour, bool details) {
  if (format == "json") return score_json(result, details);
  if (format == "csv") return score_csv(result);
  if (format == "svg") return score_svg(result);
  return score_text(
      result,
      {.style = format == "md" ? TextStyle::kMarkdown : TextStyle::kTerminal, .colour = colour, .every_row = details});
}

// A figure over no row would look like an answer.
void refuse_nothing(const ScoreVerbOptions& options, const RowCounts& rows) {
  if ((options.partial ? rows.partial : rows.full) > 0) return;
  throw InputError(options.file.string(), {},
                   fmt::format("no {} row to score: {} full, {} partial, {} context",
                               options.partial ? "partial" : "full", rows.full, rows.partial, rows.context),
                   options.partial || rows.partial == 0 ? "docs/measurements-csv.md says what completeness means"
                                                        : "--partial scores the rows that lack a condition");
}

int run_score(const ScoreVerbOptions& options, const Session& session) {
  const std::vector<OutputRequest> requests = parse_outputs(options.formats, kFormats);
  check_outputs(files_of(requests), options.file);

  const Catalog catalog(find_data_dir(session.executable, session.data_dir));
  const std::vector<Measurement> rows = read_measurements(options.file, catalog.data_dir());
  refuse_nothing(options, count_rows(rows));
  EngineBook engines(catalog.data_dir());
  Score result = options.kfold.empty() ? score(rows, catalog, engines, {.partial = options.partial})
                                       : score_held_out(rows, catalog, kFolds);
  result.file = options.file.string();
  if (options.partial) {
    result.notes.push_back(
        "these rows lack a condition that the planner needs; it was assumed (docs/accuracy.md says what)");
  }
  if (!options.kfold.empty()) {
    result.notes.push_back(fmt::format(
        "held out: every group is predicted by engine profiles fitted, from those in catalogs/priors, to the "
        "groups of the other {} of {} parts; rows that no engine profile moves are predicted as always",
        kFolds - 1, kFolds));
  }
  write_outputs(requests, session,
                [&](const std::string& format, bool colour) { return print(result, format, colour, options.details); });
  return kYes;
}

}  // namespace

void add_score_verb(CLI::App& program, Session& session) {
  auto options = std::make_shared<ScoreVerbOptions>();
  CLI::App* verb = program.add_subcommand("score", "how far predictions are from published or own measurements");
  verb->add_option("MEASUREMENTS", options->file, "a table as docs/measurements-csv.md describes it")->required();
  verb->add_option(
          "-f,--format", options->formats,
          "text, json, md, csv (a line per row) or svg (predicted over measured), optionally =FILE; repeatable")
      ->take_all();
  verb->add_flag("--details", options->details, "every row with its prediction, in text, md and json");
  CLI::Option* partial =
      verb->add_flag("--partial", options->partial, "score the rows that lack a condition instead of the full ones");
  verb->add_option("--kfold", options->kfold, "group: predict every group with profiles fitted to the others")
      ->check(CLI::IsMember({"group"}))
      ->excludes(partial);
  verb->footer("Exit code 0 whenever the table holds a row to score, however far off the predictions are.");
  verb->callback([options, &session] { session.run = [options, &session] { return run_score(*options, session); }; });
}

}  // namespace fathom
