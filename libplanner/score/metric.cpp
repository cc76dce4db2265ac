#include "score/metric.h"

#include <map>

namespace fathom {

std::string to_string(MetricClass c) {
  switch (c) {
    case MetricClass::kThroughput:
      return "throughput";
    case MetricClass::kSingleStream:
      return "single stream";
    case MetricClass::kPrefill:
      return "prefill rate";
    case MetricClass::kTtft:
      return "TTFT";
    case MetricClass::kTpot:
      return "TPOT";
    case MetricClass::kEndToEnd:
      return "end to end";
    case MetricClass::kNetwork:
      return "slow network";
    case MetricClass::kMemory:
      return "memory";
    case MetricClass::kCollective:
      return "collective";
    case MetricClass::kBandwidth:
      return "bandwidth";
    case MetricClass::kGemm:
      return "GEMM";
    case MetricClass::kAttention:
      return "attention";
    case MetricClass::kPower:
      return "power";
    case MetricClass::kEnergy:
      return "energy";
    case MetricClass::kFleet:
      return "fleet";
  }
  return "?";
}

std::string category_title(const std::string& category) {
  static const std::map<std::string, std::string> titles = {{"a", "DeepSeek class, 8 devices and more"},
                                                            {"b", "data-centre GPUs"},
                                                            {"c", "small deployments"},
                                                            {"d", "CPU and offload"},
                                                            {"e", "slow networks"},
                                                            {"f", "kernels and collectives"},
                                                            {"g", "power"}};
  const auto found = titles.find(category);
  return found == titles.end() ? "" : found->second;
}

const std::vector<Metric>& metrics() {
  using enum MetricClass;
  static const std::vector<Metric> all = {
      {"output_tok_per_s", "tok/s", kThroughput},
      {"output_tok_per_s_per_gpu", "tok/s", kThroughput},
      {"output_tok_per_s_per_node", "tok/s", kThroughput},
      {"output_tok_per_s_per_user", "tok/s", kTpot},
      {"output_tok_per_s_incl_prefill", "tok/s", kSingleStream},
      {"input_tok_per_s_per_gpu", "tok/s", kThroughput},
      {"input_tok_per_s_per_node", "tok/s", kThroughput},
      {"total_tok_per_s", "tok/s", kThroughput},
      {"prefill_tok_per_s", "tok/s", kPrefill},
      {"decode_tok_per_s", "tok/s", kSingleStream},
      {"ttft_s_mean", "s", kTtft},
      {"ttft_s_p50", "s", kTtft, 50},
      {"ttft_s_p99", "s", kTtft, 99},
      {"ttft_s_central", "s", kTtft},
      {"tpot_s_mean", "s", kTpot},
      {"tpot_s_p50", "s", kTpot, 50},
      {"tpot_s_p99", "s", kTpot, 99},
      {"tpot_s_central", "s", kTpot},
      {"e2e_s_mean", "s", kEndToEnd},
      {"token_latency_s", "s", kNetwork},
      {"network_s_per_token", "s", kNetwork},
      {"network_bytes_per_token", "bytes", kNetwork},
      {"power_w_per_gpu", "W", kPower},
      {"power_w_node", "W", kPower},
      {"power_frac_of_tdp", "1", kPower},
      {"energy_j_per_token", "J/token", kEnergy},
      {"memory_bytes", "bytes", kMemory},
      {"host_memory_bytes", "bytes", kMemory},
      {"usable_memory_bytes", "bytes", kMemory},
      {"weight_bytes", "bytes", kMemory},
      {"weight_activation_bytes_per_gpu", "bytes", kMemory},
      {"kv_bytes_per_request", "bytes", kMemory},
      {"kv_pool_bytes_per_gpu", "bytes", kMemory},
      {"allreduce_s", "s", kCollective},
      {"alltoall_s", "s", kCollective},
      {"busbw_bytes_per_s", "bytes/s", kCollective},
      {"link_bytes_per_s", "bytes/s", kBandwidth},
      {"membw_bytes_per_s", "bytes/s", kBandwidth},
      {"gemm_s", "s", kGemm},
      {"gemm_flop_per_s", "FLOP/s", kGemm},
      {"attention_decode_s", "s", kAttention},
      {"attention_flop_per_s", "FLOP/s", kAttention},
      {"dispatch_s", "s", kCollective},
      {"combine_s", "s", kCollective},
      {"dispatch_bytes_per_s", "bytes/s", kCollective},
      {"combine_bytes_per_s", "bytes/s", kCollective},
      {"fleet_nodes_mean", "1", kFleet},
      {"fleet_nodes_peak", "1", kFleet},
      {"fleet_cache_hit", "1", kFleet},
      {"fleet_input_tok_per_day", "tok/day", kFleet},
      {"fleet_output_tok_per_day", "tok/day", kFleet},
      {"fleet_cost_usd_per_day", "USD/day", kFleet},
      {"fleet_revenue_usd_per_day", "USD/day", kFleet},
      {"fleet_margin", "1", kFleet},
  };
  return all;
}

const Metric* find_metric(const std::string& name) {
  for (const Metric& metric : metrics()) {
    if (name == metric.name) return &metric;
  }
  return nullptr;
}

}  // namespace fathom
