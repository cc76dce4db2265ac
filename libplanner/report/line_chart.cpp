#include "report/line_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "report/svg.h"

namespace fathom {

namespace {

constexpr double kWidth = 880, kLeft = 80, kRight = 20, kTop = 46, kPanel = 170, kGap = 60;
constexpr std::array<const char*, 6> kColours = {"#1f6fb4", "#d95f02", "#2a9d5c", "#7b4ab5", "#b5354c", "#6b6b6b"};

// 1, 2 or 5 times a power of ten, so that about `wanted` of them make `range`.
double tick(double range, int wanted) {
  if (!(range > 0)) return 1;
  const double rough = range / wanted, power = std::pow(10, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= rough) return factor * power;
  }
  return 10 * power;
}

struct Range {
  double low = 0, high = 0;
  bool empty = true;
  void hold(double x) {
    low = empty ? x : std::min(low, x);
    high = empty ? x : std::max(high, x);
    empty = false;
  }
};

class Drawing {
 public:
  explicit Drawing(const Chart& chart)
      : chart_(chart), svg_(kWidth, kTop + static_cast<double>(chart.panels.size()) * (kPanel + kGap), 12) {
    for (const ChartPanel& panel : chart.panels) {
      for (const ChartLine& line : panel.lines) {
        for (const auto& [x, y] : line.points) x_.hold(x);
      }
    }
    if (!(x_.high > x_.low)) x_.high = x_.low + 1;
  }

  std::string run() {
    svg_.text(kLeft, 22, "start", chart_.title, "font-size=\"15\" font-weight=\"bold\"");
    for (std::size_t i = 0; i < chart_.panels.size(); ++i)
      panel(chart_.panels[i], kTop + 16 + static_cast<double>(i) * (kPanel + kGap));
    return svg_.take();
  }

 private:
  double x_at(double x) const { return kLeft + (x - x_.low) / (x_.high - x_.low) * (kWidth - kLeft - kRight); }

  void panel(const ChartPanel& p, double top) {
    Range y;
    y.hold(0);
    for (const ChartLine& line : p.lines) {
      for (const auto& point : line.points) {
        if (std::isfinite(point.second)) y.hold(point.second);
      }
    }
    if (!(y.high > 0)) y.high = 1;
    const auto y_at = [&](double value) { return top + kPanel - value / y.high * kPanel; };
    const double step = tick(y.high, 4);
    for (double value = 0; value <= y.high * 1.0001; value += step) {
      svg_.line(kLeft, y_at(value), kWidth - kRight, y_at(value), "#e3e3e3");
      svg_.text(kLeft - 6, y_at(value) + 4, "end", fmt::format("{:g}", value));
    }
    const double across = tick(x_.high - x_.low, 8);
    for (double value = std::ceil(x_.low / across) * across; value <= x_.high * 1.0001; value += across) {
      svg_.line(x_at(value), top + kPanel, x_at(value), top + kPanel + 4, "#808080");
      svg_.text(x_at(value), top + kPanel + 17, "middle", fmt::format("{:g}", value));
    }
    svg_.line(kLeft, top + kPanel, kWidth - kRight, top + kPanel, "#808080");
    svg_.text(kLeft, top - 6, "start", p.title);
    svg_.text(kWidth - kRight, top + kPanel + 32, "end", chart_.x_axis, "fill=\"#606060\"");
    double legend = kWidth - kRight;
    for (std::size_t i = p.lines.size(); i-- > 0;) {
      const char* colour = kColours[i % kColours.size()];
      svg_.text(legend, top - 6, "end", p.lines[i].name, fmt::format("fill=\"{}\"", colour));
      legend -= 7.0 * static_cast<double>(p.lines[i].name.size()) + 14;
      std::vector<std::pair<double, double>> path;
      for (const auto& [x, value] : p.lines[i].points) {
        if (std::isfinite(value)) path.emplace_back(x_at(x), y_at(value));
      }
      svg_.polyline(path, colour);
    }
  }

  const Chart& chart_;
  Range x_;
  SvgDrawing svg_;
};

}  // namespace

std::string chart_svg(const Chart& chart) { return Drawing(chart).run(); }

std::string chart_html(const Chart& chart) {
  return "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>" + svg_text(chart.title) +
         "</title></head><body>\n" + chart_svg(chart) + "</body></html>\n";
}

}  // namespace fathom
