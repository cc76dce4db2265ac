#include "report/simulate_text.h"

#include <fmt/format.h>

#include "report/page.h"
#include "units/text.h"

namespace fathom {

namespace {

std::string limits_text(const ServingLimits& limits) {
  std::string text;
  const auto add = [&](const char* name, const std::optional<Seconds>& limit) {
    if (limit) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, to_string(*limit));
  };
  add("TTFT", limits.ttft);
  add("TPOT", limits.tpot);
  add("end to end", limits.e2e);
  return fmt::format("{} ({})", text, limits.percentile == 50 ? "means" : fmt::format("P{:g}", limits.percentile));
}

std::string time_text(const Spread& of, Seconds time) { return of.count > 0 ? to_string(time) : "none"; }

// The table of times has these columns anyway.
bool has_column(double percentile) {
  return percentile == 50 || percentile == 90 || percentile == 95 || percentile == 99;
}

class SimulationWriter : private Page {
 public:
  SimulationWriter(const SimulationHead& head, const SimulateTextOptions& options)
      : Page(options.style, options.colour), head_(head) {}

  std::string one(const SimulationResult& r) {
    heading(r.arrivals);
    if (r.limits.any()) {
      Page::verdict(r.meets ? "YES: the service level is kept" : "NO: the service level is not kept", r.meets);
      for (const std::string& reason : r.reasons) item(reason);
      item("asked: " + limits_text(r.limits));
    }
    notes();
    if (r.overloaded && !r.limits.any())
      item("more requests came than were answered: waiting times grow with the length of the simulation");
    times(r);
    flow(r);
    pools(r);
    return take();
  }

  std::string many(const SweepResult& sweep) {
    heading("one simulation per load");
    const bool rate = sweep.over == SweepOver::kRate;
    const ServingLimits& limits = sweep.points.front().result.limits;
    if (limits.any()) {
      Page::verdict(sweep.highest ? "YES: some loads keep the service level" : "NO: no load keeps the service level",
                    sweep.highest.has_value());
      if (sweep.highest) {
        item(fmt::format("highest that keeps it: {} {}{}", figure_text(*sweep.highest),
                         rate ? "requests/s" : "requests in flight",
                         sweep.bounded ? "" : ", the highest of the sweep: more may be possible"));
      }
      item("asked: " + limits_text(limits));
    }
    notes();
    section("Loads");
    TextTable t({{rate ? "requests/s" : "in flight", Align::kRight},
                 {"answered/s", Align::kRight},
                 {"output tok/s", Align::kRight},
                 {"TTFT P50", Align::kRight},
                 {"P99", Align::kRight},
                 {"TPOT P50", Align::kRight},
                 {"P99", Align::kRight},
                 {"waiting", Align::kRight},
                 {"cache", Align::kRight},
                 {limits.any() ? "service level" : "", Align::kLeft}});
    for (const SweepPoint& p : sweep.points) {
      const SimulationResult& r = p.result;
      t.row({figure_text(p.load), figure_text(r.requests_per_s), figure_text(r.output_tok_per_s),
             time_text(r.ttft, r.ttft.p50), time_text(r.ttft, r.ttft.p99), time_text(r.tpot, r.tpot.p50),
             time_text(r.tpot, r.tpot.p99), figure_text(r.mean_waiting), percent_text(r.kv_use),
             !limits.any()  ? (r.overloaded ? "queue grows" : "")
             : r.meets      ? "kept"
             : r.overloaded ? "missed, queue grows"
                            : "missed"});
    }
    table(t);
    return take();
  }

 private:
  void heading(const std::string& arrivals) {
    title(head_.title);
    for (const std::string& pool : head_.pools) line(pool);
    gap();
    line(fmt::format("{}; {}; seed {}", head_.requests, arrivals, head_.seed));
  }

  void notes() {
    for (const std::string& note : head_.notes) item("note: " + note);
  }

  void times(const SimulationResult& r) {
    section("Times");
    const bool other = r.limits.any() && !has_column(r.limits.percentile);
    TextTable t({{"", Align::kLeft},
                 {"mean", Align::kRight},
                 {"P50", Align::kRight},
                 {"P90", Align::kRight},
                 {"P95", Align::kRight},
                 {"P99", Align::kRight},
                 {"longest", Align::kRight},
                 {other ? fmt::format("P{:g}", r.limits.percentile) : "", Align::kRight}});
    const auto row = [&](const char* name, const Spread& s) {
      if (s.count == 0) return;
      t.row({name, to_string(s.mean), to_string(s.p50), to_string(s.p90), to_string(s.p95), to_string(s.p99),
             to_string(s.max), other ? to_string(s.named) : ""});
    };
    row("time to first token", r.ttft);
    row("time per output token", r.tpot);
    row("between two tokens", r.inter_token);
    row("whole answer", r.e2e);
    table(t);
    gap();
    item(fmt::format("over {} of {}{}", whole_text(static_cast<double>(r.measured)),
                     counted(static_cast<double>(r.requests), "request"),
                     r.warm_up > 0 ? "; those that came first are the warm-up" : ""));
  }

  void flow(const SimulationResult& r) {
    section("Throughput and queue");
    TextTable t({{"", Align::kLeft}, {"", Align::kLeft}});
    t.row({"came", fmt::format("{} requests/s", figure_text(r.offered_per_s))});
    t.row({"answered", fmt::format("{} requests/s, {} output tok/s, {} prompt tok/s", figure_text(r.requests_per_s),
                                   figure_text(r.output_tok_per_s), figure_text(r.prompt_tok_per_s))});
    if (r.limits.any())
      t.row({"within the service level",
             fmt::format("{} requests/s, {} of them", figure_text(r.goodput_per_s), percent_text(r.good_share, 1))});
    t.row({"waiting", fmt::format("{} on average, {} at most", figure_text(r.mean_waiting),
                                  whole_text(static_cast<double>(r.most_waiting)))});
    t.row({"in a batch", fmt::format("{} on average", figure_text(r.mean_running))});
    t.row({"replicas at work", percent_text(r.utilisation, 1)});
    t.row({"cache in use",
           fmt::format("{} on average, {} at most", percent_text(r.kv_use, 1), percent_text(r.kv_peak, 1))});
    if (r.prefix_found > 0) t.row({"prompt tokens found in the cache", percent_text(r.prefix_found, 1)});
    if (r.preemptions > 0) t.row({"preemptions", whole_text(static_cast<double>(r.preemptions))});
    if (r.rejected > 0) t.row({"refused, longer than the cache", whole_text(static_cast<double>(r.rejected))});
    if (r.failures > 0)
      t.row({"failures of replicas",
             fmt::format("{}, {} started again", r.failures, counted(static_cast<double>(r.restarted), "request"))});
    if (r.energy_per_token)
      t.row({"energy", fmt::format("{} per output token, IT only", to_string(*r.energy_per_token))});
    t.row({"simulated", to_string(r.simulated)});
    table(t);
  }

  void pools(const SimulationResult& r) {
    if (r.pools.size() < 2) return;
    section("Pools");
    TextTable t({{"", Align::kLeft},
                 {"replicas", Align::kRight},
                 {"at work", Align::kRight},
                 {"in batches", Align::kRight},
                 {"cache", Align::kRight},
                 {"preemptions", Align::kRight}});
    for (const PoolUse& p : r.pools) {
      t.row({fmt::format("{} ({})", p.name, p.part), std::to_string(p.replicas), percent_text(p.utilisation),
             figure_text(p.mean_running), percent_text(p.kv_use), std::to_string(p.preemptions)});
    }
    table(t);
  }

  const SimulationHead& head_;
};

}  // namespace

std::string simulate_text(const SimulationHead& head, const SimulationResult& result,
                          const SimulateTextOptions& options) {
  return SimulationWriter(head, options).one(result);
}

std::string sweep_text(const SimulationHead& head, const SweepResult& sweep, const SimulateTextOptions& options) {
  return SimulationWriter(head, options).many(sweep);
}

}  // namespace fathom
