// mpirun sends SIGTERM to the other processes when one died, and SIGKILL a second later: the time to say who was
// missed.
#pragma once

#include <csignal>

namespace fathom {

// While it exists, SIGTERM is noted and does not end the process. One at a time.
class SigtermWatch {
 public:
  SigtermWatch();
  ~SigtermWatch();
  SigtermWatch(const SigtermWatch&) = delete;
  SigtermWatch& operator=(const SigtermWatch&) = delete;

  static bool seen();

 private:
  struct sigaction before_;
};

}  // namespace fathom
