// The host executor: the planner's operators in fp32 on this machine's cores, one method each.
//
// Activations are fp32, [rows, width] row-major, rows in the order of the step's pieces. `stream_` is the residual stream,
// `block_` what the last block adds to it (a partial sum until the all-reduce); norms add the two, as the planner's do.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "cache/kv_cache.h"
#include "executor/executor_parts.h"
#include "executor/rank_weights.h"
#include "host/router.h"
#include "host/team.h"
#include "program/rope_frequencies.h"

namespace fathom {

class HostExecutor : public Executor {
 public:
  // Keeps references to all but the options. The program is of this rank's stage and position.
  explicit HostExecutor(const ExecutorParts& parts);

  std::vector<PieceOutput> step(const StepInput& input) override;
  const float* logits() const override { return gathered_.as<float>(); }
  const std::vector<int>& logit_rows() const override { return logit_rows_; }
  const float* draft_logits() const override { return draft_gathered_.as<float>(); }
  int draft_rows() const override { return static_cast<int>(draft_logit_rows_.size()); }
  void reserve(int sequence, std::int64_t tokens) override { cache_.reserve(sequence, tokens); }
  void release(int sequence) override { cache_.release(sequence); }
  void fill_cache(int sequence, std::int64_t tokens) override { cache_.fill(sequence, tokens, 1); }
  const std::vector<RowTime>& times() const override { return times_; }
  const Program& program() const override { return *running_; }
  const Account& account() const override { return account_; }

 private:
  using Handler = void (HostExecutor::*)(const Instruction&);
  struct Bound {  // an instruction with the method that runs it
    Instruction instruction;
    Handler handler;
  };
  struct BoundProgram {
    Program program;
    std::vector<Bound> body;
  };
  // Rows that the operators work on: those of the step, then those of the draft.
  struct Rows {
    std::vector<Piece> pieces;
    std::vector<int> tokens;
    int decode = 0;  // rows of decoding pieces, which come first
    int all() const { return static_cast<int>(tokens.size()); }
  };

  static Handler handler_of(std::string_view name);
  BoundProgram bind(BatchKind kind) const;
  void begin(const StepInput& input);

  // Operators (host_executor.cpp).
  void embed(const Instruction&);
  void embed_rows(const std::vector<int>& tokens);
  void receive_slices();
  void stage_all_gather(const Instruction&);
  void stage_send(const Instruction&);
  void norm(const Instruction&);
  void ffn_gate_up(const Instruction&);
  void ffn_activation(const Instruction&);
  void ffn_down(const Instruction&);
  void all_reduce(const Instruction&);
  void head_norm(const Instruction&);
  void head(const Instruction&);
  void head_all_gather(const Instruction&);
  void sample(const Instruction&);
  // host_attention.cpp
  void qkv(const Instruction&);
  void rope(const Instruction&);
  void core(const Instruction&);
  void core_window(const Instruction&);
  std::vector<int> first_rows() const;
  void attend_heads(const Instruction&, std::int64_t window);
  void attention_out(const Instruction&);
  // host_latent_attention.cpp
  void latent(const Instruction&);
  void latent_norm(const Instruction&);
  void latent_queries(const Instruction&);
  void rope_latent(const Instruction&);
  void q_absorb(const Instruction&);
  void core_latent(const Instruction&);
  void v_up(const Instruction&);
  void expand_latents(const Instruction&);
  void core_prefill(const Instruction&);
  // host_moe.cpp
  void router(const Instruction&);
  void dispatch(const Instruction&);
  void take_local_pairs(int layer);
  void experts_gate_up(const Instruction&);
  void experts_activation(const Instruction&);
  void experts_down(const Instruction&);
  void combine_exchange(const Instruction&);
  void shared_gate_up(const Instruction&);
  void shared_activation(const Instruction&);
  void shared_down(const Instruction&);
  void combine(const Instruction&);
  // host_draft.cpp
  void choose_draft_rows();
  void draft_embed(const Instruction&);
  void draft_norm(const Instruction&);
  void draft_project(const Instruction&);
  void draft_head_norm(const Instruction&);
  void draft_head(const Instruction&);
  void take_draft_tokens();

  const OperatorWeights& weights(std::string_view op, int layer) const { return weights_.of(op, layer); }
  void linear(const host::Matrix& w, const float* x, std::int64_t x_stride, int rows, float* y, std::int64_t y_stride);
  void gate_and_up(const host::Matrix& gate, const host::Matrix& up, const float* x, int rows, float* y);
  void add_bias(const LoadedVector& bias, int rows, std::int64_t width, float* y, std::int64_t stride);
  void gated_activation(float* gate_up, int rows, std::int64_t width, float* out);
  void logits_of(const float* normed, int rows, Buffer& local, Buffer& gathered);
  void gather_logits(int rows, const Buffer& local, Buffer& gathered);
  void exact(float* x, std::int64_t count) const;  // rounds to eighths in integer mode
  float* room(Buffer& buffer, std::int64_t floats, Purpose purpose = Purpose::kActivations);
  int cache_layer(int layer) const;  // index of a layer in this rank's cache

  const Architecture& a_;
  const Layout& l_;
  const Stage stage_;
  const RankPlace place_;
  RankGroups& groups_;
  Account& account_;
  ExecutorOptions options_;
  host::Team team_;
  RankWeights weights_;
  KvCache cache_;
  RopeFrequencies rope_;
  float attention_scale_;
  host::RouterRule router_rule_;
  int heads_, kv_heads_;  // on this rank
  VocabularyShare vocabulary_;
  std::vector<BoundProgram> programs_;  // decode, prefill, both
  const Program* running_ = nullptr;
  std::vector<RowTime> times_;

  // Of the running step.
  Rows rows_;
  std::vector<int> next_tokens_, logit_rows_, draft_logit_rows_;
  std::vector<PieceOutput> outputs_;
  std::vector<float> cosine_, sine_;  // [rows, rope dims / 2]
  std::int64_t received_part_ = 0;

  // Activations; each is made as wide as the step needs and kept.
  Buffer stream_, block_, normed_, queries_, keys_, values_, attended_, latents_, absorbed_, expanded_, gate_up_,
      hidden_;
  Buffer router_logits_, pair_in_, pair_gate_up_, pair_hidden_, pair_out_, shared_out_;
  Buffer head_in_, local_logits_, gathered_, final_hidden_, draft_in_, draft_local_, draft_gathered_, wire_;

  // Tokens at the experts of this rank, expert by expert.
  struct Pair {
    int expert;  // index among those held
    int row;     // of this rank's rows, or of what was received
    float weight;
  };
  std::vector<std::vector<host::RoutedExpert>> routed_;  // by row
  std::vector<Pair> pairs_;
  struct Arrival {  // a row that another rank sent
    int from;
    int row;  // there
  };
  std::vector<Arrival> arrivals_;
  bool exchanged_ = false;
};

}  // namespace fathom
