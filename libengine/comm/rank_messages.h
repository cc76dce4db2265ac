// How failures of ranks read, whatever the backend.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace fathom {

// What a rank said last in Communicator::enter().
struct Doing {
  std::string_view name;  // empty: nothing yet
  int layer = -1;         // below 0: belongs to no layer
};

std::string text(const Doing& doing);  // "attention.core of layer 5"
std::string text(std::chrono::milliseconds time);

// "rank 3 failed in moe.all_reduce of layer 5: out of memory"
std::string rank_failed(int rank, const Doing& doing, std::string_view what);

// "rank 3 did not come to attention.all_reduce of layer 5 within 10 s (it was in attention.core of layer 5); rank 0
// waited". `call` (all_reduce, receive, ...) stands in for the place when the waiting rank entered none. `it_was` is
// what follows "it", and may be empty where that is not known.
struct Absence {
  int missing;
  int waiting;
  Doing place;  // of the waiting rank
  std::string_view call;
  std::chrono::milliseconds waited;
  std::string it_was;
};
std::string text(const Absence& absence);

}  // namespace fathom
