#include "weights/slices.h"

#include <algorithm>
#include <stdexcept>
#include <string_view>

namespace fathom {

namespace {

std::string filled_in(std::string name, std::string_view mark, int number) {
  const std::size_t at = name.find(mark);
  return at == std::string::npos ? name : name.replace(at, mark.size(), std::to_string(number));
}

class SliceList {
 public:
  SliceList(const Architecture& architecture, const std::vector<Tensor>& tensors, const Layout& layout, int stage_rank,
            const ExpertMap& expert_map, const std::vector<int>& checkpoint_layers)
      : a_(architecture),
        tensors_(tensors),
        layout_(layout),
        stage_rank_(stage_rank),
        experts_(expert_map.experts_of(stage_rank / layout.expert_tp())),
        checkpoint_layers_(checkpoint_layers) {}

  // All tensors of one place; layer -1 outside the layers.
  void add(Where where, int layer) {
    for (const Tensor& t : tensors_) {
      if (t.where == where && !t.duplicate) add(t, layer);
    }
  }
  // The embedding, or the head and what comes with it.
  void add_ends(bool embedding) {
    for (const Tensor& t : tensors_) {
      if (t.where == Where::kOnce && (t.role == Role::kEmbedding) == embedding) add(t, -1);
    }
  }
  void add_tied_head() {
    for (const Tensor& t : tensors_) {
      if (t.op == "embed") add(t, -1);
    }
  }

  std::vector<TensorSlice> take() { return std::move(slices_); }

 private:
  void add(const Tensor& t, int layer) {
    if (t.role == Role::kRoutedExpert) {
      for (int expert : experts_) add(t, layer, expert);
    } else {
      add(t, layer, -1);
    }
  }

  void add(const Tensor& t, int layer, int expert) {
    const Slice part = slice(t, a_, layout_, stage_rank_);
    slices_.push_back({.name = filled_in(filled_in(t.name, "{l}", named(layer)), "{e}", expert),
                       .op = t.op,
                       .layer = layer,
                       .expert = expert,
                       .rows = t.rows,
                       .cols = t.cols,
                       .row = part.row,
                       .row_count = part.rows,
                       .col = part.col,
                       .col_count = part.cols,
                       .format = format_of(t, layout_.weights),
                       .role = t.role,
                       .vector = t.vector,
                       .model_layers = a_.num_layers});
  }

  int named(int layer) const {
    return layer < 0 || checkpoint_layers_.empty() ? layer : checkpoint_layers_[static_cast<std::size_t>(layer)];
  }

  const Architecture& a_;
  const std::vector<Tensor>& tensors_;
  const Layout& layout_;
  int stage_rank_;
  std::vector<int> experts_;  // of this rank
  const std::vector<int>& checkpoint_layers_;
  std::vector<TensorSlice> slices_;
};

}  // namespace

std::vector<TensorSlice> rank_slices(const Architecture& a, const std::vector<Tensor>& tensors, const Layout& layout,
                                     const Stage& stage, int stage_rank, const ExpertMap& expert_map,
                                     const std::vector<int>& checkpoint_layers) {
  if (stage_rank < 0 || stage_rank >= layout.stage_width()) throw std::invalid_argument("no such rank in the stage");
  if (a.moe && static_cast<int>(expert_map.owner.size()) != a.moe->routed_experts)
    throw std::invalid_argument("the expert map is for another number of experts");

  SliceList list(a, tensors, layout, stage_rank, expert_map, checkpoint_layers);
  if (stage.has_embedding) list.add_ends(/*embedding=*/true);
  const int first_moe = a.moe ? a.moe->first_k_dense : a.num_layers;
  for (int layer = stage.first_layer; layer < stage.first_layer + stage.layers; ++layer) {
    list.add(Where::kEveryLayer, layer);
    list.add(layer < first_moe ? Where::kDenseLayers : Where::kMoeLayers, layer);
  }
  if (stage.has_head) {
    list.add_ends(/*embedding=*/false);
    // Drafts look up tokens too.
    if ((a.tied_embeddings || layout.mtp) && !stage.has_embedding) list.add_tied_head();
    for (int module = 0; layout.mtp && module < a.mtp_modules; ++module) {
      list.add(Where::kMtp, a.num_layers + module);
    }
  }
  return list.take();
}

}  // namespace fathom
