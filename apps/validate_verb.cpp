// fathom validate PLAN.json: run the sharded engine as planned, and hold what it took against what was predicted.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <iostream>
#include <limits>
#include <memory>

#include "compare/compare.h"
#include "executor/cuda.h"
#include "input/error.h"
#include "output.h"
#include "plan/architecture_fields.h"
#include "plan/host_device.h"
#include "plan/read_plan.h"
#include "profile/profile.h"
#include "report/arrivals_json.h"
#include "report/arrivals_text.h"
#include "report/validate_json.h"
#include "report/validate_text.h"
#include "validate/validation.h"
#include "validate_arrivals.h"
#include "verbs.h"
#include "weights/checkpoint.h"
#include "weights/safetensors.h"
#include "weights/synthetic.h"

namespace fathom {

namespace {

const std::vector<std::string> kFormats = {"text", "json", "md"};

struct ValidateOptions {
  std::filesystem::path plan;
  std::vector<std::string> formats;
  std::string backend = "auto";
  std::string weights = "synthetic";
  std::uint64_t seed = 1;
  std::string pool;
  int layers = 0;
  int sequences = 0, prompt = 0;
  std::int64_t context = 0;
  int steps = 16;
  int threads = 0;
  double timeout = 60;
  std::vector<int> tokens;
  std::optional<std::filesystem::path> logits;
  std::optional<std::filesystem::path> profile, samples;
  bool every_operator = false;
  std::string fault;
  ArrivalOptions arrivals;
};

const SavedPool& chosen_pool(const SavedPlan& plan, const std::string& name) {
  if (name.empty()) return plan.pools.back();
  std::vector<std::string> known;
  for (const SavedPool& pool : plan.pools) {
    if (pool.group == name || pool.role == name) return pool;
    known.push_back(fmt::format("{} ({})", pool.group, pool.role));
  }
  throw CLI::ValidationError("--pool",
                             fmt::format("no pool \"{}\" in the plan; it has {}", name, fmt::join(known, ", ")));
}

std::unique_ptr<WeightSource> weight_source(const ValidateOptions& options, const Architecture& architecture) {
  if (options.weights == "synthetic") {
    return std::make_unique<SyntheticWeights>(options.seed, architecture.tied_embeddings);
  }
  return std::make_unique<CheckpointWeights>(options.weights);
}

// A checkpoint is input: nothing is written into its folder.
void refuse_inside(const std::filesystem::path& target, const std::filesystem::path& folder) {
  std::error_code ignored;
  const std::filesystem::path parent = target.has_parent_path() ? target.parent_path() : ".";
  if (std::filesystem::equivalent(parent, folder, ignored)) {
    throw CLI::ValidationError("--weights", target.string() + " would be written into the checkpoint's folder");
  }
}

// Shapes of tensors do not show a rotary base, an epsilon or a router's rule: config.json does.
void compare_models(const Architecture& planned, const std::filesystem::path& folder) {
  if (!std::filesystem::exists(folder / "config.json")) return;
  const std::vector<PlanField> ours = architecture_fields(planned),
                               theirs = architecture_fields(read_hf_config(folder));
  const auto says_nothing_of_the_model = [](const PlanField& field) {
    return field.key == "id" || field.key == "name" || field.key == "native_weights" || field.key == "max_position";
  };
  for (const PlanField& field : ours) {
    if (says_nothing_of_the_model(field)) continue;
    const auto same =
        std::find_if(theirs.begin(), theirs.end(), [&](const PlanField& f) { return f.key == field.key; });
    if (same != theirs.end() && *same == field) continue;
    throw CLI::ValidationError("--weights", fmt::format("{} is of another model than the plan: \"{}\" differs",
                                                        (folder / "config.json").string(), field.key));
  }
}

// RANK:OPERATOR:hang|throw|kill, for tests of what the others then say.
std::optional<Fault> parse_fault(const std::string& text) {
  if (text.empty()) return std::nullopt;
  const std::size_t first = text.find(':'), second = text.rfind(':');
  const std::string kind = second == std::string::npos ? "" : text.substr(second + 1);
  const bool number = first != std::string::npos && first > 0 && text.find_first_not_of("0123456789") == first;
  if (!number || first == second || (kind != "hang" && kind != "throw" && kind != "kill")) {
    throw CLI::ValidationError("--fault", "expected RANK:OPERATOR:hang|throw|kill");
  }
  return Fault{.rank = std::atoi(text.c_str()),
               .operator_name = text.substr(first + 1, second - first - 1),
               .kind = kind == "hang"    ? Fault::Kind::kHang
                       : kind == "throw" ? Fault::Kind::kThrow
                                         : Fault::Kind::kKill};
}

// One line on a terminal that is written over; elsewhere a line every ten seconds.
std::function<void(const std::string&)> progress(const Session& session) {
  if (session.quiet) return {};
  if (isatty(STDERR_FILENO) != 0) {
    return [](const std::string& text) { std::cerr << "\rfathom: " << text << "\033[K" << std::flush; };
  }
  return [last = std::chrono::steady_clock::now()](const std::string& text) mutable {
    if (std::chrono::steady_clock::now() - last < std::chrono::seconds(10)) return;
    last = std::chrono::steady_clock::now();
    std::cerr << "fathom: " << text << "\n";
  };
}

void clear_progress(const ValidationOptions& options) {
  if (options.progress && isatty(STDERR_FILENO) != 0) std::cerr << "\r\033[K" << std::flush;
}

void save_logits(const std::filesystem::path& path, const PromptLogits& prompt, int vocabulary) {
  const std::int64_t rows = static_cast<std::int64_t>(prompt.tokens.size());
  std::vector<TensorToWrite> tensors = {
      {"tokens", "I32", {rows}, std::as_bytes(std::span(prompt.tokens))},
      {"logits", "F32", {rows, vocabulary}, std::as_bytes(std::span(prompt.logits))},
  };
  if (!prompt.draft.empty()) {
    tensors.push_back({"draft_logits", "F32", {rows, vocabulary}, std::as_bytes(std::span(prompt.draft))});
  }
  write_safetensors(path, tensors);
}

TextStyle style_of(const std::string& format) { return format == "md" ? TextStyle::kMarkdown : TextStyle::kTerminal; }

std::string print(const Comparison& comparison, const std::string& format, bool colour,
                  const ValidateOptions& options) {
  if (format == "json") return validate_json(comparison);
  return validate_text(comparison,
                       {.style = style_of(format), .colour = colour, .every_operator = options.every_operator});
}

std::string print(const ArrivalComparison& comparison, const std::string& format, bool colour, const ValidateOptions&) {
  if (format == "json") return arrivals_json(comparison);
  return arrivals_text(comparison, {.style = style_of(format), .colour = colour});
}

void say(const Session& session, const std::string& text) {
  if (!session.quiet) std::cerr << text << "\n";
}

template <class Found>
int report(const Found& found, const std::vector<OutputRequest>& requests, const ValidateOptions& options,
           const Session& session) {
  write_outputs(requests, session, [&](const std::string& format, bool colour) {
    return print(found, format, colour && mpi_ranks() == 0, options);  // mpirun lends ranks a terminal
  });
  return found.passed ? kYes : kNo;
}

// Unasked, devices are tried with a plan for as many GPUs as there are, or fewer.
int ranks_of_machine(const Layout& layout) { return mpi_ranks() > 0 ? mpi_ranks_here() : layout.devices_per_replica(); }

bool tries_device(const std::string& backend, const SavedPool& pool) {
  if (backend != "auto") return backend == "cuda";
  if (pool.accelerator_id == kHostAccelerator) return false;
  try {
    cuda_device();
    const bool one_each = mpi_ranks() > 0 && cuda_devices() == 1;  // a launcher may show each process a GPU of its own
    return one_each || ranks_of_machine(pool.layout) <= cuda_devices();
  } catch (const std::runtime_error&) {
    return false;
  }
}

void say_logits(const PromptLogits& prompt, const SavedPlan& plan, const WeightSource& source,
                const ValidateOptions& options, const Session& session) {
  if (!std::all_of(prompt.logits.begin(), prompt.logits.end(), [](float x) { return std::isfinite(x); })) {
    throw std::runtime_error("the logits are not finite: " + source.describe() + " holds no usable weights");
  }
  if (prompt.logits.empty()) return;  // another process has them
  if (options.logits) {
    save_logits(*options.logits, prompt, plan.architecture.vocab_size);
    say(session, fmt::format("wrote {}", options.logits->string()));
  }
  const std::string part =
      options.layers > 0 ? fmt::format(" after {} of {} layers", options.layers, plan.architecture.num_layers) : "";
  say(session, fmt::format("logits of {} tokens{}: hash {:016x}, greedy next token {}", prompt.tokens.size(), part,
                           prompt.hash, prompt.next));
}

void save_profile(ProfileMeasurements measured, const std::string& backend, const ValidateOptions& options,
                  const Session& session) {
  if (measured.operators.empty()) return;  // another process writes it
  measured.engine = "fathom-" + backend;
  measured.commands = {fmt::format("fathom validate {} --backend {} --save-profile {}", options.plan.string(), backend,
                                   options.profile->string())};
  write_file(*options.profile, profile_json(fit_profile(measured)));
  say(session, fmt::format("wrote {}", options.profile->string()));
  if (options.samples) write_file(*options.samples, samples_json(measured));
}

int run_and_report(const SavedPlan& plan, const SavedPool& pool, const WeightSource& source,
                   const ValidationOptions& run, const std::vector<OutputRequest>& requests,
                   const ValidateOptions& options, const Session& session) {
  if (options.arrivals.asked()) {
    const ArrivalComparison served = validate_arrivals(plan, pool, source, options.arrivals, options.seed, run);
    clear_progress(run);
    return report(served, requests, options, session);
  }
  if (!options.tokens.empty()) {
    const PromptLogits prompt = run_prompt(plan, pool, source, options.tokens, run);
    clear_progress(run);
    say_logits(prompt, plan, source, options, session);
    if (options.steps == 0) return kYes;
  }
  if (options.profile) {
    ProfileMeasurements measured = measure_profile(plan, pool, source, run);
    clear_progress(run);
    save_profile(std::move(measured), run.backend.name, options, session);
  }
  const Trace trace = run_decode(plan, pool, source, run);
  clear_progress(run);
  if (trace.operators.empty()) return kYes;  // another process reports
  return report(compare(plan, pool, trace), requests, options, session);
}

int validate(const ValidateOptions& options, const Session& session) {
  if (options.backend == "cuda") cuda_device();  // says what is missing before anything is read
  const std::vector<OutputRequest> requests = parse_outputs(options.formats, kFormats);
  std::vector<std::filesystem::path> targets = files_of(requests);
  if (options.logits) targets.push_back(*options.logits);
  if (options.profile) targets.push_back(*options.profile);
  if (options.samples) targets.push_back(*options.samples);
  check_outputs(targets, options.plan);
  if (options.steps == 0 && (!options.formats.empty() || options.profile)) {
    throw CLI::ValidationError("--steps",
                               "with 0 there are logits only: nothing to report (-f) or to save as a profile");
  }
  if (options.logits && options.tokens.empty()) {
    throw CLI::ValidationError("--dump-logits", "needs --tokens: which logits?");
  }

  const SavedPlan plan = read_plan(options.plan);
  if (options.weights != "synthetic") {
    for (const std::filesystem::path& target : targets) refuse_inside(target, options.weights);
    compare_models(plan.architecture, options.weights);
  }
  const SavedPool& pool = chosen_pool(plan, options.pool);
  const std::unique_ptr<WeightSource> source = weight_source(options, plan.architecture);
  ValidationOptions run;
  run.layers = options.layers;
  run.sequences = options.sequences;
  run.context = options.context;
  run.prompt = options.prompt;
  run.steps = options.steps;
  run.threads = options.threads;
  if (!std::isfinite(options.timeout)) throw CLI::ValidationError("--timeout", "is not a number of seconds");
  run.communicator.timeout = std::chrono::milliseconds(static_cast<std::int64_t>(options.timeout * 1000));
  run.fault = parse_fault(options.fault);
  run.progress = progress(session);

  if (!tries_device(options.backend, pool)) return run_and_report(plan, pool, *source, run, requests, options, session);
  ValidationOptions on_device = run;
  on_device.backend = cuda_backend();
  try {
    return run_and_report(plan, pool, *source, on_device, requests, options, session);
  } catch (const std::invalid_argument& why) {  // said before anything is run
    if (options.backend != "auto") throw;
    say(session, fmt::format("on the host, because on the GPU: {}", why.what()));
  }
  return run_and_report(plan, pool, *source, run, requests, options, session);
}

int run_validate(const ValidateOptions& options, const Session& session) {
  try {
    return validate(options, session);
  } catch (const std::invalid_argument& error) {  // what was asked cannot be run: nothing was
    throw CLI::ValidationError(options.plan.string(), error.what());
  }
}

}  // namespace

void add_validate_verb(CLI::App& program, Session& session) {
  auto options = std::make_shared<ValidateOptions>();
  CLI::App* verb = program.add_subcommand("validate", "run the plan on the sharded engine; predicted against measured");
  verb->add_option("PLAN", options->plan, "plan.json: what `fathom plan -o` saved")->required();
  verb->add_option("-f,--format", options->formats, "text, json or md, optionally =FILE; repeatable")->take_all();
  verb->add_option(
          "--backend", options->backend,
          "host, cuda (a GPU for each rank), or auto: cuda where there are GPUs that can run the plan, else the host")
      ->check(CLI::IsMember({"host", "cuda", "auto"}));
  verb->add_option("--weights", options->weights, "synthetic, or the folder of a safetensors checkpoint");
  verb->add_option("--seed", options->seed, "of synthetic weights and of arrivals")
      ->check(CLI::Range(std::int64_t{0}, std::numeric_limits<std::int64_t>::max()));
  verb->add_option("--pool", options->pool, "group or role, when the plan has several pools (default: the last)");
  verb->add_option("--layers", options->layers, "run so many layers and reckon the rest from them")
      ->check(CLI::Range(1, 100000));
  verb->add_option("--sequences", options->sequences, "decode so many at once instead of as many as planned")
      ->check(CLI::Range(1, 100000));
  verb->add_option("--context", options->context, "with so many tokens in the cache instead of as many as planned")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{10000000}));
  verb->add_option("--prompt", options->prompt, "read prompts of so many tokens instead of decoding")
      ->check(CLI::Range(1, 1000000));
  verb->add_option("--steps", options->steps, "measured steps; 0 with --tokens: logits only")
      ->check(CLI::Range(0, 10000));
  verb->add_option("--threads", options->threads, "of all ranks together (default: every core)")
      ->check(CLI::Range(1, 4096));
  verb->add_option("--timeout", options->timeout, "seconds that ranks wait for each other")
      ->check(CLI::Range(0.1, 86400.0));
  verb->add_option("--tokens", options->tokens, "token ids of a prompt: 1,2,3")->delimiter(',');
  verb->add_option("--dump-logits", options->logits, "logits of --tokens, fp32, as safetensors");
  verb->add_option("--save-profile", options->profile,
                   "measure several shapes and save the rates for `plan --profile`");
  verb->add_option("--save-samples", options->samples, "and what the rates were fitted to")->needs("--save-profile");
  add_arrival_options(*verb, options->arrivals);
  verb->add_flag("--operators", options->every_operator, "list every operator, not only the longest");
  verb->add_option("--fault", options->fault)->group("");
  verb->footer(
      "Exit code 0 when time and memory are within what was planned, 1 when not, 3 when a rank failed.\n"
      "With --rate or --trace: 0, or 1 when the simulation is farther off than --tolerance.\n"
      "Several hosts: mpirun -n RANKS fathom validate PLAN, one process per rank of a replica.");
  verb->callback([options, &session] {
    if (options->steps == 0 && options->tokens.empty()) {
      throw CLI::ValidationError("--steps", "0 steps measure nothing; give --tokens for logits only");
    }
    check_arrival_options(options->arrivals);
    if (options->arrivals.asked() && (!options->tokens.empty() || options->profile)) {
      throw CLI::ValidationError("--rate", "and --trace go neither with --tokens nor with --save-profile");
    }
    session.run = [options, &session] { return run_validate(*options, session); };
  });
}

}  // namespace fathom
