// Times on a device: so many launches between two events, all of them in the queue before the first may start, so that no launch
// is waited for.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "gpu/card.h"
#include "harness/repeat.h"

namespace fathom::probe {

// `run` counts the launches of a sample, for buffers to take turns by.
using CardBody = std::function<void(const cuda::Launch& how, int run)>;

enum class Launches {
  kGraph,  // captured and replayed: the queue has one entry
  kEager,  // each put into the queue, which is held until all of them are there
  kFree,   // each put into the queue, and begun at once: launching counts
};
constexpr const char* to_string(Launches launches) {
  return launches == Launches::kGraph ? "graph" : launches == Launches::kEager ? "eager, held" : "eager";
}

struct CardRules {
  RepeatRules repeat;
  int least_runs = 1;  // of a sample: enough for the buffers to leave the cache
  Launches launches = Launches::kGraph;
  Seconds alike_before{};  // the card did the same for so long already
};

struct TimedOnCard {
  Repeated repeated;
  std::optional<DeviceWatch> seen;
  Seconds alike{};  // how long the card did the same, in all
  Launches launches = Launches::kGraph;
  int last_run = 0;  // whose output is there, when runs write to one place

  void add(const TimedOnCard& more);  // taken later
};

// Waits for the device at the end. Whatever body(…, 0) raises for the first time (modules, limits, plans) is outside of it.
TimedOnCard time_on_card(Card& card, const CardRules& rules, const CardBody& body);

// On several cards of one process at once: `body` puts one run into the streams of all of them; the time is that of the slowest.
struct GroupBody {
  std::function<void(int run)> launch;
  std::function<void(int runs)> prepare = {};  // before each sample of so many runs, when the cards are at rest
};
TimedOnCard time_on_cards(const std::vector<Card*>& cards, const CardRules& rules, const GroupBody& body);

// Runs it until two neighbouring spans of a fifth of a second take the same time within 1 %, for `least` to `most`: clocks climb for
// a while, and fall when the power limit is reached.
void warm_up(Card& card, Seconds least, Seconds most, const CardBody& body);
void warm_up(const std::vector<Card*>& cards, Launches launches, Seconds least, Seconds most, const GroupBody& body);

// Sets figure, status and protocol. `work` of one launch, in the result's unit times seconds; of a time it is 1.
struct Work {
  double amount = 1;
  std::string engine, kernel;  // of the protocol
  std::string pattern = "random", cache = "beyond L2";
};
void fill(Result& result, const Work& work, const TimedOnCard& timed);

// How many operands of `bytes` take turns so that none is found in the cache: three times its size, in all, 200 at most.
int copies_beyond_cache(const Card& card, std::size_t bytes);
// What the protocol says of so many.
std::string cache_of(const Card& card, std::size_t bytes, int copies);

}  // namespace fathom::probe
