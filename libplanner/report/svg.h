// A drawing as one SVG text without scripts or references, element by element.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace fathom {

// As the content or an attribute of an element.
std::string svg_text(const std::string& text);

class SvgDrawing {
 public:
  SvgDrawing(double width, double height, int font_size);

  // `anchor`: start, middle or end. `more`: further attributes.
  void text(double x, double y, const char* anchor, const std::string& what, const std::string& more = {});
  void line(double x1, double y1, double x2, double y2, const char* colour);
  void polyline(const std::vector<std::pair<double, double>>& points, const char* colour);
  void add(const std::string& element) { out_ += element + "\n"; }
  std::string take();

 private:
  std::string out_;
};

}  // namespace fathom
