#include "report/svg.h"

#include <fmt/format.h>

#include <utility>

namespace fathom {

std::string svg_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  return out;
}

SvgDrawing::SvgDrawing(double width, double height, int font_size)
    : out_(fmt::format("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" width=\"{0:.0f}\" "
                       "height=\"{1:.0f}\" font-family=\"sans-serif\" font-size=\"{2}\">\n"
                       "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
                       width, height, font_size)) {}

void SvgDrawing::text(double x, double y, const char* anchor, const std::string& what, const std::string& more) {
  add(fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\"{}{}>{}</text>", x, y, anchor,
                  more.empty() ? "" : " ", more, svg_text(what)));
}

void SvgDrawing::line(double x1, double y1, double x2, double y2, const char* colour) {
  add(fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\"/>", x1, y1, x2, y2,
                  colour));
}

void SvgDrawing::polyline(const std::vector<std::pair<double, double>>& points, const char* colour) {
  std::string path;
  for (const auto& [x, y] : points) path += fmt::format("{:.1f},{:.1f} ", x, y);
  add(fmt::format("<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\" points=\"{}\"/>", colour, path));
}

std::string SvgDrawing::take() { return std::exchange(out_, {}) + "</svg>\n"; }

}  // namespace fathom
