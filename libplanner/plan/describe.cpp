#include "plan/describe.h"

#include <fmt/format.h>

#include <algorithm>

#include "plan/architecture_fields.h"
#include "plan/predict.h"
#include "units/text.h"

namespace fathom {

PlanModel describe(const Architecture& a) {
  const ParameterCounts counts = count_parameters(a);
  return {.id = a.id,
          .name = a.name,
          .parameters = static_cast<double>(counts.total),
          .active_parameters = static_cast<double>(counts.active),
          .kv_bytes_per_token = kv_bytes_per_token(a, KvFormat::kBf16),
          .native_weights = a.native_weights,
          .architecture = architecture_fields(a)};
}

std::string describe_load(const Workload& w) {
  const std::string lengths =
      fmt::format("{:.0f} tokens in and {:.0f} out on average", w.input_tokens.mean, w.output_tokens.mean);
  if (w.concurrency)
    return fmt::format("{:g} request{} in flight, {}", *w.concurrency, *w.concurrency == 1 ? "" : "s", lengths);
  return fmt::format("{:.3g} requests/s, {}", w.arrival_rate->value, lengths);
}

namespace {

std::string tier_text(const Pool& pool, const std::string& what, int ranks, int stride) {
  if (ranks <= 1) return {};
  const Span s = span(pool, ranks, stride);
  if (s.outer == nullptr) return {};
  std::string text = fmt::format("{} over {}", what, s.inner->name);
  if (s.inner->kind == TierKind::kScaleUp) text += fmt::format(" ({} each way)", to_string(s.inner->bandwidth));
  if (s.outer != s.inner) text += fmt::format(", then {}", s.outer->name);
  return text;
}

std::vector<std::string> links(const Candidate& c) {
  std::vector<std::string> result;
  const Layout& l = c.layout;
  for (std::string text : {tier_text(*c.pool, fmt::format("TP{}", l.tp), l.tp, 1),
                           l.attention_dp > 1 ? tier_text(*c.pool, fmt::format("EP{}", l.ep), l.ep, 1) : std::string(),
                           tier_text(*c.pool, fmt::format("PP{}", l.pp), l.pp, l.stage_width())}) {
    if (!text.empty()) result.push_back(std::move(text));
  }
  return result;
}

PlanMemory describe_memory(const Problem& p, const Candidate& c) {
  const Ledger& worst = c.memory.worst();
  PlanMemory m;
  m.stage = worst.stage;
  m.capacity = worst.capacity;
  m.withheld = worst.reserved_by_share;
  for (const LedgerRow& row : worst.rows)
    m.rows.push_back({.name = row.name, .bytes = row.bytes, .copied = row.copied});
  m.used = worst.used();
  m.kv_room = worst.kv_room();
  m.kv_per_token = worst.kv_per_token;
  m.host_per_node = worst.host * std::min(c.pool->per_node, c.layout.devices_per_replica() * c.layout.replicas);
  m.kv_tokens_capacity = c.memory.kv_tokens;
  m.max_context = p.architecture.max_position > 0 ? std::min<double>(c.memory.max_context, p.architecture.max_position)
                                                  : c.memory.max_context;
  m.max_sequences =
      sequences_that_fit(c.memory, c.layout, p.workload.input_tokens.mean + p.workload.output_tokens.mean);
  m.weights_one_copy = checkpoint_bytes(p.architecture, c.layout.weights, c.layout.mtp);
  m.devices_capacity = worst.capacity * c.layout.devices_per_replica();
  return m;
}

std::vector<std::string> format_notes(const Candidate& c) {
  std::vector<std::string> notes;
  const Accelerator& a = *c.pool->accelerator;
  bool weight_only = false;
  const Format math = math_format(a, c.layout.weights.linears, weight_only);
  if (weight_only) {
    notes.push_back(fmt::format("{} weights are weight-only on {}: stored so, multiplied in {}",
                                to_string(c.layout.weights.linears), a.name, to_string(math)));
  }
  if (!a.native.bf16) notes.push_back(fmt::format("{} has no bf16: activations run in fp16", a.name));
  if (c.layout.offload_experts) notes.push_back("routed experts stay in host memory and run on the CPU");
  return notes;
}

// A model with a draft module invites to load it: say when there is no room.
std::vector<std::string> mtp_notes(const Problem& p, const Candidate& c) {
  if (p.architecture.mtp_modules == 0 || c.layout.mtp) return {};
  Layout with = c.layout;
  with.mtp = true;
  const ReplicaMemory memory = memory_of(p, *c.pool, with);
  const Bytes whole = checkpoint_bytes(p.architecture, with.weights, true);
  if (memory.fits() && memory.max_context >= p.workload.input_tokens.mean + p.workload.output_tokens.mean) return {};
  return {fmt::format(
      "the MTP draft module does not fit: the checkpoint with it is {}, short by {} per accelerator in this layout",
      to_string_binary(whole), to_string_binary(Bytes(std::max(0.0, -memory.worst().kv_room().value))))};
}

std::vector<std::string> part_notes(const Accelerator& a) {
  if (a.status == PartStatus::kOk) return {};
  return {fmt::format("the data of {} are {}: measure before you commit", a.name,
                      words(a.status)[static_cast<std::size_t>(a.status)])};
}

}  // namespace

PlanPool describe_pool(const Problem& p, const Candidate& c) {
  const Layout& l = c.layout;
  PlanPool pool;
  pool.group = c.pool->group->id;
  pool.role = to_string(c.role);
  pool.accelerator = c.pool->accelerator->name;
  pool.accelerator_id = c.pool->accelerator->id;
  pool.layout = short_name(l);
  pool.tp = l.tp;
  pool.pp = l.pp;
  pool.ep = l.ep;
  pool.attention_dp = l.attention_dp;
  pool.replicas = l.replicas;
  pool.weights = l.weights.name;
  pool.kv = to_string(l.kv);
  pool.offload_experts = l.offload_experts;
  pool.mtp = l.mtp;
  for (const Stage& stage : stages(p.architecture, p.tensors, l)) pool.stage_layers.push_back(stage.layers);
  pool.devices_per_replica = l.devices_per_replica();
  pool.devices = c.pool->devices();
  pool.idle_devices = pool.devices - l.devices_per_replica() * l.replicas;
  pool.links = links(c);
  pool.memory = describe_memory(p, c);
  for (const std::vector<std::string>& notes : {format_notes(c), mtp_notes(p, c), part_notes(*c.pool->accelerator)}) {
    pool.notes.insert(pool.notes.end(), notes.begin(), notes.end());
  }
  fill_operators(pool, p, c);
  return pool;
}

}  // namespace fathom
