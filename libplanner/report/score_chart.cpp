#include "report/score_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "report/page.h"
#include "report/svg.h"

namespace fathom {

namespace {

constexpr int kAcross = 3;
constexpr double kMargin = 24, kTop = 96, kSide = 250, kLeft = 62, kBelow = 62, kCell = kSide + kLeft + kMargin,
                 kDown = kSide + kBelow + 8;
constexpr std::array<const char*, 8> kColours = {"#1f6fb4", "#d95f02", "#2a9d5c", "#7b4ab5",
                                                 "#b5354c", "#8a6d1a", "#3aa6b9", "#6b6b6b"};

std::string tick_text(double value) {
  if (value >= 0.009 && value < 50'000) return fmt::format("{:g}", value);
  const int power = static_cast<int>(std::floor(std::log10(value) + 1e-9));
  return fmt::format("{:.0f}e{}", value / std::pow(10, power), power);
}

// Powers of ten, on a long axis every second or third, on a short one with 2 and 5 between them.
std::vector<double> ticks(double from, double span) {
  const int every = span > 9 ? 3 : span > 5 ? 2 : 1;
  std::vector<double> out;
  for (int power = static_cast<int>(std::floor(from)); power <= from + span; ++power) {
    if (power % every != 0) continue;
    for (const double digit : {1.0, 2.0, 5.0}) {
      const double value = digit * std::pow(10, power), place = std::log10(value) - from;
      if (place >= 0 && place <= span && (digit == 1 || span < 1.6)) out.push_back(value);
    }
  }
  return out;
}

class Drawing {
 public:
  explicit Drawing(const Score& score)
      : score_(score), panels_(panels_of(score)), svg_(kMargin + kAcross * kCell, height(panels_.size()), 11) {}

  std::string run() {
    svg_.text(kMargin, 26, "start", "Predicted against measured: " + score_.file,
              "font-size=\"15\" font-weight=\"bold\"");
    svg_.text(
        kMargin, 46, "start",
        fmt::format("{} of {}; median error {:.1f} %, averaged over groups and categories. Line: equal; band: "
                    "within 20 %. A point names its row.",
                    whole_text(score_.predicted), counted(score_.rows, "row"), 100 * score_.overall.median_abs_ln));
    legend();
    int i = 0;
    for (const auto& [name, rows] : panels_) {
      panel(name, rows, kMargin + (i % kAcross) * kCell + kLeft, kTop + 18 + (i / kAcross) * kDown);
      ++i;
    }
    return svg_.take();
  }

 private:
  using Panels = std::map<std::string, std::vector<const ScoredRow*>>;

  static Panels panels_of(const Score& score) {
    Panels panels;
    for (const ScoredRow& row : score.details) {
      const Metric& metric = *row.row->metric;
      panels[to_string(metric.kind) + ", " + (std::string(metric.unit) == "1" ? "share" : metric.unit)].push_back(&row);
    }
    return panels;
  }
  static double height(std::size_t panels) {
    return kTop + static_cast<double>((panels + kAcross - 1) / kAcross) * kDown;
  }

  const char* colour(const std::string& category) const {
    const auto found = std::find_if(score_.categories.begin(), score_.categories.end(),
                                    [&](const ScoreSection& s) { return s.name == category; });
    return kColours[static_cast<std::size_t>(found - score_.categories.begin()) % kColours.size()];
  }

  void legend() {
    double x = kMargin, y = 66;
    for (const ScoreSection& section : score_.categories) {
      const std::string title = category_title(section.name);
      const std::string name = title.empty() ? section.name : section.name + " " + title;
      const double wide = 24 + 6.2 * static_cast<double>(name.size());
      if (x + wide > kAcross * kCell) {
        x = kMargin;
        y += 16;
      }
      svg_.add(
          fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\" fill=\"{}\"/>", x + 4, y - 4, colour(section.name)));
      svg_.text(x + 12, y, "start", name);
      x += wide;
    }
  }

  void panel(const std::string& name, const std::vector<const ScoredRow*>& rows, double left, double top) {
    double low = 1e300, high = 0;
    for (const ScoredRow* row : rows) {
      low = std::min({low, row->row->value, row->prediction.likely});
      high = std::max({high, row->row->value, row->prediction.likely});
    }
    const double from = std::log10(low) - 0.1, span = std::max(std::log10(high) + 0.1 - from, 0.5);
    const auto at = [&](double value) { return (std::log10(value) - from) / span * kSide; };
    const auto clip = [&](double place) { return std::clamp(place, 0.0, kSide); };
    svg_.text(left, top - 8, "start", fmt::format("{} ({})", name, counted(static_cast<double>(rows.size()), "row")),
              "font-weight=\"bold\"");

    // The band between 0.8 and 1.2 of measured, cut off at the frame.
    const double above = std::log10(1.2) / span * kSide, below = std::log10(0.8) / span * kSide;
    svg_.add(
        fmt::format("<polygon fill=\"#e6efe6\" points=\"{:.1f},{:.1f} {:.1f},{:.1f} {:.1f},{:.1f} {:.1f},{:.1f} "
                    "{:.1f},{:.1f} {:.1f},{:.1f}\"/>",
                    left, top + kSide, left, top + kSide - clip(above), left + clip(kSide - above), top, left + kSide,
                    top, left + kSide, top + kSide - clip(kSide + below), left + clip(-below), top + kSide));
    for (const double value : ticks(from, span)) {
      const double place = at(value);
      svg_.line(left + place, top, left + place, top + kSide, "#ececec");
      svg_.line(left, top + kSide - place, left + kSide, top + kSide - place, "#ececec");
      svg_.text(left + place, top + kSide + 15, "middle", tick_text(value));
      svg_.text(left - 5, top + kSide - place + 4, "end", tick_text(value));
    }
    svg_.line(left, top + kSide, left + kSide, top, "#707070");
    svg_.add(
        fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{}\" height=\"{}\" fill=\"none\" stroke=\"#909090\"/>",
                    left, top, kSide, kSide));
    svg_.text(left + kSide / 2, top + kSide + 32, "middle", "measured", "fill=\"#606060\"");
    const double middle = top + kSide / 2, side = left - 44;
    svg_.text(side, middle, "middle", "predicted",
              fmt::format("fill=\"#606060\" transform=\"rotate(-90 {:.1f} {:.1f})\"", side, middle));
    for (const ScoredRow* row : rows) {
      const Measurement& m = *row->row;
      svg_.add(
          fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.6\" fill=\"{}\" "
                      "fill-opacity=\"0.55\"><title>{}</title></circle>",
                      left + at(m.value), top + kSide - at(row->prediction.likely), colour(m.category),
                      svg_text(fmt::format("{}: {}, measured {:.4g} {}, predicted {:.4g} ({:+.0f} %)", m.id,
                                           m.metric->name, m.value, m.metric->unit, row->prediction.likely,
                                           100 * (row->prediction.likely / m.value - 1)))));
    }
  }

  const Score& score_;
  Panels panels_;
  SvgDrawing svg_;
};

}  // namespace

std::string score_svg(const Score& score) { return Drawing(score).run(); }

}  // namespace fathom
