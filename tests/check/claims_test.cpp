// What a claim may be about: each family fires on a claim that is wrong and stays silent on one that is right, and says what
// it expected when a claim cannot be read. The verdicts on the examples are in confusion_test.cpp.
#include "check/claims.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <set>

#include "check/rule_book.h"

namespace fathom {
namespace {

const std::filesystem::path kRoot = FATHOM_SOURCE_DIR;

const Catalog& catalog() {
  static const Catalog shipped(kRoot / "catalogs");
  return shipped;
}

// Two nodes of 8 x H100 with InfiniBand, and whatever claims a test adds.
constexpr const char* kDesign = R"(format: fathom-cluster/1
title: two nodes
sites:
  - {id: hall, electricity: 0.63 CNY/kWh, pue: 1.3}
groups:
  - id: h100
    nodes: 2
    node:
      accelerator: {part: nvidia-h100-sxm5-80gb, count: 8}
      cpu: {part: intel-xeon-platinum-8480plus, count: 2}
      memory: 2 TB
      nics: [{part: connectx-7, count: 8, rate: 400 Gb/s, fabric: ib}]
      psu: {count: 6, needed: 4, rated: 3300 W, grade: titanium}
fabrics:
  - id: ib
    kind: infiniband
    generation: NDR
    switches: [{role: leaf, part: mellanox-qm9700, count: 1}]
finance:
  currency: CNY
  exchange: [{from: USD, to: CNY, rate: 7.2, date: 2025-02}]
workload:
  model: llama-3.1-8b
  input_tokens: 1000
  output_tokens: 300
  concurrency: 8
)";

struct Example {
  const char* about;
  Verdict verdict;
  const char* value;
  const char* terms;
  const char* says = "";  // part of the computation
};

std::string claim_text(const std::string& about, const std::string& value, const std::string& terms) {
  std::string text = fmt::format("claims:\n  - id: c1\n    line: 1\n    quote: \"-\"\n    about: {}\n", about);
  if (!value.empty()) text += fmt::format("    value: {}\n", value);
  if (!terms.empty()) text += fmt::format("    terms: {}\n", terms);
  return text;
}

// The same in one line.
std::string claim_line(std::size_t number, const std::string& about, const std::string& value,
                       const std::string& terms) {
  return fmt::format("  - {{id: c{}, line: 1, quote: q, about: {}{}{}}}\n", number, about,
                     value.empty() ? "" : ", value: " + value, terms.empty() ? "" : ", terms: " + terms);
}

ClaimVerdict judged(const std::string& claims) {
  const Document document = parse_yaml(kDesign + claims, "cluster.yaml");
  const Cluster cluster = read_cluster(document, catalog());
  const Design design{cluster, document, catalog()};
  ClaimVerdict verdict = audit_claims(design).front();
  verdict.claim = nullptr;  // the cluster ends here
  return verdict;
}

constexpr Verdict kHolds = Verdict::kHolds, kMisleading = Verdict::kMisleading, kWrong = Verdict::kContradicted,
                  kUnknown = Verdict::kCannotBeChecked;

// Hand calculations stand in `says`.
const Example kExamples[] = {
    {"arithmetic.product", kHolds, "272.0 万 CNY", "{quantity: 32, unit_price: 8.5 万 CNY}"},
    {"arithmetic.product", kHolds, "42 万 USD", "{length: 120 km, unit_price: 3.5 USD/m}", "= 420,000 USD"},
    {"arithmetic.product", kHolds, "3024000 CNY", "{count: 1, price: 420000 USD}"},
    {"arithmetic.product", kHolds, "1051200 USD", "{power: 800 kW, time: 1 year, price: 0.15 USD/kWh}"},
    {"arithmetic.product", kWrong, "48", "{nodes: 16, per_node: 1}", "16 x 1 = 16, not 48"},
    {"arithmetic.product", kWrong, "4.2 万 USD", "{length: 120 km, unit_price: 3.5 USD/m}", "a factor of 10"},
    {"arithmetic.sum", kHolds, "457.6 万 CNY", "{a: 272.0 万 CNY, b: 51.2 万 CNY, c: 86.4 万 CNY, d: 48.0 万 CNY}"},
    {"arithmetic.sum", kWrong, "458.6 万 CNY", "{a: 272.0 万 CNY, b: 51.2 万 CNY, c: 86.4 万 CNY, d: 48.0 万 CNY}"},
    {"arithmetic.sum", kHolds, "100 %", "{a: 56 %, b: 17 %, c: 11 %, d: 8 %, e: 6 %, f: 3 %}", "101 %"},
    {"arithmetic.sum", kWrong, "100 %", "{a: 55 %, b: 16 %, c: 11 %, d: 8 %, e: 5 %, f: 3 %}", "98 %"},
    {"arithmetic.share", kHolds, "56 %", "{part: 1200 万 CNY, total: 2160 万 CNY}", "55.56 %"},
    {"arithmetic.share", kWrong, "55 %", "{part: 1200 万 CNY, total: 2160 万 CNY}", "55.56 %, not 55 %"},
    {"arithmetic.share", kHolds, "70 %", "{part: 24, total_low: 32, total_high: 38}", "63.16 % to 75 %"},
    {"arithmetic.ratio", kHolds, "3.75", "{after: 4500000, before: 1200000}"},
    {"arithmetic.ratio", kWrong, "4.75", "{after: 4500000, before: 1200000}"},
    {"arithmetic.within", kHolds, "25 万 CNY", "{low: 23 万 CNY, high: 30 万 CNY}"},
    {"arithmetic.within", kWrong, "31 万 CNY", "{low: 23 万 CNY, high: 30 万 CNY}"},

    {"bom.contains", kHolds, "NVIDIA", ""},
    {"bom.contains", kHolds, "nvidia.com/gpu", ""},
    {"bom.contains", kWrong, "FPGA", "", "no FPGA in the bill"},
    {"bom.complete", kHolds, "\"NVIDIA, QM9700\"", ""},
    {"bom.complete", kMisleading, "\"NVIDIA, UPS\"", "", "priced: UPS"},
    {"bom.count", kHolds, "2", "{low: 2, high: 2}"},
    {"bom.count", kMisleading, "3", "{low: 2, high: 3}"},
    {"rack.count", kHolds, "1", "{nodes: 16, nodes_per_rack: 20}", "ceil(16 / 20) = 1"},
    {"rack.count", kWrong, "4", "{nodes: 16, nodes_per_rack: 20}"},
    {"licence.count", kHolds, "16", "{unit: gpu, needed: 16, part: nvidia-ai-enterprise}"},
    {"licence.count", kWrong, "50", "{unit: host, needed: 1000}", "5 %"},
    {"licence.count", kWrong, "50", "{unit: host, needed: 50, part: nvidia-ai-enterprise}", "licensed per gpu"},
    {"reference.used", kHolds, "\"NVIDIA, vLLM\"", "{uses: vLLM}"},
    {"reference.used", kWrong, "\"Triton, Optane\"", "{uses: vLLM}", "2 of 2"},
    {"reference.source", kHolds, "https://www.nvidia.com/h100", "{part: nvidia-h100-sxm5-80gb}"},
    {"reference.source", kMisleading, "https://h100.example/page", "{part: nvidia-h100-sxm5-80gb}"},

    {"energy.cost", kHolds, "105.12 万 USD", "{power: 800 W, count: 1000, time: 1 year, price: 0.15 USD/kWh}"},
    {"energy.cost", kWrong, "97.5 万 USD", "{power: 800 W, count: 1000, time: 3 years, price: 0.15 USD/kWh}",
     "3,153,600 USD"},
    // 13.2 kW is what four supplies of 3.3 kW give: the draw of the parts takes its place.
    {"energy.cost", kHolds, "5 万 CNY", "{power: 13.2 kW, time: 1 year}", "its supply is rated 13.2 kW"},
    {"energy.cost", kMisleading, "15 万 CNY", "{power: 10 kW, time: 1 year}", "1.71 CNY/kWh"},
    {"energy.cost", kWrong, "60 万 CNY", "{power: 10 kW, time: 1 year}"},
    {"price.market", kHolds, "2000 万 CNY", "{server: hgx-h100-8, count: 10}"},
    {"price.market", kWrong, "1200 万 CNY", "{server: hgx-h100-8, count: 10}", "2023-05"},
    {"price.dated", kHolds, "8 万 CNY", "{part: A100, date: 2025-03, source: a dealer}"},
    {"price.dated", kUnknown, "8 万 CNY", "{part: A100}", "no date and no source"},
    // 50e6 / (1 - 0.42) = 86.2e6
    {"finance.break_even", kHolds, "42 %", "{calls: 50000000 /year, cost: 2160 万 CNY, years: 3, at: 86200000 /year}"},
    {"finance.break_even", kMisleading, "42 %", "{calls: 50000000 /year, cost: 2160 万 CNY, years: 3}", "86,206,897"},
    {"finance.break_even", kWrong, "42 %", "{calls: 50000000 /year, cost: 2160 万 CNY, years: 3, at: 60000000 /year}"},
    {"staff.round_the_clock", kHolds, "18 万 USD", "{seats: 1, people: 5}"},
    {"staff.round_the_clock", kMisleading, "18 万 USD", "{seats: 3}", "12.6 people"},

    {"efficiency.flops_per_watt", kHolds, "0.7 TFLOPS/W",
     "{accelerator: nvidia-a100-pcie-80gb, format: bf16, count: 2, power: 850 W}", "0.734"},
    {"efficiency.flops_per_watt", kMisleading, "1 TFLOPS/W",
     "{accelerator: nvidia-a100-pcie-80gb, format: bf16, count: 2, power: 850 W}", "1.04"},
    {"efficiency.flops_per_watt", kWrong, "3.2 TFLOPS/W",
     "{accelerator: nvidia-a100-pcie-80gb, format: bf16, count: 2, power: 850 W}"},
    {"efficiency.gain", kHolds, "0.5 TFLOPS/W", "{accelerator: nvidia-rtx-2080ti-11gb, format: fp16, method: dvfs}"},
    {"efficiency.gain", kMisleading, "1.2 TFLOPS/W",
     "{accelerator: nvidia-rtx-2080ti-11gb, format: fp16, method: dvfs}", "2.788 times"},
    {"efficiency.sparsity", kHolds, "60 %", "{kept: 2, of: 4}"},
    {"efficiency.sparsity", kMisleading, "30 %", "{kept: 2, of: 4}", "drop 50 %"},
    {"power.node", kHolds, "8 kW", "{kind: peak, group: h100}"},
    {"power.node", kWrong, "5 kW", "{kind: peak, group: h100}"},
    {"power.parts", kHolds, "200 W", "{cpu: phytium-d2000-8, accelerator: iluvatar-bi-v100}"},
    {"power.parts", kWrong, "5 W", "{cpu: phytium-d2000-8, accelerator: iluvatar-bi-v100}", "275 W"},
    {"power.supply", kHolds, "3300 W", "{group: h100}", "4 x 3.3 kW"},
    {"power.supply", kWrong, "1500 W", "{group: h100}"},
    {"power.connectors", kHolds, "400 W", "{slot: 75 W, connectors: 2, each: 150 W}"},
    {"power.connectors", kWrong, "300 W", "{slot: 75 W, connectors: 2, each: 150 W}", "= 375 W"},
    {"power.states", kHolds, "saves", "{low_load: P8, high_load: P0}"},
    {"power.states", kWrong, "saves", "{low_load: P0, high_load: P2}"},
    {"site.pue", kHolds, "1.15", "{cooling: cold-plate}"},
    {"site.pue", kWrong, "1.1", "{cooling: air-cooled}"},
    {"site.pue", kWrong, "0.9", "{cooling: cold-plate}"},
    {"site.pue_saving", kHolds, "0.3", "{from: air-cooled, to: cold-plate}"},
    {"site.pue_saving", kWrong, "0.9", "{from: air-cooled, to: cold-plate}"},
    {"site.pue_scope", kHolds, "hall", ""},
    {"site.pue_scope", kMisleading, "cooling loop", ""},
    {"thermal.inlet", kHolds, "24 C", "{accelerator: nvidia-h100-sxm5-80gb}"},
    {"thermal.inlet", kMisleading, "30 C", "{accelerator: nvidia-h100-sxm5-80gb}"},
    {"thermal.inlet", kWrong, "38 C", "{accelerator: nvidia-h100-sxm5-80gb}", "up to 35 C"},
    {"thermal.humidity", kHolds, "45 %", ""},
    {"thermal.humidity", kWrong, "95 %", ""},
    {"thermal.fans", kHolds, "80 mm", "{power: 10.2 kW, air_share: 30 %}"},
    {"thermal.fans", kMisleading, "120 mm", "{power: 10.2 kW, air_share: 30 %}", "3.06 kW"},

    // 8 x 80 GiB less 626.92 GiB leave 13.08 GiB.
    {"memory.fits", kHolds, "fp8", "{model: deepseek-r1, accelerator: nvidia-h100-sxm5-80gb, count: 16}"},
    {"memory.fits", kWrong, "fp8", "{model: deepseek-r1, accelerator: nvidia-h100-sxm5-80gb, count: 8}",
     "13.1 GiB are left"},
    {"memory.fits", kWrong, "bf16", "{model: llama-3.1-70b, accelerator: nvidia-h100-sxm5-80gb, count: 1}"},
    {"memory.model_size", kHolds, "64 GB", "{model: r1-distill-qwen-32b, weights: bf16}", "65.5 GB"},
    {"memory.model_size", kWrong, "32 GB", "{model: r1-distill-qwen-32b, weights: bf16}"},
    {"memory.saving", kHolds, "50 %", "{from: fp16, to: int8}"},
    {"memory.saving", kWrong, "40 %", "{from: fp16, to: int8}", "1 - 8 / 16"},
    {"memory.compression", kHolds, "2", "{from: fp8}"},
    {"memory.compression", kWrong, "8", "{from: fp8}", "1 bit per weight"},
    {"memory.partition", kHolds, "4 GB", "{parts: 2, device: 11 GB}"},
    {"memory.partition", kWrong, "5.5 GB", "{parts: 2, device: 11 GB}", "nothing is left"},
    {"memory.stages", kHolds, "87.5 %", "{stages: 8}"},
    {"memory.stages", kMisleading, "75 %", "{stages: 8}"},
    {"memory.stages", kWrong, "95 %", "{stages: 8}"},
    {"memory.training", kHolds, "16 B", "{model: gpt3-175b, accelerator: huawei-ascend-910b3-64gb, count: 128}"},
    {"memory.training", kWrong, "16 B", "{model: gpt3-175b, accelerator: huawei-ascend-910b3-64gb, count: 16}"},
    {"memory.host", kHolds, "2 TB", "{accelerator: nvidia-h100-sxm5-80gb, count: 8}"},
    {"memory.host", kMisleading, "512 GB", "{accelerator: nvidia-h100-sxm5-80gb, count: 8}", "640 GiB"},
    {"memory.container", kHolds, "64 GiB", "{model: llama-3.1-8b, weights: bf16}"},
    {"memory.container", kMisleading, "64 GiB", "{model: deepseek-r1, weights: fp8}", "626.9 GiB"},
    {"memory.balance", kHolds, "256 GB", "{compute: 512 GB}"},
    {"memory.balance", kMisleading, "1 TB", "{compute: 512 GB}"},
    {"memory.expansion", kHolds, "CXL", "{accelerator: huawei-ascend-310p-24gb, generation: 5}"},
    {"memory.expansion", kMisleading, "CXL", "{accelerator: nvidia-h100-sxm5-80gb, generation: 5}", "53"},

    {"model.parameters", kHolds, "671e9", "{model: deepseek-r1}"},
    {"model.parameters", kWrong, "236e9", "{model: deepseek-r1}"},
    {"model.parameters_at_least", kHolds, "100e9", "{model: deepseek-r1}"},
    {"model.parameters_at_least", kWrong, "100e9", "{model: llama-3.1-70b}"},
    {"model.name", kHolds, "DeepSeek-R1-Distill-Qwen-32B", "{model: r1-distill-qwen-32b}"},
    {"model.name", kHolds, "Llama-3.1-70B-Instruct", "{model: llama-3.1-70b}"},
    {"model.name", kMisleading, "DeepSeek-R1-32B", "{model: r1-distill-qwen-32b}"},
    {"model.name", kWrong, "DeepSeek-R1", "{model: r1-distill-qwen-32b}"},
    {"model.exists", kHolds, "671B", "{family: deepseek}"},
    {"model.exists", kWrong, "175B", "{family: deepseek}", "no 175B"},
    {"model.published", kHolds, "2025-06", "{model: deepseek-r1}"},
    {"model.published", kWrong, "2024-12", "{model: deepseek-r1}"},

    {"part.name", kHolds, "英伟达 H100", "{part: nvidia-h100-sxm5-80gb}"},
    {"part.name", kHolds, "鲲鹏920", "{part: huawei-kunpeng-920-7260}"},
    {"part.name", kHolds, "NVIDIA Tesla A100 GPU (80GB)", "{part: nvidia-a100-pcie-80gb}"},
    {"part.name", kWrong, "NYUDA A100", "{part: nvidia-a100-pcie-80gb}", "NVIDIA A100 PCIe 80GB"},
    {"part.name", kWrong, "异腾", "{part: huawei-ascend-910b3-64gb}", "昇腾"},
    {"part.variant", kHolds, "H100 SXM5", ""},
    {"part.variant", kMisleading, "A100 80GB", "", "300 W"},
    {"part.exists", kHolds, "AMD MI300X", ""},
    {"part.exists", kMisleading, "Quantum 9000", ""},
    {"part.memory", kHolds, "80 GB", "{part: nvidia-h100-sxm5-80gb}"},
    {"part.memory", kWrong, "96 GB", "{part: nvidia-h100-sxm5-80gb}", "80 GiB"},
    {"part.memory_bandwidth", kHolds, "3.35 TB/s", "{part: nvidia-h100-sxm5-80gb}"},
    {"part.memory_bandwidth", kWrong, "4.8 TB/s", "{part: nvidia-h100-sxm5-80gb}"},
    {"part.memory_mts", kHolds, "3200", "{part: intel-core-i7-12700k}"},
    {"part.memory_mts", kMisleading, "3600", "{part: intel-core-i7-12700k}", "DDR4-3200"},
    {"part.cores", kHolds, "64", "{part: huawei-kunpeng-920-7260}"},
    {"part.cores", kWrong, "48", "{part: huawei-kunpeng-920-7260}"},
    {"part.base_clock", kHolds, "2.6 GHz", "{part: huawei-kunpeng-920-7260}"},
    {"part.base_clock", kWrong, "3.0 GHz", "{part: huawei-kunpeng-920-7260}"},
    {"part.power", kHolds, "300 W", "{part: nvidia-rtx-2080ti-11gb}", "unlocked up to 300 W"},
    {"part.power", kWrong, "400 W", "{part: nvidia-rtx-2080ti-11gb}"},
    {"part.ports", kHolds, "64 x 100 Gb/s", "{part: mellanox-sn4600c}"},
    {"part.ports", kHolds, "6 x 40 Gb/s", "{part: cisco-93180yc-ex}"},
    {"part.ports", kWrong, "48 x 40 Gb/s", "{part: cisco-93180yc-ex}", "48 x 25 Gb/s and 6 x 100 Gb/s"},
    {"part.port_rate", kHolds, "10 Gb/s", "{part: connectx-5-en}"},
    {"part.port_rate", kWrong, "200 Gb/s", "{part: connectx-5-en}"},
    {"part.asic", kHolds, "Spectrum-3", "{part: mellanox-sn4600c}"},
    {"part.asic", kWrong, "Spectrum-4", "{part: mellanox-sn4600c}", "Spectrum-3"},
    {"part.scale_up_bandwidth", kHolds, "900 GB/s", "{part: nvidia-h100-sxm5-80gb, directions: 2}"},
    {"part.scale_up_bandwidth", kMisleading, "900 GB/s", "{part: nvidia-h100-sxm5-80gb}"},
    {"part.scale_up_bandwidth", kWrong, "1800 GB/s", "{part: nvidia-h100-sxm5-80gb}"},
    {"part.scale_up_domain", kHolds, "8", "{part: nvidia-h100-sxm5-80gb}"},
    {"part.scale_up_domain", kWrong, "2 nodes", "{part: nvidia-rtx-2080ti-11gb}", "inside one chassis"},
    {"part.pcie_generation", kHolds, "4", "{part: intel-xeon-platinum-8380}"},
    {"part.pcie_generation", kMisleading, "5", "{part: intel-xeon-platinum-8380, device: nvidia-h100-sxm5-80gb}",
     "31 GB/s instead of 63 GB/s"},
    {"part.pcie_generation", kWrong, "5", "{part: intel-xeon-platinum-8380}"},
    {"part.disk_size", kHolds, "20 TB", "{kind: hdd}"},
    {"part.disk_size", kWrong, "19.2 TB", "{kind: hdd}", "18 TB and 20 TB"},
    {"part.format", kHolds, "fp8", "{part: nvidia-h100-sxm5-80gb}"},
    {"part.format", kMisleading, "fp8", "{part: nvidia-a100-pcie-80gb, model: deepseek-r1}"},
    {"part.format", kWrong, "fp8", "{part: nvidia-rtx-2080ti-11gb}", "7.5"},
    {"part.feature", kHolds, "mig", "{part: nvidia-a100-pcie-80gb}"},
    {"part.feature", kWrong, "sriov", "{part: nvidia-rtx-2080ti-11gb}"},
    {"part.feature", kHolds, "bmc", "{part: intel-xeon-platinum-8380}"},
    {"part.feature", kWrong, "bmc", "{part: intel-core-i7-12700k}"},
    {"part.feature", kWrong, "SVE2", "{part: huawei-kunpeng-920-7260}"},
    {"part.compare", kHolds, "lower",
     "{property: memory_bandwidth, part: nvidia-l40s-48gb, other: nvidia-rtx-6000-ada-48gb}"},
    {"part.compare", kWrong, "higher",
     "{property: memory_bandwidth, part: nvidia-l40s-48gb, other: nvidia-rtx-6000-ada-48gb}", "864 GB/s"},
    {"part.current", kHolds, "\"2023\"", "{part: nvidia-h100-sxm5-80gb}"},
    {"part.current", kMisleading, "\"2025\"", "{part: nvidia-v100-sxm2-32gb}", "Hopper (2022)"},
    {"part.works_with", kHolds, "alphacool-eiswolf-2", "{part: nvidia-rtx-3090-24gb}"},
    {"part.works_with", kMisleading, "alphacool-eiswolf-2", "{part: nvidia-rtx-2080ti-11gb}"},
    {"part.works_with", kWrong, "intel-optane-pmem", "{part: huawei-kunpeng-920-7260}", "2022-07"},

    {"link.rate", kHolds, "200 Gb/s", "{kind: infiniband, generation: HDR}"},
    {"link.rate", kWrong, "200 Gb/s", "{kind: infiniband, generation: EDR}", "EDR is 100 Gb/s, 200 Gb/s is HDR"},
    {"link.fibre", kHolds, "OS2", "{optic: 100g-lr4}"},
    {"link.fibre", kWrong, "OM4", "{optic: 100g-lr4}", "single-mode"},
    {"link.reach", kHolds, "120 m", "{optic: 10g-sr, fibre: OM4}"},
    {"link.reach", kWrong, "600 m", "{optic: 10g-sr, fibre: OM4}", "400 m"},
    {"link.latency", kHolds, "1.5 us", "{kind: infiniband}"},
    {"link.latency", kWrong, "0.1 us", "{kind: infiniband}"},
    {"link.acceptance", kHolds, "85 Gb/s", "{rate: 100 Gb/s}"},
    {"link.acceptance", kWrong, "40 Gb/s", "{rate: 100 Gb/s}", "40 %"},
    {"link.balance", kHolds, "3200 Gb/s", "{accelerator: nvidia-h100-sxm5-80gb, count: 8}"},
    {"link.balance", kMisleading, "100 Gb/s", "{accelerator: nvidia-h100-sxm5-80gb, count: 8}", "36 times"},
    {"link.message", kHolds, "1 MB", "{model: deepseek-r1, tokens: 128}"},
    {"link.message", kMisleading, "1 MB", "{model: deepseek-r1}", "14.3 kB"},
    {"link.rdma", kHolds, "roce", "{card: connectx-7, accelerator: nvidia-h100-sxm5-80gb}"},
    {"link.rdma", kMisleading, "roce", "{card: connectx-5-en, accelerator: nvidia-rtx-2080ti-11gb}"},
    {"link.rdma", kWrong, "infiniband", "{card: connectx-5-en, accelerator: nvidia-h100-sxm5-80gb}"},
    {"link.spare", kHolds, "second link", "{group: h100, kind: infiniband}"},
    {"link.spare", kWrong, "second link", "{group: h100, kind: roce}"},
    {"pcie.lanes", kHolds, "32", "{cpu: huawei-kunpeng-920-7260, accelerators: 2, lanes_each: 16}"},
    {"pcie.lanes", kWrong, "80", "{cpu: huawei-kunpeng-920-7260, accelerators: 2, network_cards: 3, lanes_each: 16}",
     "= 80 lanes"},
    {"fabric.ports", kHolds, "200", "{part: mellanox-sn4600c, count: 4, rate: 100 Gb/s}", "= 256 ports"},
    {"fabric.ports", kWrong, "1000", "{part: cisco-93180yc-ex, count: 50, rate: 40 Gb/s, other_uplinks: 200}",
     "50 x 6 - 200 = 100 ports"},
    {"fabric.switch_count", kHolds, "42", "{ends: 1000, ports: 24}"},
    {"fabric.switch_count", kMisleading, "1000", "{ends: 1000, ports: 24}"},
    {"fabric.switch_count", kWrong, "40", "{ends: 1000, ports: 24}"},
    {"fabric.lossless", kHolds, "lossless", "{downlinks: 20, down_rate: 10 Gb/s, uplinks: 4, up_rate: 100 Gb/s}"},
    {"fabric.lossless", kMisleading, "lossless", "{downlinks: 20, down_rate: 40 Gb/s, uplinks: 4, up_rate: 100 Gb/s}",
     "2 to 1"},

    // 16.06 GB less the input embedding in bf16, 15.01 GB over 3.35 TB/s: 4.5 ms on one H100, 0.56 ms on eight.
    {"latency.tokens", kHolds, "1 s",
     "{tokens: 100, model: llama-3.1-8b, weights: bf16, accelerator: nvidia-h100-sxm5-80gb, count: 8}"},
    {"latency.tokens", kMisleading, "500 ms",
     "{tokens: 100, model: llama-3.1-8b, weights: bf16, accelerator: nvidia-h100-sxm5-80gb, count: 1}", "15 GB"},
    {"latency.tokens", kWrong, "300 ms",
     "{tokens: 100, model: llama-3.1-8b, weights: bf16, accelerator: nvidia-h100-sxm5-80gb, count: 1}"},
    {"latency.undefined", kMisleading, "200 ms", "{kind: inference}", "the first token"},
    {"latency.undefined", kMisleading, "1 us", "{kind: network}", "830 ns"},
    {"latency.network", kHolds, "20 s", "{model: deepseek-r1, devices: 33, tokens: 512, hop: 10 us}", "7.5 s"},
    {"latency.network", kWrong, "600 ms", "{model: deepseek-r1, devices: 33, tokens: 512, hop: 10 us}"},
    {"queueing.little", kHolds, "139 /s", "{in_flight: 100, latency: 720 ms}"},
    {"queueing.little", kWrong, "1200 /s", "{in_flight: 100, latency: 720 ms}", "864 in flight"},
    {"queueing.at_least", kHolds, "12000 /day", "{in_flight: 15, latency: 4 s}", "324,000 per day"},
    {"queueing.at_least", kWrong, "400000 /day", "{in_flight: 15, latency: 4 s}"},
    {"queueing.peak", kHolds, "10", "{rate: 0.5 /s, latency: 5 s}"},
    {"queueing.peak", kMisleading, "10", "{rate: 600 /day, latency: 5 s}", "288 times"},
    {"queueing.peak", kWrong, "1", "{rate: 0.5 /s, latency: 5 s}"},
    {"queueing.percentile", kHolds, "420 ms", "{p99: 600 ms}"},
    {"queueing.percentile", kMisleading, "580 ms", "{p99: 600 ms}"},
    {"queueing.percentile", kWrong, "720 ms", "{p99: 600 ms}"},
    {"queueing.speedup", kHolds, "8", "{before: 1.2 s, after: 280 ms, batch: 4}"},
    {"queueing.speedup", kMisleading, "3.2 x", "{before: 1.2 s, after: 280 ms, batch: 16}", "0.7467"},

    {"serving.replicas", kHolds, "2", "{model: llama-3.1-70b, accelerator: nvidia-h100-sxm5-80gb, devices: 4}"},
    {"serving.replicas", kWrong, "3", "{model: deepseek-r1, accelerator: nvidia-h100-sxm5-80gb, devices: 3}"},
    {"serving.replicas", kWrong, "4", "{model: gpt3-175b, devices: 4, usable: 32 GiB}"},
    {"serving.concurrency", kHolds, "300",
     "{model: gpt3-175b, weights: bf16, accelerator: cambricon-mlu370-x8, count: 32, tokens: 700}", "393 requests"},
    {"serving.concurrency", kWrong, "1000",
     "{model: gpt3-175b, weights: bf16, accelerator: cambricon-mlu370-x8, count: 32, tokens: 700}"},
    {"serving.output_rate", kHolds, "20 /s",
     "{tokens: 512, model: deepseek-r1, accelerator: nvidia-rtx-2080ti-11gb, count: 1000}"},
    {"serving.output_rate", kMisleading, "680 /s",
     "{tokens: 512, model: deepseek-r1, accelerator: nvidia-rtx-2080ti-11gb, count: 1000}", "348,160 tok/s"},
    {"serving.output_rate", kWrong, "2000 /s",
     "{tokens: 512, model: deepseek-r1, accelerator: nvidia-rtx-2080ti-11gb, count: 1000}"},
    {"serving.max_context", kHolds, "131072",
     "{model: r1-distill-qwen-32b, weights: int4, accelerator: nvidia-rtx-6000-ada-48gb, count: 2}", "34.4 GB"},
    {"serving.max_context", kWrong, "131072",
     "{model: r1-distill-qwen-32b, weights: int4, accelerator: nvidia-rtx-6000-ada-48gb, count: 1}"},
    {"serving.max_context", kWrong, "1000000",
     "{model: r1-distill-qwen-32b, weights: int4, accelerator: nvidia-h100-sxm5-80gb, count: 80}", "ends at 131,072"},
    {"serving.autoscale", kMisleading, "85 %", "{model: deepseek-r1, weights: fp8, accelerator: nvidia-h100-sxm5-80gb}",
     "8 free"},
    {"pipeline.utilisation", kHolds, "75 %", "{stages: 8}"},
    {"pipeline.utilisation", kMisleading, "90 %", "{stages: 8}", "63 micro-batches"},
    {"pipeline.utilisation", kWrong, "100 %", "{stages: 8}"},
    {"layout.devices", kHolds, "4", "{parallelism: tensor+pipeline}"},
    {"layout.devices", kWrong, "1", "{parallelism: tensor+pipeline}"},
    {"layout.spans", kHolds, "2", "{model: deepseek-r1, accelerator: nvidia-h100-sxm5-80gb, per_node: 8}"},
    {"layout.spans", kWrong, "1", "{model: deepseek-r1, accelerator: nvidia-rtx-2080ti-11gb, usable: 9.5 GiB}",
     "132 in bf16"},
    {"layout.tensor_parallel", kHolds, "2", "{model: r1-distill-qwen-32b}"},
    {"layout.tensor_parallel", kWrong, "3", "{model: r1-distill-qwen-32b}", "40 heads"},

    {"storage.usable", kHolds, "465 TB", "{raw: 640 TB, scheme: ec-8+3}"},
    {"storage.usable", kWrong, "1000 TB", "{raw: 640 TB, scheme: ec-8+3}", "465 TB"},
    {"storage.holds", kHolds, "1.6 TB", "{model: deepseek-r1, weights: bf16}", "1.34 TB"},
    {"storage.holds", kWrong, "960 GB", "{model: deepseek-r1, weights: bf16}"},
    {"storage.iops", kHolds, "500000 /s", "{model: deepseek-r1, weights: fp8, time: 300 s, block: 64 KiB}"},
    {"storage.iops", kMisleading, "500000 /s", "{model: deepseek-r1, weights: fp8, time: 300 s}", "2.24 GB/s"},
    {"storage.iops", kWrong, "1000 /s", "{model: deepseek-r1, weights: fp8, time: 300 s, block: 64 KiB}"},
    {"storage.load_time", kHolds, "300 s", "{model: deepseek-r1, weights: fp8, read: 6.8 GB/s}"},
    {"storage.load_time", kMisleading, "300 s", "{model: deepseek-r1, weights: fp8}"},
    {"storage.load_time", kWrong, "300 s", "{model: deepseek-r1, weights: fp8, read: 1.25 GB/s}"},

    {"software.runs_on", kHolds, "mindie", "{part: huawei-ascend-910b3-64gb}"},
    {"software.runs_on", kWrong, "mindie", "{part: nvidia-a100-pcie-80gb}", "CANN"},
    {"software.runs_on", kWrong, "esxi", "{part: intel-core-i7-12700k}"},
    {"software.based_on", kHolds, "TensorRT", "{software: tensorrt-llm}"},
    {"software.based_on", kWrong, "TensorRT", "{software: ktransformers}"},
    {"software.offers", kHolds, "quantization", "{software: ktransformers}"},
    {"software.offers", kMisleading, "autoscaling", "{software: prometheus}"},
    {"software.offers", kWrong, "grpc", "{software: llama.cpp}", "HTTP"},
    {"software.offers", kUnknown, "teleportation", "{software: vllm}"},
    {"software.alternatives", kHolds, "2", "{software: \"vllm, prometheus\"}"},
    {"software.alternatives", kWrong, "3", "{software: \"ktransformers, mindie, llama.cpp\"}"},
    {"software.kind", kHolds, "inference engine", "{software: mindie}"},
    {"software.kind", kMisleading, "operator library", "{software: mindie}"},
    {"software.kind", kWrong, "hypervisor", "{software: mindie}"},
    {"software.release", kHolds, "Reef", "{software: ceph, version: 18.2.0}"},
    {"software.release", kWrong, "quincy", "{software: ceph, version: 18.2.0}", "Quincy is 17.2"},
    {"software.serves_model", kHolds, "llama-2-70b", "{software: triton-inference-server, version: \"23.10\"}"},
    {"software.serves_model", kWrong, "deepseek-r1", "{software: triton-inference-server, version: \"23.10\"}"},
    {"software.limit", kHolds, "1000", "{software: kubernetes, of: nodes}"},
    {"software.limit", kWrong, "8000", "{software: kubernetes, of: nodes}", "5,000"},
    {"software.command", kHolds, "nvidia-smi -i 0 -pl 250", "{software: nvidia-smi}", "-pl power limit"},
    {"software.command", kWrong, "nvidia-smi -i 0 -gpu-virtualization-mode 1", "{software: nvidia-smi}"},
    {"software.command", kWrong, "nvidia-smi vgpu -c 4", "{software: nvidia-smi, purpose: create instances}"},

    {"alarm.threshold", kHolds, "5 us", "{design: 1.5 us}"},
    {"alarm.threshold", kMisleading, "500 us", "{design: 1.5 us}", "333.3 times"},
    {"alarm.memory", kHolds, "98 %",
     "{model: llama-3.1-8b, weights: bf16, accelerator: nvidia-h100-sxm5-80gb, count: 1}"},
    {"alarm.memory", kMisleading, "90 %",
     "{model: deepseek-r1, weights: fp8, accelerator: nvidia-h100-sxm5-80gb, count: 8}", "97.96 %"},
    {"clock.offset", kHolds, "100 us", "{protocol: ptp}"},
    {"clock.offset", kMisleading, "100 us", "{protocol: ntp}"},
    {"method.purpose", kHolds, "gpudirect-storage", "{used_for: loading}"},
    {"method.purpose", kMisleading, "mixed-precision-training", "{used_for: training}"},
    {"method.purpose", kWrong, "mixed-precision-training", "{used_for: inference}"},
    {"evidence.gain", kHolds, "30 %", "{measured: benchmark of 2025-03, baseline: vLLM 0.8}"},
    {"evidence.gain", kUnknown, "30 %", "{baseline: vLLM 0.8}", "nobody measured it"},
    {"evidence.gain", kUnknown, "", ""},
    {"evidence.other_workload", kHolds, "280 ms", "{kind: language model}"},
    {"evidence.other_workload", kMisleading, "280 ms", "{kind: image analysis}"},

    {"availability.service", kHolds, "0.9", "{scheme: N+2, nodes: 12, replicas: 10}"},
    {"availability.service", kWrong, "0.9995", "{scheme: N+2, nodes: 1000, replicas: 1000}", "leave 0"},
    {"availability.service", kWrong, "0.9999999", ""},
    {"power.it_peak_w", kHolds, "30 kW", ""},
    {"power.it_peak_w", kWrong, "2 kW", ""},
    {"power.it_mean_w", kHolds, "20 kW", ""},
    {"power.it_mean_w", kWrong, "100 W", ""},
    {"power.site_mean_w", kHolds, "30 kW", ""},
    {"power.site_mean_w", kWrong, "100 W", ""},
    {"predictions.ttft_s", kHolds, "10 s", ""},
    {"predictions.ttft_s", kWrong, "1 us", ""},
    {"predictions.tpot_s", kHolds, "1 s", ""},
    {"predictions.tpot_s", kWrong, "1 us", ""},
    {"predictions.e2e_s", kHolds, "100 s", ""},
    {"predictions.e2e_s", kWrong, "1 ms", ""},
    {"predictions.step_time_s", kHolds, "1 s", ""},
    {"predictions.step_time_s", kWrong, "1 us", ""},
    {"predictions.output_tok_per_s", kHolds, "1 /s", ""},
    {"predictions.output_tok_per_s", kWrong, "1000000 /s", ""},
    {"predictions.prefill_tok_per_s", kHolds, "1 /s", ""},
    {"predictions.prefill_tok_per_s", kWrong, "1000000000 /s", ""},
    {"predictions.requests_per_s", kHolds, "0.1 /s", ""},
    {"predictions.requests_per_s", kWrong, "10000 /s", ""},
};

// All in one file, so that those about the plan share it.
TEST(Claims, AreJudgedByWhatFollowsFromTheirTerms) {
  std::string claims = "claims:\n";
  for (std::size_t i = 0; i < std::size(kExamples); ++i)
    claims += claim_line(i, kExamples[i].about, kExamples[i].value, kExamples[i].terms);
  const Document document = parse_yaml(kDesign + claims, "cluster.yaml");
  const Cluster cluster = read_cluster(document, catalog());
  const std::vector<ClaimVerdict> verdicts = audit_claims({cluster, document, catalog()});
  ASSERT_EQ(verdicts.size(), std::size(kExamples));
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    const Example& example = kExamples[i];
    const std::string& computation = verdicts[i].computation;
    SCOPED_TRACE(fmt::format("{} of {} with {}", example.about, example.value, example.terms));
    EXPECT_EQ(static_cast<int>(verdicts[i].verdict), static_cast<int>(example.verdict)) << computation;
    EXPECT_NE(computation.find(example.says), std::string::npos) << computation;
    EXPECT_EQ(computation.find('\n'), std::string::npos) << "one line";
  }
}

TEST(Claims, OfEveryKindFireAndStaySilentInATest) {
  const std::set<std::string> never_hold = {"latency.undefined", "serving.autoscale"};
  // Their sums are those of the bill, which the small design leaves without prices.
  const std::set<std::string> elsewhere = {"cost.capex", "cost.opex_per_year", "cost.total"};
  std::set<std::string> fired, silent;
  for (const Example& example : kExamples) (example.verdict == kHolds ? silent : fired).insert(example.about);
  for (const std::string& subject : claim_subjects()) {
    if (elsewhere.contains(subject)) continue;
    EXPECT_TRUE(fired.contains(subject)) << subject << " never fires";
    EXPECT_TRUE(silent.contains(subject) || never_hold.contains(subject)) << subject << " is never silent";
  }
}

TEST(Claims, HaveARuleForEverythingTheyMayBeAbout) {
  const RuleBook book(kRoot / "catalogs");
  for (const std::string& subject : claim_subjects()) {
    const Rule* rule = book.find(subject);
    ASSERT_NE(rule, nullptr) << subject;
    EXPECT_GT(rule->explanation.size(), 40u) << subject;
  }
}

TEST(Claims, AboutCostsAreHeldAgainstThePlan) {
  const std::string priced = "items: [{what: racks, count: 2, price: 10 万 CNY}]\n";
  for (const char* about : {"cost.capex", "cost.total"}) {
    EXPECT_EQ(judged(priced + claim_text(about, "10 万 CNY", "")).verdict, kWrong) << about;
    EXPECT_EQ(judged(priced + claim_text(about, "500 万 CNY", "")).verdict, kHolds) << about;
  }
  EXPECT_EQ(judged(claim_text("cost.opex_per_year", "1 CNY", "")).verdict, kWrong);
  EXPECT_EQ(judged(claim_text("cost.opex_per_year", "1000 万 CNY", "")).verdict, kHolds);
}

// ---------------------------------------------------------------------------------------------------------------------
// Claims that cannot be read

InputError refused(const std::string& about, const std::string& value, const std::string& terms) {
  try {
    judged(claim_text(about, value, terms));
  } catch (const InputError& error) {
    return error;
  }
  ADD_FAILURE() << about << " of " << value << " with " << terms << " got a verdict";
  return InputError("", {}, "");
}

TEST(Claims, SayWhatWasMeantByAnUnknownSubject) {
  EXPECT_NE(refused("arithmetic.prodct", "1", "{a: 1}").hint().find("arithmetic.product"), std::string::npos);
  EXPECT_NE(refused("memory.everything", "1", "").hint().find("memory.fits"), std::string::npos);
  EXPECT_NE(refused("nonsense", "1", "").hint().find("cluster-yaml.md"), std::string::npos);
}

TEST(Claims, ComplainAtTheTermThatIsWrong) {
  struct Bad {
    const char *about, *value, *terms, *says;
  };
  const Bad kBad[] = {
      {"power.node", "850 W", "{kind: mean, group: nodes}", "unknown group"},
      {"power.node", "850 W", "{kind: typical, group: h100}", "must be"},
      {"power.node", "850 W", "{group: h100}", "needs the key \"kind\""},
      {"power.node", "850 GB", "{kind: mean, group: h100}", "expected a power"},
      {"power.node", "850", "{kind: mean, group: h100}", "no unit"},
      {"power.node", "", "{kind: mean, group: h100}", "needs a value"},
      {"rack.count", "4", "{nodes: 16, nodes_per_rak: 20}", "nodes_per_rack"},
      {"rack.count", "4", "{nodes: 16, nodes_per_rack: 20, colour: red}", "unknown key \"colour\""},
      {"rack.count", "4", "{nodes: 0, nodes_per_rack: 20}", "at least 1"},
      {"rack.count", "four", "{nodes: 16, nodes_per_rack: 20}", "expected a number"},
      {"memory.saving", "40", "{from: fp16, to: int8}", "expected a share"},
      {"memory.saving", "40 %", "{from: fp17, to: int8}", "unknown number format"},
      {"memory.fits", "fp9", "{model: deepseek-r1, accelerator: H100 SXM5, count: 8}", "unknown format of weights"},
      {"memory.fits", "fp8", "{model: deepseek-r9, accelerator: H100 SXM5, count: 8}", "no model"},
      {"memory.fits", "fp8", "{model: deepseek-r1, accelerator: H100, count: 8}", "may be"},
      {"part.cores", "64", "{part: nvidia-h100-sxm5-80gb}", "no processor"},
      {"part.memory", "80 GB", "{part: h100-sxm6}", "no accelerator"},
      {"part.feature", "wings", "{part: nvidia-h100-sxm5-80gb}", "unknown feature"},
      {"part.ports", "48", "{part: cisco-93180yc-ex}", "expected ports"},
      {"part.format", "fp99", "{part: nvidia-h100-sxm5-80gb}", "unknown number format"},
      {"link.rate", "200 Gb/s", "{kind: infiniband, generation: ZDR}", "unknown generation"},
      {"link.fibre", "glass", "{optic: 100g-lr4}", "expected a fibre"},
      {"arithmetic.product", "48", "", "needs terms"},
      {"arithmetic.product", "48 W", "{nodes: 16, each: 1}", "the terms make"},
      {"arithmetic.product", "48", "{nodes: many, each: 1}", "expected a number"},
      {"arithmetic.product", "48 EUR", "{nodes: 16, each: 3 CNY}", "exchange rate"},
      {"arithmetic.sum", "48", "{a: 16 W, b: 32}", "cannot be added"},
      {"arithmetic.share", "40 %", "{part: 4 W, total: 10 CNY}", "no part of"},
      {"arithmetic.within", "4", "{low: 3 W, high: 5}", "cannot be compared"},
      {"arithmetic.within", "4", "{low: 5, high: 3}", "above \"high\""},
      {"efficiency.flops_per_watt", "3.2 TFLOPS", "{accelerator: H100 SXM5, format: bf16, power: 700 W}",
       "expected an efficiency"},
      {"energy.cost", "5 CNY", "{power: 0 W, time: 1 year}", "costs nothing"},
      {"finance.break_even", "120 %", "{calls: 1 /s, cost: 5 CNY, years: 3}", "below 100 %"},
      {"layout.devices", "4", "{parallelism: tensor+time}", "unknown kind"},
      {"software.offers", "http", "{software: vlm}", "no product"},
      {"serving.replicas", "4", "{model: gpt3-175b, devices: 4}", "how much memory"},
      {"latency.tokens", "0 s", "{tokens: 5, model: llama-3.1-8b, accelerator: H100 SXM5, count: 1}", "no time"},
      {"availability.service", "1.5", "{scheme: N+1, nodes: 2, replicas: 1}", "between 0 and 1"},
      {"availability.service", "0.9", "{scheme: 2N, nodes: 2, replicas: 1}", "expected a scheme"},
  };
  for (const Bad& bad : kBad) {
    SCOPED_TRACE(fmt::format("{} of {} with {}", bad.about, bad.value, bad.terms));
    const InputError error = refused(bad.about, bad.value, bad.terms);
    EXPECT_NE((error.message() + " " + error.hint()).find(bad.says), std::string::npos)
        << error.message() << " | " << error.hint();
    EXPECT_GE(error.at().line, 28) << "at the claim";
  }
}

// Every claim of the table with this text for its value and for each of its terms.
std::string spoilt_claims(const std::string& text) {
  std::string claims = "claims:\n";
  std::size_t count = 0;
  for (const Example& example : kExamples) {
    const std::string about = example.about, terms = example.terms;
    const bool needs_a_plan = about.starts_with("predictions") || about.starts_with("power.it") ||
                              about.starts_with("power.site") || (about == "availability.service" && terms.empty());
    if (needs_a_plan) continue;
    claims += claim_line(count++, about, text, terms);
    for (std::size_t colon = terms.find(": "); colon != std::string::npos; colon = terms.find(": ", colon + 1)) {
      const bool quoted = terms[colon + 2] == '"';
      const std::size_t end = quoted ? terms.find('"', colon + 3) + 1 : terms.find_first_of(",}", colon);
      claims += claim_line(count++, about, example.value, terms.substr(0, colon + 2) + text + terms.substr(end));
    }
  }
  return claims;
}

TEST(Claims, SurviveAnyTextInAnyPlace) {
  for (const char* text :
       {"0", "-1", "1e300", "nan", "99999999999999999999", "5 GB/s", "8.5 万 CNY", "x x x", "\"\"", "\"%\""}) {
    const Document document = parse_yaml(kDesign + spoilt_claims(text), "cluster.yaml");
    const Cluster cluster = read_cluster(document, catalog());
    const Design design{cluster, document, catalog()};
    for (std::size_t i = 0; i < cluster.claims.size(); ++i) {
      SCOPED_TRACE(fmt::format("{} of {}, with {}", cluster.claims[i].about, cluster.claims[i].value, text));
      try {
        EXPECT_FALSE(audit_claim(design, i).computation.empty());
      } catch (const InputError& error) {
        EXPECT_FALSE(error.message().empty());
        EXPECT_EQ(error.at().line, cluster.claims[i].at.line);
      } catch (const std::exception& other) {
        ADD_FAILURE() << other.what();
      }
    }
  }
}

TEST(Claims, AreReportedAtTheirValueWithTheirQuote) {
  const Document document =
      parse_yaml(std::string(kDesign) +
                     "claims:\n  - {id: c7, line: 41, quote: 48 cards, about: arithmetic.product, value: 48,\n"
                     "     terms: {nodes: 16, each: 1}}\n",
                 "cluster.yaml");
  const Cluster cluster = read_cluster(document, catalog());
  const RuleBook book(kRoot / "catalogs");
  Findings findings(book, {}, "cluster.yaml");
  report_claims(audit_claims({cluster, document, catalog()}), findings);
  const std::vector<Finding> found = findings.sorted();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].rule, "arithmetic.product");
  EXPECT_EQ(found[0].severity, Severity::kError);
  EXPECT_EQ(found[0].message, "claim c7: 16 x 1 = 16, not 48");
  EXPECT_EQ(found[0].spot.width, 2);
  ASSERT_EQ(found[0].terms.size(), 1u);
  EXPECT_EQ(found[0].terms[0], "line 41 of the document: \"48 cards\"");
}

}  // namespace
}  // namespace fathom
