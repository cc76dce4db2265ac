#include "power/psu.h"

#include <algorithm>
#include <stdexcept>

namespace fathom {
namespace {

double fixed_loss(const PsuPoint& first, double load) {
  const double loss = first.load * (1 / first.efficiency - 1);
  return load / (load + loss);
}

}  // namespace

double psu_efficiency(const PsuCurve& curve, double load) {
  if (curve.empty()) throw std::invalid_argument("a power supply's curve needs at least one point");
  const auto above = std::find_if(curve.begin(), curve.end(), [&](const PsuPoint& p) { return p.load >= load; });
  if (above == curve.begin()) return fixed_loss(curve.front(), load);
  if (above == curve.end()) return curve.back().efficiency;
  const PsuPoint& a = *(above - 1);
  const PsuPoint& b = *above;
  return a.efficiency + (b.efficiency - a.efficiency) * (load - a.load) / (b.load - a.load);
}

Watts wall_power(Watts dc, const PsuBank& bank) {
  if (bank.count < 1 || !(bank.rated.value > 0)) throw std::invalid_argument("a power supply needs a rating");
  if (dc.value <= 0) return dc;
  return dc / psu_efficiency(bank.curve, dc / (bank.rated * bank.count));
}

}  // namespace fathom
