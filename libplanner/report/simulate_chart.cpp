#include "report/simulate_chart.h"

namespace fathom {

Chart simulate_chart(const SimulationHead& head, const SimulationResult& result) {
  const auto line = [&](const char* name, auto value) {
    ChartLine out{.name = name, .points = {}};
    for (const SeriesRow& row : result.series) out.points.emplace_back(row.begin.value, value(row));
    return out;
  };
  Chart chart{.title = head.title + ": " + result.arrivals, .x_axis = "simulated time, s", .panels = {}};
  chart.panels.push_back({.title = "requests",
                          .lines = {line("waiting", [](const SeriesRow& r) { return r.waiting; }),
                                    line("in a batch", [](const SeriesRow& r) { return r.running; })}});
  chart.panels.push_back({.title = "requests/s",
                          .lines = {line("came", [](const SeriesRow& r) { return r.arrived / r.width.value; }),
                                    line("answered", [](const SeriesRow& r) { return r.finished / r.width.value; })}});
  chart.panels.push_back({.title = "output tok/s", .lines = {line("all replicas", [](const SeriesRow& r) {
                                                     return r.output_tokens / r.width.value;
                                                   })}});
  chart.panels.push_back(
      {.title = "cache in use, %", .lines = {line("all replicas", [](const SeriesRow& r) { return 100 * r.kv_use; })}});
  return chart;
}

Chart sweep_chart(const SimulationHead& head, const SweepResult& sweep) {
  const auto line = [&](const char* name, auto value) {
    ChartLine out{.name = name, .points = {}};
    for (const SweepPoint& point : sweep.points) out.points.emplace_back(point.load, value(point.result));
    return out;
  };
  const auto percentiles = [&](const char* title, Spread SimulationResult::*times) {
    return ChartPanel{.title = title,
                      .lines = {line("P50", [&](const SimulationResult& r) { return (r.*times).p50.value; }),
                                line("P90", [&](const SimulationResult& r) { return (r.*times).p90.value; }),
                                line("P99", [&](const SimulationResult& r) { return (r.*times).p99.value; })}};
  };
  return {.title = head.title,
          .x_axis = sweep.over == SweepOver::kRate ? "requests/s" : "requests in flight",
          .panels = {percentiles("time to first token, s", &SimulationResult::ttft),
                     percentiles("time per output token, s", &SimulationResult::tpot),
                     {.title = "output tok/s",
                      .lines = {line("all replicas", [](const SimulationResult& r) { return r.output_tok_per_s; })}}}};
}

}  // namespace fathom
