// Attention cut into stretches that workers take: some heads of some rows of a piece against a part of its context.
//
// The cut depends on the batch alone, never on how many workers there are, and stretches are joined in order, so results do
// not depend on the machine. Rows that decode are few and have long contexts: cut along the context. Prompts have many rows:
// cut by rows.
#pragma once

#include <cstdint>
#include <vector>

#include "executor/executor.h"
#include "host/attention.h"

namespace fathom {

struct Stretch {
  int piece = 0;
  int head = 0, heads = 0;           // of this rank's heads, or KV heads
  int row = 0, rows = 0;             // of the piece
  std::int64_t first = 0, last = 0;  // of the context, from a page's first token on
};

struct StretchRule {
  int pieces = 0;           // of the step: the first so many
  int heads = 1;            // to be shared out
  int heads_at_once = 1;    // in one stretch
  std::int64_t window = 0;  // tokens that a row sees; 0: all
};
std::vector<Stretch> stretches_of(const std::vector<Piece>& pieces, const StretchRule& rule);

// Running sums of one stretch, [rows, heads, width] with `heads` counting query heads.
struct StretchSums {
  std::vector<host::SoftmaxState<float>> states;
  std::vector<float> out;

  StretchSums(int rows, int heads, std::int64_t width)
      : states(static_cast<std::size_t>(rows) * heads), out(states.size() * static_cast<std::size_t>(width), 0.0f) {}
  void add(const StretchSums& later, std::int64_t width);
  void finish(std::int64_t width);
};

// Of sums in the order of their stretches: those of one piece, head and row joined into the first, finished; the others are
// left as they are. Returns the first of each.
std::vector<std::size_t> join(const std::vector<Stretch>& stretches, std::vector<StretchSums>& sums,
                              std::int64_t width);

}  // namespace fathom
