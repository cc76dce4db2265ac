// One shape of step, made into requests, and the records of its run made into times.
#pragma once

#include <vector>

#include "compare/trace.h"
#include "plan/read_plan.h"
#include "validate/validation.h"

namespace fathom {

struct StepShape {
  int sequences = 1;  // decoding, of the replica
  std::int64_t context = 1;
  int prompt = 0;  // > 0: instead, one prompt of so many tokens per attention group

  bool decodes() const { return prompt == 0; }
};

// The plan's own, in whole numbers: its decode step, or the prompt of a pool that only prefills.
StepShape planned_shape(const SavedPool& pool);

std::vector<int> made_up_tokens(std::int64_t count, int vocabulary, int request);
std::vector<Request> requests_of(const EngineModel& model, const StepShape& shape, int steps);
RunOptions run_options(const EngineModel& model, const SavedPool& pool, const StepShape& shape,
                       const ValidationOptions& options);

// Tokens of the cache that the shape takes in one micro-batch of one attention group, in whole blocks.
std::int64_t cache_tokens(const EngineModel& model, const StepShape& shape, int steps);

// The run's operators as if no rank had waited for another: what a collective takes is the least that any rank was in it, and a step
// the least of any of a group, since they end together. Rounds stay as they were: they are what users see.
//
// With experts dealt out, ranks wait for the one whose experts have most tokens in the sum after them: what that takes beyond
// attention's, which is of the same bytes, counts to the experts, as the plan's time of the busiest rank does.
RunResult without_waits(RunResult run, const Layout& layout);

// With experts dealt out: time of the rank with most to do in every layer, over the mean of the ranks; 0 where none was timed. Of a
// run as measured.
double measured_imbalance(const RunResult& run, const StepShape& shape);

// Does the step count: after the warm-up, and of the kind that was asked for.
bool counts(const StepRecord& step, const StepShape& shape);
// What timing adds where it takes steps of their own, kernels one after another with an event behind each: `each` to every
// execution that takes time, and the steps without it take `share` of what then remains. {0, 1} where every step is timed.
//
// Three quarters of the shortest execution is `each`: a norm of one row, nearly all of it a launch and an event. What is left
// of every operator is brought to the step by one factor, so operators add up to it.
struct TimingCost {
  Seconds each{};
  double share = 1;
};
TimingCost timing_cost(const RankTrace& trace, const StepShape& shape);
// By the steps whose operators were timed, less what timing cost.
std::vector<MeasuredOperator> operators_of(const RankTrace& trace, const StepShape& shape);
// What rounds of one micro-batch take beyond their operators.
std::vector<Seconds> step_overheads(const RankTrace& trace, const StepShape& shape);
// Seconds of the rounds after the warm-up. Where timing operators slowed some of them down, of the others.
std::vector<double> plain_rounds(const RankTrace& trace);
// How much longer a timed round took than a plain one, as a part of the plain one; 0 where all were timed or none.
double timing_overhead(const RankTrace& trace);

// The rank to hold against a plan's list, which is of the slowest stage: of the stages with the list's operators the rank
// that works longest, waiting aside.
const RankTrace& busiest(const RunResult& run, const std::vector<PlanOperator>& planned, const StepShape& shape);

// Predicted bytes of one rank: the planner's ledger for this shape.
struct RankMemory {
  Bytes weights{}, cache{}, activations{};
  Bytes all() const { return weights + cache + activations; }
};
RankMemory predicted_memory(const EngineModel& model, const Stage& stage, const StepShape& shape, int steps,
                            const Backend& backend);

// Throws std::invalid_argument when the ranks of this process need more than the backend's memory has free.
void check_memory(const EngineModel& model, const StepShape& shape, int steps, const Backend& backend,
                  Bytes besides = {});

// Ranks of a replica that share this machine: all of them as threads, those of this host under mpirun.
int ranks_here(const EngineModel& model);

double median(std::vector<double> values);  // 0 of none

}  // namespace fathom
