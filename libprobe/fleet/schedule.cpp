#include "fleet/schedule.h"

#include <algorithm>
#include <bit>

namespace fathom::probe {

namespace {

// Number 0 stays, the others go round by one place each time; opposite places play.
Round round_of(int number, int places, int nodes) {
  const auto at = [&](int place) { return place == 0 ? 0 : 1 + (place - 1 + number) % (places - 1); };
  Round round;
  for (int place = 0; place < places / 2; ++place) {
    const int a = at(place), b = at(places - 1 - place);
    if (a < nodes && b < nodes) round.emplace_back(std::min(a, b), std::max(a, b));  // the last place may be nobody's
  }
  return round;
}

}  // namespace

std::vector<Round> pair_rounds(int nodes) {
  if (nodes < 2) return {};
  const int places = nodes + nodes % 2, all = places - 1;
  const int some = 2 * static_cast<int>(std::bit_width(static_cast<unsigned>(nodes - 1)));
  const int rounds = nodes > kMostForAllPairs ? std::min(all, some) : all;
  std::vector<Round> schedule;
  for (int i = 0; i < rounds; ++i) schedule.push_back(round_of(i * all / rounds, places, nodes));
  return schedule;
}

}  // namespace fathom::probe
