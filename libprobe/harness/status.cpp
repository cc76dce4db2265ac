#include "harness/status.h"

namespace fathom::probe {

const char* to_string(Status status) {
  switch (status) {
    case Status::kPassed:
      return "passed";
    case Status::kFailed:
      return "failed";
    case Status::kUnstable:
      return "unstable";
    case Status::kIncorrect:
      return "incorrect";
    case Status::kImplausible:
      return "implausible";
    case Status::kNeedsAttestation:
      return "needs_attestation";
    case Status::kNotSupported:
      return "not_supported";
    case Status::kNotRun:
      return "not_run";
    case Status::kUnknown:
      return "unknown";
  }
  return "";
}

std::vector<std::string> status_words() {
  std::vector<std::string> words;
  for (int i = 0; i <= static_cast<int>(kLastStatus); ++i) words.emplace_back(to_string(static_cast<Status>(i)));
  return words;
}

}  // namespace fathom::probe
