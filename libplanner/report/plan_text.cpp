#include "report/plan_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/page.h"
#include "units/text.h"

namespace fathom {

namespace {

template <class Print, class T>
std::string with_band(const Estimate<T>& e, Print print) {
  return fmt::format("{} ({} to {})", print(e.likely), print(e.min), print(e.max));
}
std::string with_band(const Estimate<Seconds>& e) {
  return with_band(e, [](Seconds s) { return to_string(s); });
}
std::string with_band(const Estimate<double>& e) { return with_band(e, figure_text); }
std::string with_band(const Estimate<Watts>& e) {
  return with_band(e, [](Watts w) { return to_string(w); });
}

class Writer : private Page {
 public:
  Writer(const Plan& plan, const TextOptions& options)
      : Page(options.style, options.colour), plan_(plan), o_(options) {}

  std::string run() {
    heading();
    verdict();
    for (const PlanPool& pool : plan_.pools) layout(pool);
    for (const PlanPool& pool : plan_.pools) memory(pool);
    if (plan_.fits) {
      serving();
      for (const PlanPool& pool : plan_.pools) time(pool);
      limit();
      alternatives();
    }
    rejected();
    if (plan_.power) power(*plan_.power);
    if (plan_.cost) cost(*plan_.cost);
    if (plan_.availability) availability(*plan_.availability);
    trust();
    return take();
  }

 private:
  void heading() {
    title(plan_.title);
    line(fmt::format("{}: {} parameters, {} active per token; KV cache {} per token in bf16", plan_.model.name,
                     count_text(plan_.model.parameters), count_text(plan_.model.active_parameters),
                     to_string(plan_.model.kv_bytes_per_token)));
    gap();
    line(fmt::format("Load: {}. Engine: {}.", plan_.load, plan_.engine));
  }

  void verdict() {
    const bool yes = plan_.fits && plan_.meets;
    const std::string word = !plan_.fits             ? "NO: it does not fit"
                             : !plan_.meets          ? "NO: it fits, but does not do what is asked"
                             : plan_.caveats.empty() ? "YES"
                                                     : "YES, with reservations";
    Page::verdict(word, yes);
    for (const std::string& reason : plan_.reasons) item(reason);
    if (!plan_.nearest.empty()) item(plan_.nearest);
    for (const PlanRemedy& r : plan_.remedies) {
      item(fmt::format("{} it would fit: {}; contexts to {} tokens; {}", r.change, r.layout, whole_text(r.max_context),
                       r.output_tok_per_s > 0 ? fmt::format("at most {} output tok/s", figure_text(r.output_tok_per_s))
                                              : "but breaks the service level"));
    }
    if (plan_.fits) throughput();
    for (const std::string& caveat : plan_.caveats) item("but " + caveat);
    for (const std::string& note : plan_.notes) item("note: " + note);
  }

  void throughput() {
    const PlanPredictions& p = plan_.predictions;
    if (plan_.saturated) {
      item(fmt::format("{} output tok/s at most; waiting times grow without bound",
                       figure_text(p.output_tok_per_s.likely)));
      return;
    }
    item(fmt::format("{} output tok/s at the load, first token after {}, then one every {}",
                     figure_text(p.output_tok_per_s.likely), to_string(p.ttft.likely), to_string(p.tpot.likely)));
    if (!plan_.maximum) return;
    item(fmt::format(
        "with this layout at most {} output tok/s ({} requests/s) within the service level and the KV cache",
        figure_text(plan_.maximum->output_tok_per_s.likely), figure_text(plan_.maximum->requests_per_s.likely)));
    if (!plan_.most_throughput.empty()) item(plan_.most_throughput);
  }

  std::string pool_name(const PlanPool& pool) const {
    return plan_.pools.size() > 1 ? fmt::format(" ({} on {})", pool.role, pool.group) : std::string();
  }

  void layout(const PlanPool& pool) {
    section((plan_.fits ? "Layout" : "Closest layout") + pool_name(pool));
    item(fmt::format("{}: {}", pool.group, pool.layout));
    item(fmt::format("{} of {} {} in use: {} of {}{}", pool.devices - pool.idle_devices, pool.devices, pool.accelerator,
                     counted(pool.replicas, "replica"), pool.devices_per_replica,
                     pool.idle_devices > 0 ? fmt::format("; {} idle", pool.idle_devices) : ""));
    for (const std::string& link : pool.links) item(link);
    if (pool.stage_layers.size() > 1) item(stage_text(pool.stage_layers));
    for (const std::string& note : pool.notes) item("note: " + note);
  }

  static std::string stage_text(const std::vector<int>& layers) {
    std::string text = "layers per stage: ";
    for (std::size_t i = 0; i < layers.size();) {
      std::size_t run = i;
      while (run < layers.size() && layers[run] == layers[i]) ++run;
      text += fmt::format("{}{}", i > 0 ? ", " : "",
                          run - i > 1 ? fmt::format("{} x {}", run - i, layers[i]) : std::to_string(layers[i]));
      i = run;
    }
    return text;
  }

  void memory(const PlanPool& pool) {
    const PlanMemory& m = pool.memory;
    section(fmt::format("Memory of the fullest accelerator{}{}",
                        pool.pp > 1 ? fmt::format(", stage {} of {}", m.stage + 1, pool.pp) : "", pool_name(pool)));
    TextTable t({{"", Align::kLeft}, {"GiB", Align::kRight}, {"", Align::kLeft}});
    const auto gib = [](Bytes b) { return fmt::format("{:.2f}", b.value / 1073741824.0); };
    t.row({"capacity", gib(m.capacity), ""});
    for (const PlanMemoryRow& row : m.rows) {
      t.row({row.name, gib(row.bytes),
             row.copied > Bytes(0) && row.bytes > Bytes(1e6)
                 ? fmt::format("{} of it also on other ranks", gib(row.copied))
                 : ""});
    }
    if (m.withheld > Bytes(0)) t.row({"left alone by the engine", gib(m.withheld), ""});
    t.row({m.kv_room >= Bytes(0) ? "left for the KV cache" : "missing",
           gib(m.kv_room >= Bytes(0) ? m.kv_room : -m.kv_room),
           m.kv_room >= Bytes(0) ? fmt::format("{} per token", to_string(m.kv_per_token)) : ""});
    table(t);
    gap();
    if (m.host_per_node > Bytes(0)) {
      item(fmt::format("one copy of the weights is {}; the experts take {} of host memory per node",
                       to_string_binary(m.weights_one_copy), to_string_binary(m.host_per_node)));
    } else {
      item(fmt::format(
          "whole replica: {} for one copy of the weights in {} of memory: {} beside them before reserves and copies",
          to_string_binary(m.weights_one_copy), to_string_binary(m.devices_capacity), beside(m)));
    }
    if (m.kv_tokens_capacity > 0) {
      item(fmt::format("longest context that fits: {} tokens; cache of one replica: {} tokens, or {} of mean length",
                       whole_text(m.max_context), whole_text(m.kv_tokens_capacity),
                       counted(std::floor(m.max_sequences), "request")));
    }
  }

  static std::string beside(const PlanMemory& m) {
    const Bytes left = m.devices_capacity - m.weights_one_copy;
    return left >= Bytes(0) ? to_string_binary(left) : fmt::format("{} too little", to_string_binary(-left));
  }

  void serving() {
    section("Serving: likely (best to worst case)");
    const PlanPredictions& p = plan_.predictions;
    TextTable t({{"", Align::kLeft},
                 {"at the load", Align::kLeft},
                 {plan_.maximum ? "at most, within the service level" : "", Align::kLeft}});
    const auto row = [&](const char* name, auto member) {
      t.row({name, with_band(p.*member), plan_.maximum ? with_band((*plan_.maximum).*member) : ""});
    };
    row("requests/s", &PlanPredictions::requests_per_s);
    row("output tok/s", &PlanPredictions::output_tok_per_s);
    row("prompt tok/s if nothing else ran", &PlanPredictions::prefill_tok_per_s);
    row("time to first token", &PlanPredictions::ttft);
    row("time per output token", &PlanPredictions::tpot);
    row("whole answer", &PlanPredictions::e2e);
    row("decode step", &PlanPredictions::step_time);
    table(t);
    if (plan_.simulated) percentiles(*plan_.simulated);
  }

  void percentiles(const PlanSimulation& s) {
    section(fmt::format("Percentiles at the load, likely: {} requests simulated",
                        whole_text(static_cast<double>(s.requests))));
    const bool other = s.percentile != 90 && s.percentile != 99;
    TextTable t({{"", Align::kLeft},
                 {"mean", Align::kRight},
                 {"P50", Align::kRight},
                 {"P90", Align::kRight},
                 {"P99", Align::kRight},
                 {other ? fmt::format("P{:g}", s.percentile) : "", Align::kRight}});
    const auto row = [&](const char* name, const Spread& x) {
      t.row({name, to_string(x.mean), to_string(x.p50), to_string(x.p90), to_string(x.p99),
             other ? to_string(x.named) : ""});
    };
    row("time to first token", s.ttft);
    row("time per output token", s.tpot);
    row("whole answer", s.e2e);
    table(t);
  }

  void time(const PlanPool& pool) {
    const bool decode = !pool.decode.empty();
    const std::vector<PlanOperator>& operators = decode ? pool.decode : pool.prefill;
    section(decode ? fmt::format("Where a decode step goes: {} on a replica at {} tokens{}{}",
                                 counted(pool.decode_sequences, "sequence"), whole_text(pool.decode_context),
                                 pool.pp > 1 ? ", slowest stage" : "", pool_name(pool))
                   : fmt::format("Where a prefill chunk goes{}", pool_name(pool)));
    std::vector<PlanOperator> rows = operators;
    std::stable_sort(rows.begin(), rows.end(),
                     [](const PlanOperator& a, const PlanOperator& b) { return a.time > b.time; });
    const std::size_t shown = o_.every_operator ? rows.size() : std::min<std::size_t>(10, rows.size());
    std::vector<TextTable::Column> columns = {
        {"operator", Align::kLeft}, {"count", Align::kRight}, {"time", Align::kRight}, {"share", Align::kRight},
        {"read", Align::kRight},    {"FLOP", Align::kRight},  {"sent", Align::kRight}, {"bound by", Align::kLeft}};
    if (plan_.profile) columns.push_back({"source", Align::kLeft});
    TextTable t(columns);
    for (std::size_t i = 0; i < shown; ++i) {
      const PlanOperator& op = rows[i];
      std::vector<std::string> cells = {op.name,
                                        figure_text(op.count),
                                        to_string(op.time),
                                        percent_text(op.share, 1),
                                        op.bytes > Bytes(0) ? to_string(op.bytes) : "",
                                        op.flops > Flops(0) ? to_string(op.flops) : "",
                                        op.wire_bytes > Bytes(0) ? to_string(op.wire_bytes) : "",
                                        op.bound};
      if (plan_.profile) cells.push_back(op.source);
      t.row(cells);
    }
    table(t);
    if (shown < rows.size()) {
      gap();
      item(fmt::format("{} more operators: --operators lists them", rows.size() - shown));
    }
  }

  void limit() {
    section("What limits it");
    item("at the load, most time is bound by " + plan_.limited_by);
    for (std::size_t i = 0; i < std::min<std::size_t>(2, plan_.levers.size()); ++i) {
      const PlanLever& lever = plan_.levers[i];
      if (lever.gain > 0.01)
        item(fmt::format("at most, with {}: {} ({:+.0f} %)", lever.change, lever.effect, lever.gain * 100));
    }
  }

  void alternatives() {
    if (plan_.alternatives.size() < 2) return;
    section("Best layouts found, by " + plan_.objective);
    TextTable t({{"layout", Align::kLeft},
                 {"tok/s at the load", Align::kRight},
                 {"tok/s at most", Align::kRight},
                 {"TTFT", Align::kRight},
                 {"TPOT", Align::kRight},
                 {"devices", Align::kRight}});
    for (std::size_t i = 0; i < std::min<std::size_t>(6, plan_.alternatives.size()); ++i) {
      const PlanAlternative& a = plan_.alternatives[i];
      t.row({a.layout, figure_text(a.output_tok_per_s),
             a.max_output_tok_per_s > 0 ? figure_text(a.max_output_tok_per_s) : "breaks the SLO", to_string(a.ttft),
             to_string(a.tpot), percent_text(a.gpu_share)});
    }
    table(t);
  }

  void rejected() {
    if (plan_.rejected.empty()) return;
    section(fmt::format("Rejected: {} of {} candidates", plan_.candidates - plan_.evaluated, plan_.candidates));
    if (o_.every_candidate) {
      for (const PlanCandidate& c : plan_.all_rejected) item(fmt::format("{} on {}: {}", c.layout, c.group, c.reason));
      return;
    }
    const std::size_t shown = std::min<std::size_t>(plan_.fits ? 4 : 8, plan_.rejected.size());
    for (std::size_t i = 0; i < shown; ++i)
      item(fmt::format("{} x {}", plan_.rejected[i].count, plan_.rejected[i].reason));
    if (shown < plan_.rejected.size())
      item(fmt::format("{} more reasons: --candidates lists every layout", plan_.rejected.size() - shown));
  }

  void power(const SitePower& p) {
    section(plan_.fits ? "Power at the load" : "Power of idle machines: nothing is served");
    TextTable t({{"", Align::kLeft}, {"", Align::kLeft}});
    t.row({"IT, mean over the year", with_band(p.it_mean)});
    t.row({"IT, peak", with_band(p.it_peak)});
    t.row({"IT, rated (circuits)", p.rated ? to_string(*p.rated) : "not stated"});
    t.row({fmt::format("site, mean (PUE {:.2f}, {})", p.pue.value, to_string(p.pue.origin.confidence)),
           with_band(p.site_mean)});
    t.row({"energy per year", to_string(p.per_year.likely)});
    if (p.racks) t.row({"racks", std::to_string(*p.racks)});
    table(t);
    std::vector<std::string> remarks;
    if (!p.unknown.empty()) remarks.push_back(fmt::format("lower bounds, without: {}", fmt::join(p.unknown, "; ")));
    for (const GroupPower& group : p.groups) {
      if (group.node.accelerator && group.node.accelerator->measured)
        remarks.push_back(measured_text(group.id, *group.node.accelerator));
    }
    if (!remarks.empty()) gap();
    for (const std::string& remark : remarks) item(remark);
  }

  std::string measured_text(const std::string& group, const AcceleratorDraw& draw) const {
    const MeasuredWatts& w = *draw.measured;
    const std::string steps = plan_.fits ? fmt::format("; {} in the steps of this load ({})", to_string(draw.busy),
                                                       to_string(draw.confidence))
                                         : "";
    return fmt::format("{}: each accelerator {} idle, {} reading memory, {} multiplying (measured){}", group,
                       to_string(w.idle), to_string(w.reading), to_string(w.multiplying), steps);
  }

  // Sums without their cents; a price per token with four figures.
  static std::string sum_text(const Money& m) {
    return m.major() >= 1000 ? to_string(Money::from_major(std::round(m.major()), m.currency())) : to_string(m);
  }
  static std::string unit_text(double amount, const std::string& currency) {
    return fmt::format("{:.4g} {}", amount, currency);
  }

  void cost(const CostReport& c) {
    section(fmt::format("Cost over {:g} years{}", c.horizon_years,
                        plan_.fits ? ", at the load" : ", with the electricity of idle machines"));
    const std::string partly = c.complete ? "" : ", incomplete";
    TextTable t({{"", Align::kLeft}, {"", Align::kRight}});
    for (const CategoryCost& row : c.capex_by_category) {
      if (!row.amount.is_zero()) t.row({"purchase: " + row.category, sum_text(row.amount)});
    }
    t.row({"purchase, total" + partly, sum_text(c.capex)});
    for (const CategoryCost& row : c.opex_by_category) {
      if (!row.amount.is_zero()) t.row({"per year: " + row.category, sum_text(row.amount)});
    }
    t.row({"nominal total" + partly, sum_text(c.nominal)});
    t.row({"per year with capital" + partly, sum_text(c.annual_total)});
    t.row({"  at best and at worst",
           fmt::format("{} to {}", sum_text(c.annual_range.min), sum_text(c.annual_range.max))});
    if (plan_.fits) unit_costs(c, partly, t);
    if (c.carbon_t_per_year > 0) t.row({"carbon per year", fmt::format("{} t CO2e", figure_text(c.carbon_t_per_year))});
    table(t);
    gap();
    if (!c.missing.empty()) item(fmt::format("not priced: {}", fmt::join(c.missing, ", ")));
    if (!c.assumptions.empty()) item(fmt::format("assumed: {}", fmt::join(c.assumptions, "; ")));
    if (plan_.fits) {
      for (const BreakEven& b : c.alternatives) break_even(b, partly);
    }
  }

  static void unit_costs(const CostReport& c, const std::string& partly, TextTable& t) {
    const auto row = [&](const std::string& name, const std::optional<double>& amount) {
      if (amount) t.row({name + partly, unit_text(*amount, c.currency)});
    };
    row("per GPU-hour, available", c.unit_costs.gpu_hour_available);
    row("per million output tokens", c.unit_costs.mtok_output);
    row("per request", c.unit_costs.request);
  }

  void break_even(const BreakEven& b, const std::string& partly) {
    std::string text = fmt::format("against {}{}{}: ", b.id, partly,
                                   b.origin.date.empty() ? " (undated price)" : fmt::format(" ({})", b.origin.date));
    if (b.utilisation) {
      text += *b.utilisation > 1 ? "renting stays cheaper even at full use"
                                 : fmt::format("owning pays from {} use on", percent_text(*b.utilisation));
    } else if (b.requests_per_year) {
      text += fmt::format("owning pays from {} requests a year on{}", count_text(*b.requests_per_year),
                          b.feasible ? (*b.feasible ? ", within the stated load" : ", more than the stated load") : "");
    }
    if (!b.note.empty()) text += "; " + b.note;
    item(text);
  }

  void availability(const AvailabilityReport& a) {
    section("Availability");
    item(fmt::format("service: {:.3f} % ({:.3f} to {:.3f}), {} of downtime a year{}", a.service.likely * 100,
                     a.service.min * 100, a.service.max * 100, to_string(a.downtime_per_year),
                     a.meets_target ? (*a.meets_target ? "; meets the target" : "; misses the target") : ""));
    item(fmt::format("{} of {} must be up to carry the load", a.replicas_needed, counted(a.replicas, "replica")));
    item(
        fmt::format("one replica without spares: {:.2f} %; {} failures a year; service back after {}; {} spare nodes{}",
                    a.per_replica * 100, figure_text(a.failures_per_year), to_string(a.failover), a.spare_nodes,
                    a.spares_needed ? fmt::format(", {} would meet the target", *a.spares_needed) : ""));
    if (!a.limited_by.empty()) item("limited by " + a.limited_by);
    if (!a.assumptions.empty()) item(fmt::format("assumed: {}", fmt::join(a.assumptions, "; ")));
  }

  void trust() {
    section("How far to trust this");
    item(fmt::format("weakest ingredient of the times: {}{}", to_string(plan_.confidence),
                     plan_.profile ? "" : "; no probe profile, so rates come from the catalogs"));
    if (plan_.profile) profile(*plan_.profile);
    if (!plan_.sensitivities.empty()) {
      const PlanSensitivity& widest = plan_.sensitivities.front();
      item(fmt::format("assumption that moves it most: {} ({}): {} to {} output tok/s", widest.input, widest.origin,
                       figure_text(widest.low), figure_text(widest.high)));
    }
    item(fmt::format("fathom {}; {} layouts examined, {} timed", plan_.version, plan_.candidates, plan_.evaluated));
  }

  void profile(const PlanProfile& p) {
    item(fmt::format("profile {} (fnv64 {}), measured {} on {}{}", p.file, p.fnv64, p.date, p.machine,
                     p.engine.empty() ? "" : " with " + p.engine));
    if (p.covered.empty()) {
      item("it has no rates for these operators: all come from the catalogs");
    } else if (p.uncovered.empty()) {
      item(fmt::format("it gives the times of all {}", counted(static_cast<double>(p.covered.size()), "operator")));
    } else {
      item(fmt::format("it gives the times of {}; from the catalogs come {}",
                       counted(static_cast<double>(p.covered.size()), "operator"), fmt::join(p.uncovered, ", ")));
    }
    if (!p.extrapolated.empty()) {
      item(fmt::format("outside of the shapes that it measured lie {}", fmt::join(p.extrapolated, ", ")));
    }
    for (const std::string& fit : p.fits) item(fit);
  }

  const Plan& plan_;
  const TextOptions& o_;
};

}  // namespace

std::string plan_text(const Plan& plan, const TextOptions& options) { return Writer(plan, options).run(); }

}  // namespace fathom
