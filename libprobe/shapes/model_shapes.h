// The shapes that models of the catalog ask of a GPU, by the planner's list of operators: nothing here knows what a layer is made of.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "catalog/catalog.h"

namespace fathom::probe {

// A model as one of `ranks` tensor- and expert-parallel ranks holds it.
struct ModelShare {
  std::string model;  // id in the catalog
  int ranks = 1;
  bool products = true;  // its dense products, too
};

struct ProductShape {
  std::int64_t n = 0, k = 0;  // outputs, inputs
  bool of_head = false;       // few rows: one for every sequence
  bool gated = false;         // gate and up, n/2 outputs each, which one kernel multiplies and joins
};

// Routed experts of one layer, gate and up in one product.
struct ExpertsShape {
  int held = 0;    // by the rank
  int all = 0;     // of the layer
  int chosen = 0;  // by a token, of all
  std::int64_t hidden = 0, inner = 0;
};

struct HeadsShape {
  int heads = 0, kv_heads = 0, head_dim = 0;
};

// MLA.
struct LatentShape {
  int heads = 0;
};

struct ModelShapes {
  std::vector<ProductShape> products;
  std::vector<ExpertsShape> experts;
  std::vector<HeadsShape> heads;
  std::vector<LatentShape> latents;
};

// Without repetitions. Throws LookupError for a model that the catalog does not have.
ModelShapes shapes_of(const std::vector<ModelShare>& models, const Catalog& catalog);

}  // namespace fathom::probe
