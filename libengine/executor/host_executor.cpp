#include "executor/host_executor.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstring>
#include <map>
#include <stdexcept>

#include "executor/router_rule.h"
#include "executor/sampler.h"
#include "host/vector_math.h"

namespace fathom {

namespace {

CacheShape cache_shape(const StageProgram& program, CacheFormat format) {
  const Architecture& a = program.architecture();
  const Layout& l = program.layout();
  const int draft_layers = l.mtp && program.stage().has_head ? a.mtp_modules : 0;
  CacheShape shape{.layers = program.stage().layers + draft_layers, .format = format};
  if (a.mla) {
    shape.row_values = a.mla->cached_values();
    shape.latent_values = a.mla->kv_lora_rank;
  } else {
    shape.row_values = 2 * a.num_kv_heads / std::min(l.tp, a.num_kv_heads) * a.head_dim;
  }
  return shape;
}

// Rows of element-wise work that are worth waking another thread for: about 10 us of it.
std::int64_t grain(std::int64_t width) { return std::max<std::int64_t>(1, (1 << 15) / width); }

std::uint64_t fnv(const void* data, std::size_t bytes) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (std::size_t i = 0; i < bytes; ++i) {
    hash = (hash ^ static_cast<const unsigned char*>(data)[i]) * 0x100000001b3u;
  }
  return hash;
}

}  // namespace

HostExecutor::HostExecutor(const ExecutorParts& parts)
    : a_(parts.program.architecture()),
      l_(parts.program.layout()),
      stage_(parts.program.stage()),
      place_(parts.place),
      groups_(parts.groups),
      account_(parts.account),
      options_(parts.options),
      team_(options_.threads),
      weights_(parts.slices, parts.source, account_),
      cache_(cache_shape(parts.program, options_.cache), options_.cache_blocks, account_),
      rope_(rope_frequencies(a_)),
      attention_scale_(static_cast<float>(attention_scale(a_))),
      router_rule_(router_rule(a_)),
      heads_(a_.num_heads / l_.tp),
      kv_heads_(a_.num_kv_heads / std::min(l_.tp, a_.num_kv_heads)),
      vocabulary_(VocabularyShare::of(a_.vocab_size, place_.rank, l_.tp)) {
  for (BatchKind kind : {BatchKind{true, false}, BatchKind{false, true}, BatchKind{true, true}}) {
    BoundProgram bound{.program = lower(parts.program, kind), .body = {}};
    for (const Instruction& i : bound.program.body) {
      bound.body.push_back({i, handler_of(i.name)});
    }
    programs_.push_back(std::move(bound));
  }
  running_ = &programs_.front().program;
}

HostExecutor::Handler HostExecutor::handler_of(std::string_view name) {
  using H = HostExecutor;
  static const std::map<std::string_view, Handler> handlers = {
      {"embed", &H::embed},
      {"embed.all_reduce", &H::all_reduce},
      {"stage.all_gather", &H::stage_all_gather},
      {"stage.send", &H::stage_send},
      {"attention.norm", &H::norm},
      {"attention.qkv", &H::qkv},
      {"attention.latent", &H::latent},
      {"attention.latent_norm", &H::latent_norm},
      {"attention.q", &H::latent_queries},
      {"attention.rope", &H::rope},
      {"attention.core", &H::core},
      {"attention.core_window", &H::core_window},
      {"attention.q_absorb", &H::q_absorb},
      {"attention.v_up", &H::v_up},
      {"attention.kv_b", &H::expand_latents},
      {"attention.core_prefill", &H::core_prefill},
      {"attention.out", &H::attention_out},
      {"attention.all_reduce", &H::all_reduce},
      {"ffn.norm", &H::norm},
      {"ffn.gate_up", &H::ffn_gate_up},
      {"ffn.activation", &H::ffn_activation},
      {"ffn.down", &H::ffn_down},
      {"ffn.all_reduce", &H::all_reduce},
      {"moe.router", &H::router},
      {"moe.dispatch", &H::dispatch},
      {"moe.experts.gate_up", &H::experts_gate_up},
      {"moe.experts.activation", &H::experts_activation},
      {"moe.experts.down", &H::experts_down},
      {"moe.combine_exchange", &H::combine_exchange},
      {"moe.shared.gate_up", &H::shared_gate_up},
      {"moe.shared.activation", &H::shared_activation},
      {"moe.shared.down", &H::shared_down},
      {"moe.combine", &H::combine},
      {"moe.all_reduce", &H::all_reduce},
      {"head.norm", &H::head_norm},
      {"head", &H::head},
      {"head.all_gather", &H::head_all_gather},
      {"sample", &H::sample},
      {"mtp.embed", &H::draft_embed},
      {"mtp.embed.all_reduce", &H::all_reduce},
      {"mtp.norm", &H::draft_norm},
      {"mtp.project", &H::draft_project},
      {"mtp.head.norm", &H::draft_head_norm},
      {"mtp.head", &H::draft_head},
  };
  const auto found = handlers.find(name);
  if (found == handlers.end()) throw std::logic_error("no host code for operator " + std::string(name));
  return found->second;
}

void HostExecutor::begin(const StepInput& input) {
  rows_ = {.pieces = input.pieces, .tokens = input.tokens};
  next_tokens_ = input.next_tokens;
  logit_rows_.clear();
  outputs_.clear();
  int row = 0;
  for (const Piece& p : rows_.pieces) {
    if (p.decode) rows_.decode += p.tokens;
    const int wanted = options_.all_logits || p.decode ? p.tokens : p.last_chunk ? 1 : 0;
    for (int i = p.tokens - wanted; i < p.tokens; ++i) logit_rows_.push_back(row + i);
    row += p.tokens;
    cache_.reserve(p.sequence, p.position + p.tokens);
  }
}

std::vector<PieceOutput> HostExecutor::step(const StepInput& input) {
  using Clock = std::chrono::steady_clock;
  begin(input);
  const bool prefill = input.rows() > rows_.decode;
  BoundProgram& bound = programs_[!prefill ? 0 : rows_.decode == 0 ? 1 : 2];
  running_ = &bound.program;
  times_.assign(bound.program.rows.size(), {});
  if (!stage_.has_embedding) receive_slices();
  std::fill_n(room(stream_, static_cast<std::int64_t>(rows_.all()) * a_.hidden_size), rows_.all() * a_.hidden_size,
              0.0f);
  bool drafting = false;
  for (const Bound& b : bound.body) {
    if (b.instruction.draft && !drafting) {
      choose_draft_rows();
      drafting = true;
    }
    groups_.world.enter(b.instruction.name, b.instruction.layer);
    const auto start = Clock::now();
    (this->*b.handler)(b.instruction);
    RowTime& time = times_[b.instruction.slot];
    time.seconds += std::chrono::duration<double>(Clock::now() - start).count();
    ++time.executions;
  }
  if (drafting) take_draft_tokens();
  return std::move(outputs_);
}

float* HostExecutor::room(Buffer& buffer, std::int64_t floats, Purpose purpose) {
  const std::size_t bytes = static_cast<std::size_t>(std::max<std::int64_t>(floats, 1)) * sizeof(float);
  if (buffer.bytes() < bytes) buffer = Buffer(account_, purpose, bytes);
  return buffer.as<float>();
}

int HostExecutor::cache_layer(int layer) const {
  return layer < a_.num_layers ? layer - stage_.first_layer : stage_.layers + layer - a_.num_layers;
}

void HostExecutor::exact(float* x, std::int64_t count) const {
  if (!options_.integers) return;
  for (std::int64_t i = 0; i < count; ++i) x[i] = std::nearbyint(std::clamp(x[i], -4.0f, 4.0f) * 8) / 8;
}

void HostExecutor::linear(const host::Matrix& w, const float* x, std::int64_t x_stride, int rows, float* y,
                          std::int64_t y_stride) {
  host::matmul(team_, w, x, x_stride, rows, y, y_stride);
}

// y [rows, gate | up]
void HostExecutor::gate_and_up(const host::Matrix& gate, const host::Matrix& up, const float* x, int rows, float* y) {
  const std::array<host::Product, 2> both = {{{gate, y, 2 * gate.rows}, {up, y + gate.rows, 2 * gate.rows}}};
  host::matmul_all(team_, both, x, a_.hidden_size, rows);
}

void HostExecutor::add_bias(const LoadedVector& bias, int rows, std::int64_t width, float* y, std::int64_t stride) {
  for (int r = 0; r < rows; ++r) host::add(y + r * stride, bias.data(), width);
}

void HostExecutor::embed(const Instruction&) { embed_rows(rows_.tokens); }

void HostExecutor::draft_embed(const Instruction&) { embed_rows(rows_.tokens); }

// Rows of the vocabulary that this rank holds; zeros elsewhere, for the all-reduce to fill.
void HostExecutor::embed_rows(const std::vector<int>& tokens) {
  const host::Matrix& table = weights("embed", -1).matrices.front().view;
  const std::int64_t width = a_.hidden_size;
  float* out = room(block_, static_cast<std::int64_t>(tokens.size()) * width);
  team_.for_ranges(static_cast<std::int64_t>(tokens.size()), grain(width), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const std::int64_t local = tokens[r] - vocabulary_.first;
      const bool held = local >= 0 && local < vocabulary_.count;
      for (std::int64_t i = 0; i < width; ++i) out[r * width + i] = held ? host::value(table, local, i) : 0.0f;
    }
  });
}

// The stage before sent every rank its share of the stream; the all-gather joins the shares.
void HostExecutor::receive_slices() {
  const std::int64_t all = static_cast<std::int64_t>(rows_.all()) * a_.hidden_size;
  received_part_ = (all + l_.tp - 1) / l_.tp;
  float* part = room(wire_, received_part_ * (l_.tp + 1), Purpose::kCommunication);
  groups_.world.enter("stage.receive", -1);
  groups_.world.receive(place_.on_stage(place_.stage - 1).world_rank(l_),
                        std::as_writable_bytes(std::span(part, received_part_)));
  if (l_.tp == 1) std::memcpy(room(block_, all), part, all * sizeof(float));
}

void HostExecutor::stage_all_gather(const Instruction&) {
  const std::int64_t all = static_cast<std::int64_t>(rows_.all()) * a_.hidden_size;
  float* part = wire_.as<float>();
  float* joined = part + received_part_;
  groups_.tp->all_gather(std::as_bytes(std::span(part, received_part_)),
                         std::as_writable_bytes(std::span(joined, received_part_ * l_.tp)));
  std::memcpy(room(block_, all), joined, all * sizeof(float));
}

void HostExecutor::stage_send(const Instruction&) {
  const std::int64_t all = static_cast<std::int64_t>(rows_.all()) * a_.hidden_size, part = (all + l_.tp - 1) / l_.tp;
  float* stream = stream_.as<float>();
  host::add(stream, block_.as<float>(), all);
  float* share = room(wire_, part, Purpose::kCommunication);
  const std::int64_t first = std::min(all, part * place_.rank), count = std::min(part, all - first);
  std::memcpy(share, stream + first, count * sizeof(float));
  std::fill(share + count, share + part, 0.0f);
  groups_.world.send(place_.on_stage(place_.stage + 1).world_rank(l_), std::as_bytes(std::span(share, part)));
}

void HostExecutor::norm(const Instruction& i) {
  const std::int64_t width = a_.hidden_size;
  const float* weight = weights(i.name, i.layer).vectors.front().data();
  float* stream = stream_.as<float>();
  const float* block = block_.as<float>();
  float* out = room(normed_, rows_.all() * width);
  team_.for_ranges(rows_.all(), grain(width), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      host::add(stream + r * width, block + r * width, width);
      host::rms_norm(stream + r * width, weight, static_cast<float>(a_.norm_epsilon), width, out + r * width);
    }
  });
  exact(out, rows_.all() * width);
}

void HostExecutor::gated_activation(float* gate_up, int rows, std::int64_t width, float* out) {
  team_.for_ranges(rows, grain(2 * width), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const float* gate = gate_up + r * 2 * width;
      host::silu_times(gate, gate + width, width, out + r * width);
    }
  });
  exact(out, rows * width);
}

void HostExecutor::ffn_gate_up(const Instruction& i) {
  const OperatorWeights& w = weights(i.name, i.layer);
  const std::int64_t width = w.matrices.front().view.rows;
  float* out = room(gate_up_, rows_.all() * 2 * width);
  gate_and_up(w.matrices[0].view, w.matrices[1].view, normed_.as<float>(), rows_.all(), out);
}

void HostExecutor::ffn_activation(const Instruction& i) {
  const std::int64_t width = weights("ffn.gate_up", i.layer).matrices.front().view.rows;
  gated_activation(gate_up_.as<float>(), rows_.all(), width, room(hidden_, rows_.all() * width));
}

void HostExecutor::ffn_down(const Instruction& i) {
  const host::Matrix& w = weights(i.name, i.layer).matrices.front().view;
  linear(w, hidden_.as<float>(), w.cols, rows_.all(), room(block_, static_cast<std::int64_t>(rows_.all()) * w.rows),
         w.rows);
}

void HostExecutor::all_reduce(const Instruction& i) {
  const std::span<float> data(block_.as<float>(), static_cast<std::size_t>(rows_.all()) * a_.hidden_size);
  groups_.tp->all_reduce(data);
  if (!options_.check_agreement) return;
  const std::uint64_t mine = fnv(data.data(), data.size_bytes()) ^ fnv(stream_.data(), data.size_bytes());
  std::vector<std::uint64_t> all(l_.tp);
  groups_.tp->all_gather(std::as_bytes(std::span(&mine, 1)), std::as_writable_bytes(std::span(all)));
  if (std::any_of(all.begin(), all.end(), [&](std::uint64_t h) { return h != mine; })) {
    throw std::logic_error("ranks disagree after " + std::string(i.name));
  }
}

void HostExecutor::head_norm(const Instruction& i) {
  const std::int64_t width = a_.hidden_size;
  const float* weight = weights(i.name, -1).vectors.front().data();
  float* stream = stream_.as<float>();
  const auto normalise = [&](std::int64_t row, float* out) {
    host::rms_norm(stream + row * width, weight, static_cast<float>(a_.norm_epsilon), width, out);
  };
  host::add(stream, block_.as<float>(), rows_.all() * width);
  const std::int64_t wanted = static_cast<std::int64_t>(logit_rows_.size());
  float* out = room(head_in_, wanted * width);
  for (std::int64_t r = 0; r < wanted; ++r) normalise(logit_rows_[r], out + r * width);
  exact(out, wanted * width);
  if (!l_.mtp) return;
  float* final_hidden = room(final_hidden_, rows_.all() * width);  // what the draft module continues from
  for (std::int64_t r = 0; r < rows_.all(); ++r) normalise(r, final_hidden + r * width);
  exact(final_hidden, rows_.all() * width);
}

void HostExecutor::logits_of(const float* normed, int rows, Buffer& local, Buffer& gathered) {
  const OperatorWeights& own = weights(a_.tied_embeddings ? "embed" : "head", -1);
  const host::Matrix& w = own.matrices.front().view;
  // Ranks with a shorter share of the vocabulary pad it, so that all parts of the gather are as long.
  float* out = l_.tp == 1 ? room(gathered, rows * vocabulary_.widest) : room(local, rows * vocabulary_.widest);
  linear(w, normed, a_.hidden_size, rows, out, vocabulary_.widest);
}

void HostExecutor::head(const Instruction&) {
  logits_of(head_in_.as<float>(), static_cast<int>(logit_rows_.size()), local_logits_, gathered_);
}

void HostExecutor::head_all_gather(const Instruction& i) {
  i.draft ? gather_logits(static_cast<int>(draft_logit_rows_.size()), draft_local_, draft_gathered_)
          : gather_logits(static_cast<int>(logit_rows_.size()), local_logits_, gathered_);
}

void HostExecutor::gather_logits(int rows, const Buffer& local, Buffer& gathered) {
  const std::int64_t part = rows * vocabulary_.widest, vocabulary = a_.vocab_size;
  float* mine = local.as<float>();
  for (std::int64_t r = 0; r < rows && vocabulary_.count < vocabulary_.widest; ++r)
    mine[r * vocabulary_.widest + vocabulary_.count] = 0;
  float* parts = room(wire_, part * l_.tp, Purpose::kCommunication);
  groups_.tp->all_gather(std::as_bytes(std::span(mine, part)), std::as_writable_bytes(std::span(parts, part * l_.tp)));
  float* out = room(gathered, rows * vocabulary);
  for (int t = 0; t < l_.tp; ++t) {
    const VocabularyShare theirs = VocabularyShare::of(vocabulary, t, l_.tp);
    for (std::int64_t r = 0; r < rows; ++r) {
      std::memcpy(out + r * vocabulary + theirs.first, parts + t * part + r * theirs.widest,
                  theirs.count * sizeof(float));
    }
  }
}

// Drafts are right when the sampler, asked for that position, says the same; so drafting never changes the text.
void HostExecutor::sample(const Instruction&) {
  const float* logits = gathered_.as<float>();
  std::size_t next_logits = 0;
  int row = 0;
  for (const Piece& p : rows_.pieces) {
    PieceOutput output;
    bool accepted = p.decode || p.last_chunk;
    for (int i = 0; i < p.tokens; ++i) {
      if (next_logits == logit_rows_.size() || logit_rows_[next_logits] != row + i) continue;
      const float* at = logits + static_cast<std::int64_t>(next_logits++) * a_.vocab_size;
      if (!accepted || (!p.decode && i + 1 < p.tokens)) continue;
      const int token = sample_token(at, a_.vocab_size, options_.sampling, p.request, p.position + i + 1);
      output.tokens.push_back(token);
      accepted = p.decode && i + 1 < p.tokens && rows_.tokens[row + i + 1] == token;
    }
    row += p.tokens;
    outputs_.push_back(std::move(output));
  }
}

}  // namespace fathom
