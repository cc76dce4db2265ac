// The time by which requests come and answers are told: the machine's, or one that a test moves.
#pragma once

#include <chrono>

namespace fathom {

class RunClock {
 public:
  virtual ~RunClock() = default;
  virtual void start() = 0;                 // now() is 0 here; called once, when every rank has loaded
  virtual double now() = 0;                 // s; any rank's thread may ask
  virtual void sleep_until(double to) = 0;  // returns at once when that is past
};

class WallClock : public RunClock {
 public:
  void start() override { start_ = std::chrono::steady_clock::now(); }
  double now() override;
  void sleep_until(double to) override;

 private:
  std::chrono::steady_clock::time_point start_;
};

}  // namespace fathom
