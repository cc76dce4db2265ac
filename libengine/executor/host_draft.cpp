// The multi-token-prediction module (DeepSeek-V3 report, 2.2): from the main model's last hidden state of token i, after its
// final norm (as vLLM and SGLang feed it), and the embedding of token i+1, one more block guesses token i+2. Its rows keep the
// positions i of the hidden states.
#include <algorithm>

#include "executor/host_executor.h"
#include "executor/sampler.h"
#include "host/vector_math.h"

namespace fathom {

// Rows whose next token is known by now: verified rows of decoding pieces, and prompts.
void HostExecutor::choose_draft_rows() {
  const std::int64_t width = a_.hidden_size;
  Rows draft;
  std::vector<int> from;  // main rows
  draft_logit_rows_.clear();
  int row = 0;
  for (std::size_t p = 0; p < rows_.pieces.size(); ++p) {
    Piece piece = rows_.pieces[p];
    const std::vector<int>& sampled = outputs_[p].tokens;
    const int whole = piece.tokens;
    if (piece.decode) piece.tokens = static_cast<int>(sampled.size());
    for (int t = 0; t < piece.tokens; ++t) {
      from.push_back(row + t);
      const bool last_of_prompt = !piece.decode && piece.last_chunk && t + 1 == piece.tokens;
      draft.tokens.push_back(piece.decode ? sampled[t] : last_of_prompt ? sampled.front() : next_tokens_[row + t]);
    }
    if (piece.decode) draft.decode += piece.tokens;
    const int rows = static_cast<int>(from.size());
    if (options_.all_logits) {
      for (int t = rows - piece.tokens; t < rows; ++t) draft_logit_rows_.push_back(t);
    } else if (piece.decode || piece.last_chunk) {
      draft_logit_rows_.push_back(rows - 1);
    }
    draft.pieces.push_back(piece);
    row += whole;
  }
  float* in = room(draft_in_, static_cast<std::int64_t>(from.size()) * 2 * width);
  for (std::size_t r = 0; r < from.size(); ++r) {  // the second half of each input row: the hidden state
    std::copy_n(final_hidden_.as<float>() + from[r] * width, width, in + (2 * r + 1) * width);
  }
  rows_ = std::move(draft);
  std::fill_n(room(stream_, rows_.all() * width), rows_.all() * width, 0.0f);
}

void HostExecutor::draft_norm(const Instruction& i) {
  const std::vector<LoadedVector>& w = weights("mtp.norm", i.layer).vectors;  // enorm, hnorm
  const std::int64_t width = a_.hidden_size;
  const float epsilon = static_cast<float>(a_.norm_epsilon);
  float* in = draft_in_.as<float>();
  for (std::int64_t r = 0; r < rows_.all(); ++r) {
    host::rms_norm(block_.as<float>() + r * width, w[0].data(), epsilon, width, in + 2 * r * width);
    host::rms_norm(in + (2 * r + 1) * width, w[1].data(), epsilon, width, in + (2 * r + 1) * width);
  }
  exact(in, rows_.all() * 2 * width);
}

void HostExecutor::draft_project(const Instruction& i) {
  const host::Matrix& w = weights("mtp.project", i.layer).matrices.front().view;
  linear(w, draft_in_.as<float>(), w.cols, rows_.all(), room(block_, static_cast<std::int64_t>(rows_.all()) * w.rows),
         w.rows);
}

void HostExecutor::draft_head_norm(const Instruction& i) {
  const std::int64_t width = a_.hidden_size, wanted = static_cast<std::int64_t>(draft_logit_rows_.size());
  const float* weight = weights("mtp.head.norm", i.layer).vectors.front().data();
  float* stream = stream_.as<float>();
  host::add(stream, block_.as<float>(), rows_.all() * width);
  float* out = room(head_in_, wanted * width);
  for (std::int64_t r = 0; r < wanted; ++r) {
    host::rms_norm(stream + draft_logit_rows_[r] * width, weight, static_cast<float>(a_.norm_epsilon), width,
                   out + r * width);
  }
  exact(out, wanted * width);
}

void HostExecutor::draft_head(const Instruction&) {
  logits_of(head_in_.as<float>(), static_cast<int>(draft_logit_rows_.size()), draft_local_, draft_gathered_);
}

void HostExecutor::take_draft_tokens() {
  const float* logits = draft_gathered_.as<float>();
  std::size_t next = 0;
  int row = 0;
  for (std::size_t p = 0; p < rows_.pieces.size(); ++p) {
    row += rows_.pieces[p].tokens;
    while (next < draft_logit_rows_.size() && draft_logit_rows_[next] < row - 1) ++next;
    if (next == draft_logit_rows_.size() || draft_logit_rows_[next] != row - 1) continue;
    outputs_[p].draft = sample_token(logits + static_cast<std::int64_t>(next) * a_.vocab_size, a_.vocab_size, {}, 0, 0);
  }
}

}  // namespace fathom
