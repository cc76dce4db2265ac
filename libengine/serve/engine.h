// Runs a model as planned: one rank loop per rank, threads or MPI processes, and what they measured, gathered at rank 0.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "comm/faulty_communicator.h"
#include "executor/executor_parts.h"
#include "layout/layout.h"
#include "serve/run_clock.h"
#include "serve/scheduler.h"
#include "weights/expert_map.h"
#include "weights/weight_source.h"

namespace fathom {

// One replica of a model under a layout.
struct EngineModel {
  Architecture architecture;
  std::vector<Tensor> tensors;
  Layout layout;
  std::vector<Stage> stages;
  ExpertMap experts;
  std::vector<int> checkpoint_layers;  // of a part of a model: weights/slices.h; empty for a whole one

  EngineModel(Architecture a, Layout l);  // stages as planned, experts in contiguous runs
  int ranks() const { return layout.devices_per_replica(); }
};

std::unique_ptr<Executor> make_host_executor(const ExecutorParts& parts);

struct RunOptions {
  int threads = 1;        // per rank
  int max_sequences = 1;  // at once, of one micro-batch of one attention group
  int chunk_tokens = 256;
  std::int64_t cache_tokens = 0;  // room of one micro-batch of one group; 0: what its requests need
  CacheFormat cache = CacheFormat::kBf16;
  Sampling sampling = {};
  bool all_logits = false;
  bool keep_logits = false;  // gather logits at rank 0
  bool hash_logits = true;   // takes time between steps
  int time_every = 4;        // ExecutorOptions
  bool integers = false;
  bool check_agreement = false;
  CommunicatorOptions communicator = {};
  std::optional<Fault> fault = {};  // tests: this rank fails there
  // Requests come when it says, to an executor that is warm, and answers are timed by it; null: they come by rounds. Threads of
  // one process only.
  std::shared_ptr<RunClock> clock = {};
  MakeExecutor make_executor = make_host_executor;
  std::function<void(const std::string&)> progress = {};  // rank 0 says what it is doing; may be empty
};

// One step of one micro-batch on one rank.
struct StepRecord {
  int round = 0;
  int sequences = 0;  // decoding
  int decode_rows = 0;
  int prompt_rows = 0;
  double context = 0;  // mean length of the decoding sequences so far
  double pairs = 0;    // of a new token of a prompt and one before it
  double seconds = 0;
  bool timed = true;          // by operator: Executor::timed
  std::vector<RowTime> rows;  // as `programs` of the rank's trace: by kind
};

struct RankTrace {
  int stage = 0;
  int group = 0;                                 // attention-DP
  std::vector<std::vector<TraceRow>> row_names;  // of each kind of step: decode, prompt, both
  std::vector<StepRecord> steps;
  std::vector<double> rounds;                  // seconds of each round of micro-batches
  std::map<std::string, std::int64_t> memory;  // bytes held, by purpose
};

struct RunResult {                           // complete on rank 0 only
  std::map<int, std::vector<int>> answers;   // by request
  std::map<int, std::vector<float>> logits;  // by request: rows of the vocabulary, in order of position
  std::map<int, std::vector<float>> draft_logits;
  std::map<int, std::vector<double>> token_times;  // by request: when each token was there, s on the run's clock
  std::uint64_t logits_hash = 0;                   // of all rows that were sampled from, by request and position
  std::vector<RankTrace> traces;                   // of every rank, in rank order
  int rounds = 0;
};

// Kinds of steps, index into RankTrace::row_names.
int kind_of(const StepRecord& step);

// Loads the slices of every rank from `source` and serves `requests` to their end, on threads of this process; or, under
// mpirun with as many processes as ranks, as this process's rank. Throws RankFailure, InputError (weights),
// std::invalid_argument (what the engine cannot run).
RunResult run_engine(const EngineModel& model, const WeightSource& source, const std::vector<Request>& requests,
                     const RunOptions& options);

}  // namespace fathom
