// How well a serving engine uses a device: shares of the physical peaks, floors per operator, overheads, memory habits.
// Data with sources in catalogs/engines.yaml; an entry leaves out what nobody published and inherits it from `reference`.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "memory/ledger.h"
#include "network/collectives.h"
#include "profile/profile.h"
#include "units/fact.h"
#include "units/quantity.h"

namespace fathom {

// The ends of the prediction band: every share and floor at its best, as likely, or at its worst.
enum class Corner { kFast, kLikely, kSlow };

struct EngineProfile {
  std::string id;
  std::string name;
  Fact<double> gemm_share;          // of dense peak, large matrices (prefill)
  Fact<double> fp8_gemm_share;      // the same for fp8 with block scales
  Fact<double> grouped_factor;      // of either, products over many experts
  Fact<double> attention_share;     // of dense peak, prefill attention
  Fact<double> memory_share;        // of memory bandwidth, streaming weights or cache
  Fact<double> int4_memory_factor;  // of memory_share when four-bit weights are expanded on the way
  Fact<double> host_memory_share;   // of host DRAM bandwidth, experts on the CPU
  Fact<double> host_gemm_share;     // of the CPU's peak
  Fact<double> wire_share;          // of a link's nominal rate, large messages
  Fact<double> other_stack_factor;  // of all device rates where the software stack is not the one they were measured on
  Fact<Seconds> operator_floor;     // shortest operator inside a graph
  Fact<Seconds> fp8_floor;          // the same with fp8 block scales
  Fact<Seconds> grouped_floor, fp8_grouped_floor;  // product over the experts of one layer
  Fact<Seconds> mla_floor;                         // attention over a latent cache
  Fact<Seconds> attention_floor;                   // shortest attention over a cache
  Fact<Seconds> element_floor;                     // shortest element-wise operator, mostly fused
  Fact<Seconds> step_overhead;                     // host work per step that nothing hides
  Fact<Seconds> request_overhead;                  // tokenisation, scheduling: once per request
  AllReduceStyle all_reduce = AllReduceStyle::kNccl;
  Reserves reserves;
  Confidence reserves_confidence = Confidence::kAssumed;
  double chunk_tokens = 2048;       // prefill tokens per step
  bool offloads_experts = false;    // can run routed experts from host memory
  std::vector<std::string> stacks;  // software stacks it runs on: "CUDA", "CANN" …; empty: any
  std::vector<std::string> notes;
  std::shared_ptr<const Profile> measured;   // rates that replace these on the accelerator it stands for; may be absent
  Corner measured_corner = Corner::kLikely;  // of the spread of those rates
};

EngineProfile at_corner(const EngineProfile& engine, Corner corner);  // its `value`s are those of the corner

// The same engine on measured rates. The time between operators replaces `step_overhead` when all devices are the measured.
EngineProfile with_profile(EngineProfile engine, std::shared_ptr<const Profile> profile, bool all_devices);

double link_latency_factor(Corner corner);  // of every link's likely latency

// Throws InputError (the file is data) or LookupError-like std::out_of_range with the known ids when `id` is unknown.
EngineProfile read_engine_profile(const std::filesystem::path& data_dir, const std::string& id);
std::vector<std::string> engine_ids(const std::filesystem::path& data_dir);

}  // namespace fathom
