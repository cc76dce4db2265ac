// Runs one rank's program. Twins: the host executor (host_executor.h) and CUDA's (cuda.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "program/program.h"
#include "storage/buffer.h"
#include "units/quantity.h"

namespace fathom {

// Consecutive tokens of one sequence in one step. Decoding pieces come before prompts.
struct Piece {
  int request = 0;            // keys the sampler, so that batching and sharding do not change what is drawn
  int sequence = 0;           // of the cache
  std::int64_t position = 0;  // of the first token
  int tokens = 1;
  bool decode = true;      // its last sampled token, then drafts to verify; else a part of the prompt
  bool last_chunk = true;  // of the prompt: the next token is sampled
};

// One micro-batch of one attention group.
struct StepInput {
  std::vector<Piece> pieces;
  std::vector<int> tokens;       // of every row, all pieces in order
  std::vector<int> next_tokens;  // MTP: the token after each row where the prompt tells, else -1

  int rows() const { return static_cast<int>(tokens.size()); }
};

// What one piece brought forth; made on the last stage, the same on all its ranks.
struct PieceOutput {
  std::vector<int> tokens;  // new ones: none of an unfinished prompt, 1, or 1 + verified drafts
  int draft = -1;           // the MTP module's guess of the token after them
};

// The largest step that will come: executors that allocate everything once go by it.
struct StepLimits {
  int sequences = 1;                 // pieces at once
  int rows = 1;                      // of all pieces
  std::int64_t sequence_blocks = 1;  // of the cache, of the longest sequence
};

struct Sampling {
  double temperature = 0;  // 0: greedy
  std::uint64_t seed = 0;
};

// What one program row took in one step.
struct RowTime {
  double seconds = 0;
  int executions = 0;
};

class Executor {
 public:
  virtual ~Executor() = default;

  // Runs the stage of this rank. On the last stage fills one output per piece; elsewhere none.
  virtual std::vector<PieceOutput> step(const StepInput& input) = 0;

  // Of the last step on the last stage: [rows with logits, vocabulary], and the rows they are of.
  virtual const float* logits() const = 0;
  virtual const std::vector<int>& logit_rows() const = 0;
  virtual const float* draft_logits() const = 0;  // [draft_rows(), vocabulary]
  virtual int draft_rows() const = 0;

  // Does beforehand what the first step of each size would do once and take long for. Before any request; ranks call it together, with the same limits.
  virtual void warm_up() {}

  virtual void reserve(int sequence, std::int64_t tokens) = 0;
  virtual void release(int sequence) = 0;
  virtual void fill_cache(int sequence, std::int64_t tokens) = 0;  // with made-up rows

  // Times of the last step, in the order of the rows of program(); zeros where it was not timed().
  virtual const std::vector<RowTime>& times() const = 0;
  // Timing operators slows a GPU's step down: such an executor times some steps only, and those do not count as steps.
  virtual bool timed() const { return true; }
  virtual const Program& program() const = 0;
  virtual const Account& account() const = 0;
};

}  // namespace fathom
