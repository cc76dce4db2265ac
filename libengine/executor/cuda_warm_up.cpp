// Steps of all sizes with made-up tokens: kernels are loaded, products planned and graphs captured before anybody waits for it. On an
// H200 the first prompt of all took Llama-8B 140 ms instead of 6, and the first of a new length up to 9 ms more than the next one.
#include <algorithm>

#include "cuda/large_linear.h"
#include "executor/cuda_executor.h"

namespace fathom {

void CudaExecutor::warm_up() {
  pages_.clear();  // that nobody has written yet
  const StepLimits& limits = options_.limits;
  const std::int64_t longest = limits.sequence_blocks * BlockTables::kBlockTokens;
  const std::int64_t prompt = std::min<std::int64_t>(limits.rows - limits.sequences, longest);
  for (int tokens = 1; tokens <= prompt; tokens = cuda::step_size(tokens) + 1) {
    read_once(static_cast<int>(std::min<std::int64_t>(cuda::step_size(tokens), prompt)));
  }
  for (int sequences = 1; sequences <= limits.sequences; sequences = cuda::step_size(sequences) + 1) {
    const int all = std::min(cuda::step_size(sequences), limits.sequences);
    decode_once(all, 0);
    for (std::int64_t position = CudaBatch::kShortest; position < longest; position *= 2) decode_once(all, position);
  }
}

void CudaExecutor::read_once(int tokens) {
  if (BlockTables::blocks_for(tokens) > tables_.blocks()) return;
  step({.pieces = {{.tokens = tokens, .decode = false}},
        .tokens = std::vector<int>(static_cast<std::size_t>(tokens)),
        .next_tokens = {}});
  tables_.release(0);
}

// One sequence's next token is at `position`, the others begin: graphs are told apart by the longest.
void CudaExecutor::decode_once(int sequences, std::int64_t position) {
  if (sequences - 1 + BlockTables::blocks_for(position + 1) > tables_.blocks()) return;
  StepInput input;
  for (int s = 0; s < sequences; ++s) {
    input.pieces.push_back({.request = s, .sequence = s, .position = s == 0 ? position : 0});
    input.tokens.push_back(0);
  }
  step(input);
  for (int s = 0; s < sequences; ++s) tables_.release(s);
}

}  // namespace fathom
