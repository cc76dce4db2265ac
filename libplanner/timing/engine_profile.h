// How well a serving engine uses a device: shares of the physical peaks, floors per operator, overheads, memory habits.
// Data with sources in catalogs/engines.yaml; an entry leaves out what nobody published and inherits it from `reference`.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "catalog/accelerator.h"
#include "memory/ledger.h"
#include "network/collectives.h"
#include "profile/profile.h"
#include "units/fact.h"
#include "units/quantity.h"

namespace fathom {

// The ends of the prediction band: every share and floor at its best, as likely, or at its worst.
enum class Corner { kFast, kLikely, kSlow };

// When a running engine lets a request in.
enum class Admission {
  kPaged,    // as long as there is room for what sequences hold now; they may have to wait or start again later
  kReserved  // when the cache can hold its whole answer
};

struct EngineVariant;
struct EngineFactors;

struct EngineProfile {
  std::string id;
  std::string name;
  Fact<double> gemm_share;          // of dense peak, large matrices (prefill)
  Fact<double> fp8_gemm_share;      // the same for fp8 with block scales
  Fact<double> fp8_tensor_factor;   // of it, one scale per tensor or channel
  Fact<double> fp4_gemm_share;      // of the 4-bit peak, where there is one
  Fact<double> expanded_factor;     // of the 16-bit rate, when weights of fewer bits are expanded on the way
  Fact<double> grouped_factor;      // of any of them, products over many experts
  Fact<double> short_sum;           // inputs of a product at which half of its rate is lost to starting and ending sums
  Fact<double> narrow_output;       // outputs at which half of it is lost to tiles that do not fill the device
  Fact<double> attention_share;     // of dense peak, prefill attention
  Fact<double> memory_share;        // of memory bandwidth, streaming weights
  Fact<double> cache_share;         // of memory bandwidth, attention over the cache
  Fact<double> grouped_memory;      // of memory_share, weights of experts
  Fact<double> int4_memory_factor;  // of memory_share when four-bit weights are expanded on the way
  Fact<double> host_memory_share;   // of host DRAM bandwidth, experts on the CPU
  Fact<double> host_gemm_share;     // of the CPU's peak
  Fact<double> wire_share;          // of a link's nominal rate, large messages
  Fact<double> other_stack_factor;  // of all device rates where the software stack is not the one they were measured on
  Fact<double> cache_use;           // of the places in the cache that a full engine keeps taken
  Fact<Seconds> operator_floor;     // shortest operator inside a graph
  Fact<Seconds> fp8_floor;          // the same with fp8 block scales
  Fact<Seconds> grouped_floor, fp8_grouped_floor;  // product over the experts of one layer
  Fact<Seconds> mla_floor;                         // attention over a latent cache
  Fact<Seconds> attention_floor;                   // shortest attention over a cache
  Fact<Seconds> element_floor;                     // shortest element-wise operator, mostly fused
  Fact<Seconds> collective_floor;                  // what each collective costs besides its own time
  Fact<Seconds> eager_launch;                      // host time per operator of a prompt's step, which no graph holds
  Fact<Seconds> step_overhead;                     // host work per step that nothing hides
  Fact<Seconds> sequence_overhead;                 // the same for each sequence in the step: sampling, answering
  Fact<Seconds> request_overhead;                  // tokenisation, scheduling: once per request
  AllReduceStyle all_reduce = AllReduceStyle::kNccl;
  Admission admission = Admission::kPaged;
  Reserves reserves;
  Confidence reserves_confidence = Confidence::kAssumed;
  double chunk_tokens = 2048;    // prefill tokens per step
  double most_sequences = 1024;  // decoding at once on one replica, per attention group
  bool half_sums = false;        // products of 16 bits keep their sums in 16 bits, which GeForce cards do twice as fast
  bool unfitted = false;         // what was found of all serving engines says nothing about it
  bool decodes_in_graphs = true;    // else the host launches every operator of every step
  bool offloads_experts = false;    // can run routed experts from host memory
  std::vector<std::string> stacks;  // software stacks it runs on: "CUDA", "CANN" …; empty: any
  std::vector<std::string> notes;
  std::vector<EngineVariant> variants;       // facts that replace those above on some devices
  std::vector<EngineFactors> factors;        // what fits found of these facts, on some devices or on all
  std::shared_ptr<const Profile> measured;   // rates that replace these on the accelerator it stands for; may be absent
  Corner measured_corner = Corner::kLikely;  // of the spread of those rates
};

// One number of a profile by its name in catalogs/engines.yaml; exactly one of the members is set. `calibrate` may move it
// between the bounds (SI).
struct EngineParameter {
  const char* name;
  Fact<double> EngineProfile::*share = nullptr;
  Fact<Seconds> EngineProfile::*time = nullptr;
  double least = 0, most = 1;
  bool less_is_faster = false;  // of a share
  bool of_host = false;         // of processors and schedulers, whatever the device

  double value(const EngineProfile& engine) const;
  void set(EngineProfile& engine, double value) const;        // likely value; low and high move along
  bool multiply(EngineProfile& engine, double factor) const;  // within the bounds; false: the engine has no such cost
};
const std::vector<EngineParameter>& engine_parameters();
const EngineParameter* find_engine_parameter(const std::string& name);

// Facts that replace those of the engine on some devices.
struct EngineVariant {
  std::vector<std::string> devices;                                    // architectures or ids of accelerators
  std::vector<std::pair<const EngineParameter*, Fact<double>>> facts;  // times in seconds

  bool matches(const Accelerator& accelerator) const;
};

// What a fit to measurements found of an engine, or of all engines, on some devices or on all: docs/formulas/calibrate.md.
struct EngineFactors {
  std::vector<std::string> devices;  // architectures or ids of accelerators; empty: all
  Origin origin;
  std::vector<std::pair<const EngineParameter*, double>> factors;

  bool holds_on(const Accelerator& accelerator) const;
};

// The engine as it is on one device: its variants and factors applied. Without id and architecture: what holds on all devices.
EngineProfile on_device(const EngineProfile& engine, const Accelerator& accelerator);

// The facts before any factor, with those factors that hold there: what a fit starts from.
EngineProfile facts_on(const EngineProfile& engine, const Accelerator& accelerator);

EngineProfile at_corner(const EngineProfile& engine, Corner corner);  // its `value`s are those of the corner

// The same engine on measured rates. The time between operators replaces `step_overhead` when all devices are the measured.
EngineProfile with_profile(EngineProfile engine, std::shared_ptr<const Profile> profile, bool all_devices);

double link_latency_factor(Corner corner);  // of every link's likely latency

// Is `version` in [since, before)? Empty bounds are open; an empty version is the newest.
bool version_in(const std::string& version, const std::string& since, const std::string& before);

// Facts as they stand in the file: on_device() applies what was found since. `version` picks among the entries of one engine
// that hold for a span of versions; empty: the newest. Throws InputError (the file is data) or std::out_of_range when `id` is
// unknown.
EngineProfile read_engine_profile(const std::filesystem::path& data_dir, const std::string& id,
                                  const std::string& version = {});
std::vector<std::string> engine_ids(const std::filesystem::path& data_dir);

// The entries of the file: an engine, and the version that each begins with.
struct EngineSpan {
  std::string id, since, before;
  std::string released = {};  // ISO 8601 date of the first version; empty for the first span
};
std::vector<EngineSpan> engine_spans(const std::filesystem::path& data_dir);

}  // namespace fathom
