#include "score/setup.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

namespace fathom {

namespace {

// Thrown inside this file only: the row's conditions are beyond what is modelled.
struct CannotPredict {
  std::string reason;
};

std::optional<Format> format_named(const std::string& name) {
  static const std::map<std::string, Format> formats = {{"fp32", Format::kFp32},
                                                        {"bf16", Format::kBf16},
                                                        {"fp16", Format::kFp16},
                                                        {"fp8", Format::kFp8},
                                                        {"fp8_block", Format::kFp8Block128},
                                                        {"int8", Format::kInt8},
                                                        {"w8a8", Format::kInt8},
                                                        {"int8_g128", Format::kInt8G128},
                                                        {"int4_g128", Format::kInt4G128Asym},
                                                        {"int4_g32", Format::kInt4G32},
                                                        {"w4a8", Format::kInt4G128},
                                                        {"nvfp4", Format::kNvfp4},
                                                        {"mxfp4", Format::kMxfp4},
                                                        {"q8_0", Format::kQ8_0},
                                                        {"q6_k", Format::kQ6K},
                                                        {"q5_k", Format::kQ5K},
                                                        {"q4_k", Format::kQ4KM},
                                                        {"q4_0", Format::kQ4_0},
                                                        {"q3_k", Format::kQ3K},
                                                        {"q2_k", Format::kQ2K},
                                                        {"iq1_s", Format::kIq1S},
                                                        {"gf4", Format::kGf4}};
  const auto found = formats.find(name);
  return found == formats.end() ? std::nullopt : std::optional(found->second);
}

// "bpw:3.93": the known format whose files come closest.
Format nearest_format(double bits) {
  Format best = Format::kQ4KM;
  for (Format f : {Format::kQ8_0, Format::kQ6K, Format::kQ5K, Format::kQ4KM, Format::kQ4_0, Format::kQ3K, Format::kQ2K,
                   Format::kIq1S}) {
    if (std::abs(bits_per_weight(f) - bits) < std::abs(bits_per_weight(best) - bits)) best = f;
  }
  return best;
}

// "fp8_block+amxint8": the accelerator's part and the experts on the host. An unknown accelerator part is the checkpoint's.
std::optional<WeightScheme> mixed_scheme(const std::string& parts, const Architecture& a) {
  const std::size_t plus = parts.rfind('+');
  if (plus == std::string::npos) return std::nullopt;
  const std::string card = parts.substr(0, plus), host = parts.substr(plus + 1);
  std::optional<WeightScheme> scheme =
      card == "unknown" ? find_weight_scheme(a.native_weights) : measured_scheme(card, a);
  const std::optional<Format> experts = host == "amxint4"   ? std::optional(Format::kInt4G128)
                                        : host == "amxint8" ? std::optional(Format::kInt8)
                                                            : format_named(host);
  if (!scheme || !experts) return std::nullopt;
  scheme->experts = *experts;
  return scheme;
}

}  // namespace

std::optional<WeightScheme> measured_scheme(const std::string& name, const Architecture& a) {
  WeightScheme scheme{.name = name, .experts = Format::kBf16, .linears = Format::kBf16, .embeddings = Format::kBf16};
  if (name.rfind("bpw:", 0) == 0) {
    double bits = 0;
    const auto [end, error] = std::from_chars(name.data() + 4, name.data() + name.size(), bits);
    if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
    scheme.experts = scheme.linears = scheme.embeddings = nearest_format(bits);
    return scheme;
  }
  if (name.rfind("mixed:", 0) == 0) return mixed_scheme(name.substr(6), a);
  if (name == "nvfp4+fp8") {
    scheme.experts = scheme.linears = Format::kNvfp4;
    scheme.attention = Format::kFp8;
    return scheme;
  }
  const std::optional<Format> format = format_named(name);
  if (!format) return std::nullopt;
  scheme.experts = *format;
  // Kimi-K2-Thinking and gpt-oss keep all but the routed experts in 16 bits.
  if (*format != Format::kInt4G32 && *format != Format::kMxfp4) scheme.linears = *format;
  // NVIDIA's DeepSeek checkpoints leave attention in 16 bits.
  if (*format == Format::kNvfp4 && a.mla) scheme.attention = Format::kBf16;
  if (is_gguf(*format)) scheme.embeddings = *format;
  return scheme;
}

namespace {

struct LinkOut {
  const char* kind;
  double gbps;  // of one NIC
  bool one_per_gpu;
  double latency_us;  // of one message, application to application; 0: the kind's default
};

// What joins nodes. InfiniBand and RoCE rows have a NIC per accelerator where nothing else is said.
const LinkOut* link_out(const std::string& name) {
  static const std::map<std::string, LinkOut> links = {{"ib-100", {"infiniband", 100, false, 0}},
                                                       {"ib-200", {"infiniband", 200, true, 0}},
                                                       {"ib-400", {"infiniband", 400, true, 0}},
                                                       {"roce-200", {"roce", 200, true, 0}},
                                                       {"roce-400", {"roce", 400, true, 0}},
                                                       {"efa-3200", {"roce", 400, true, 15}},
                                                       {"ub", {"hccs", 392, true, 0}},
                                                       {"eth-100m", {"ethernet", 0.1, false, 0}},
                                                       {"eth-1g", {"ethernet", 1, false, 0}},
                                                       {"eth-2.5g", {"ethernet", 2.5, false, 0}},
                                                       {"eth-5g", {"ethernet", 5, false, 0}},
                                                       {"eth-10g", {"ethernet", 10, false, 0}},
                                                       {"eth-20g", {"ethernet", 20, false, 0}},
                                                       {"eth-25g", {"ethernet", 25, false, 0}},
                                                       {"eth-100g", {"ethernet", 100, false, 0}},
                                                       {"wifi", {"ethernet", 0.3, false, 2000}},
                                                       {"tb4", {"ethernet", 20, false, 100}},
                                                       {"tb5", {"roce", 60, false, 0}},
                                                       {"loopback", {"ethernet", 50, false, 20}},
                                                       {"internet", {"ethernet", 0.1, false, 50'000}}};
  const auto found = links.find(name);
  return found == links.end() ? nullptr : &found->second;
}

int whole(const std::optional<double>& value, int fallback) { return value ? static_cast<int>(*value) : fallback; }

// Ranks of one node are joined as `scale_up` says, whatever the catalog says about the part.
void join_inside(Node& node, Accelerator& device, const std::string& scale_up) {
  static const std::set<std::string> known = {"",      "nvlink2", "nvlink3", "nvlink4", "nvlink5", "nvlink-bridge",
                                              "pcie3", "pcie4",   "pcie5",   "hccs",    "ub",      "xgmi",
                                              "upi",   "unified", "none",    "unknown"};
  if (!known.contains(scale_up)) throw CannotPredict{fmt::format("scale_up \"{}\"", scale_up)};
  const bool bridge = scale_up == "nvlink-bridge";
  node.scale_up = bridge || scale_up.rfind("nvlink", 0) == 0 || scale_up == "hccs" || scale_up == "ub" ||
                  scale_up == "xgmi" || scale_up.empty() || scale_up == "unknown";
  if (bridge) node.scale_up_domain = 2;
  if (scale_up.rfind("pcie", 0) == 0 && scale_up.size() == 5) {
    device.pcie = PcieSlot{.generation = scale_up[4] - '0', .lanes = 16};
  }
}

constexpr double kBytesPerTransfer = 8;  // of one channel

void add_host(const MeasuredHost& host, const Catalog& catalog, Node& node) {
  if (host.cpu.empty()) return;
  try {
    node.cpu = &catalog.cpu(host.cpu);
  } catch (const LookupError&) {
    throw CannotPredict{fmt::format("processor {} is not in the catalog", host.cpu)};
  }
  node.cpus = host.sockets;
  if (host.transfers_per_s && host.channels)
    node.memory_bandwidth = BytesPerSecond(*host.transfers_per_s * kBytesPerTransfer * *host.channels * host.sockets);
  node.memory = Bytes(4e12);  // what a host holds is not among the conditions
}

// One socket that runs the model itself. What it holds is not among the conditions.
Accelerator as_accelerator(const Cpu& cpu) {
  Accelerator device;
  device.id = cpu.id;
  device.vendor = cpu.vendor;
  device.name = cpu.name;
  device.architecture = cpu.architecture;
  device.year = cpu.year;
  device.memory.value = Bytes(4e12);
  device.memory_bandwidth = cpu.memory_bandwidth;
  device.compute_units = {.kind = "CPU core", .count = cpu.cores};
  device.peak = cpu.peak;
  device.tdp = cpu.tdp;
  device.pcie = cpu.pcie;
  device.native.bf16 = peak(cpu.peak, Dtype::kBf16) != nullptr;
  device.stack = "CPU";
  return device;
}

class Builder {
 public:
  Builder(const Catalog& catalog, const Measurement& row) : catalog_(catalog), row_(row) {}

  void pools(Setup& setup, const Architecture* architecture) {
    if (row_.accelerator == "any") return;
    const Cpu* processor = find_processor();
    const std::shared_ptr<Accelerator> device =
        processor != nullptr ? std::make_shared<Accelerator>(as_accelerator(*processor)) : find_accelerator();
    if (!device->memory_bandwidth)
      throw CannotPredict{fmt::format("the memory bandwidth of {} is not known", device->name)};
    const int count = whole(row_.accelerators, 1), nodes = whole(row_.nodes, 1);
    auto cluster = std::make_shared<Cluster>();
    Group group;
    group.id = "measured";
    group.nodes = nodes;
    group.node.accelerators = std::max(1, (count + nodes - 1) / nodes);
    join_inside(group.node, *device, row_.scale_up);
    group.node.accelerator = device.get();
    add_host(row_.host, catalog_, group.node);
    if (processor != nullptr) {
      group.node.cpu = processor;
      group.node.cpus = group.node.accelerators;
    }
    if (nodes > 1 || link_out(row_.scale_out) != nullptr) add_fabric(*cluster, group.node);
    cluster->groups.push_back(group);
    setup.made_device = device;
    setup.cluster = cluster;
    const Pool pool = make_pool(*cluster, cluster->groups.front());
    if (architecture == nullptr) {
      setup.pools.push_back({.pool = pool, .layout = {}});
    } else if (row_.role == MeasuredRole::kDisaggregated) {
      if (!row_.prefill_pool || !row_.decode_pool) throw CannotPredict{"a disaggregated row without its two pools"};
      for (const WorkerPool& workers : {*row_.prefill_pool, *row_.decode_pool}) {
        Layout layout = formats(*architecture);
        layout.tp = workers.tp;
        layout.attention_dp = workers.attention_dp;
        layout.ep = workers.ep;
        layout.replicas = workers.workers;
        setup.pools.push_back({.pool = pool, .layout = checked(layout, *setup.model)});
      }
    } else {
      Layout layout = formats(*architecture);
      // Ranks of a processor are parts of its sockets; who times it reads them from the row.
      layout.tp = processor != nullptr ? 1 : whole(row_.tp, 1);
      layout.pp = whole(row_.pp, 1);
      layout.attention_dp = whole(row_.attention_dp, 1);
      layout.ep = architecture->moe ? whole(row_.ep, 1) : 1;
      layout.replicas = whole(row_.replicas, 1);
      const int taken = layout.tp * layout.pp * layout.attention_dp * layout.replicas;
      if (taken > pool.devices()) throw CannotPredict{"the layout takes more devices than the row has"};
      // Sockets of one machine may serve together without a word of it; devices of their own may not.
      if (processor == nullptr && taken < count) {
        throw CannotPredict{fmt::format("the layout takes {} of {} devices: state tp, pp or replicas", taken, count)};
      }
      layout.offload_experts = row_.offload.kind == Offload::Kind::kExperts ||
                               row_.offload.kind == Offload::Kind::kExpertsPerLayer ||
                               row_.offload.kind == Offload::Kind::kExpertShare;
      setup.pools.push_back({.pool = pool, .layout = checked(layout, *setup.model)});
    }
  }

 private:
  std::shared_ptr<Accelerator> find_accelerator() const {
    try {
      return std::make_shared<Accelerator>(catalog_.accelerator(row_.accelerator));
    } catch (const LookupError&) {
      throw CannotPredict{row_.accelerator.find('+') != std::string::npos
                              ? "a machine of different accelerators"
                              : fmt::format("accelerator {} is not in the catalog", row_.accelerator)};
    }
  }

  // The processor in the accelerator's column; nullptr: it is an accelerator.
  const Cpu* find_processor() const {
    try {
      return &catalog_.cpu(row_.accelerator);
    } catch (const LookupError&) {
      return nullptr;
    }
  }

  void add_fabric(Cluster& cluster, Node& node) const {
    const LinkOut* link = link_out(row_.scale_out);
    if (link == nullptr) {
      if (row_.scale_out == "none" || row_.scale_out.empty()) return;  // one NVLink domain over several hosts
      throw CannotPredict{fmt::format("the network {} between nodes", row_.scale_out)};
    }
    Fabric fabric;
    fabric.id = "between";
    fabric.kind = link->kind;
    if (link->latency_us > 0)
      fabric.latency = Fact<Seconds>{.value = Seconds(link->latency_us * 1e-6), .low = {}, .high = {}, .origin = {}};
    cluster.fabrics.push_back(fabric);
    Nic nic;
    nic.count = link->one_per_gpu ? node.accelerators : 1;
    nic.rate = BytesPerSecond(link->gbps * 1e9 / 8);
    nic.fabric = fabric.id;
    node.nics.push_back(nic);
  }

  Layout formats(const Architecture& architecture) const {
    Layout layout;
    const std::optional<WeightScheme> scheme = measured_scheme(row_.weight_format, architecture);
    if (!scheme) throw CannotPredict{fmt::format("weight format \"{}\"", row_.weight_format)};
    layout.weights = *scheme;
    static const std::set<std::string> known = {"", "unknown", "bf16", "fp16", "fp32", "fp8", "int8", "q8_0"};
    if (!known.contains(row_.kv_format)) throw CannotPredict{fmt::format("kv_format \"{}\"", row_.kv_format)};
    // An unknown cache format is taken as the 16 bits that engines use when nothing is configured.
    layout.kv = row_.kv_format == "fp8" || row_.kv_format == "int8" || row_.kv_format == "q8_0" ? KvFormat::kFp8
                                                                                                : KvFormat::kBf16;
    if (row_.accept_len && *row_.accept_len > 1 && architecture.mtp_modules > 0) layout.mtp = true;
    return layout;
  }

  static Layout checked(const Layout& layout, const ScoredModel& model) {
    Layout plain = layout;  // checkpoints that were measured are padded where their blocks do not divide
    plain.weights = weight_schemes().front();
    const std::string why = illegal(model.architecture, model.tensors, plain);
    if (!why.empty()) throw CannotPredict{fmt::format("layout: {}", why)};
    return layout;
  }

  const Catalog& catalog_;
  const Measurement& row_;
};

// Engines that are another one under their own name.
std::string engine_of(const Measurement& row) {
  static const std::map<std::string, std::string> same = {{"nim", "tensorrt-llm"}, {"ollama", "llama.cpp"}};
  const auto found = same.find(row.engine);
  return found == same.end() ? row.engine : found->second;
}

// The same engine's build for processors, where it is another profile.
std::string engine_on(const std::string& engine, const Setup& setup) {
  const bool processor = !setup.pools.empty() && setup.device().stack.rfind("CPU", 0) == 0;
  // deepseek.cpp runs on processors only; it was written after llama.cpp's kernels and is as fast within 12 %.
  if (processor && engine == "deepseek.cpp") return "llama.cpp-host";
  return processor && (engine == "llama.cpp" || engine == "sglang") ? engine + "-host" : engine;
}

}  // namespace

std::shared_ptr<const ScoredModel> SetupBuilder::model(const Measurement& row) {
  const std::string experts = row.word("experts_per_token");
  const std::string key = row.model + "/" + experts;
  if (const auto known = models_.find(key); known != models_.end()) return known->second;
  auto made = std::make_shared<ScoredModel>();
  try {
    made->architecture = catalog_.model(row.model);
  } catch (const LookupError&) {
    throw CannotPredict{fmt::format("model {} is not in the catalog", row.model)};
  }
  if (!experts.empty() && made->architecture.moe)
    made->architecture.moe->experts_per_token = std::atoi(experts.c_str());
  made->tensors = tensors(made->architecture);
  return models_[key] = made;
}

std::variant<Setup, std::string> SetupBuilder::build(const Measurement& row) {
  try {
    Setup setup;
    setup.row = &row;
    setup.engine = engine_of(row);
    const bool micro = row.role == MeasuredRole::kMicro;
    if (!row.model.empty() && !micro) setup.model = model(row);
    Builder(catalog_, row).pools(setup, setup.model ? &setup.model->architecture : nullptr);
    setup.engine = engine_on(setup.engine, setup);
    setup.input = row.input_len.value_or(0);
    setup.cached = setup.input * row.prefix_hit.value_or(0);
    setup.output = row.output_len.value_or(0);
    setup.context = row.context_len.value_or(setup.input + setup.output / 2);
    return setup;
  } catch (const CannotPredict& why) {
    return why.reason;
  }
}

}  // namespace fathom
