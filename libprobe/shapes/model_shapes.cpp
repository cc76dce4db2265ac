#include "shapes/model_shapes.h"

#include <algorithm>

#include "layout/layout.h"
#include "model/tensors.h"
#include "operators/operator.h"

namespace fathom::probe {

namespace {

std::vector<Operator> operators_of(const ModelEntry& model, int ranks) {
  Layout layout;
  layout.tp = ranks;
  layout.ep = model.moe ? ranks : 1;
  const std::vector<Tensor> list = tensors(model);
  const std::vector<Stage> all = stages(model, list, layout);
  return decoder_step(model, list, layout, all.front(), {.sequences = 1, .context = 1});
}

template <class Shape, class Same>
void add(std::vector<Shape>& shapes, Shape shape, const Same& same) {
  if (std::none_of(shapes.begin(), shapes.end(), [&](const Shape& s) { return same(s, shape); })) {
    shapes.push_back(std::move(shape));
  }
}

// Small products of every head (MLA's absorbed ones) have fewer elements than outputs times inputs.
bool is_one_matrix(const Operator& op) {
  return op.weight_elements > 0 && op.weight_elements == op.width_in * op.width_out;
}

void add_operator(const Operator& op, ModelShapes& shapes) {
  if (op.kind == OperatorKind::kLinear && is_one_matrix(op)) {
    add(shapes.products,
        {.n = static_cast<std::int64_t>(op.width_out),
         .k = static_cast<std::int64_t>(op.width_in),
         .of_head = op.name == "head",
         .gated = op.name == "ffn.gate_up" || op.name == "moe.shared.gate_up"},
        [](const auto& a, const auto& b) { return a.n == b.n && a.k == b.k; });
  }
}

void add_layers(const ModelEntry& model, int ranks, ModelShapes& shapes) {
  const int heads = model.num_heads / ranks;
  if (model.mla) {
    add(shapes.latents, {.heads = heads}, [](const auto& a, const auto& b) { return a.heads == b.heads; });
  } else {
    add(shapes.heads, {.heads = heads, .kv_heads = std::max(1, model.num_kv_heads / ranks), .head_dim = model.head_dim},
        [](const auto& a, const auto& b) {
          return a.heads == b.heads && a.kv_heads == b.kv_heads && a.head_dim == b.head_dim;
        });
  }
  if (!model.moe) return;
  shapes.experts.push_back({.held = model.moe->routed_experts / ranks,
                            .all = model.moe->routed_experts,
                            .chosen = model.moe->experts_per_token,
                            .hidden = model.hidden_size,
                            .inner = model.moe->intermediate_size});
}

}  // namespace

ModelShapes shapes_of(const std::vector<ModelShare>& models, const Catalog& catalog) {
  ModelShapes shapes;
  for (const ModelShare& share : models) {
    const ModelEntry& model = catalog.model(share.model);
    for (const Operator& op : operators_of(model, share.ranks)) {
      if (share.products) add_operator(op, shapes);
    }
    add_layers(model, share.ranks, shapes);
  }
  return shapes;
}

}  // namespace fathom::probe
