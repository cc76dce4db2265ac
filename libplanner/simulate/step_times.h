// How long one step of a replica takes, as a table: made from operator times when the plan is made, asked a million
// times a second by the simulation. Knows numbers only, no model and no layout. docs/formulas/simulate.md#step-times
#pragma once

#include <cstddef>
#include <vector>

namespace fathom {

// What one step works on, over the whole replica.
struct StepWork {
  double sequences = 0;       // that decode
  double context = 0;         // their mean length, tokens
  double prompt_tokens = 0;   // new tokens of prompts
  double prompt_context = 0;  // tokens in the cache before them, mean
};

// Values over two axes, linear between them and beyond the last; below the first the first counts.
struct StepGrid {
  std::vector<double> x, y;    // ascending, at least one each unless the grid is empty
  std::vector<double> values;  // [x][y]

  bool empty() const { return values.empty(); }
  double at(double x_at, double y_at) const;
};

// A batch that decodes and one that reads prompts. Both together cost what the matrices cost for all tokens, and either
// attention: prefill(p + n, 0) + (prefill(p, c) - prefill(p, 0)) + (decode(n, x) - prefill(n, 0)) + more(n, p).
struct BatchTimes {
  StepGrid decode;   // sequences, context; empty where nothing is decoded
  StepGrid prefill;  // prompt tokens, their context
  StepGrid more;     // sequences, prompt tokens: what the sum lacks at short contexts; may be negative; empty: nothing

  double seconds(const StepWork& batch) const;
};

// Times of one kind: with attention bound by arithmetic and with attention bound by memory, where one kernel does
// both kinds of attention and takes the longer of both sums; else just one.
struct BoundTimes {
  std::vector<BatchTimes> bounds;

  double seconds(const StepWork& batch) const;  // the longest
};

// With a pipeline, sequences and prompts travel in micro-batches: `latency` is that of one trip through all stages,
// `pace` the time of the slowest stage. The step ends when the last micro-batch is through.
struct StepTimes {
  BoundTimes latency, pace;  // `pace` is empty without a pipeline
  int stages = 1;            // micro-batches at most
  double chunk_tokens = 1;   // of prompts in one of them, at most

  double seconds(const StepWork& shape) const;  // 0 for a step without work
};

}  // namespace fathom
