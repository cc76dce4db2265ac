// Where a rank stands in its replica, and whom it talks to.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>

#include "comm/communicator.h"
#include "layout/layout.h"

namespace fathom {

// Ranks are numbered ((stage * attention_dp + group) * tp + rank), as in layout/layout.h.
struct RankPlace {
  int stage = 0;
  int group = 0;  // attention-DP
  int rank = 0;   // within the tensor-parallel group

  static RankPlace of(int world_rank, const Layout& layout) {
    return {.stage = world_rank / layout.stage_width(),
            .group = world_rank % layout.stage_width() / layout.tp,
            .rank = world_rank % layout.tp};
  }
  int world_rank(const Layout& layout) const { return stage * layout.stage_width() + stage_rank(layout); }
  int stage_rank(const Layout& layout) const { return group * layout.tp + rank; }
  RankPlace on_stage(int other) const { return {.stage = other, .group = group, .rank = rank}; }
};

// The rows of the vocabulary that one rank of a tensor-parallel group holds: the first ones have one more where it does not divide.
struct VocabularyShare {
  std::int64_t first = 0, count = 0, widest = 0;

  static VocabularyShare of(std::int64_t vocabulary, int rank, int ranks) {
    const std::int64_t share = vocabulary / ranks, longer = vocabulary % ranks;
    return {.first = share * rank + std::min<std::int64_t>(rank, longer),
            .count = share + (rank < longer ? 1 : 0),
            .widest = share + (longer > 0 ? 1 : 0)};
  }
};

struct RankGroups {
  Communicator& world;
  std::unique_ptr<Communicator> tp;     // one attention group of one stage
  std::unique_ptr<Communicator> stage;  // all ranks of one stage

  RankGroups(Communicator& everyone, const RankPlace& place, const Layout& layout)
      : world(everyone),
        tp(everyone.split(place.stage * layout.attention_dp + place.group, place.rank)),
        stage(everyone.split(place.stage, place.stage_rank(layout))) {}
};

}  // namespace fathom
