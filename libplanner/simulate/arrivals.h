// The requests of a simulation in the order in which they come: when each comes, and how long it is.
// docs/formulas/simulate.md#arrivals
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "simulate/request.h"

namespace fathom {

class ArrivalStream {
 public:
  // Of a plan that check(Scenario) lets pass. Drawn lengths end at `longest` tokens.
  ArrivalStream(const ArrivalPlan& plan, const ServingLoad& load, double longest, std::uint64_t seed);

  std::int64_t planned() const { return planned_; }  // how many come in all
  double next() const;                               // s; endless when none comes, or none until an answer
  SimulatedRequest take();                           // the one that comes next
  void answered(double now);                         // its client asks again, in a closed loop
  bool exhausted() const { return !has_next_ && drawn_ >= planned_; }

 private:
  void draw();
  bool draw_time();

  ArrivalPlan plan_;
  Random random_;
  LengthSource lengths_;
  std::int64_t planned_ = 0, drawn_ = 0;
  SimulatedRequest next_;
  bool has_next_ = false;
  double clock_ = 0;
  std::deque<double> again_;  // closed loop: when a client may ask next
};

std::string describe(const ArrivalPlan& plan);  // "Poisson, 3.2 requests/s"

}  // namespace fathom
