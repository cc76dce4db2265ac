#include "comm/rank_messages.h"

#include <fmt/format.h>

namespace fathom {

std::string text(const Doing& doing) {
  return doing.layer < 0 ? std::string(doing.name) : fmt::format("{} of layer {}", doing.name, doing.layer);
}

std::string text(std::chrono::milliseconds time) {
  if (time.count() < 1000) return fmt::format("{} ms", time.count());
  return fmt::format("{:.4g} s", static_cast<double>(time.count()) / 1000);
}

std::string rank_failed(int rank, const Doing& doing, std::string_view what) {
  if (doing.name.empty()) return fmt::format("rank {} failed before its first operator: {}", rank, what);
  return fmt::format("rank {} failed in {}: {}", rank, text(doing), what);
}

std::string text(const Absence& absence) {
  const std::string place = absence.place.name.empty() ? std::string(absence.call) : text(absence.place);
  const std::string it_was = absence.it_was.empty() ? "" : fmt::format(" (it {})", absence.it_was);
  return fmt::format("rank {} did not come to {} within {}{}; rank {} waited", absence.missing, place,
                     text(absence.waited), it_was, absence.waiting);
}

}  // namespace fathom
