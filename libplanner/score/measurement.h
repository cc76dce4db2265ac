// Published or own measurements as a table of closed vocabularies and SI units, one value per row (docs/measurements-csv.md).
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "score/metric.h"

namespace fathom {

enum class Completeness { kFull, kPartial, kContext };
enum class MeasuredRole { kAggregated, kDisaggregated, kPrefill, kDecode, kMicro };

// How requests arrive. Their number per unit is Measurement::load.
enum class LoadKind {
  kNone,    // not a serving row
  kSingle,  // one request at a time
  kBatch,   // a static batch in step
  kClosed,  // so many in flight
  kOpen,    // so many per second
  kBurst,   // so many at once, until all are done
  kMax,     // queued at once, the engine admits what it can
};
std::string to_string(LoadKind kind);  // as in the table: "closed"; empty for none

// One pool of a disaggregated deployment.
struct WorkerPool {
  int workers = 1, tp = 1, attention_dp = 1, ep = 1;
  int accelerators() const { return workers * tp * attention_dp; }
};

// What lives in host memory.
struct Offload {
  enum class Kind { kNone, kExperts, kExpertsPerLayer, kExpertShare, kLayers, kMmap };
  Kind kind = Kind::kNone;
  double on_gpu = 0;  // experts of each layer, share of all experts, or whole layers that stay on the accelerator
};
std::string to_string(const Offload& offload);  // as in the table: "experts:gpu=4"

// The machine around the accelerators, as far as a row says.
struct MeasuredHost {
  std::string cpu;  // id; empty: nothing is said
  int sockets = 1;
  std::optional<double> transfers_per_s, channels;  // of its memory, per socket
};

struct Measurement {
  int line = 0;  // in the file
  std::string id, category, group;
  Completeness completeness = Completeness::kFull;
  std::string model, weight_format, kv_format;  // empty: not applicable
  std::string accelerator;                      // catalog id, "a*2+b" for mixed machines, "any"
  std::optional<double> accelerators, nodes;
  MeasuredHost host;
  std::string scale_up, scale_out;
  std::string engine, engine_version;
  MeasuredRole role = MeasuredRole::kAggregated;
  std::optional<double> tp, pp, ep, attention_dp, replicas;
  std::optional<WorkerPool> prefill_pool, decode_pool;
  Offload offload;
  std::optional<double> input_len, output_len, context_len, prefix_hit;
  LoadKind load_kind = LoadKind::kNone;
  std::optional<double> load, accept_len;
  const Metric* metric = nullptr;
  double value = 0;  // in metric->unit
  std::optional<double> message_bytes;
  std::map<std::string, std::string> shape;
  std::string confidence, date, source, note;
  bool notes_framework = false;  // the note says that PyTorch called the collective

  std::optional<double> number(const std::string& key) const;  // of `shape`
  std::string word(const std::string& key) const;              // empty when absent
};

// Not in a single stream, nor in a batch that goes in step: there a percentile is the mean.
bool requests_differ(const Measurement& row);

// Throws InputError with line and column: a column that is unknown, missing or twice there, a cell outside its vocabulary,
// a unit that is not the metric's, a value that is not a positive number.
std::vector<Measurement> read_measurements(const std::filesystem::path& path);
std::vector<Measurement> parse_measurements(const std::string& text, const std::string& file_name);

}  // namespace fathom
