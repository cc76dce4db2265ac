// What one rank loads: every tensor slice of its pipeline stage, by name.
#pragma once

#include <vector>

#include "layout/layout.h"
#include "weights/expert_map.h"
#include "weights/weight_source.h"

namespace fathom {

// `tensors` is the model's list (model/tensors.h), `stage_rank` counts the ranks of the stage (group * tp + rank).
//
// In the order in which a step reads them: embedding, layers, final norm and head, MTP modules (when layout.mtp, on the
// last stage). With tied embeddings or a draft module a last stage that is not also the first loads the embedding too.
// Within a layer the order is the list's, so of two tensors of one operator the gate comes before the up projection.
// `checkpoint_layers`: for a part of a model, the number that each of its layers (and then the draft module) has in names;
// empty: its own.
std::vector<TensorSlice> rank_slices(const Architecture& architecture, const std::vector<Tensor>& tensors,
                                     const Layout& layout, const Stage& stage, int stage_rank,
                                     const ExpertMap& expert_map, const std::vector<int>& checkpoint_layers = {});

}  // namespace fathom
