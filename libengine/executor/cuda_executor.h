// The executor of one rank on its GPU: the planner's operators as launches of kernels/cuda, one method each.
//
// The residual stream is fp32, everything else bf16, [rows, width] row-major, rows in the order of the step's pieces. What the
// planner lists as several operators may be one launch: an activation is part of the product before it for few rows, the norm of a
// single row is part of those that follow it, the rotary embedding of steps that only decode is part of attention, and the
// sum with the residual stream is part of the product that ends a block; such an operator takes no time of its own. With
// several ranks the product leaves this rank's part of that sum, and the all-reduce adds it up, to the residual stream, and
// does the norm that follows.
//
// Steps that only decode are filled up to a few batch sizes; each of those, with contexts up to a power of two, is a graph,
// captured when it first comes, or by warm_up(). All memory is allocated once, for the largest step.
#pragma once

#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "cache/block_tables.h"
#include "comm/cuda_nccl.h"
#include "comm/cuda_peers.h"
#include "cuda/large_linear.h"
#include "cuda/rope.h"
#include "cuda/router.h"
#include "executor/cuda_batch.h"
#include "executor/cuda_graph.h"
#include "executor/cuda_weights.h"
#include "executor/executor_parts.h"
#include "host/router.h"
#include "program/rope_frequencies.h"
#include "storage/cuda_memory.h"

namespace fathom {

// Why the CUDA executor does not run this; empty when it does.
std::string unsupported_on_cuda(const ExecutorParts& parts);

class CudaExecutor : public Executor {
 public:
  explicit CudaExecutor(const ExecutorParts& parts);

  std::vector<PieceOutput> step(const StepInput& input) override;
  const float* logits() const override;  // copied from the device when asked for
  const std::vector<int>& logit_rows() const override { return batch_.logit_rows(); }
  const float* draft_logits() const override { return nullptr; }
  int draft_rows() const override { return 0; }
  void warm_up() override;
  void reserve(int sequence, std::int64_t tokens) override { tables_.reserve(sequence, tokens); }
  void release(int sequence) override { tables_.release(sequence); }
  void fill_cache(int sequence, std::int64_t tokens) override;
  const std::vector<RowTime>& times() const override { return times_; }
  bool timed() const override { return timed_; }
  const Program& program() const override { return *running_; }
  const Account& account() const override { return account_; }

 private:
  using Handler = void (CudaExecutor::*)(const Instruction&);
  struct Bound {  // an instruction with the method that runs it
    Instruction instruction;
    Handler handler;
  };
  struct BoundProgram {
    Program program;
    std::vector<Bound> body;
  };
  struct StepCalls {  // between devices, of one step
    PeerCalls::Counts tp = {}, pipeline = {}, stage = {};
  };
  struct Graphs {  // of one size of steps
    std::unique_ptr<CudaGraph> plain, timed;
    OperatorClock clock;
    StepCalls calls;  // in each
  };
  // y = x W^T; y of bf16 or, with `sum`, fp32 that the product is added to.
  struct Product {
    const std::uint16_t* x = nullptr;
    std::int64_t x_stride = 0;
    int rows = 0;
    void* y = nullptr;
    std::int64_t y_stride = 0;
    bool y_fp32 = false;
    bool sum = false;
    const std::uint16_t* bias = nullptr;
    cuda::TokenNorm norm = {};
  };

  static Handler handler_of(std::string_view name);
  // Both return the clock that has the step's times, if it was timed.
  const OperatorClock* run_eager(const BoundProgram& bound);
  const OperatorClock* run_graph(const BoundProgram& bound);
  void launch_all(const BoundProgram& bound, OperatorClock* clock, bool in_graph);
  std::vector<PieceOutput> outputs(const StepInput& input) const;
  void wait_for_step();
  void decode_once(int sequences, std::int64_t position);
  void read_once(int tokens);

  // cuda_allocate.cpp
  void allocate();
  void allocate_attention();
  void allocate_latent_attention();
  void allocate_experts();
  void allocate_peers();
  void allocate_shared_sums();
  void allocate_visitors();
  void allocate_nccl();
  void allocate_workspaces();
  void prepare_latent_weights();
  DeviceBuffer room(std::int64_t count, std::size_t size) const;  // of activations, zeros at first
  std::size_t attention_workspace() const;

  // Operators (cuda_executor.cpp).
  void nothing(const Instruction&) {}
  void embed(const Instruction&);
  void norm(const Instruction&);
  void ffn_gate_up(const Instruction&);
  void ffn_activation(const Instruction&);
  void ffn_down(const Instruction&);
  void head_norm(const Instruction&);
  void head(const Instruction&);
  void sample(const Instruction&);
  // cuda_attention.cpp
  void qkv(const Instruction&);
  void know_angles();
  void rope(const Instruction&);
  void core(const Instruction&);
  void core_window(const Instruction&);
  void attend(const Instruction&, std::int64_t window);
  void attention_out(const Instruction&);
  // cuda_latent_attention.cpp
  void latent(const Instruction&);
  void latent_norm(const Instruction&);
  void latent_queries(const Instruction&);
  void rope_latent(const Instruction&);
  void q_absorb(const Instruction&);
  void core_latent(const Instruction&);
  void v_up(const Instruction&);
  void expand_latents(const Instruction&);
  void expand(int layer, const CudaBatch::Pass& pass);
  void core_prefill(const Instruction&);
  // cuda_moe.cpp
  void router(const Instruction&);
  void experts_gate_up(const Instruction&);
  void experts_down(const Instruction&);
  void shared_down(const Instruction&);
  cuda::GroupedLinear experts(const CudaOperatorWeights& w) const;
  cuda::ExpertLists pairs_of(int layer) const;
  int expert_rows() const { return visits() ? l_.attention_dp * slots_ : batch_.rows(); }  // that experts here may get
  void combine(const Instruction&);
  void combine_returned();
  // cuda_visitors.cpp
  void agree_on_slots();
  void dispatch(const Instruction&);
  void combine_exchange(const Instruction&);
  cuda::PeerRows row_places() const;
  // cuda_collectives.cpp
  void all_reduce(const Instruction&);
  void head_all_gather(const Instruction&);
  void gather_logits_by_nccl();
  void receive_stage();
  void stage_all_gather(const Instruction&);
  void stage_send(const Instruction&);
  cuda::Peers next_call(PeerCalls& calls, int line = 0) const;
  void upload_calls();
  StepCalls calls_so_far() const;
  void end_calls(const StepCalls& calls);
  struct StagePart {  // of the residual stream, that one rank sends to the next stage
    std::int64_t first = 0, count = 0;
  };
  StagePart stage_part() const;
  std::int64_t stage_part_length() const;
  void stop_calls();
  [[noreturn]] void tell_trouble(const PeerCalls& calls, const Communicator& group) const;
  void check_agreement();

  const CudaOperatorWeights& weights(std::string_view op, int layer) const { return weights_.of(op, layer); }
  cuda::Launch how();
  cuda::Linear linear_of(const cuda::Weights& w, const Product& p) const;
  void product(const cuda::Weights& w, const Product& p);
  void joined_product(const CudaOperatorWeights& w, const Product& p);  // of several matrices side by side in y
  cuda::Linear gate_up(const Instruction& i) const;                     // of both, with the activation
  bool readers_norm(const Instruction& norm);
  void end_block(const cuda::Weights& w, const std::uint16_t* x);  // adds to the residual stream, or to its parts
  bool sharded() const { return l_.tp > 1; }
  bool visits() const { return l_.attention_dp > 1 && a_.moe.has_value(); }  // rows go to the ranks of their experts
  int cache_layer(int layer) const { return layer - stage_.first_layer; }
  cuda::RopeRows rope_rows(int first, int rows) const;
  std::uint16_t* layer_pages(int layer) const;
  std::int64_t page_stride() const { return page_values_ * cached_layers_; }

  const Architecture& a_;
  const Layout& l_;
  const Stage stage_;
  const RankPlace place_;
  RankGroups& groups_;
  Account& account_;
  ExecutorOptions options_;
  CudaStream stream_;
  CudaWeights weights_;
  BlockTables tables_;
  CudaBatch batch_;
  RopeFrequencies rope_;
  float attention_scale_;
  host::RouterRule router_rule_;
  int heads_, kv_heads_;  // on this rank
  VocabularyShare vocabulary_;
  std::int64_t page_values_;  // of one layer
  int cached_layers_;
  std::vector<BoundProgram> programs_;  // decode, prefill, both
  const Program* running_ = nullptr;
  std::unique_ptr<NcclGroup> tp_nccl_, pipeline_nccl_;  // before the graphs, which hold NCCL's calls and must go first
  std::map<std::array<int, 3>, Graphs> graphs_;         // by rows, longest context and slots
  StartGate gate_;                                      // of timed steps
  OperatorClock eager_clock_;
  std::vector<RowTime> times_;
  int steps_ = 0, launches_ = 0;
  bool timed_ = false, overlap_ = true;
  bool angles_known_ = false;    // of this step: they are the same in every layer
  const Bound* next_ = nullptr;  // after the one that is being launched; nullptr: none
  StepCalls step_calls_;
  int running_instruction_ = 0;    // its number in the body
  bool normed_already_ = false;    // by the all-reduce before
  cuda::RopeHeads heads_to_turn_;  // by the attention that follows; of no rows: turned
  cuda::TokenNorm token_norm_;     // what normed_ would be: its readers norm their only token themselves

  // Ranks that share sums, and the stages of a pipeline. What lies in memory that others see too is found by offset.
  std::unique_ptr<PeerCalls> tp_calls_, pipeline_calls_, stage_calls_;
  std::unique_ptr<Communicator> pipeline_;
  struct PeerPlaces {
    std::size_t partial = 0, sums = 0, packets = 0, flights = 0, logits = 0, residual = 0;  // of every rank
  } places_;
  int packet_rows_ = 0, flight_rows_ = 0;
  struct VisitorPlaces {
    std::size_t rows = 0, experts = 0, weights = 0, answers = 0;
  } visitor_places_;
  int slots_ = 0;                     // rows of the largest group in this step
  std::int64_t mail_room_ = 0;        // values of one message between stages, at most
  std::uint16_t* partial_ = nullptr;  // [rows, hidden]
  float* residual_ = nullptr;         // [rows, hidden]
  float* logits_ = nullptr;           // [rows with logits, logit_stride_]

  DeviceBuffer pages_;  // [block][layer][page]
  DeviceBuffer frequencies_, angles_;
  DeviceBuffer partial_memory_, parts_of_logits_;  // of NCCL's way
  DeviceBuffer owner_, visitor_sums_;
  DeviceBuffer residual_memory_, logits_memory_, shared_sum_, held_, normed_, projected_, queries_, attended_, gate_up_,
      hidden_;
  DeviceBuffer low_queries_, absorbed_, summed_latents_, gathered_, expanded_;
  DeviceBuffer router_logits_, chosen_, chosen_weight_, first_pair_, used_, token_of_pair_, pair_of_choice_,
      pair_hidden_, pair_out_;
  DeviceBuffer head_in_, sampled_;
  DeviceBuffer workspace_, counters_, large_workspace_, large_scratch_;
  cuda::Workspace shared_;
  std::unique_ptr<cuda::LargeLinear> large_;
  struct LatentWeights {
    cuda::Weights kv_b;                   // bf16
    const std::uint16_t* keys = nullptr;  // W_UK turned: [heads, latent, nope]
  };
  std::map<int, LatentWeights> latent_weights_;  // by layer
  std::vector<DeviceBuffer> latent_memory_;
  PinnedBuffer sampled_here_;
  std::int64_t logit_stride_ = 0;
  mutable std::vector<float> logits_here_;
  mutable bool logits_are_here_ = false;
};

}  // namespace fathom
