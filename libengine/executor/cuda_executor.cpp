#include "executor/cuda_executor.h"

#include <algorithm>
#include <map>
#include <stdexcept>
#include <utility>

#include "cuda/embedding.h"
#include "cuda/rms_norm.h"
#include "cuda/sample.h"
#include "cuda/swiglu.h"
#include "executor/cuda.h"
#include "executor/router_rule.h"

namespace fathom {

namespace {

constexpr std::int64_t kPageTokens = BlockTables::kBlockTokens;
static_assert(kPageTokens == cuda::kPageTokens);

std::int64_t page_values(const Architecture& a, int kv_heads) {
  return kPageTokens * (a.mla ? a.mla->cached_values() : 2 * kv_heads * a.head_dim);
}

int most_logits(const ExecutorOptions& options) {
  return options.all_logits ? options.limits.rows : options.limits.sequences;
}

}  // namespace

CudaExecutor::CudaExecutor(const ExecutorParts& parts)
    : a_(parts.program.architecture()),
      l_(parts.program.layout()),
      stage_(parts.program.stage()),
      place_(parts.place),
      groups_(parts.groups),
      account_(parts.account),
      options_(parts.options),
      weights_(parts.slices, parts.source, account_, options_.threads),
      tables_(options_.cache_blocks),
      batch_(options_.limits, most_logits(options_), account_),
      rope_(rope_frequencies(a_)),
      attention_scale_(static_cast<float>(attention_scale(a_))),
      router_rule_(router_rule(a_)),
      heads_(a_.num_heads / l_.tp),
      kv_heads_(a_.num_kv_heads / std::min(l_.tp, a_.num_kv_heads)),
      vocabulary_(VocabularyShare::of(a_.vocab_size, place_.rank, l_.tp)),
      page_values_(page_values(a_, kv_heads_)),
      cached_layers_(stage_.layers) {
  for (BatchKind kind : {BatchKind{true, false}, BatchKind{false, true}, BatchKind{true, true}}) {
    BoundProgram bound{.program = lower(parts.program, kind), .body = {}};
    for (const Instruction& i : bound.program.body) bound.body.push_back({i, handler_of(i.name)});
    programs_.push_back(std::move(bound));
  }
  running_ = &programs_.front().program;
  allocate();
  if (a_.mla) prepare_latent_weights();
}

CudaExecutor::Handler CudaExecutor::handler_of(std::string_view name) {
  using C = CudaExecutor;
  static const std::map<std::string_view, Handler> handlers = {
      {"embed", &C::embed},
      {"embed.all_reduce", &C::all_reduce},
      {"stage.all_gather", &C::stage_all_gather},
      {"stage.send", &C::stage_send},
      {"attention.norm", &C::norm},
      {"attention.qkv", &C::qkv},
      {"attention.latent", &C::latent},
      {"attention.latent_norm", &C::latent_norm},
      {"attention.q", &C::latent_queries},
      {"attention.rope", &C::rope},
      {"attention.core", &C::core},
      {"attention.core_window", &C::core_window},
      {"attention.q_absorb", &C::q_absorb},
      {"attention.v_up", &C::v_up},
      {"attention.kv_b", &C::expand_latents},
      {"attention.core_prefill", &C::core_prefill},
      {"attention.out", &C::attention_out},
      {"attention.all_reduce", &C::all_reduce},
      {"ffn.norm", &C::norm},
      {"ffn.gate_up", &C::ffn_gate_up},
      {"ffn.activation", &C::ffn_activation},
      {"ffn.down", &C::ffn_down},
      {"ffn.all_reduce", &C::all_reduce},
      {"moe.router", &C::router},
      {"moe.dispatch", &C::dispatch},
      {"moe.experts.gate_up", &C::experts_gate_up},
      {"moe.experts.activation", &C::nothing},
      {"moe.experts.down", &C::experts_down},
      {"moe.combine_exchange", &C::combine_exchange},
      {"moe.shared.gate_up", &C::ffn_gate_up},
      {"moe.shared.activation", &C::ffn_activation},
      {"moe.shared.down", &C::shared_down},
      {"moe.combine", &C::combine},
      {"moe.all_reduce", &C::all_reduce},
      {"head.norm", &C::head_norm},
      {"head", &C::head},
      {"head.all_gather", &C::head_all_gather},
      {"sample", &C::sample},
  };
  const auto found = handlers.find(name);
  if (found == handlers.end()) throw std::logic_error("no CUDA code for operator " + std::string(name));
  return found->second;
}

// A graph holds pointers and sizes only: whatever differs from step to step lies in the batch.
std::vector<PieceOutput> CudaExecutor::step(const StepInput& input) {
  groups_.world.enter("a step of the device", -1);
  for (const Piece& p : input.pieces) tables_.reserve(p.sequence, p.position + p.tokens);
  const bool prompts = std::any_of(input.pieces.begin(), input.pieces.end(), [](const Piece& p) { return !p.decode; });
  const bool decodes = std::any_of(input.pieces.begin(), input.pieces.end(), [](const Piece& p) { return p.decode; });
  batch_.fill(input, tables_, options_.all_logits,
              prompts ? 0 : std::min(cuda_rows(input.rows()), options_.limits.sequences));
  agree_on_slots();
  upload_calls();
  batch_.upload(stream_);

  const BoundProgram& bound = programs_[!prompts ? 0 : !decodes ? 1 : 2];
  running_ = &bound.program;
  const int every = options_.time_every;
  timed_ = every > 0 && steps_++ % every == every - 1;
  const bool captured = options_.graphs && !prompts && slots_ <= options_.limits.sequences;
  const OperatorClock* clock = captured ? run_graph(bound) : run_eager(bound);
  if (stage_.has_head && batch_.logits() > 0) {
    cuda_ok(cudaMemcpyAsync(sampled_here_.as<void>(), sampled_.as<void>(),
                            static_cast<std::size_t>(batch_.logits()) * sizeof(std::int32_t), cudaMemcpyDeviceToHost,
                            stream_),
            "copying tokens");
  }
  wait_for_step();
  end_calls(step_calls_);
  logits_are_here_ = false;
  times_.assign(bound.program.rows.size(), {});
  if (timed_) {
    for (const Bound& b : bound.body) ++times_[static_cast<std::size_t>(b.instruction.slot)].executions;
    clock->read(times_);
  }
  return outputs(input);
}

std::vector<PieceOutput> CudaExecutor::outputs(const StepInput& input) const {
  if (!stage_.has_head) return {};
  std::vector<PieceOutput> made(input.pieces.size());
  for (std::size_t p = 0; p < made.size(); ++p) {
    if (const int at = batch_.sampled()[p]; at >= 0) made[p].tokens = {sampled_here_.as<std::int32_t>()[at]};
  }
  return made;
}

const OperatorClock* CudaExecutor::run_eager(const BoundProgram& bound) {
  gate_.hold();
  launch_all(bound, timed_ ? &eager_clock_ : nullptr, false);
  gate_.open();
  step_calls_ = calls_so_far();
  return &eager_clock_;
}

// The first step of a size runs as it is: kernels are loaded and products planned outside of any capture.
const OperatorClock* CudaExecutor::run_graph(const BoundProgram& bound) {
  Graphs& graphs = graphs_[{batch_.rows(), batch_.longest(), slots_}];
  if (!graphs.plain) {
    run_eager(bound);
    wait_for_step();
    graphs.calls = step_calls_;
    graphs.plain = std::make_unique<CudaGraph>(stream_, [&] { launch_all(bound, nullptr, true); });
    if (options_.time_every > 0) {
      graphs.timed = std::make_unique<CudaGraph>(stream_, [&] { launch_all(bound, &graphs.clock, true); });
    }
    return &eager_clock_;
  }
  gate_.hold();
  (timed_ ? graphs.timed : graphs.plain)->launch(stream_);
  gate_.open();
  step_calls_ = graphs.calls;
  return &graphs.clock;
}

// Kernels that overlap cannot be told apart by events between them: a timed step runs one after another.
void CudaExecutor::launch_all(const BoundProgram& bound, OperatorClock* clock, bool in_graph) {
  launches_ = 0;
  if (tp_calls_) tp_calls_->begin(batch_.words());
  if (pipeline_calls_) pipeline_calls_->begin(batch_.words() + PeerCalls::kLines);
  if (stage_calls_) stage_calls_->begin(batch_.words() + 2 * PeerCalls::kLines);
  angles_known_ = false;
  overlap_ = clock == nullptr;
  if (clock != nullptr) {
    gate_.wait_on(stream_);
    clock->start(stream_, in_graph);
  }
  if (!stage_.has_embedding) {
    receive_stage();
    if (clock != nullptr) clock->mark(OperatorClock::kNobody);  // the stage before is at work
  }
  for (const Bound& b : bound.body) {
    const int before = launches_;
    next_ = &b == &bound.body.back() ? nullptr : &b + 1;
    running_instruction_ = static_cast<int>(&b - bound.body.data());
    (this->*b.handler)(b.instruction);
    if (clock != nullptr && launches_ != before) clock->mark(b.instruction.slot);
  }
}

// The first launch waits for the copy of the batch, which is no kernel.
cuda::Launch CudaExecutor::how() { return {.stream = stream_, .overlap = launches_++ > 0 && overlap_}; }

const float* CudaExecutor::logits() const {
  if (!logits_are_here_) {
    const std::size_t rows = batch_.logit_rows().size(), width = static_cast<std::size_t>(a_.vocab_size);
    logits_here_.resize(rows * width);
    if (rows > 0) {
      cuda_ok(cudaMemcpy2D(logits_here_.data(), width * sizeof(float), logits_,
                           static_cast<std::size_t>(logit_stride_) * sizeof(float), width * sizeof(float), rows,
                           cudaMemcpyDeviceToHost),
              "copying logits");
    }
    logits_are_here_ = true;
  }
  return logits_here_.data();
}

cuda::Linear CudaExecutor::linear_of(const cuda::Weights& w, const Product& p) const {
  cuda::Linear op;
  op.w = w;
  op.x = p.x;
  op.x_stride = p.x_stride;
  op.tokens = p.rows;
  op.y = p.y;
  op.y_stride = p.y_stride;
  op.y_fp32 = p.y_fp32;
  op.add = p.sum ? p.y : nullptr;
  op.bias = p.bias;
  op.norm = p.norm;
  return op;
}

void CudaExecutor::product(const cuda::Weights& w, const Product& p) {
  if (p.rows < 1) return;
  const cuda::Linear op = linear_of(w, p);
  p.rows <= cuda::most_linear_rows(w) ? cuda::linear(how(), op, shared_) : (*large_)(how(), op);
}

void CudaExecutor::joined_product(const CudaOperatorWeights& w, const Product& p) {
  std::int64_t at = 0;
  for (const cuda::Weights& matrix : w.matrices) {
    Product part = p;
    part.y = static_cast<std::uint16_t*>(p.y) + at;
    part.bias = w.bias == nullptr ? nullptr : w.bias + at;
    product(matrix, part);
    at += matrix.rows;
  }
}

void CudaExecutor::embed(const Instruction& i) {
  const cuda::Weights& table = weights(i.name, -1).matrices.front();
  cuda::embed(how(), {.rows = batch_.rows(),
                      .width = a_.hidden_size,
                      .table = static_cast<const std::uint16_t*>(table.codes),
                      .first = static_cast<int>(vocabulary_.first),
                      .count = static_cast<int>(vocabulary_.count),
                      .tokens = batch_.tokens(),
                      .out = residual_,
                      .partial = partial_,
                      .rope = rope_rows(0, batch_.rows())});
  angles_known_ = true;
}

// Whether all that reads the result of this norm can norm the only row of the step: a launch less.
bool CudaExecutor::readers_norm(const Instruction& norm) {
  if (batch_.rows() != 1 || sharded() || next_ == nullptr) return false;
  const std::string_view next = next_->instruction.name;
  if (next == "ffn.gate_up") return cuda::takes_norm(gate_up(next_->instruction));
  std::vector<std::string_view> readers;
  if (next == "attention.qkv") readers = {next};
  if (next == "attention.latent") readers = {next};
  if (next == "attention.latent" && a_.mla->q_lora_rank == 0) readers.push_back("attention.q");
  for (const std::string_view reader : readers) {
    for (const cuda::Weights& w : weights(reader, norm.layer).matrices) {
      if (!cuda::takes_norm(linear_of(w, {.rows = 1, .norm = token_norm_}))) return false;
    }
  }
  return !readers.empty();
}

void CudaExecutor::norm(const Instruction& i) {
  token_norm_ = {};
  if (std::exchange(normed_already_, false)) return;
  token_norm_ = {.residual = residual_,
                 .weight = weights(i.name, i.layer).vectors.front(),
                 .epsilon = static_cast<float>(a_.norm_epsilon)};
  if (readers_norm(i)) return;
  token_norm_ = {};
  cuda::rms_norm(how(), {.rows = batch_.rows(),
                         .width = a_.hidden_size,
                         .x = residual_,
                         .x_stride = a_.hidden_size,
                         .weight = weights(i.name, i.layer).vectors.front(),
                         .epsilon = static_cast<float>(a_.norm_epsilon),
                         .out = normed_.as<std::uint16_t>(),
                         .out_stride = a_.hidden_size});
}

void CudaExecutor::ffn_gate_up(const Instruction& i) {
  const std::vector<cuda::Weights>& w = weights(i.name, i.layer).matrices;
  const std::int64_t width = w[0].rows;
  const int rows = batch_.rows();
  if (rows > cuda::most_linear_rows(w[0])) {
    auto* both = gate_up_.as<std::uint16_t>();
    for (int m = 0; m < 2; ++m) {
      product(w[static_cast<std::size_t>(m)], {.x = normed_.as<std::uint16_t>(),
                                               .x_stride = a_.hidden_size,
                                               .rows = rows,
                                               .y = both + m * width,
                                               .y_stride = 2 * width});
    }
    return;
  }
  cuda::linear(how(), gate_up(i), shared_);
}

cuda::Linear CudaExecutor::gate_up(const Instruction& i) const {
  const std::vector<cuda::Weights>& w = weights(i.name, i.layer).matrices;
  cuda::Linear op = linear_of(w[0], {.x = normed_.as<std::uint16_t>(),
                                     .x_stride = a_.hidden_size,
                                     .rows = batch_.rows(),
                                     .y = hidden_.as<void>(),
                                     .y_stride = w[0].rows,
                                     .norm = token_norm_});
  op.up = w[1];
  return op;
}

void CudaExecutor::ffn_activation(const Instruction& i) {
  const char* product_of = i.name == "ffn.activation" ? "ffn.gate_up" : "moe.shared.gate_up";
  const cuda::Weights& gate = weights(product_of, i.layer).matrices.front();
  if (batch_.rows() <= cuda::most_linear_rows(gate)) return;  // the product did it
  cuda::swiglu(how(), {.rows = batch_.rows(),
                       .width = static_cast<int>(gate.rows),
                       .gate_up = gate_up_.as<std::uint16_t>(),
                       .out = hidden_.as<std::uint16_t>()});
}

void CudaExecutor::ffn_down(const Instruction& i) {
  const cuda::Weights& w = weights(i.name, i.layer).matrices.front();
  end_block(w, hidden_.as<std::uint16_t>());
}

void CudaExecutor::end_block(const cuda::Weights& w, const std::uint16_t* x) {
  product(w, {.x = x,
              .x_stride = w.cols,
              .rows = batch_.rows(),
              .y = sharded() ? static_cast<void*>(partial_) : residual_,
              .y_stride = a_.hidden_size,
              .y_fp32 = !sharded(),
              .sum = !sharded()});
}

void CudaExecutor::head_norm(const Instruction& i) {
  if (batch_.logits() == 0) return;
  cuda::rms_norm(how(), {.rows = batch_.logits(),
                         .width = a_.hidden_size,
                         .x = residual_,
                         .x_stride = a_.hidden_size,
                         .weight = weights(i.name, -1).vectors.front(),
                         .epsilon = static_cast<float>(a_.norm_epsilon),
                         .rows_of_x = batch_.every_row() ? nullptr : batch_.logit_row_list(),
                         .out = head_in_.as<std::uint16_t>(),
                         .out_stride = a_.hidden_size});
}

void CudaExecutor::head(const Instruction&) {
  product(weights(a_.tied_embeddings ? "embed" : "head", -1).matrices.front(), {.x = head_in_.as<std::uint16_t>(),
                                                                                .x_stride = a_.hidden_size,
                                                                                .rows = batch_.logits(),
                                                                                .y = logits_ + vocabulary_.first,
                                                                                .y_stride = logit_stride_,
                                                                                .y_fp32 = true});
}

void CudaExecutor::sample(const Instruction&) {
  if (batch_.logits() == 0) return;
  cuda::sample(how(), {.rows = batch_.logits(),
                       .vocabulary = a_.vocab_size,
                       .logits = logits_,
                       .logit_stride = logit_stride_,
                       .temperature = options_.sampling.temperature,
                       .seed = options_.sampling.seed,
                       .request = batch_.requests(),
                       .position = batch_.sample_positions(),
                       .token = sampled_.as<std::int32_t>()});
}

}  // namespace fathom
