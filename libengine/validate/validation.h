// A plan's decode step run by the engine: what it took, operator by operator, for compare() to hold against the plan.
#pragma once

#include <functional>
#include <string>

#include "compare/trace.h"
#include "plan/read_plan.h"
#include "profile/fit.h"
#include "serve/engine.h"
#include "validate/backend.h"

namespace fathom {

struct ValidationOptions {
  Backend backend = host_backend();
  int layers = 0;  // of the model, from its start but with a MoE layer where there is one; 0: all
  // Of the step that is run; 0: as planned. A prompt of one attention group instead of decoding.
  int sequences = 0;
  std::int64_t context = 0;
  int prompt = 0;
  int steps = 16;   // measured, after kWarmUpSteps
  int threads = 0;  // of all ranks of this process together; 0: every core
  CommunicatorOptions communicator;
  std::optional<Fault> fault;
  std::function<void(const std::string&)> progress;
};
constexpr int kWarmUpSteps = 2;

// Which layers of a model are run when not all are.
enum class Part {
  kFirst,  // the first ones, as they are: for logits
  kMixed,  // of layers that differ, dense and MoE, both kinds: half of them dense at most, for times
};

// The model and layout that a pool plans, with `layers` of its layers (0: all). Throws std::invalid_argument.
EngineModel planned_model(const SavedPlan& plan, const SavedPool& pool, int layers, Part part);

// Decodes at the plan's shape: its sequences at its mean context, their cache filled with made-up rows.
// Throws std::invalid_argument before anything is allocated when the backend has not the memory.
Trace run_decode(const SavedPlan& plan, const SavedPool& pool, const WeightSource& source,
                 const ValidationOptions& options);

// The logits of every position of one prompt, with the most exact cache that the backend has: what another implementation can be held against.
struct PromptLogits {
  std::vector<int> tokens;
  std::vector<float> logits;  // [tokens, vocabulary]
  std::vector<float> draft;   // [tokens, vocabulary] of the MTP module, or empty
  int next = 0;               // the greedy next token
  std::uint64_t hash = 0;
};
PromptLogits run_prompt(const SavedPlan& plan, const SavedPool& pool, const WeightSource& source,
                        const std::vector<int>& tokens, const ValidationOptions& options);

// Steps of several shapes around the plan's, decoding and prompts, as samples for fit_profile().
ProfileMeasurements measure_profile(const SavedPlan& plan, const SavedPool& pool, const WeightSource& source,
                                    const ValidationOptions& options);

}  // namespace fathom
