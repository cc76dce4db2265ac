// What the CUDA executor refuses, and the memory that it takes once.
#include <fmt/format.h>

#include <algorithm>

#include "cuda/decode_attention.h"
#include "cuda/head_linear.h"
#include "executor/cuda_executor.h"
#include "host/convert.h"
#include "weights/expert_map.h"

namespace fathom {

namespace {

constexpr int kFewRows = 1;                             // for all products to be linear()'s
constexpr int kLatent = 512, kTurned = 64, kOwn = 128;  // what the kernels for MLA are made for

std::string unsupported_attention(const Architecture& a) {
  if (a.mla) {
    const Mla& m = *a.mla;
    if (m.kv_lora_rank == kLatent && m.qk_rope_head_dim == kTurned && m.qk_nope_head_dim == kOwn &&
        m.v_head_dim == kOwn) {
      return {};
    }
    return "latent attention of other sizes than 512 + 64 latent values and heads of 128 + 64 and 128";
  }
  if (a.head_dim != 64 && a.head_dim != 128) return fmt::format("heads of {} values (64 or 128)", a.head_dim);
  if (a.attention_bias == AttentionBias::kQkvo) return "a bias on attention's output projection";
  return {};
}

std::string unsupported_model(const Architecture& a) {
  if (a.hidden_size % 8 != 0 || a.hidden_size > 16384) return fmt::format("a hidden size of {}", a.hidden_size);
  if (a.moe && (a.moe->routed_experts > 512 || a.moe->routed_experts % 4 != 0 || a.moe->experts_per_token > 32 ||
                a.moe->groups > 32)) {
    return "so many experts, choices or groups";
  }
  return unsupported_attention(a);
}

}  // namespace

std::string unsupported_on_cuda(const ExecutorParts& parts) {
  const Layout& l = parts.program.layout();
  const auto refused = [](const std::string& what) {
    return fmt::format("the CUDA executor does not run {}: --backend host does", what);
  };
  if (std::max(l.stage_width(), l.pp) > cuda::kMostPeers)
    return refused(fmt::format("more than {} GPUs in a group", cuda::kMostPeers));
  if (parts.program.architecture().vocab_size % (4 * l.tp) != 0 && l.tp > 1) {
    return refused("a vocabulary whose parts are no multiples of 4");
  }
  if (l.mtp) return refused("drafts (MTP) so far");
  if (parts.options.cache != CacheFormat::kBf16) return refused("caches in another format than bf16");
  if (parts.options.integers) return refused("integer weights");
  if (l.weights.embeddings != Format::kBf16) return refused("embeddings in another format than bf16");
  if (const std::string why = unsupported_model(parts.program.architecture()); !why.empty()) return refused(why);
  return {};
}

DeviceBuffer CudaExecutor::room(std::int64_t count, std::size_t size) const {
  DeviceBuffer buffer(account_, Purpose::kActivations,
                      static_cast<std::size_t>(std::max<std::int64_t>(count, 1)) * size);
  buffer.clear();  // rows of padding hold numbers, whatever they mean
  return buffer;
}

void CudaExecutor::allocate() {
  const std::int64_t rows = options_.limits.rows, hidden = a_.hidden_size;
  constexpr std::size_t kBf16 = sizeof(std::uint16_t), kFp32 = sizeof(float), kInt = sizeof(std::int32_t);
  pages_ = DeviceBuffer(account_, Purpose::kKvCache,
                        static_cast<std::size_t>(options_.cache_blocks * page_stride()) * kBf16);
  allocate_peers();
  if (residual_ == nullptr) {
    residual_memory_ = room(rows * hidden, kFp32);
    residual_ = residual_memory_.as<float>();
  }
  normed_ = room(rows * hidden, kBf16);
  const std::int64_t wanted = options_.all_logits ? rows : options_.limits.sequences;
  head_in_ = room(wanted * hidden, kBf16);
  if (logits_ == nullptr) {
    logits_memory_ = room(wanted * logit_stride_, kFp32);
    logits_ = logits_memory_.as<float>();
  }
  sampled_ = room(wanted, kInt);
  sampled_here_ = PinnedBuffer(static_cast<std::size_t>(wanted) * kInt);

  frequencies_ = room(static_cast<std::int64_t>(rope_.inverse.size()), sizeof(double));
  cuda_ok(cudaMemcpy(frequencies_.as<void>(), rope_.inverse.data(), rope_.inverse.size() * sizeof(double),
                     cudaMemcpyHostToDevice),
          "copying frequencies");
  angles_ = room(rows * rope_.dims, kFp32);
  std::int64_t ffn = a_.intermediate_size;
  if (a_.moe) ffn = std::max<std::int64_t>(ffn, std::int64_t{a_.moe->shared_experts} * a_.moe->intermediate_size);
  ffn = (ffn + l_.tp - 1) / l_.tp;
  hidden_ = room(rows * ffn, kBf16);
  if (rows > kFewRows) gate_up_ = room(rows * 2 * ffn, kBf16);
  a_.mla ? allocate_latent_attention() : allocate_attention();
  if (a_.moe) allocate_experts();
  allocate_workspaces();
}

void CudaExecutor::allocate_attention() {
  const std::int64_t rows = options_.limits.rows, q = std::int64_t{heads_} * a_.head_dim,
                     kv = std::int64_t{kv_heads_} * a_.head_dim;
  projected_ = room(rows * (q + 2 * kv), sizeof(std::uint16_t));
  queries_ = room(rows * q, sizeof(std::uint16_t));
  attended_ = room(rows * q, sizeof(std::uint16_t));
}

void CudaExecutor::allocate_latent_attention() {
  const Mla& m = *a_.mla;
  const std::int64_t rows = options_.limits.rows, sequences = options_.limits.sequences, heads = heads_;
  const std::int64_t context = batch_.pass_tokens();
  constexpr std::size_t kBf16 = sizeof(std::uint16_t);
  projected_ = room(rows * (m.q_lora_rank + m.cached_values()), kBf16);
  low_queries_ = room(rows * m.q_lora_rank, kBf16);
  queries_ = room(rows * heads * m.qk_head_dim(), kBf16);
  attended_ = room(rows * heads * m.v_head_dim, kBf16);
  absorbed_ = room(sequences * heads * m.cached_values(), kBf16);
  summed_latents_ = room(sequences * heads * m.kv_lora_rank, kBf16);
  gathered_ = room(context * m.cached_values(), kBf16);
  expanded_ = room(context * heads * (m.qk_nope_head_dim + m.v_head_dim), kBf16);
}

void CudaExecutor::allocate_experts() {
  const Moe& m = *a_.moe;
  const std::int64_t rows = options_.limits.rows * (visits() ? l_.attention_dp : 1), pairs = rows * m.experts_per_token;
  constexpr std::size_t kBf16 = sizeof(std::uint16_t), kFp32 = sizeof(float), kInt = sizeof(std::int32_t);
  router_logits_ = room(options_.limits.rows * m.routed_experts, kFp32);
  chosen_ = room(pairs, kInt);
  chosen_weight_ = room(pairs, kFp32);
  first_pair_ = room(m.routed_experts + 1, kInt);
  used_ = room(m.routed_experts, kInt);
  token_of_pair_ = room(pairs, kInt);
  pair_of_choice_ = room(pairs, kInt);
  pair_hidden_ = room(pairs * (m.intermediate_size / l_.expert_tp()), kBf16);
  pair_out_ = room(pairs * a_.hidden_size, kBf16);
  if (sharded() && (m.shared_experts > 0 || visits())) shared_sum_ = room(options_.limits.rows * a_.hidden_size, kFp32);

  const std::vector<int> mine = ExpertMap{options_.expert_owner}.experts_of(place_.stage_rank(l_) / l_.expert_tp());
  std::vector<std::int32_t> place(static_cast<std::size_t>(m.routed_experts), -1);
  for (std::size_t n = 0; n < mine.size(); ++n) place[static_cast<std::size_t>(mine[n])] = static_cast<std::int32_t>(n);
  held_ = room(m.routed_experts, kInt);
  cuda_ok(cudaMemcpy(held_.as<void>(), place.data(), place.size() * kInt, cudaMemcpyHostToDevice),
          "copying the experts");
}

void CudaExecutor::allocate_workspaces() {
  const std::size_t bytes = std::max(cuda::linear_workspace_bytes(cuda::device_traits()), attention_workspace());
  workspace_ = room(static_cast<std::int64_t>(bytes), 1);
  counters_ = room(cuda::kLinearCounters, sizeof(std::uint32_t));
  shared_ = {workspace_.as<void>(), workspace_.bytes(), counters_.as<std::uint32_t>(), cuda::kLinearCounters};
  if (options_.limits.rows <= kFewRows && !a_.mla) return;
  large_workspace_ = room(cuda::LargeLinear::kWorkspaceBytes, 1);
  if (weights_.widest_quantised() > 0) {
    large_scratch_ = room(weights_.widest_quantised(), sizeof(std::uint16_t));
  }
  large_ = std::make_unique<cuda::LargeLinear>(cuda::LargeLinear::Memory{
      large_workspace_.as<void>(), large_scratch_.as<std::uint16_t>(), large_scratch_.bytes()});
}

// Fewer sequences are cut into more parts: what any number of them needs.
std::size_t CudaExecutor::attention_workspace() const {
  std::size_t most = 0;
  for (int sequences = 1; sequences <= options_.limits.sequences; ++sequences) {
    cuda::LatentAttention latent;
    latent.sequences = sequences;
    latent.heads = heads_;
    cuda::DecodeAttention heads;
    heads.sequences = sequences;
    heads.heads = heads_;
    heads.kv_heads = kv_heads_;
    heads.head_dim = a_.head_dim;
    const cuda::DeviceTraits& device = cuda::device_traits();
    most = std::max(most, a_.mla ? cuda::attention_workspace_bytes(latent, device)
                                 : cuda::attention_workspace_bytes(heads, device));
  }
  return most;
}

// kv_b in bf16 for all three uses: expanded for prompts; its keys from the other side and its values as they are for decoding.
void CudaExecutor::prepare_latent_weights() {
  const Mla& m = *a_.mla;
  const std::int64_t nope = m.qk_nope_head_dim, latent = m.kv_lora_rank, per_head = nope + m.v_head_dim;
  constexpr std::size_t kBf16 = sizeof(std::uint16_t);
  const cuda::Launch plain{.stream = stream_};
  for (int layer = stage_.first_layer; layer < stage_.first_layer + stage_.layers; ++layer) {
    LatentWeights& w = latent_weights_[layer];
    w.kv_b = weights("attention.kv_b", layer).matrices.front();
    if (w.kv_b.format != cuda::WeightFormat::kBf16) {
      const DeviceBuffer& wide = latent_memory_.emplace_back(
          account_, Purpose::kWeights, static_cast<std::size_t>(w.kv_b.rows * w.kv_b.cols) * kBf16);
      cuda::widen_weights(plain, w.kv_b, wide.as<std::uint16_t>());
      w.kv_b = {.rows = w.kv_b.rows, .cols = w.kv_b.cols, .codes = wide.as<void>()};
    }
    const DeviceBuffer& keys = latent_memory_.emplace_back(account_, Purpose::kWeights,
                                                           static_cast<std::size_t>(heads_ * latent * nope) * kBf16);
    cuda::turn_heads(plain, static_cast<const std::uint16_t*>(w.kv_b.codes), per_head * latent, heads_,
                     static_cast<int>(nope), static_cast<int>(latent), keys.as<std::uint16_t>());
    w.keys = keys.as<std::uint16_t>();
  }
  stream_.wait();
}

// One page of made-up values, uniform in [-1, 1), in every place: what a step costs does not depend on them.
void CudaExecutor::fill_cache(int sequence, std::int64_t tokens) {
  std::vector<std::uint16_t> page(static_cast<std::size_t>(page_values_));
  std::uint64_t state = 0x9e3779b97f4a7c15u + 1;
  for (std::uint16_t& value : page) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;  // xorshift64 (Marsaglia)
    value = host::to_bf16(static_cast<float>(static_cast<std::int32_t>(state >> 32)) * 0x1p-31f);
  }
  const std::size_t page_bytes = page.size() * sizeof(std::uint16_t);
  const auto block_at = [&](std::int64_t n) {
    return pages_.as<std::uint16_t>() + tables_.of(sequence)[static_cast<std::size_t>(n)] * page_stride();
  };
  const auto copy = [&](std::uint16_t* to, const void* from, std::size_t bytes) {
    cuda_ok(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream_), "filling the cache");
  };
  const std::int64_t blocks = BlockTables::blocks_for(tokens);
  for (int layer = 0; blocks > 0 && layer < cached_layers_; ++layer) {
    copy(block_at(0) + layer * page_values_, page.data(), page_bytes);
  }
  for (std::int64_t n = 1; n < blocks; ++n) copy(block_at(n), block_at(0), page_bytes * cached_layers_);
  stream_.wait();
}

}  // namespace fathom
