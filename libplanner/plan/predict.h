// From the solution that the search chose to predictions with a band, operator tables and levers.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "plan/plan.h"
#include "search/search.h"

namespace fathom {

// `confidence` marks every estimate.
PlanPredictions predictions_at_load(const Problem& problem, const Solution& solution, Confidence confidence);
std::optional<PlanPredictions> predictions_at_maximum(const Problem& problem, const Solution& solution,
                                                      Confidence confidence);

// The operators of the slowest stage: one decode step at the load, one prefill chunk; and the time of such a step with its
// band.
void fill_operators(PlanPool& out, const Problem& problem, const Candidate& candidate);

// One change at a time, best first: twice the memory bandwidth, twice the links, …
std::vector<PlanLever> levers(const Problem& problem, const Solution& solution);

// Which assumption about the engine moves the answer most, each taken to both ends of its range; widest first.
std::vector<PlanSensitivity> sensitivities(const Problem& problem, const Solution& solution);

// Where an operator's time comes from in steps that decode and in prompts; absent where it is not run. Their shapes lie far apart, and a
// record may have one of them alone.
struct OperatorOrigin {
  std::optional<FigureOrigin> decoding, prompts;
};
struct MeasuredOperators {
  std::map<std::string, OperatorOrigin> origins;      // by name, of one pool
  bool all_on_device = true, all_collectives = true;  // are covered
};
MeasuredOperators measured_operators(const Problem& problem, const Candidate& candidate);

// The weakest ingredient of the times: device bandwidth and links where they are not measured, and those assumptions about
// the engine that move the answer by more than a twentieth. An assumption that does not matter does not weaken a result.
Confidence weakest_that_matters(const Problem& problem, const Solution& solution,
                                const std::vector<PlanSensitivity>& sensitivities);

// How busy memory and arithmetic are while batches run, for the power model. Shares of the data sheet's peaks.
struct DeviceActivity {
  double busy = 0;  // share of time in which a batch runs at the stated load
  double memory = 0;
  double compute = 0;
};
DeviceActivity activity(const Problem& problem, const Candidate& candidate);

}  // namespace fathom
