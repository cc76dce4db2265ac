#include "print/figure_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>

#include "report/page.h"

namespace fathom::probe {

namespace {

constexpr std::size_t kMostRows = 6;  // of a case on one device: of more nobody reads each

std::string words_of(Status status) {
  if (status == Status::kPassed) return "";
  std::string words = to_string(status);
  std::replace(words.begin(), words.end(), '_', ' ');
  return words;
}

std::string share(double of_reference) { return fmt::format("{:.0f} %", 100 * of_reference); }

std::string words_of(const HeldAgainst& held) {
  if (held.reference) return share(*held.reference);
  return held.peers > 0 ? "peers alone" : "no reference";
}

struct Figure {
  const Result* result;
  const HeldAgainst* held;
};

FigureRow row_of(const Figure& f) {
  const Result& r = *f.result;
  const Statistics& s = *r.figure;
  return {.name = r.name,
          .device = r.device,
          .shape = r.shape_text(),
          .median = text_of(r.unit, s.median),
          .interval = s.samples < 2 ? "" : fmt::format("{} to {}", text_of(r.unit, s.low), text_of(r.unit, s.high)),
          .samples = fmt::format("{}", s.samples),
          .by = r.protocol.engine,
          .reference = words_of(*f.held),
          .status = words_of(r.status)};
}

std::string least_share(const std::vector<Figure>& figures) {
  std::optional<double> least;
  for (const Figure& f : figures) {
    if (f.held->reference) least = std::min(least.value_or(*f.held->reference), *f.held->reference);
  }
  if (least) return "from " + share(*least);
  const bool compared = std::any_of(figures.begin(), figures.end(), [](const Figure& f) { return f.held->peers > 0; });
  return compared ? "peers alone" : "no reference";
}

// "3 unstable, 1 incorrect"
std::string statuses(const std::vector<Figure>& figures) {
  std::map<Status, int> counts;
  for (const Figure& f : figures) ++counts[f.result->status];
  std::string text;
  for (const auto& [status, count] : counts) {
    if (status != Status::kPassed) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, words_of(status));
  }
  return text;
}

FigureRow row_of(const std::vector<Figure>& figures) {
  const auto less = [](const Figure& a, const Figure& b) {
    return a.result->figure->median < b.result->figure->median;
  };
  const auto [least, most] = std::minmax_element(figures.begin(), figures.end(), less);
  const Result& first = *figures.front().result;
  const auto median = [](const Result& r) { return text_of(r.unit, r.figure->median); };
  return {.name = first.name,
          .device = first.device,
          .shape = counted(static_cast<double>(figures.size()), "shape"),
          .median = fmt::format("{} to {}", median(*least->result), median(*most->result)),
          .interval = "",
          .samples = "",
          .by = first.protocol.engine,
          .reference = least_share(figures),
          .status = statuses(figures)};
}

}  // namespace

std::vector<FigureRow> figure_rows(const ProbeReport& report, bool all) {
  using Key = std::tuple<std::string, std::string, std::string, Unit>;
  std::vector<std::pair<Key, std::vector<Figure>>> groups;  // in the record's order
  for (std::size_t i = 0; i < report.record.results.size(); ++i) {
    const Result& r = report.record.results[i];
    if (!r.figure) continue;
    const Key key{r.name, r.device, r.protocol.engine, r.unit};
    auto group = std::find_if(groups.begin(), groups.end(), [&](const auto& g) { return g.first == key; });
    if (group == groups.end()) group = groups.insert(groups.end(), {key, {}});
    group->second.push_back({&r, &report.health->held.at(i)});
  }
  std::vector<FigureRow> rows;
  for (const auto& [key, figures] : groups) {
    if (!all && figures.size() > kMostRows) {
      rows.push_back(row_of(figures));
      continue;
    }
    for (const Figure& f : figures) rows.push_back(row_of(f));
  }
  return rows;
}

}  // namespace fathom::probe
