// A plan as `fathom plan -o FILE` saved it, read back for those who run it: model, layout, and what was predicted of both.
// Power, cost and the rest of a plan are for people and stay in the file.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "layout/layout.h"
#include "model/architecture.h"
#include "plan/plan.h"
#include "simulate/serving_pool.h"

namespace fathom {

struct SavedPool {
  std::string group;
  std::string role;                    // serve, prefill, decode
  std::string accelerator;             // its name: "H100 SXM5 80GB"
  std::string accelerator_id;          // in the catalog
  Layout layout;                       // legal for the model
  std::vector<int> stage_layers;       // of each pipeline stage
  PlanMemory memory;                   // of the fullest device
  std::vector<PlanOperator> decode;    // of the slowest stage; empty in a prefill pool
  std::vector<PlanOperator> prefill;   // empty in a decode pool
  double decode_sequences = 0;         // on one replica, in the decode list
  double decode_context = 0;           // their mean length, tokens
  double prefill_tokens = 0;           // of the prefill list, per attention group
  Estimate<Seconds> step_time;         // of one decode step of that shape, of a prefill chunk in a prefill pool
  Seconds step_overhead{};             // the likely part of it between operators
  std::optional<ServingPool> serving;  // absent in plans of format 1.1 and before
};

struct SavedPlan {
  std::string file, title;
  std::string engine;   // its name
  std::string version;  // of the program that wrote it
  Architecture architecture;
  std::vector<SavedPool> pools;  // prefill before decode, at least one
  PlanPredictions predictions;   // at the load
  ServingLoad asked;             // what it was made for
  ServingLimits limits;
};

// Throws InputError for anything that is not a plan which can be run: another file, one that is cut off, a plan of a model
// that does not fit, or numbers that make no model and no layout.
SavedPlan read_plan(const std::filesystem::path& path);

// The pools for a simulation. Throws InputError for a plan that was saved without their step times.
std::vector<ServingPool> serving_pools(const SavedPlan& plan);

}  // namespace fathom
