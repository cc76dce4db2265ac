#include "serve/run_clock.h"

#include <thread>

namespace fathom {

double WallClock::now() { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

void WallClock::sleep_until(double to) {
  std::this_thread::sleep_until(
      start_ + std::chrono::duration_cast<std::chrono::steady_clock::duration>(std::chrono::duration<double>(to)));
}

}  // namespace fathom
