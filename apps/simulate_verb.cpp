// fathom simulate PLAN.json: requests one by one through the planned replicas; percentiles instead of means.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <memory>

#include "output.h"
#include "plan/read_plan.h"
#include "report/page.h"
#include "report/simulate_chart.h"
#include "report/simulate_json.h"
#include "report/simulate_text.h"
#include "simulate/read_trace.h"
#include "simulate/sweep.h"
#include "units/text.h"
#include "verbs.h"

namespace fathom {

namespace {

const std::vector<std::string> kFormats = {"text", "json", "md"};

struct SimulateOptions {
  std::filesystem::path plan;
  std::vector<std::string> formats;
  std::optional<double> rate, concurrency, variation;
  std::optional<std::filesystem::path> trace;
  std::optional<double> time_scale;
  bool in_step = false;
  std::optional<std::int64_t> requests;
  std::optional<double> input_tokens, output_tokens, prefix_hit;
  std::optional<int> replicas, most_sequences;
  std::string routing = "least-loaded";
  std::string preemption = "recompute";
  std::string swap_bandwidth, mtbf, mttr;
  std::string ttft, tpot, e2e;
  std::optional<double> percentile;
  double warm_up = 0.1;
  std::uint64_t seed = 1;
  std::string sweep;
  std::optional<std::filesystem::path> series, plot;
};

struct SweepRequest {
  SweepOver over = SweepOver::kRate;
  double low = 1, high = 1;
  int steps = 5;
};

// A quantity as people write it; what is wrong with it is said of its option.
template <class Parse>
auto quantity(const char* option, const std::string& text, Parse parse) {
  try {
    return parse(text);
  } catch (const UnitError& error) {
    throw CLI::ValidationError(option, error.what());
  }
}

Seconds duration(const char* option, const std::string& text) {
  const Seconds time = quantity(option, text, [](const std::string& t) { return parse_duration(t); });
  if (!(time.value > 0)) throw CLI::ValidationError(option, "must be longer than zero");
  return time;
}

double bandwidth(const char* option, const std::string& text) {
  const BytesPerSecond rate = quantity(option, text, [](const std::string& t) { return parse_bandwidth(t); });
  if (!(rate.value > 0)) throw CLI::ValidationError(option, "must be above zero");
  return rate.value;
}

// "rate=1:20:8".
SweepRequest parse_sweep(const std::string& text) {
  const auto refuse = [&]() -> SweepRequest {
    throw CLI::ValidationError("--sweep", text + " is not rate=LOW:HIGH:STEPS or concurrency=LOW:HIGH:STEPS");
  };
  SweepRequest request;
  const std::size_t equals = text.find('=');
  const std::string name = text.substr(0, equals);
  if (equals == std::string::npos || (name != "rate" && name != "concurrency")) return refuse();
  request.over = name == "rate" ? SweepOver::kRate : SweepOver::kConcurrency;
  std::vector<double> numbers;
  for (std::size_t at = equals + 1; at <= text.size();) {
    const std::size_t end = std::min(text.find(':', at), text.size());
    double value = 0;
    if (!CLI::detail::lexical_cast(text.substr(at, end - at), value) || !std::isfinite(value)) return refuse();
    numbers.push_back(value);
    at = end + 1;
  }
  if (numbers.size() != 3) return refuse();
  request.low = numbers[0];
  request.high = numbers[1];
  if (!(request.low > 0) || request.high < request.low || request.high > 1e8)
    throw CLI::ValidationError("--sweep", "wants 0 < LOW <= HIGH");
  if (numbers[2] < 1 || numbers[2] > 1000 || numbers[2] != std::floor(numbers[2]))
    throw CLI::ValidationError("--sweep", "STEPS is a whole number from 1 to 1000");
  request.steps = static_cast<int>(numbers[2]);
  return request;
}

void set_arrivals(Scenario& s, const SimulateOptions& o, const std::optional<SweepRequest>& sweep,
                  const RequestTrace* trace) {
  ArrivalPlan& a = s.arrivals;
  a.trace = trace;
  a.time_scale = o.time_scale.value_or(1);
  a.in_step = o.in_step;
  a.variation = o.variation.value_or(1);
  double rate = 0;  // none
  if (o.rate) {
    rate = *o.rate;
  } else if (!o.concurrency) {
    rate = s.load.requests_per_s.value_or(0);
  }
  const bool closed = o.concurrency || (!o.rate && s.load.concurrency);
  if (trace != nullptr && trace->timed && !o.rate && !o.concurrency && !sweep) {
    a.kind = Arrivals::kTrace;
    a.requests = o.requests.value_or(0);
    return;
  }
  const bool open = sweep ? sweep->over == SweepOver::kRate : o.variation || !closed;
  if (open && !sweep && rate <= 0)
    throw CLI::ValidationError("--cv", "needs --rate: the plan was made for a concurrency");
  a.kind = !open ? Arrivals::kClosed : o.variation ? Arrivals::kGamma : Arrivals::kPoisson;
  a.requests_per_s = rate > 0 ? rate : 1;
  a.concurrency = o.concurrency ? *o.concurrency : s.load.concurrency.value_or(1);
  const double most = sweep ? sweep->high : a.concurrency;
  constexpr std::int64_t kRequests = 10'000;
  a.until_steady = !o.requests;
  a.requests = o.requests.value_or(open ? kRequests : std::max(kRequests, static_cast<std::int64_t>(20 * most)));
}

// An option that the arrivals in force do not use was meant for others.
void check_used(const SimulateOptions& o, const Scenario& s) {
  const auto refuse = [](const char* option, const char* why) { throw CLI::ValidationError(option, why); };
  const ArrivalPlan& a = s.arrivals;
  if (o.in_step && a.kind != Arrivals::kClosed) refuse("--in-step", "is for a closed loop: add --concurrency");
  if (o.time_scale && a.kind != Arrivals::kTrace)
    refuse("--time-scale", "is for the times of a trace: add --trace, without --rate, --concurrency and --sweep");
  if (o.variation && a.kind != Arrivals::kGamma) refuse("--cv", "is for arrivals at random: add --rate");
  if (!o.mttr.empty() && !s.mtbf) refuse("--mttr", "is for replicas that fail: add --mtbf");
  if (!o.swap_bandwidth.empty() && s.preemption != Preemption::kSwap)
    refuse("--swap-bandwidth", "is for requests that are swapped out: add --preemption swap");
}

Scenario scenario(const SavedPlan& plan, const SimulateOptions& o, const std::optional<SweepRequest>& sweep,
                  const RequestTrace* trace) {
  Scenario s;
  s.pools = serving_pools(plan);
  s.load = plan.asked;
  if (o.input_tokens) s.load.input = {.mean = *o.input_tokens, .sigma = 0};
  if (o.output_tokens) s.load.output = {.mean = *o.output_tokens, .sigma = 0};
  if (o.prefix_hit) s.load.prefix_hit = *o.prefix_hit;
  for (ServingPool& pool : s.pools) {
    if (o.replicas) pool.replicas = *o.replicas;
    if (o.most_sequences) pool.most_sequences = *o.most_sequences;
  }
  set_arrivals(s, o, sweep, trace);
  s.limits = plan.limits;
  if (!o.ttft.empty()) s.limits.ttft = duration("--ttft", o.ttft);
  if (!o.tpot.empty()) s.limits.tpot = duration("--tpot", o.tpot);
  if (!o.e2e.empty()) s.limits.e2e = duration("--e2e", o.e2e);
  if (o.percentile) s.limits.percentile = *o.percentile;
  s.routing = o.routing == "round-robin" ? Routing::kRoundRobin
              : o.routing == "random"    ? Routing::kRandom
                                         : Routing::kLeastLoaded;
  s.preemption = o.preemption == "swap" ? Preemption::kSwap : Preemption::kRecompute;
  if (!o.swap_bandwidth.empty()) s.swap_bytes_per_s = bandwidth("--swap-bandwidth", o.swap_bandwidth);
  if (!o.mtbf.empty()) {
    s.mtbf = duration("--mtbf", o.mtbf);
    s.mttr = o.mttr.empty() ? Seconds(3600) : duration("--mttr", o.mttr);
  }
  s.warm_up = o.warm_up;
  s.seed = o.seed;
  check_used(o, s);
  return s;
}

SimulationHead head_of(const SavedPlan& plan, const Scenario& s, const SimulateOptions& o) {
  SimulationHead head;
  head.title = plan.title;
  head.seed = o.seed;
  for (std::size_t i = 0; i < plan.pools.size(); ++i) {
    const SavedPool& pool = plan.pools[i];
    Layout layout = pool.layout;
    layout.replicas = s.pools[i].replicas;
    head.pools.push_back(fmt::format("{}: {} on {}{}", pool.group, short_name(layout), pool.accelerator,
                                     plan.pools.size() > 1 ? ", " + pool.role : ""));
  }
  if (s.arrivals.trace != nullptr) {
    head.requests = fmt::format("requests of {}", o.trace->string());
    if (s.arrivals.trace->skipped > 0)
      head.notes.push_back(
          fmt::format("{} of the trace without an answer left out", counted(s.arrivals.trace->skipped, "row")));
    const auto recorded = static_cast<std::int64_t>(s.arrivals.trace->requests.size());
    if (s.arrivals.kind == Arrivals::kTrace && s.arrivals.requests > recorded) {
      head.notes.push_back(fmt::format("the trace has {}, fewer than the {} of --requests: all of it is played",
                                       counted(static_cast<double>(recorded), "request"), s.arrivals.requests));
    }
  } else {
    head.requests =
        fmt::format("requests of {:.0f} tokens in and {:.0f} out on average", s.load.input.mean, s.load.output.mean);
  }
  const auto at_one_load = [](const ServingPool& pool) { return pool.busy && pool.watts.empty(); };
  if (std::any_of(s.pools.begin(), s.pools.end(), at_one_load)) {
    head.notes.push_back(
        "energy takes the watts of the plan's own load at every load: the plan is of an older fathom, make it again "
        "for power against the batch");
  }
  if (s.mtbf)
    head.notes.push_back(
        fmt::format("a replica fails every {} and is back after {}, means", to_string(*s.mtbf), to_string(*s.mttr)));
  return head;
}

template <class Found>
std::string print(const Found& found, const SimulationHead& head, const std::string& format, bool colour) {
  const SimulateTextOptions text{.style = format == "md" ? TextStyle::kMarkdown : TextStyle::kTerminal,
                                 .colour = colour};
  if constexpr (std::is_same_v<Found, SweepResult>) {
    return format == "json" ? sweep_json(head, found) : sweep_text(head, found, text);
  } else {
    return format == "json" ? simulate_json(head, found) : simulate_text(head, found, text);
  }
}

template <class Found>
void write_all(const Found& found, const SimulationHead& head, const Chart& chart,
               const std::vector<OutputRequest>& requests, const SimulateOptions& o, const Session& session) {
  write_outputs(requests, session,
                [&](const std::string& format, bool colour) { return print(found, head, format, colour); });
  if (o.plot) save_file(*o.plot, session, o.plot->extension() == ".html" ? chart_html(chart) : chart_svg(chart));
}

int run_simulate(const SimulateOptions& o, const Session& session) {
  const std::vector<OutputRequest> requests = parse_outputs(o.formats, kFormats);
  std::vector<std::filesystem::path> targets = files_of(requests);
  if (o.series) targets.push_back(*o.series);
  if (o.plot) targets.push_back(*o.plot);
  check_outputs(targets, o.plan);
  if (o.trace) check_outputs(targets, *o.trace);
  if (o.plot && o.plot->extension() != ".svg" && o.plot->extension() != ".html")
    throw CLI::ValidationError("--plot", o.plot->string() + " ends neither in .svg nor in .html");
  std::optional<SweepRequest> swept;
  if (!o.sweep.empty()) swept = parse_sweep(o.sweep);

  const SavedPlan plan = read_plan(o.plan);
  std::optional<RequestTrace> trace;
  if (o.trace) trace = read_trace(*o.trace);
  try {
    const Scenario s = scenario(plan, o, swept, trace ? &*trace : nullptr);
    const SimulationHead head = head_of(plan, s, o);
    if (swept) {
      const SweepResult found = sweep(s, swept->over, swept->low, swept->high, swept->steps);
      write_all(found, head, sweep_chart(head, found), requests, o, session);
      return found.highest || !s.limits.any() ? kYes : kNo;
    }
    const SimulationResult found = simulate(s);
    write_all(found, head, simulate_chart(head, found), requests, o, session);
    if (o.series) save_file(*o.series, session, series_csv(found));
    return found.meets ? kYes : kNo;
  } catch (const std::invalid_argument& error) {  // what was asked cannot be played
    throw CLI::ValidationError(o.plan.string(), error.what());
  }
}

// CLI::Range lets "nan" pass. `wanted` is what the message asks for.
CLI::Validator within(double least, double most, const std::string& wanted) {
  return CLI::Validator(
      [least, most, wanted](std::string& text) {
        double value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        const bool number = error == std::errc() && end == text.data() + text.size();
        if (number && value >= least && value <= most) return std::string();
        return fmt::format("{} is not {}", text, wanted);
      },
      "NUMBER");
}
CLI::Validator within(double least, double most) {
  return within(least, most, fmt::format("a number from {:g} to {:g}", least, most));
}

}  // namespace

void add_simulate_verb(CLI::App& program, Session& session) {
  auto o = std::make_shared<SimulateOptions>();
  const CLI::Validator positive = within(1e-9, 1e8, "a number above zero and up to a hundred million");
  CLI::App* verb = program.add_subcommand("simulate", "requests one by one through the plan: P50 to P99 of every time");
  verb->add_option("PLAN", o->plan, "plan.json: what `fathom plan -o` saved")->required();
  verb->add_option("-f,--format", o->formats, "text, json or md, optionally =FILE; repeatable")->take_all();
  CLI::Option* rate =
      verb->add_option("--rate", o->rate, "requests/s at random (default: the plan's load)")->check(positive);
  CLI::Option* concurrency = verb->add_option("--concurrency", o->concurrency,
                                              "requests in flight: each answer is followed by the next request")
                                 ->check(within(1.0, 1e7))
                                 ->excludes(rate);
  verb->add_option("--cv", o->variation, "coefficient of variation between arrivals; 1 is Poisson, above it bursts")
      ->check(within(0.0, 20.0));
  CLI::Option* trace = verb->add_option(
      "--trace", o->trace, "recorded requests: Azure or BurstGPT CSV, Mooncake JSONL, input_len,output_len");
  verb->add_option("--time-scale", o->time_scale, "times of the trace times this: 0.5 plays it twice as fast")
      ->check(positive);
  verb->add_flag("--in-step", o->in_step, "clients of --concurrency start at once, as benchmark clients do");
  verb->add_option("--requests", o->requests,
                   "how many (default 10,000, or as many as a steady state takes; of a trace all)")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000'000}));
  verb->add_option("--input-tokens", o->input_tokens, "of every request, instead of the plan's lengths")
      ->check(within(1.0, 1e8))
      ->excludes(trace);
  verb->add_option("--output-tokens", o->output_tokens, "of every request, instead of the plan's lengths")
      ->check(within(1.0, 1e8))
      ->excludes(trace);
  verb->add_option("--prefix-hit", o->prefix_hit, "share of prompt tokens whose cache is there")
      ->check(within(0.0, 0.9999));
  verb->add_option("--replicas", o->replicas, "of every pool, instead of the plan's")->check(CLI::Range(1, 1'000'000));
  verb->add_option("--max-sequences", o->most_sequences, "in one batch of a replica")->check(CLI::Range(1, 1'000'000));
  verb->add_option("--routing", o->routing, "round-robin, least-loaded or random")
      ->check(CLI::IsMember({"round-robin", "least-loaded", "random"}));
  verb->add_option("--preemption", o->preemption, "recompute or swap, when the cache is full")
      ->check(CLI::IsMember({"recompute", "swap"}));
  verb->add_option("--swap-bandwidth", o->swap_bandwidth, "between a device and its host (default 25 GB/s)");
  verb->add_option("--mtbf", o->mtbf, "mean time between failures of a replica: \"720 h\" (default: it never fails)");
  verb->add_option("--mttr", o->mttr, "mean time until it serves again (default 1 h)");
  verb->add_option("--ttft", o->ttft, "limit, instead of the plan's: \"2 s\"");
  verb->add_option("--tpot", o->tpot, "limit, instead of the plan's: \"50 ms\"");
  verb->add_option("--e2e", o->e2e, "limit, instead of the plan's: \"30 s\"");
  verb->add_option("--percentile", o->percentile, "that the limits bind; 50 reads them as means")
      ->check(within(1.0, 99.99));
  verb->add_option("--warm-up", o->warm_up, "share of the requests that is not measured")->check(within(0.0, 0.9));
  verb->add_option("--seed", o->seed, "of all random numbers")
      ->check(CLI::Range(std::int64_t{0}, std::numeric_limits<std::int64_t>::max()));
  verb->add_option("--sweep", o->sweep,
                   "rate=LOW:HIGH:STEPS or concurrency=…: several loads, and the highest that keeps the limits")
      ->excludes(rate)
      ->excludes(concurrency);
  verb->add_option("--series", o->series, "queue, throughput and cache over time, as CSV")->excludes("--sweep");
  verb->add_option("--plot", o->plot, "the same as a picture: FILE.svg or FILE.html");
  verb->footer("Exit code 0 when the service level is kept or none is stated, 1 when it is missed.");
  verb->callback([o, &session] { session.run = [o, &session] { return run_simulate(*o, session); }; });
}

}  // namespace fathom
