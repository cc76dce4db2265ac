// Lines over a common axis as SVG, several panels one below the other, in one text without scripts or references.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace fathom {

struct ChartLine {
  std::string name;
  std::vector<std::pair<double, double>> points;
};

struct ChartPanel {
  std::string title;
  std::vector<ChartLine> lines;
};

struct Chart {
  std::string title;
  std::string x_axis;  // what it says below
  std::vector<ChartPanel> panels;
};

std::string chart_svg(const Chart& chart);
std::string chart_html(const Chart& chart);  // the same in a page of its own

}  // namespace fathom
