// An engine without arithmetic: a step takes what a table says, on a clock that stands still meanwhile.
#pragma once

#include <memory>

#include "serve/engine.h"
#include "simulate/step_times.h"

namespace fathom::testing {

class VirtualClock : public RunClock {
 public:
  void start() override { now_ = 0; }
  double now() override { return now_; }
  void sleep_until(double to) override { now_ = std::max(now_, to); }
  void pass(double seconds) { now_ += seconds; }

 private:
  double now_ = 0;
};

// Of one rank. Every answer is token 0, and every step takes `times` by `clock`.
MakeExecutor make_scripted_executor(std::shared_ptr<VirtualClock> clock, const StepTimes& times);

}  // namespace fathom::testing
