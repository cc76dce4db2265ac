// fathom check FILE…: is the design true? Findings for people and for CI; exit code 1 when there is one that is grave enough.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>

#include "check_run.h"
#include "input/excerpt.h"
#include "output.h"
#include "report/check_github.h"
#include "report/check_json.h"
#include "report/check_junit.h"
#include "report/check_markdown.h"
#include "report/check_place.h"
#include "report/check_sarif.h"
#include "report/check_text.h"
#include "units/number.h"
#include "verbs.h"

namespace fathom {

namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kFormats = {"text", "concise", "json", "sarif", "junit", "github", "md"};
const std::vector<std::string> kFailOn = {"never", "note", "warning", "error"};  // as Severity has them

struct CheckVerbOptions {
  std::vector<fs::path> named;
  std::vector<std::string> formats;
  std::string fail_on = "error";
  std::vector<std::string> fail_if;
  std::vector<std::string> rules, columns;
  std::optional<fs::path> settings;
  std::optional<fs::path> baseline, write_baseline;
  bool fix = false;
  bool diff = false;
  bool all = false;
};

std::string print(const CheckReport& report, const std::string& format, const CheckTextOptions& text) {
  if (format == "concise") return check_concise(report);
  if (format == "json") return check_json(report);
  if (format == "sarif") return check_sarif(report);
  if (format == "junit") return check_junit(report);
  if (format == "github") return check_github(report);
  if (format == "md") return check_markdown(report);
  return check_text(report, text);
}

// Standard output holds one document: findings, or the edits of --diff.
std::vector<OutputRequest> requests_of(const CheckVerbOptions& options) {
  std::vector<OutputRequest> requests;
  for (const std::string& text : options.formats) requests.push_back(parse_output(text, kFormats));
  if (requests.empty() && !options.diff) requests.push_back({.format = "text", .file = {}});
  const auto printed =
      std::count_if(requests.begin(), requests.end(), [](const OutputRequest& request) { return !request.file; });
  if (printed > 1) throw CLI::ValidationError("--format", "only one goes to standard output; name a file: json=FILE");
  if (printed > 0 && options.diff) {
    throw CLI::ValidationError("--diff", "the edits go to standard output; name a file for the findings: json=FILE");
  }
  return requests;
}

void check_targets(const CheckVerbOptions& options, const std::vector<OutputRequest>& requests,
                   const std::vector<fs::path>& files) {
  std::vector<fs::path> targets;
  for (const OutputRequest& request : requests) {
    if (request.file) targets.push_back(*request.file);
  }
  if (options.write_baseline) targets.push_back(*options.write_baseline);
  for (const fs::path& file : files) check_outputs(targets, file);
  if (!options.fix && !options.diff) return;
  for (const fs::path& file : files) {
    std::error_code ignored;
    if (file == "-" || (fs::exists(file, ignored) && !fs::is_regular_file(file, ignored))) {
      throw CLI::ValidationError(options.fix ? "--fix" : "--diff", file.string() + " is no file that could be edited");
    }
  }
}

// What --fix and --diff do to one file; its findings afterwards.
class Mender {
 public:
  Mender(CheckRun& run, bool write, bool quiet) : run_(run), write_(write), quiet_(quiet) {}

  CheckedFile mend(const fs::path& path, CheckedFile file) {
    if (!write_) {
      if (is_own(file))
        diff_ += unified_diff(run_.name_of(file.file), file.text, apply_mends(file.text, file.findings));
      return file;
    }
    // What cannot be read hides what comes behind it, and overlapping mends wait for each other.
    for (int round = 0; round < kMostRounds && is_own(file); ++round) {
      const MendedText mended = apply_mends(file.text, file.findings);
      if (mended.edits.empty()) break;
      write_file(path, mended.text);
      CheckedFile after = run_.check(path);
      if (after.unreadable && !file.unreadable) {
        write_file(path, file.text);
        note(fmt::format("{} keeps what --fix would change next: it could not be read then", file.file));
        break;
      }
      for (const Edit& edit : mended.edits) tell(edit, file);
      file = std::move(after);
    }
    return file;
  }

  const std::string& diff() const { return diff_; }

 private:
  static constexpr int kMostRounds = 50;

  // The findings stand in the file itself, and not in one that it names.
  static bool is_own(const CheckedFile& file) {
    return !file.findings.empty() && file.findings.front().file == file.file;
  }

  void tell(const Edit& edit, const CheckedFile& before) const {
    const Finding& f = *edit.finding;
    const std::string place = place_text(f.file, f.mend->spot.at.line, f.mend->spot.at.column);
    const std::string old(trimmed(before.text.substr(edit.start, edit.length)));
    note(fmt::format("fixed {}: [{}] {}", place, f.rule,
                     edit.text.empty() ? "removed " + old : fmt::format("{} -> {}", old, edit.text)));
  }
  void note(const std::string& text) const {
    if (!quiet_) std::cerr << printable(text) << "\n";
  }

  CheckRun& run_;
  bool write_, quiet_;
  std::string diff_;
};

void write_baseline(const fs::path& path, const CheckReport& report, bool quiet) {
  Baseline baseline(path);
  for (const CheckedFile& file : report.files) {
    for (const Finding& finding : file.findings) {
      if (!file.unreadable) baseline.add(finding);
    }
  }
  write_file(path, baseline.json());
  if (!quiet) std::cerr << fmt::format("wrote {} findings to {}\n", baseline.size(), path.string());
}

void tell_notes(const CheckRun& run, const CheckReport& report, bool quiet) {
  if (quiet) return;
  for (const std::string& note : run.notes()) std::cerr << "note: " << note << "\n";
  std::cerr << check_summary(report) << "\n";
}

int run_check(const CheckVerbOptions& options, const Session& session) {
  const std::vector<OutputRequest> requests = requests_of(options);
  const Catalog catalog(find_data_dir(session.executable, session.data_dir));
  const RuleBook book(catalog.data_dir());
  CheckRun run(catalog, book,
               {.rules = options.rules,
                .fail_if = options.fail_if,
                .columns = options.columns,
                .settings = options.settings,
                .baseline = options.baseline});
  const std::vector<fs::path> files = files_to_check(options.named);
  check_targets(options, requests, files);

  Mender mender(run, options.fix, session.quiet);
  std::vector<CheckedFile> checked;
  for (const fs::path& path : files) {
    checked.push_back(run.check(path));
    if (options.fix || options.diff) checked.back() = mender.mend(path, std::move(checked.back()));
  }
  const auto fail_on =
      static_cast<Severity>(std::find(kFailOn.begin(), kFailOn.end(), options.fail_on) - kFailOn.begin());
  CheckReport report = make_check_report(std::move(checked), book, fail_on);
  report.version = FATHOM_VERSION;
  report.folder = run.folder();
  if (options.write_baseline) {
    write_baseline(*options.write_baseline, report, session.quiet);
    return report.counts.unreadable > 0 ? kWrongInput : kYes;
  }
  if (options.diff) write_output({.format = "diff", .file = {}}, mender.diff());
  for (const OutputRequest& request : requests) {
    const CheckTextOptions text{.colour = !request.file && use_colour(session), .all = options.all};
    write_output(request, print(report, request.format, text));
    if (request.file && !session.quiet) std::cerr << fmt::format("wrote {}\n", request.file->string());
  }
  tell_notes(run, report, session.quiet);
  return report.counts.unreadable > 0 ? kWrongInput : report.passed ? kYes : kNo;
}

constexpr const char* kCheckFooter =
    "Exit codes, in every format: 0 no finding at or above --fail-on; 1 findings; 2 a file cannot be read, or wrong "
    "usage.\n"
    "# fathom: ignore[RULE] REASON in a file takes one finding away; .fathom.yaml sets levels and conditions; fathom "
    "explain RULE says what a rule is about.";

}  // namespace

void add_check_verb(CLI::App& program, Session& session) {
  auto options = std::make_shared<CheckVerbOptions>();
  CLI::App* verb = program.add_subcommand("check", "what is wrong with a design: parts, ports, power, sums, claims");
  verb->add_option("FILE", options->named,
                   "designs, bills (CSV), plans, manifests; folders: every design and bill in them; - is stdin")
      ->required();
  verb->add_option("-f,--format", options->formats,
                   "text, concise, json, sarif, junit, github or md, optionally =FILE; repeatable")
      ->take_all();
  verb->add_option("--fail-on", options->fail_on, "the level that fails: error (default), warning, note or never")
      ->check(CLI::IsMember(kFailOn));
  verb->add_option("--fail-if", options->fail_if, "a condition on the plan: 'cost.total > 5e6 CNY'; repeatable")
      ->take_all();
  verb->add_option("--rule", options->rules, "RULE=off, note, warning or error; a family works too; repeatable")
      ->take_all();
  verb->add_option("--columns", options->columns, "headers of a bill: 'qty=数量,unit_price=Price each'; repeatable")
      ->take_all();
  verb->add_option("--settings", options->settings, "this file instead of the nearest .fathom.yaml above each design");
  CLI::Option* baseline =
      verb->add_option("--baseline", options->baseline, "leave out the findings that this file has");
  verb->add_option("--write-baseline", options->write_baseline, "write all findings to this file, and fail for none")
      ->excludes(baseline);
  CLI::Option* fix = verb->add_flag("--fix", options->fix, "apply the mends that cannot change what was meant");
  verb->add_flag("--diff", options->diff, "print what --fix would change, and change nothing")->excludes(fix);
  verb->add_flag("--all", options->all, "every finding in text, not only the 20 gravest of each file");
  verb->footer(kCheckFooter);
  verb->callback([options, &session] { session.run = [options, &session] { return run_check(*options, session); }; });
}

}  // namespace fathom
