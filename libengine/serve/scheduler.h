// Continuous batching of one micro-batch: which tokens of which sequences run in the next step.
//
// Deterministic: ranks run copies of it and agree without talking, given the same outputs.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "executor/executor.h"

namespace fathom {

struct Request {
  int id = 0;
  std::vector<int> prompt = {};
  int output_tokens = 1;
  double arrival = 0;            // not before: s on the run's clock, or rounds where there is none
  bool cached = false;           // the prompt but for its last token lies in the cache already (made-up rows)
  std::vector<int> forced = {};  // taken instead of what is sampled, as far as it goes
};

struct SchedulerOptions {
  int first_sequence = 0;         // numbers of cache sequences: [first_sequence, first_sequence + max_sequences)
  int max_sequences = 1;          // at once
  int chunk_tokens = 256;         // of one step; decoding takes its share first, prompts what is left
  std::int64_t cache_blocks = 0;  // that this scheduler may promise
  bool drafts = false;
};

std::int64_t blocks_of(const Request& request);     // of the cache, at its full length
std::int64_t cache_tokens(const Request& request);  // that they have room for

class Scheduler {
 public:
  // Throws std::invalid_argument for a request that the promised cache can never hold.
  Scheduler(std::vector<Request> requests, const SchedulerOptions& options);

  // The next step, with what has come by `now`; no pieces when nothing can run. Sequences that finished since are in
  // released().
  StepInput next(double now);
  void take(const std::vector<PieceOutput>& outputs);  // of the step that next() gave last
  bool done() const { return waiting_.empty() && running_.empty(); }

  // Sequences that began with made-up rows in the last next(): cache rows to fill, by sequence.
  const std::map<int, std::int64_t>& to_fill() const { return to_fill_; }
  const std::vector<int>& released() const { return released_; }
  const std::map<int, std::vector<int>>& answers() const { return answers_; }  // tokens by request

 private:
  struct Running {
    Request request;
    int sequence = 0;
    std::int64_t computed = 0;  // tokens in the cache
    std::vector<int> tokens;    // prompt and answer so far
    int draft = -1;
    std::int64_t blocks = 0;
    std::int64_t prompt_left() const {
      return request.cached ? 0
                            : std::max<std::int64_t>(0, static_cast<std::int64_t>(request.prompt.size()) - computed);
    }
    int answered() const { return static_cast<int>(tokens.size() - request.prompt.size()); }
  };

  void admit(double now);
  void retire();

  SchedulerOptions options_;
  std::deque<Request> waiting_;
  std::vector<Running> running_;
  struct InStep {  // a piece of the last step
    int running;   // index
    bool decode;
  };
  std::vector<InStep> in_step_;
  std::vector<int> free_sequences_, released_;
  std::map<int, std::int64_t> to_fill_;
  std::map<int, std::vector<int>> answers_;
  std::int64_t free_blocks_;
};

}  // namespace fathom
