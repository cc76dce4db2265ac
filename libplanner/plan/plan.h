// The answer: everything that `fathom plan` found, as plain values. Made by make_plan(), printed by report/, and what an
// engine needs of it read back by read_plan(); JSON keys are a contract (docs/architecture.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "availability/service.h"
#include "cost/total.h"
#include "power/site_power.h"
#include "simulate/result.h"
#include "units/fact.h"
#include "units/quantity.h"

namespace fathom {

// A key with its value, so that a printer needs no name of what it prints: numbers, texts, lists of keys.
struct PlanField {
  std::string key;
  std::variant<bool, std::int64_t, double, std::string, std::vector<PlanField>> value;

  friend bool operator==(const PlanField& a, const PlanField& b) { return a.key == b.key && a.value == b.value; }
};

struct PlanOperator {
  std::string name;  // key of every later comparison
  std::string kind;
  double count = 0;         // executions per step
  Seconds time{};           // all executions of one step, on the slowest stage
  double share = 0;         // of that stage's step
  Flops flops{};            // one rank, all executions
  Bytes bytes{};            // through its memory
  Bytes wire_bytes{};       // sent by it
  std::string bound;        // "memory", "compute", "latency", "network", "host memory"
  std::string source = {};  // of its time: "measured", "interpolated", "extrapolated", "catalog"; empty in older plans
};

struct PlanMemoryRow {
  std::string name;
  Bytes bytes{};
  Bytes copied{};  // part of it that other ranks of the stage hold as well
};

struct PlanMemory {
  int stage = 0;  // the tightest
  Bytes capacity{};
  Bytes withheld{};  // capacity that the engine leaves alone
  std::vector<PlanMemoryRow> rows;
  Bytes used{};     // sum of rows
  Bytes kv_room{};  // what is left; negative when it does not fit
  Bytes kv_per_token{};
  Bytes host_per_node{};          // experts in host memory
  double kv_tokens_capacity = 0;  // one replica
  double max_context = 0;         // longest single request
  double max_sequences = 0;       // one replica, at the workload's mean length
  Bytes weights_one_copy{};       // of the whole model in this format
  Bytes devices_capacity{};       // of one replica's devices
};

struct PlanPool {
  std::string group;
  std::string role;
  std::string accelerator;
  std::string accelerator_id;  // in the catalog
  std::string layout;          // "TP8 PP2 x5, fp8 weights, bf16 KV"
  int tp = 1, pp = 1, ep = 1, attention_dp = 1, replicas = 1;
  std::string weights, kv;
  bool offload_experts = false, mtp = false;
  std::vector<int> stage_layers;
  int devices_per_replica = 1;
  int devices = 0;                 // of the group, spares excluded
  int idle_devices = 0;            // that no replica uses
  std::vector<std::string> links;  // "TP: NVLink, 450 GB/s", "PP: …"
  PlanMemory memory;
  std::vector<PlanOperator> decode, prefill;
  double decode_sequences = 0, decode_context = 0;  // of the decode list
  double prefill_tokens = 0;                        // of the prefill list, per attention group
  Estimate<Seconds> step_time;         // a decode step of that shape, or a prefill chunk where nothing is decoded
  Seconds step_overhead{};             // the part of it between operators, likely
  std::optional<ServingPool> serving;  // for the simulation; absent when nothing fits
  std::vector<std::string> notes;
};

struct PlanPredictions {
  Estimate<Seconds> ttft, tpot, e2e, step_time;
  Estimate<double> output_tok_per_s, prefill_tok_per_s, requests_per_s;
};

struct PlanSimulation {       // of the chosen solution at the load, where the service level names a percentile
  std::int64_t requests = 0;  // measured
  double percentile = 50;     // that `named` of each is at
  Spread ttft, tpot, e2e;
  bool overloaded = false;
};

struct PlanAlternative {
  std::string layout = {};
  std::string group = {};
  double output_tok_per_s = 0;      // at the load
  double max_output_tok_per_s = 0;  // within the service level
  Seconds ttft{}, tpot{};
  double gpu_share = 0;  // of all devices
};

struct PlanRejection {
  std::string reason;
  int count = 0;
  std::string example;
};

struct PlanRemedy {    // what could be served instead, when what is asked cannot
  std::string change;  // "without the stated layout", "with int4-experts+fp8 weights"
  std::string layout;
  double output_tok_per_s = 0;  // at most, within the service level; 0: the level breaks
  double max_context = 0;
};

struct PlanModel {
  std::string id, name;
  double parameters = 0, active_parameters = 0;
  Bytes kv_bytes_per_token{};
  std::string native_weights;
  std::vector<PlanField> architecture;  // every number of its shape, for those who run it
};

struct PlanLever {  // one change and what it would do
  std::string change;
  std::string effect;
  double gain = 0;  // of output tok/s, 0.25 is +25 %
};

struct PlanSensitivity {  // one assumption of the model at the ends of its range, the others as they are
  std::string input;      // "memory_share 0.72 to 0.93"
  std::string origin;     // "measured, AIC"
  Confidence confidence = Confidence::kAssumed;
  double low = 0, high = 0;  // output tok/s (within the service level when there is a maximum)
};

struct PlanCandidate {  // every layout looked at
  std::string layout;
  std::string group;
  std::string reason;  // why it was turned down; empty: it was timed
  Bytes shortfall{};   // per accelerator, when memory is the reason
};

struct PlanInput {
  std::string path;
  std::string fnv64;  // hash of the file's bytes
};

struct PlanProfile {  // the measured rates that were used
  std::string file, fnv64;
  std::string machine, date, accelerator, engine;
  // Operators of the pools whose time does and does not come from it: "ffn.up", or where that is so of one alone "ffn.up (prompts)"
  std::vector<std::string> covered, uncovered;
  std::vector<std::string> extrapolated;  // of the covered, those outside of the shapes that were measured
  std::vector<std::string> fits;          // how well its surfaces and curves predict what they have not seen
};

struct Plan {
  std::string title, date, file;
  PlanModel model;
  std::string engine;
  ServingLoad asked;  // the load and the service level for the simulation
  ServingLimits limits;
  std::string load;                  // "32 requests in flight, 1,000 tokens in, 1,500 out (means)"
  bool fits = false;                 // some legal layout holds the model and one request
  bool meets = false;                // and carries the load within the service level
  std::vector<std::string> reasons;  // why not
  bool saturated = false;            // the stated load exceeds what the cluster answers
  std::vector<std::string> caveats;  // what the yes rests on, or where the worst case breaks the service level
  std::vector<std::string> notes;
  std::string objective;        // what the layouts are ranked by
  std::string most_throughput;  // the layout that answers most, when it is another one
  std::string nearest;          // how much the closest layout lacks
  std::vector<PlanRemedy> remedies;
  std::vector<PlanPool> pools;             // empty when nothing fits
  PlanPredictions predictions;             // at the load
  std::optional<PlanPredictions> maximum;  // within the service level
  std::optional<PlanSimulation> simulated;
  std::string limited_by;  // what takes most of the time
  std::vector<PlanLever> levers;
  std::vector<PlanAlternative> alternatives;
  std::vector<PlanRejection> rejected;         // by reason
  std::vector<PlanCandidate> all_rejected;     // one by one
  std::vector<PlanSensitivity> sensitivities;  // widest first
  int candidates = 0, evaluated = 0;
  std::optional<SitePower> power;
  std::optional<CostReport> cost;
  std::optional<AvailabilityReport> availability;
  std::vector<PlanInput> inputs;
  std::optional<PlanProfile> profile;
  std::string version;
  Confidence confidence = Confidence::kAssumed;
};

}  // namespace fathom
