#include "report/arrivals_text.h"

#include <fmt/format.h>

#include "report/page.h"
#include "units/text.h"

namespace fathom {

namespace {

std::string error_text(Seconds predicted, Seconds measured) {
  return fmt::format("{:+.1f} %", error_of(predicted, measured) * 100);
}

class ArrivalsWriter : private Page {
 public:
  ArrivalsWriter(const ArrivalComparison& comparison, const ArrivalsTextOptions& options)
      : Page(options.style, options.colour), c_(comparison) {}

  std::string run() {
    title(c_.title);
    line(fmt::format("{} on {}, requests as simulated and as served", c_.layout, c_.accelerator));
    gap();
    line(fmt::format("{}; {}; seed {}", c_.requests, c_.arrivals, c_.seed));
    if (c_.tolerance) {
      Page::verdict(c_.passed ? "YES: the simulation holds" : "NO: the simulation does not hold", c_.passed);
      for (const std::string& reason : c_.reasons) item(reason);
      item(fmt::format("asked: P50 within {}, P99 within {}", percent_text(c_.tolerance->p50),
                       percent_text(c_.tolerance->p99)));
    }
    how();
    times();
    steps();
    return take();
  }

 private:
  void how() {
    const ServedRun& run = c_.run;
    section("How it was measured");
    item(fmt::format("{} engine on {}{}", run.backend, run.machine, run.date.empty() ? "" : ", " + run.date));
    item(fmt::format("{}, {} each; {} of {} count{}", counted(run.ranks, "rank"), counted(run.threads, "thread"),
                     whole_text(static_cast<double>(c_.predicted.measured)),
                     counted(static_cast<double>(run.requests.size()), "request"),
                     c_.predicted.warm_up > 0 ? ", the first are the warm-up" : ""));
    for (const std::string& note : c_.notes) item("note: " + note);
  }

  void times() {
    section("Times");
    TextTable t({{"", Align::kLeft},
                 {"", Align::kLeft},
                 {"mean", Align::kRight},
                 {"P50", Align::kRight},
                 {"P90", Align::kRight},
                 {"P95", Align::kRight},
                 {"P99", Align::kRight},
                 {"longest", Align::kRight}});
    const auto row = [&](const std::string& name, const char* what, const Spread& s) {
      t.row({name, what, to_string(s.mean), to_string(s.p50), to_string(s.p90), to_string(s.p95), to_string(s.p99),
             to_string(s.max)});
    };
    for (const ComparedTimes& times : c_.times) {
      const Spread &p = times.predicted, &m = times.measured;
      if (m.count == 0) continue;
      row(times.name, "simulated", p);
      row("", "served", m);
      t.row({"", "error", error_text(p.mean, m.mean), error_text(p.p50, m.p50), error_text(p.p90, m.p90),
             error_text(p.p95, m.p95), error_text(p.p99, m.p99), error_text(p.max, m.max)});
    }
    table(t);
    gap();
    item(fmt::format("all answered in {} as simulated, {} as served; {} and {} output tok/s",
                     to_string(c_.predicted.simulated), to_string(c_.measured_duration),
                     figure_text(c_.predicted_output_tok_per_s), figure_text(c_.measured_output_tok_per_s)));
  }

  static std::string in_words(const ComparedSteps& s) {
    const std::string size = s.least == 1 ? "1" : fmt::format("{} to {}", s.least, 2 * s.least - 1);
    if (s.kind == "decode") return fmt::format("decoding {} sequence{}", size, s.least == 1 ? "" : "s");
    return fmt::format("{}prompts of {} token{}", s.kind == "both" ? "decoding and " : "", size,
                       s.least == 1 ? "" : "s");
  }

  void steps() {
    if (c_.steps.empty()) return;
    section("Steps of the engine, and what the plan says of each");
    TextTable t({{"", Align::kLeft},
                 {"steps", Align::kRight},
                 {"predicted", Align::kRight},
                 {"measured", Align::kRight},
                 {"error", Align::kRight},
                 {"of a typical step", Align::kRight}});
    for (const ComparedSteps& s : c_.steps) {
      t.row({in_words(s), whole_text(static_cast<double>(s.count)), to_string(s.predicted), to_string(s.measured),
             error_text(s.predicted, s.measured), percent_text(s.typical_error, 1)});
    }
    table(t);
  }

  const ArrivalComparison& c_;
};

}  // namespace

std::string arrivals_text(const ArrivalComparison& comparison, const ArrivalsTextOptions& options) {
  return ArrivalsWriter(comparison, options).run();
}

}  // namespace fathom
