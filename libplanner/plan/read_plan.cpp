#include "plan/read_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "input/reader.h"
#include "plan/architecture_fields.h"
#include "plan/read_serving.h"
#include "plan/saved_numbers.h"

namespace fathom {

namespace {

using namespace saved;

Confidence confidence(MapReader& reader) {
  const std::string word = reader.required<std::string>("confidence");
  const std::optional<Confidence> known = parse_confidence(word);
  if (!known) reader.context(reader.need("confidence")).fail(fmt::format("there is no confidence {}", in_quotes(word)));
  return *known;
}

template <class T>
Estimate<T> estimate(MapReader& parent, const std::string& key) {
  MapReader reader(parent.file(), parent.need(key), fmt::format("the estimate {}", in_quotes(key)));
  Estimate<T> out{.min = T(number_or_infinite(reader, "min")),
                  .likely = T(number_or_infinite(reader, "likely")),
                  .max = T(number_or_infinite(reader, "max")),
                  .confidence = confidence(reader)};
  if (!(out.min <= out.likely && out.likely <= out.max)) reader.fail("an estimate needs min <= likely <= max");
  return out;
}

PlanPredictions read_predictions(const Context& at) {
  MapReader reader(at.file, at.value, "the predictions");
  return {.ttft = estimate<Seconds>(reader, "ttft_s"),
          .tpot = estimate<Seconds>(reader, "tpot_s"),
          .e2e = estimate<Seconds>(reader, "e2e_s"),
          .step_time = estimate<Seconds>(reader, "step_time_s"),
          .output_tok_per_s = estimate<double>(reader, "output_tok_per_s"),
          .prefill_tok_per_s = estimate<double>(reader, "prefill_tok_per_s"),
          .requests_per_s = estimate<double>(reader, "requests_per_s")};
}

PlanOperator read_operator(const Context& at) {
  MapReader reader(at.file, at.value, "an operator");
  return {.name = reader.required<std::string>("name"),
          .kind = reader.required<std::string>("kind"),
          .count = count(reader, "count"),
          .time = seconds(reader, "time_s"),
          .share = number(reader, "share", 0),
          .flops = Flops(number(reader, "flops", 0)),
          .bytes = bytes(reader, "bytes"),
          .wire_bytes = bytes(reader, "wire_bytes"),
          .bound = reader.required<std::string>("bound"),
          .source = reader.get<std::string>("source", "")};
}

PlanMemoryRow read_memory_row(const Context& at) {
  MapReader reader(at.file, at.value, "a row of memory");
  return {.name = reader.required<std::string>("name"),
          .bytes = bytes(reader, "bytes"),
          .copied = bytes(reader, "copied_bytes")};
}

PlanMemory read_memory(const Context& at) {
  MapReader reader(at.file, at.value, "the memory of a device");
  PlanMemory m;
  m.stage = reader.required<int>("stage");
  m.rows = list(reader, "rows", read_memory_row);
  m.used = bytes(reader, "used_bytes");
  m.capacity = bytes(reader, "capacity_bytes");
  m.withheld = bytes(reader, "withheld_bytes");
  m.kv_room = Bytes(number(reader, "kv_room_bytes", -kMost));
  m.kv_per_token = bytes(reader, "kv_bytes_per_token");
  m.kv_tokens_capacity = number_or_infinite(reader, "kv_tokens_capacity");
  m.max_context = number_or_infinite(reader, "max_context_tokens");
  m.max_sequences = number_or_infinite(reader, "max_sequences");
  m.weights_one_copy = bytes(reader, "weights_one_copy_bytes");
  m.devices_capacity = bytes(reader, "replica_capacity_bytes");
  m.host_per_node = bytes(reader, "host_bytes_per_node");
  return m;
}

RequestLengths read_lengths(MapReader& parent, const std::string& key) {
  MapReader reader(parent.file(), parent.need(key), "the lengths of requests");
  return {.mean = number(reader, "mean", 1, kMostTokens), .sigma = number(reader, "sigma", 0, 10)};
}

std::optional<double> number_if_given(MapReader& reader, const std::string& key) {
  if (reader.value().find(key) == nullptr) return std::nullopt;
  return number(reader, key, 0, 1e12);
}

void read_asked(const Context& at, SavedPlan& plan) {
  MapReader reader(at.file, at.value, "the workload");
  plan.asked.input = read_lengths(reader, "input_tokens");
  plan.asked.output = read_lengths(reader, "output_tokens");
  plan.asked.concurrency = number_if_given(reader, "concurrency");
  plan.asked.requests_per_s = number_if_given(reader, "requests_per_s");
  plan.asked.prefix_hit = number(reader, "prefix_cache_hit", 0, 1);
  MapReader slo(at.file, reader.need("slo"), "the service level");
  const auto limit = [&](const char* key) -> std::optional<Seconds> {
    const std::optional<double> value = number_if_given(slo, key);
    return value ? std::optional(Seconds(*value)) : std::nullopt;
  };
  plan.limits = {.ttft = limit("ttft_s"), .tpot = limit("tpot_s"), .e2e = limit("e2e_s")};
  plan.limits.percentile = number(slo, "percentile", 1, 99.99);
}

// A word of a closed list that another room knows: "fp8" as a WeightScheme.
template <class Find>
auto named(MapReader& reader, const std::string& key, const std::string& noun, Find find) {
  const std::string word = reader.required<std::string>(key);
  const auto found = find(word);
  if (!found) reader.context(reader.need(key)).fail(fmt::format("{} {} is not known", noun, in_quotes(word)));
  return *found;
}

class PlanReader {
 public:
  explicit PlanReader(const Document& document) : document_(document) {}

  SavedPlan run() {
    check_is_plan();
    MapReader root(document_.file, document_.root, "the plan");
    SavedPlan plan;
    plan.file = document_.file;
    plan.title = root.required<std::string>("title");
    const Context model_at = root.context(root.need("model"));
    plan.architecture = read_model(model_at, root);
    tensors_ = tensors(plan.architecture);
    check_fits(root);
    plan.predictions = read_predictions(root.context(root.need("predictions")));
    MapReader provenance(document_.file, root.need("provenance"), "the provenance");
    plan.engine = provenance.required<std::string>("engine");
    plan.version = provenance.required<std::string>("version");
    plan.pools = list(root, "pools", [&](const Context& at) { return read_pool(at, plan.architecture); });
    if (const Value* workload = root.take("workload")) read_asked(root.context(*workload), plan);
    if (plan.pools.empty()) root.context(root.need("pools")).fail("the plan has no pool, so there is nothing to run");
    return plan;
  }

 private:
  static constexpr const char* kHowToMake = "fathom plan CLUSTER.yaml -o PLAN.json writes one";
  static constexpr const char* kRemake =
      "state the layout in CLUSTER.yaml and plan again: times and power depend on it";

  void check_is_plan() const {
    const Value& root = document_.root;
    if (const Value* format = root.find("format"); format != nullptr && format->text.starts_with("fathom-cluster")) {
      throw InputError(document_.file, format->at, "this is a cluster file, not a saved plan",
                       fmt::format("fathom plan {} -o PLAN.json makes one of it", document_.file));
    }
    if (root.find("format_version") == nullptr || root.find("verdict") == nullptr) {
      throw InputError(document_.file, root.at, "this is not a saved plan", kHowToMake);
    }
  }

  Architecture read_model(const Context& at, MapReader& root) const {
    const Context version_at = root.context(root.need("format_version"));
    std::string version;
    read(version_at, version);
    if (!version.starts_with("1.")) {
      version_at.fail(fmt::format("this program reads plans of format 1, found {}", in_quotes(version)),
                      "it was written by another fathom: run fathom plan CLUSTER.yaml -o PLAN.json again");
    }
    if (at.value.kind == Value::Kind::kMapping && at.value.find("architecture") == nullptr) {
      version_at.fail("the plan does not hold the model's architecture: it was written by an older fathom",
                      "run fathom plan CLUSTER.yaml -o PLAN.json again");
    }
    MapReader model(at.file, at.value, "the model");
    return read_architecture(model.context(model.need("architecture")));
  }

  void check_fits(MapReader& root) const {
    MapReader verdict(document_.file, root.need("verdict"), "the verdict");
    if (verdict.required<bool>("fits")) return;
    const Value* reasons = verdict.take("reasons");
    const bool said = reasons != nullptr && !reasons->items.empty();
    verdict.fail("this plan says that the model does not fit, so there is nothing to run",
                 said ? reasons->items.front().text : "");
  }

  SavedPool read_pool(const Context& at, const Architecture& architecture) const {
    MapReader reader(at.file, at.value, "a pool");
    SavedPool pool;
    read_layout(reader.context(reader.need("layout")), architecture, pool);
    pool.memory = read_memory(reader.context(reader.need("memory")));
    pool.decode = list(reader, "operators", read_operator);
    pool.prefill = list(reader, "prefill_operators", read_operator);
    if (pool.decode.empty() && pool.prefill.empty()) reader.fail("a pool without operators has nothing to run");
    pool.decode_sequences = count(reader, "decode_sequences");
    pool.decode_context = count(reader, "decode_context");
    pool.prefill_tokens = count(reader, "prefill_tokens");
    pool.step_time = estimate<Seconds>(reader, "step_time_s");
    if (!std::isfinite(pool.step_time.max.value)) reader.fail("a step of this pool never ends");
    pool.step_overhead = seconds(reader, "step_overhead_s");
    if (const Value* serving = reader.take("serving"))
      pool.serving = read_serving(reader.context(*serving), reader.context(reader.need("step_times")), pool);
    return pool;
  }

  void read_layout(const Context& at, const Architecture& architecture, SavedPool& pool) const {
    MapReader reader(at.file, at.value, "the layout");
    pool.group = reader.required<std::string>("group");
    pool.role = reader.required<std::string>("role");
    pool.accelerator = reader.required<std::string>("accelerator");
    pool.accelerator_id = reader.required<std::string>("accelerator_id");
    Layout& l = pool.layout;
    l.tp = degree(reader, "tp");
    l.attention_dp = degree(reader, "attention_dp");
    l.pp = degree(reader, "pp");
    l.ep = degree(reader, "ep");
    l.replicas = degree(reader, "replicas");
    l.weights = named(reader, "weights", "the weight scheme", find_weight_scheme);
    l.kv = named(reader, "kv", "the cache format", parse_kv_format);
    l.offload_experts = reader.required<bool>("offload_experts");
    l.mtp = reader.required<bool>("mtp");
    // In doubles, for the product of hostile numbers.
    const double devices = 1.0 * l.tp * l.attention_dp * l.pp * l.replicas;
    if (devices > kMostDevices) reader.fail(fmt::format("the layout takes {:.3g} devices", devices));
    if (const std::string why = illegal(architecture, tensors_, l); !why.empty())
      reader.fail("the model cannot be cut like this: " + why);
    check_devices(reader, l);
    read_stages(reader, architecture, pool);
  }

  // A plan says both how it is cut and how many devices that takes: one of them alone was changed by hand.
  static void check_devices(MapReader& reader, const Layout& l) {
    const auto hold = [&](const char* key, std::int64_t expected, const std::string& why) {
      const Value* value = reader.take(key);
      if (value == nullptr) return;
      std::int64_t stated = 0;
      read(reader.context(*value), stated);
      if (stated != expected)
        reader.context(*value).fail(fmt::format("{} is {}, but {}", in_quotes(key), stated, why), kRemake);
    };
    const std::int64_t each = l.devices_per_replica(), idle = reader.get("idle_devices", 0);
    hold("devices_per_replica", each,
         fmt::format("tp {} x attention_dp {} x pp {} are {}", l.tp, l.attention_dp, l.pp, each));
    hold("devices", l.replicas * each + idle,
         fmt::format("{} replicas of {} devices are {}, and {} are idle", l.replicas, each, l.replicas * each, idle));
  }

  static void read_stages(MapReader& reader, const Architecture& architecture, SavedPool& pool) {
    pool.stage_layers = list(reader, "stage_layers", [&](const Context& at) {
      int layers = 0;
      read(at, layers);
      check_range(at, layers, 1, architecture.num_layers, "the layers of a stage");
      return layers;
    });
    const Context at = reader.context(reader.need("stage_layers"));
    if (static_cast<int>(pool.stage_layers.size()) != pool.layout.pp)
      at.fail(fmt::format("{} stages are listed, \"pp\" is {}", pool.stage_layers.size(), pool.layout.pp));
    const int all = std::accumulate(pool.stage_layers.begin(), pool.stage_layers.end(), 0);
    if (all != architecture.num_layers)
      at.fail(fmt::format("the stages hold {} layers, the model has {}", all, architecture.num_layers));
  }

  const Document& document_;
  std::vector<Tensor> tensors_;
};

}  // namespace

SavedPlan read_plan(const std::filesystem::path& path) {
  const Document document = read_yaml(path);
  return PlanReader(document).run();
}

std::vector<ServingPool> serving_pools(const SavedPlan& plan) {
  std::vector<ServingPool> pools;
  for (const SavedPool& pool : plan.pools) {
    if (!pool.serving) {
      throw InputError(plan.file, {}, "the plan holds no step times to simulate: it was written by an older fathom",
                       "make the plan again: fathom plan CLUSTER.yaml -o PLAN.json");
    }
    pools.push_back(*pool.serving);
  }
  return pools;
}

}  // namespace fathom
