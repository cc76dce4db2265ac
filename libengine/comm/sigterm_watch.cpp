#include "comm/sigterm_watch.h"

namespace fathom {
namespace {

volatile std::sig_atomic_t sigterm_seen = 0;

void note(int) { sigterm_seen = 1; }

}  // namespace

SigtermWatch::SigtermWatch() {
  struct sigaction action = {};
  action.sa_handler = note;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  sigaction(SIGTERM, &action, &before_);
}

SigtermWatch::~SigtermWatch() { sigaction(SIGTERM, &before_, nullptr); }

bool SigtermWatch::seen() { return sigterm_seen != 0; }

}  // namespace fathom
