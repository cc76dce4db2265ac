// The figures of a bill as people type them: "¥8.5万", "18万-22万", "3.5/m", "120km", "约6万", "1.234,56 €", "2-3", "(500)".
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fathom::bill {

struct Figure {
  double low = 0, high = 0;  // equal unless a range is written; scaled
  double half_place = 0;     // half a unit of the last decimal that is written, scaled
  double scale = 1;          // 1e4 when 万 stands behind the number
  std::string currency;      // ISO; empty when none stands there
  std::string per;           // "m" of "3.5/m"
  std::string unit;          // what else stands behind it: "km", "套"
  bool about = false;        // 约, ~

  bool is_range() const { return low != high; }
};

// How the cells below a header count: 单价(万元/台) is {1e4, "CNY", "台"}.
struct Counting {
  double scale = 1;
  std::string currency;  // empty when the header has none
  std::string per;
};

enum class FigureKind { kMoney, kCount };  // of counts, "k" and "M" are parts of units

// nullopt when the text does not start with a figure. `comma`: the decimal point is a comma.
std::optional<Figure> read_figure(std::string_view text, FigureKind kind, bool comma);

Counting counting_in(std::string_view header);

// Numbers that can only be meant with a decimal comma: "8,5", "1.234,56".
bool has_decimal_comma(std::string_view text);

// Full-width letters as narrow ones, blanks of every kind as one, no asterisks of Markdown around it.
std::string plain_text(std::string_view text);
std::string lower(std::string_view text);  // plain_text, ASCII in lower case

}  // namespace fathom::bill
