// From the conditions of one measurement to what the planner predicts with: model, devices, links, layout, engine.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "bom/cluster.h"
#include "catalog/catalog.h"
#include "network/topology.h"
#include "score/measurement.h"
#include "search/candidate.h"

namespace fathom {

struct ScoredModel {
  Architecture architecture;
  std::vector<Tensor> tensors;
};

// One set of devices under one layout. A disaggregated deployment has two.
struct ScoredPool {
  Pool pool;
  Layout layout;
};

struct Setup {
  const Measurement* row = nullptr;
  std::shared_ptr<const ScoredModel> model;  // null for micro rows
  std::shared_ptr<const Cluster> cluster;    // what the pools point into
  std::shared_ptr<const Accelerator>
      made_device;                           // a processor that stands for an accelerator; null: one of the catalog
  std::vector<ScoredPool> pools;             // one, or prefill before decode; empty where no device matters
  std::string engine;                        // id in catalogs/engines.yaml
  double input = 0, cached = 0, output = 0;  // tokens per request, means; `cached` of the input
  double context = 0;                        // mean length while decoding

  const Accelerator& device() const { return *pools.front().pool.accelerator; }
};

// Keeps what rows have in common; the catalog must outlive it.
class SetupBuilder {
 public:
  explicit SetupBuilder(const Catalog& catalog) : catalog_(catalog) {}

  // The setup, or why this program cannot predict the row ("model gemma-3-4b is not in the catalog").
  std::variant<Setup, std::string> build(const Measurement& row);

 private:
  std::shared_ptr<const ScoredModel> model(const Measurement& row);

  const Catalog& catalog_;
  std::map<std::string, std::shared_ptr<const ScoredModel>> models_;
};

// "fp8_block" as a weight scheme of this model; nullopt when nobody knows the format.
std::optional<WeightScheme> measured_scheme(const std::string& weight_format, const Architecture& architecture);

}  // namespace fathom
