// Cluster files that nobody would build but that mean something: a million nodes, prices of nothing, a service level of a
// nanosecond. Each is refused at its place, or planned quickly into JSON without a hole.
#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>
#include <regex>

#include "plan/make_plan.h"
#include "report/plan_json.h"
#include "report/plan_text.h"
#include "support/mutation.h"
#include "support/planning.h"
#include "support/yaml_edit.h"

namespace fathom {
namespace {

using Json = nlohmann::json;

// The path of the first null, which is what a NaN or an infinity comes out as.
std::string first_hole(const Json& json, const std::string& path = "") {
  if (json.is_null()) return path;
  for (const auto& [key, value] : json.items()) {
    if (!value.is_primitive() || value.is_null()) {
      if (const std::string hole = first_hole(value, path + "/" + key); !hole.empty()) return hole;
    }
  }
  return {};
}

void expect_bands_in_order(const Json& predictions) {
  for (const auto& [name, band] : predictions.items()) {
    EXPECT_LE(band["min"], band["likely"]) << name;
    EXPECT_LE(band["likely"], band["max"]) << name;
  }
}

// Plans when the file is legal. Prints what fails together with the change that made it.
void expect_answer(const std::string& what, const std::string& text) {
  SCOPED_TRACE(what);
  const std::clock_t start = std::clock();  // of this process: other work on the machine does not count
  refusal(what, [&] {
    const Cluster cluster = read_cluster_text(text);
    const Plan plan = make_plan(cluster, shipped());
    const Json json = Json::parse(plan_json(plan));
    EXPECT_EQ(first_hole(json), "");
    EXPECT_EQ(json["verdict"]["fits"], plan.fits);
    EXPECT_TRUE((plan.fits && plan.meets) || !plan.reasons.empty()) << "a no without a reason";
    if (plan.fits) expect_bands_in_order(json["predictions"]);
    static const std::regex no_number("\\b(nan|inf)\\b");
    for (const TextStyle style : {TextStyle::kTerminal, TextStyle::kMarkdown}) {
      const std::string report = plan_text(plan, {.style = style, .colour = false, .every_operator = true});
      EXPECT_FALSE(std::regex_search(report, no_number)) << report;
    }
  });
  EXPECT_LT(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC, 5.0 * kPlanThinning);
}

YamlEdit example(const std::string& name) {
  for (std::size_t i = 0; i < example_files().size(); ++i) {
    if (example_files()[i].string().ends_with(name)) return YamlEdit(parse_yaml(example_texts()[i], name));
  }
  throw std::logic_error("no example " + name);
}

const std::vector<YamlEdit>& bases() {
  static const std::vector<YamlEdit> all = {example("r1-a100-kunpeng/cluster.yaml"),
                                            example("team-30-r1-32b/option-2.yaml"),
                                            example("community-1000-homes/corrected.yaml")};
  return all;
}

std::string parent(const std::string& path) {
  const std::size_t dot = path.rfind('.');
  return dot == std::string::npos ? std::string() : path.substr(0, dot);
}

struct Absurd {
  const char* path;
  std::vector<const char*> values;
};

const std::vector<const char*> kCounts = {"1", "3", "61", "1000", "1000000", "10000000"};
const std::vector<const char*> kShares = {"0", "1e-300", "0.5", "0.999999999999", "1"};
const std::vector<const char*> kPowers = {"0 W",    "1e-300 W", "1 W",
                                          "1e12 W", "1e300 W",  "{value: 5 W, low: 0 W, high: 1e300 W}"};
const std::vector<const char*> kBytes = {"1 B", "1e-300 B", "1e15 B", "1e300 B"};
const std::vector<const char*> kRates = {"1 b/s", "1e-300 b/s", "1e18 b/s", "1e300 b/s"};
const std::vector<const char*> kTimes = {"0 s", "1e-300 s", "1 s", "1000 years", "1e300 s"};
const std::vector<const char*> kPrices = {"0 CNY", "0.01 CNY", "100000000000 CNY", "90000000000000000 CNY",
                                          "{value: 5 CNY, low: 0 CNY, high: 900000000 亿 CNY}"};
const std::vector<const char*> kTokens = {
    "1", "1.5", "1e5", "1e8", "{p50: 1, p99: 1e8}", "{mean: 1, p99: 14}", "{mean: 1e8, p99: 1e8}", "{p50: 1, p99: 1}"};

const std::vector<Absurd> kAbsurd = {
    {"title", {"\"\"", "\"\\0 \\x01 \\e\"", "\"\\u202e right to left\"", "🛰"}},
    {"date", {"0000", "9999-12-31"}},
    {"sites.0.count", kCounts},
    {"sites.0.electricity", {"0 CNY/kWh", "1e9 CNY/kWh", "900000000000 CNY/kWh"}},
    {"sites.0.pue", {"1", "5", "{value: 1, low: 1, high: 5}"}},
    {"sites.0.carbon", {"0 g/kWh", "1e300 g/kWh", "1e-300 kg/kWh"}},
    {"sites.0.mains_availability", kShares},
    {"sites.0.rack_power", kPowers},
    {"sites.0.rack_units", {"1", "100"}},
    {"sites.0.other_it_load", kPowers},
    {"sites.0.inlet", {"-273.15 C", "1e300 C"}},
    {"sites.0.circuit", {"{volts: 1, amps: 0.1}", "{volts: 100000, amps: 100000}"}},
    {"groups.0.nodes", kCounts},
    {"groups.0.node.accelerator.count", {"1", "3", "7", "1000", "1024"}},
    {"groups.0.availability", kShares},
    {"groups.0.availability", {"{value: 0.5, low: 0, high: 1}"}},
    {"groups.0.nodes_per_failure_domain", kCounts},
    {"groups.0.role", {"prefill", "decode", "auto"}},
    {"groups.0.node.accelerator.price", kPrices},
    {"groups.0.node.cpu.count", {"1", "64"}},
    {"groups.0.node.memory", kBytes},
    {"groups.0.node.memory",
     {"{size: 1 TB, bandwidth: 1e-300 B/s}", "{size: 1 TB, bandwidth: 1e300 B/s, price: 0 CNY}"}},
    {"groups.0.node.nics.0.rate", kRates},
    {"groups.0.node.nics.0.count", {"1", "256"}},
    {"groups.0.node.disks",
     {"[]", "[{capacity: 1 B}]", "[{capacity: 1e300 B, read: 1e-300 B/s, use: model}]",
      "[{capacity: 1 TB, count: 4096, read: 1e300 B/s}]"}},
    {"groups.0.node.psu",
     {"{rated: 1e-300 W}", "{count: 64, needed: 64, rated: 1e300 W, grade: gold}", "{rated: 1 W, grade: titanium}"}},
    {"groups.0.node.power", {"{}", "{mean: 5 W, peak: 1 W, idle: 100 kW}", "{overhead: 1e300 W}"}},
    {"groups.0.node.power.mean", kPowers},
    {"groups.0.node.power.peak", kPowers},
    {"groups.0.node.power.idle", kPowers},
    {"groups.0.node.power.rated", kPowers},
    {"groups.0.node.scale_up_domain", {"1", "2", "4096"}},
    {"groups.0.node.scale_up", {"false"}},
    {"groups.0.node.height_u", {"0", "1e-300", "100"}},
    {"groups.0.node.price", kPrices},
    {"fabrics", {"[]"}},
    {"fabrics.0.latency", kTimes},
    {"fabrics.0.oversubscription", {"1", "1000"}},
    {"fabrics.0.switches",
     {"[{role: leaf, part: nothing-known, count: 10000000}]",
      "[{role: a, part: mellanox-qm8700, count: 10000000, price: 1000000000 CNY}]"}},
    {"storage",
     {"[]", "[{id: s, raw: 1 B}]", "[{id: s, raw: 1e300 B, read: 1e300 B/s, price: 90000000000000000 CNY}]"}},
    {"items",
     {"[]", "[{what: air}]", "[{what: air, count: 1e9, price: 1000000000 CNY}]",
      "[{what: air, count: 0.001, price: 1 CNY, life_years: 0.1}]"}},
    {"software",
     {"[]", "[{id: s, unit: gpu, units: 1e9, price: 900000000 CNY/gpu-year}]",
      "[{id: s, annual: 90000000000000000 CNY}]"}},
    {"yearly", {"[]", "[{id: y}]", "[{id: y, annual: 90000000000000000 CNY}, {id: z, annual: 90000000000000000 CNY}]"}},
    {"finance.horizon_years", {"0.1", "50"}},
    {"finance.discount_rate", {"0", "1e-300", "1"}},
    {"finance.residual_share", kShares},
    {"finance.tax", kShares},
    {"finance.install_share", kShares},
    {"finance.utilisation", kShares},
    {"finance.exchange.0.rate", {"1e-6", "1e6"}},
    {"workload.engine", {"reference", "vllm", "sglang", "ktransformers"}},
    {"workload.input_tokens", kTokens},
    {"workload.output_tokens", kTokens},
    {"workload.concurrency", {"1", "1.5", "1e4", "1e8"}},
    {"workload.prefix_cache_hit", {"0", "1e-300", "0.9999"}},
    {"workload.slo",
     {"{ttft: 1e-300 s}", "{tpot: 1e-9 s}", "{e2e: 1e300 s}", "{ttft: 1 ns, tpot: 1 ns, e2e: 1 ns, percentile: 99.99}",
      "{e2e: 1000 years}"}},
    {"workload.objective", {"latency", "capacity"}},
    {"workload.weights",
     {"[bf16]", "[fp8]", "[int8]", "[int4]", "[q4_k, q8_0]", "[mxfp4-experts+bf16]", "int4-experts+fp8"}},
    {"workload.kv", {"[fp8, bf16]", "fp8"}},
    {"workload.max_context", {"1", "1.5", "131072", "1e8"}},
    {"workload.mtp_acceptance", kShares},
    {"workload.offload_experts", {"true", "false"}},
    {"availability",
     {"{}", "{target: 0}", "{target: 1}", "{target: 1e-300}", "{mttr: 0 s}", "{mttr: 1e300 s, target: 0.5}",
      "{failures_per_1000_node_days: 0, target: 0.999}", "{failures_per_1000_node_days: 1000, mttr: 1000 years}",
      "{failures_per_1000_node_days: 1e-300, mttr: 1e-300 s, target: 1}", "{weight_load: 1e-300 B/s}",
      "{detect: 1e300 s}", "{reroute: 0 s, detect: 0 s, target: 1}"}},
    {"alternatives",
     {"[]", "[{id: a, per_gpu_hour: 0 CNY/gpu-hour}]", "[{id: a, per_gpu_hour: 900000000000 CNY/gpu-hour}]",
      "[{id: a, output: 0 CNY/Mtok}]", "[{id: a, input: 0.000001 CNY/Mtok, output: 900000000000 CNY/Mtok}]"}},
    {"claims", {"[]"}},
    {"sources", {"{}"}},
    {"x-anchors", {"[&a {b: c}, &a [1], *a, *a]"}},
};

TEST(AbsurdCluster, EveryAbsurdValueIsAnsweredOrRefused) {
  std::size_t count = 0;
  for (const Absurd& absurd : kAbsurd) {
    for (const char* value : absurd.values) {
      if (++count % kPlanThinning != 0) continue;
      YamlEdit edit = bases()[count / kPlanThinning % bases().size()];
      if (!edit.has(parent(absurd.path))) edit = bases().front();
      edit.set(absurd.path, value);
      expect_answer(std::string(absurd.path) + ": " + value, edit.text());
    }
  }
  EXPECT_GE(count, 250u);
}

TEST(AbsurdCluster, AnEngineThatNobodyKnowsIsRefusedAtItsPlace) {
  for (const char* name : {"nonsense", "vlm", "5"}) {
    YamlEdit edit = bases().front();
    edit.set("workload.engine", name);
    const Cluster cluster = read_cluster_text(edit.text());
    EXPECT_TRUE(refusal(name, [&] { make_plan(cluster, shipped()); })) << name;
  }
}

TEST(AbsurdCluster, EveryPinIsAnswered) {
  int count = 0;
  for (const YamlEdit& base : bases()) {
    const std::string group = base.find("groups.0.id")->text;
    for (const char* pin : {"tp: 1",
                            "tp: 3",
                            "tp: 65536",
                            "pp: 1",
                            "pp: 61",
                            "pp: 62",
                            "pp: 65536",
                            "ep: 2",
                            "ep: 256",
                            "ep: 7",
                            "attention_dp: 16",
                            "attention_dp: 65536",
                            "replicas: 1",
                            "replicas: 10000000",
                            "tp: 2, pp: 16",
                            "tp: 1, pp: 1, ep: 1, attention_dp: 1, replicas: 1",
                            "weights: bf16",
                            "weights: q4_k",
                            "kv: fp8",
                            "role: prefill",
                            "role: decode",
                            "tp: 128, pp: 61, replicas: 5"}) {
      if (++count % kPlanThinning != 0) continue;
      YamlEdit edit = base;
      edit.set("layout", "[{group: " + group + ", " + pin + "}]");
      expect_answer(pin, edit.text());
    }
  }
}

TEST(AbsurdCluster, AnOpenLoopOfAnyRateIsAnswered) {
  int count = 0;
  for (const YamlEdit& base : bases()) {
    for (const char* rate : {"1e-300 /s", "1e-9 /s", "1 /day", "1 /s", "1e4 /s", "1e8 /s"}) {
      if (++count % std::min(kPlanThinning, 4) != 0) continue;
      YamlEdit edit = base;
      edit.remove("workload.concurrency");
      edit.set("workload.arrival_rate", rate);
      expect_answer(rate, edit.text());
    }
  }
}

TEST(AbsurdCluster, EveryOptionalSectionMayBeMissing) {
  int count = 0;
  for (const YamlEdit& base : bases()) {
    for (const std::string& path : base.paths()) {
      const bool listed =
          path.find(".0.") != std::string::npos && path.find("groups.0") != 0 && path.find("sites.0") != 0;
      if (path.starts_with("claims.") || listed || ++count % kPlanThinning != 0) continue;
      YamlEdit edit = base;
      edit.remove(path);
      expect_answer("without " + path, edit.text());
    }
  }
}

// The largest cluster that may be written down, in failure domains of several sizes.
TEST(AbsurdCluster, TenMillionNodesTakeNoMinutes) {
  std::size_t turn = 0;
  for (const char* domain : {"1", "20", "5000", "10000000"}) {
    if (kPlanThinning > 1 && turn > 1) break;
    YamlEdit edit = bases()[turn++ % bases().size()];
    edit.set("groups.0.nodes", "10000000");
    edit.set("groups.0.spares", "0");
    edit.set("groups.0.node.accelerator.count", "8");
    edit.set("groups.0.nodes_per_failure_domain", domain);
    edit.set("availability", "{target: 0.999}");
    expect_answer(std::string("ten million nodes in domains of ") + domain, edit.text());
  }
}

TEST(AbsurdCluster, ManyGroupsAreAnswered) {
  std::string groups = "\n";
  for (int i = 0; i < (kPlanThinning == 1 ? 24 : 6); ++i) {
    groups += "  - {id: g" + std::to_string(i) +
              ", site: hall, nodes: 1000000, role: auto, node: {accelerator: {part: nvidia-h100-sxm5-80gb, count: " +
              std::to_string(1 + i % 4) + "}, nics: [{rate: 400 Gb/s, fabric: ib}]}}\n";
  }
  YamlEdit edit = bases().front();
  edit.set("sites", "[{id: hall}]");
  edit.set("fabrics", "[{id: ib, kind: infiniband}]");
  edit.set("groups", groups);
  expect_answer("groups of a million nodes", edit.text());
}

TEST(AbsurdCluster, EveryModelAndEveryAcceleratorIsAnswered) {
  int count = 0;
  for (const ModelEntry& model : shipped().all<ModelEntry>()) {
    if (++count % kPlanThinning != 0) continue;
    YamlEdit edit = bases().front();
    edit.set("workload.model", model.id);
    expect_answer(model.id, edit.text());
  }
  for (const Accelerator& part : shipped().all<Accelerator>()) {
    if (++count % kPlanThinning != 0) continue;
    YamlEdit edit = bases()[1];
    edit.set("groups.0.node.accelerator", "{part: " + part.id + ", count: 8}");
    expect_answer(part.id, edit.text());
  }
}

}  // namespace
}  // namespace fathom
