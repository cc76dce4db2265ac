#include "score/decisions.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "score/score.h"

namespace fathom {

namespace {

bool in_one_node(const Measurement& m) { return m.nodes.value_or(1) <= 1; }

// What was chosen: degrees, and the number of nodes where it is more than one.
std::string layout_name(const Measurement& m) {
  std::string name;
  const auto add = [&](const char* what, const std::optional<double>& n) {
    if (n && *n > 1) name += fmt::format("{}{}{:.0f}", name.empty() ? "" : " ", what, *n);
  };
  add("TP", m.tp);
  add("PP", m.pp);
  add("EP", m.ep);
  add("DP", m.attention_dp);
  add("x", m.replicas);
  if (name.empty()) name = fmt::format("{:.0f} device", m.accelerators.value_or(1));
  return in_one_node(m) ? name : fmt::format("{} on {:.0f} nodes", name, *m.nodes);
}

// What was given, links apart.
std::string conditions(const Measurement& m) {
  std::string text = fmt::format("{} {} on {}, {} {}", m.model, m.weight_format, m.accelerator, m.engine,
                                 m.engine_version.empty() ? "of unknown version" : m.engine_version);
  const auto add = [&](const std::optional<double>& n, const char* format) {
    if (n) text += fmt::format(fmt::runtime(format), *n);
  };
  const auto name = [&](const char* what, const std::string& word) {
    if (!word.empty()) text += fmt::format(", {}{}", what, word);
  };
  if (!m.host.cpu.empty()) text += fmt::format(", {} x{}", m.host.cpu, m.host.sockets);
  if (m.host.transfers_per_s) text += fmt::format(" {:g} MT/s", *m.host.transfers_per_s / 1e6);
  add(m.host.channels, " {:g} channels");
  name("host memory: ", to_string(m.offload));
  add(m.input_len, ", {:g} in");
  if (m.prefix_hit.value_or(0) > 0) add(m.prefix_hit, ", {:g} of it cached");
  add(m.output_len, ", {:g} out");
  add(m.context_len, ", context {:g}");
  add(m.accept_len, ", {:g} accepted");
  name("load ", to_string(m.load_kind));
  if (m.load_kind != LoadKind::kMax) add(m.load, " {:g}");
  name("cache ", m.kv_format);
  for (const auto& [key, word] : m.shape) name((key + " ").c_str(), word);
  return text + ", " + m.metric->name;
}

// A link counts where the layout uses it: two cards on NVLink and two on PCIe are two choices, one card belongs to both.
std::string link_inside(const Measurement& m) {
  return m.accelerators.value_or(1) > m.nodes.value_or(1) ? m.scale_up : std::string();
}
std::string link_between(const Measurement& m) { return in_one_node(m) ? std::string() : m.scale_out; }

bool joins(const std::string& link, const std::string& wanted) { return link.empty() || link == wanted; }

template <class LinkOf>
std::set<std::string> links(const std::vector<const ScoredRow*>& rows, LinkOf link_of) {
  std::set<std::string> found;
  for (const ScoredRow* row : rows) found.insert(link_of(*row->row));
  if (found.size() > 1) found.erase("");
  return found;
}

bool more_is_better(const Metric& metric) { return std::string(metric.unit) == "tok/s"; }

// What a buyer of this layout gets: rates of a whole deployment are shared among its devices.
double merit(const Measurement& m, double value) {
  const std::string name = m.metric->name;
  const bool whole = m.metric->kind == MetricClass::kThroughput && name.find("_per_gpu") == std::string::npos &&
                     name.find("_per_node") == std::string::npos;
  const double shared = whole ? value / m.accelerators.value_or(1) : value;
  return more_is_better(*m.metric) ? shared : 1 / shared;
}

// Means over the rows of one layout, which may have been measured more than once.
struct Merit {
  double measured = 0, predicted = 0;
  int rows = 0;

  void add(const ScoredRow& row) {
    ++rows;
    measured += (merit(*row.row, row.row->value) - measured) / rows;
    predicted += (merit(*row.row, row.prediction.likely) - predicted) / rows;
  }
};

constexpr double kClose = 0.95;

Decision decision(const std::string& what, const std::map<std::string, Merit>& layouts) {
  const auto best = std::max_element(layouts.begin(), layouts.end(), [](const auto& a, const auto& b) {
    return a.second.measured < b.second.measured;
  });
  const auto chosen = std::max_element(layouts.begin(), layouts.end(), [](const auto& a, const auto& b) {
    return a.second.predicted < b.second.predicted;
  });
  return {.what = what,
          .measured_best = best->first,
          .predicted_best = chosen->first,
          .layouts = static_cast<int>(layouts.size()),
          .regret = best->second.measured / chosen->second.measured - 1,
          .right = best->second.predicted >= kClose * chosen->second.predicted,
          .right_by_regret = chosen->second.measured >= kClose * best->second.measured};
}

}  // namespace

std::vector<Decision> decide(const std::vector<ScoredRow>& rows) {
  std::map<std::pair<std::string, std::string>, std::vector<const ScoredRow*>> alike;  // by source and conditions
  for (const ScoredRow& row : rows) {
    const Measurement& m = *row.row;
    if (m.role != MeasuredRole::kAggregated || !m.tp || m.metric->kind == MetricClass::kMemory) continue;
    alike[{m.source, conditions(m)}].push_back(&row);
  }
  std::vector<Decision> out;
  for (const auto& [key, siblings] : alike) {
    for (const std::string& inside : links(siblings, link_inside)) {
      for (const std::string& between : links(siblings, link_between)) {
        std::map<std::string, Merit> layouts;
        for (const ScoredRow* row : siblings) {
          if (joins(link_inside(*row->row), inside) && joins(link_between(*row->row), between))
            layouts[layout_name(*row->row)].add(*row);
        }
        if (layouts.size() < 2) continue;
        std::string what = key.second;
        if (!inside.empty()) what += ", " + inside;
        if (!between.empty()) what += ", " + between;
        out.push_back(decision(what, layouts));
      }
    }
  }
  return out;
}

DecisionSummary summary_of(const std::vector<Decision>& decisions) {
  DecisionSummary sum;
  for (const Decision& d : decisions) {
    ++sum.sets;
    sum.right += d.right ? 1 : 0;
    sum.right_by_regret += d.right_by_regret ? 1 : 0;
    sum.mean_regret += d.regret;
  }
  if (sum.sets > 0) sum.mean_regret /= sum.sets;
  return sum;
}

}  // namespace fathom
