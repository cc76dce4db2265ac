#include "report/score_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/page.h"
#include "units/text.h"

namespace fathom {

namespace {

constexpr std::size_t kWorst = 10;
constexpr std::size_t kNamed = 3;  // rows of each reason; JSON and CSV name all

// Errors are in ln; as people read them: "9.1 %", "-1.5 %".
std::string error_text(double ln) { return percent_text(ln, 1); }
std::string signed_text(double ln) { return fmt::format("{:+.1f} %", ln * 100); }

std::string value_text(const Metric& metric, double value) {
  const std::string unit = metric.unit;
  if (unit == "s") return to_string(Seconds(value));
  if (unit == "bytes") return to_string(Bytes(value));
  if (unit == "bytes/s") return to_string(BytesPerSecond(value));
  if (unit == "FLOP/s") return to_string(FlopsPerSecond(value));
  return unit == "1" ? figure_text(value) : figure_text(value) + " " + unit;
}

std::string band_text(const ErrorStatistics& s) { return s.banded > 0 ? percent_text(s.coverage()) : ""; }

class ScoreWriter : private Page {
 public:
  ScoreWriter(const Score& score, const ScoreTextOptions& options)
      : Page(options.style, options.colour), s_(score), every_row_(options.every_row) {}

  std::string run() {
    title("Predicted against measured: " + s_.file);
    headline();
    section("By category");
    if (s_.predicted > 0) legend();
    sections("category", s_.categories);
    section("By what was measured");
    sections("metric class", s_.metrics);
    section("By engine");
    sections("engine", s_.engines);
    section("By accelerator");
    sections("accelerator", s_.accelerators);
    section("By model");
    sections("model", s_.models);
    unpredicted();
    decisions();
    rows();
    return take();
  }

 private:
  void headline() {
    line(fmt::format("{} of {} predicted, in {}", whole_text(s_.predicted), counted(s_.rows, "row"),
                     counted(s_.overall.groups, "group")));
    left_out();
    for (const std::string& note : s_.notes) line("Note: " + note);
    if (s_.predicted == 0) return;
    line();
    const ErrorStatistics& o = s_.overall;
    TextTable t({{"", Align::kLeft}, {"", Align::kRight}, {"", Align::kLeft}});
    t.row({"median error", error_text(o.median_abs_ln),
           "size of ln(predicted / measured): 10 % is a factor of 1.11, 100 % one of 2.7"});
    t.row({"90th percentile", error_text(o.p90_abs_ln), "of the same"});
    t.row({"bias", signed_text(o.bias_ln), "median error with its sign; + is predicted above measured"});
    t.row({"within 20 %", percent_text(o.within_20), "rows whose prediction is 0.8 to 1.2 times the measured value"});
    if (o.banded > 0) {
      t.row({"inside the band", percent_text(o.coverage()),
             fmt::format("of {} whose prediction has a minimum and a maximum", counted(o.banded, "row"))});
    }
    const DecisionSummary& d = s_.decided;
    if (d.sets > 0) {
      t.row({"right choice", fmt::format("{} / {}", d.right, d.sets),
             "layouts measured side by side: the best one is predicted first or within 5 % of what is"});
      t.row({"good choice", fmt::format("{} / {}", d.right_by_regret, d.sets),
             fmt::format("the one predicted first measured within 5 % of the best; the mean loss is {}",
                         percent_text(d.mean_regret, 1))});
    }
    table(t);
    gap();
  }

  void left_out() {
    std::vector<std::string> kinds;
    const auto add = [&](int rows, const char* kind) {
      if (rows > 0) kinds.push_back(counted(rows, fmt::format("{} row", kind)));
    };
    add(s_.left_out.full, "full");
    add(s_.left_out.partial, "partial");
    if (s_.left_out.partial > 0) kinds.back() += " (--partial)";
    add(s_.left_out.context, "context");
    if (!kinds.empty()) line(fmt::format("Not scored: {}", fmt::join(kinds, ", ")));
  }

  void legend() {
    line("Figures are averages over groups, so that a large table does not drown a small one; those above are then");
    line(
        "averaged over categories. p50, p90: median and 90th percentile of the error; in 20 %: rows predicted within "
        "20 %;");
    line(
        "in band: measured values between the predicted minimum and maximum. Every row counts alike in the band, in "
        "row "
        "p50");
    line(
        "and row p90 (where there are several groups), in MAPE, the mean of |predicted / measured - 1|, and in rho, "
        "the "
        "rank correlation.");
    line();
  }

  void sections(const std::string& what, const std::vector<ScoreSection>& list) {
    if (list.empty()) {
      line("No row was predicted.");
      return;
    }
    TextTable t({{what, Align::kLeft},
                 {"rows", Align::kRight},
                 {"groups", Align::kRight},
                 {"p50", Align::kRight},
                 {"p90", Align::kRight},
                 {"bias", Align::kRight},
                 {"in 20 %", Align::kRight},
                 {"in band", Align::kRight},
                 {"row p50", Align::kRight},
                 {"row p90", Align::kRight},
                 {"MAPE", Align::kRight},
                 {"rho", Align::kRight}});
    for (const ScoreSection& section : list) {
      const ErrorStatistics &m = section.macro, &e = section.each;
      const bool same = m.groups == 1;
      std::string name = section.name;
      if (&list == &s_.categories && !category_title(name).empty()) name += "  " + category_title(name);
      t.row({name, whole_text(m.rows), whole_text(m.groups), error_text(m.median_abs_ln), error_text(m.p90_abs_ln),
             signed_text(m.bias_ln), percent_text(m.within_20), band_text(m), same ? "" : error_text(e.median_abs_ln),
             same ? "" : error_text(e.p90_abs_ln), error_text(e.mape),
             e.spearman ? fmt::format("{:.2f}", *e.spearman) : ""});
    }
    table(t);
  }

  void unpredicted() {
    if (s_.unpredicted.empty()) return;
    section("Not predicted");
    TextTable t({{"rows", Align::kRight}, {"reason", Align::kLeft}, {"ids", Align::kLeft}});
    for (const UnpredictedRows& missed : s_.unpredicted) {
      const std::size_t count = missed.rows.size(), shown = std::min(kNamed, count);
      std::string ids;
      for (std::size_t i = 0; i < shown; ++i) ids += (i > 0 ? ", " : "") + missed.rows[i]->id;
      t.row({whole_text(static_cast<double>(count)), missed.reason, ids + (shown < count ? ", …" : "")});
    }
    table(t);
  }

  void decisions() {
    if (s_.decisions.empty()) return;
    section("Choices of a layout");
    const DecisionSummary& sum = s_.decided;
    line(fmt::format("{} of {} are right, {} are good.{}", sum.right, sum.sets, sum.right_by_regret,
                     sum.right == sum.sets && sum.right_by_regret == sum.sets
                         ? ""
                         : " The others, and what the predicted best loses against the measured best:"));
    gap();
    TextTable t({{"loss", Align::kRight},
                 {"right", Align::kLeft},
                 {"good", Align::kLeft},
                 {"measured best", Align::kLeft},
                 {"predicted best", Align::kLeft},
                 {"of", Align::kRight},
                 {"where", Align::kLeft}});
    const auto word = [](bool yes) { return yes ? "yes" : "no"; };
    for (const Decision& d : s_.decisions) {
      if (d.right && d.right_by_regret) continue;
      t.row({percent_text(d.regret), word(d.right), word(d.right_by_regret), d.measured_best, d.predicted_best,
             std::to_string(d.layouts), d.what});
    }
    if (!t.empty()) table(t);
  }

  void rows() {
    if (s_.details.empty()) return;
    section(every_row_ ? "Every row" : "Largest errors");
    line("Ratio: predicted over measured.");
    gap();
    TextTable t({{"id", Align::kLeft},
                 {"metric", Align::kLeft},
                 {"measured", Align::kRight},
                 {"predicted", Align::kRight},
                 {"min", Align::kRight},
                 {"max", Align::kRight},
                 {"ratio", Align::kRight},
                 {"most time in", Align::kLeft}});
    const auto add = [&](const ScoredRow& row) {
      const Metric& metric = *row.row->metric;
      const RowPrediction& p = row.prediction;
      const bool band = p.max > p.min;
      t.row({row.row->id, metric.name, value_text(metric, row.row->value), value_text(metric, p.likely),
             band ? value_text(metric, p.min) : "", band ? value_text(metric, p.max) : "",
             fmt::format("{:.2f}", p.likely / row.row->value), p.longest});
    };
    if (every_row_) {
      for (const ScoredRow& row : s_.details) add(row);
    } else {
      for (std::size_t i = 0; i < std::min(kWorst, s_.worst.size()); ++i) add(s_.details[s_.worst[i]]);
    }
    table(t);
  }

  const Score& s_;
  const bool every_row_;
};

}  // namespace

std::string score_text(const Score& score, const ScoreTextOptions& options) {
  return ScoreWriter(score, options).run();
}

namespace {

template <class C>
std::string fitted_text(const C& c) {
  return fmt::format("{} in {}: median error {} before, {} after, averaged over groups\n", counted(c.rows, "row"),
                     counted(c.groups, "group"), error_text(c.before.median_abs_ln), error_text(c.after.median_abs_ln));
}

}  // namespace

std::string calibration_text(const EnginesCalibration& c) {
  return fitted_text(c) +
         "starts from catalogs/priors, without what the shipped profiles were fitted to: --engine ID keeps that fit\n";
}

std::string calibration_text(const Calibration& c) {
  std::string out = fitted_text(c);
  if (c.groups < 2) out += "held out: needs two groups\n";
  if (c.held_out)
    out += fmt::format("held out, starting from the priors, groups that the fit did not see: {}\n",
                       error_text(c.held_out->median_abs_ln));
  TextTable t(
      {{"parameter", Align::kLeft}, {"device", Align::kLeft}, {"before", Align::kRight}, {"after", Align::kRight}});
  for (const CalibratedParameter& p : c.parameters) {
    const auto value = [&](double v) {
      return p.parameter->share != nullptr ? fmt::format("{:.3g}", v) : to_string(Seconds(v));
    };
    const std::string before = value(p.before), after = value(p.after);
    if (before != after) t.row({p.parameter->name, p.device.empty() ? "all" : p.device, before, after});
  }
  if (t.empty()) return out + "no value moves\n";
  return out + t.render(TextStyle::kTerminal, "  ");
}

}  // namespace fathom
