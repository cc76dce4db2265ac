// What cluster.yaml may say, and that every refusal points at the value that is wrong.
#include "bom/cluster.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace fathom {
namespace {

const Catalog& catalog() {
  static const Catalog shipped(std::filesystem::path(FATHOM_SOURCE_DIR) / "catalogs");
  return shipped;
}

// A file with one of everything.
const std::string kCluster = R"(format: fathom-cluster/1
title: two nodes
date: 2025-02
sites:
  - {id: hall, electricity: 0.63 CNY/kWh, pue: 1.3, carbon: 582 g/kWh, inlet: 27 C}
groups:
  - id: gpu
    site: hall
    nodes: 2
    spares: 1
    availability: 0.99
    node:
      accelerator: {part: nvidia-a100-pcie-80gb, count: 2, price: 8.5 万 CNY}
      cpu: {part: huawei-kunpeng-920-7260, count: 1}
      memory: 512 GB
      nics:
        - {part: connectx-6-vpi, count: 1, rate: 200 Gb/s, fabric: ib}
      disks:
        - {count: 1, capacity: 1.6 TB}
      psu: {count: 2, needed: 1, rated: 1600 W, grade: platinum}
      power: {mean: 850 W, peak: {value: 1200 W, source: design, confidence: stated}}
fabrics:
  - id: ib
    kind: infiniband
    generation: HDR
    switches: [{role: leaf, part: mellanox-qm8700, count: 1}]
    links: [{from: gpu, to: leaf, count: 2, rate: 200 Gb/s, medium: dac}]
storage:
  - {id: ceph, scheme: ec-8+3, raw: 640 TB}
items:
  - {what: rack, count: 4, price: 12 万 CNY}
software:
  - {id: licence, unit: gpu, units: 4, price: 4500 USD/gpu-year}
yearly:
  - {id: ops, category: staff, annual: 80 万 CNY}
finance:
  currency: CNY
  exchange: [{from: USD, to: CNY, rate: 7.2, date: 2025-02}]
  utilisation: {low: 0.3, typical: 0.5, high: 0.8}
workload: {model: deepseek-r1, input_tokens: 1000, output_tokens: 1000, concurrency: 8}
layout:
  - {group: gpu, tp: 2, weights: int8}
availability: {target: 0.999}
alternatives:
  - {id: cloud, per_gpu_hour: 2 USD/gpu-hour}
claims:
  - {id: 000-01, line: 25, quote: "32 | 8.5 | 272.0", about: arithmetic.product, value: 272.0 万 CNY, terms: {quantity: 32}}
)";

class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& text)
      : path_(std::filesystem::temp_directory_path() / ("fathom-cluster-" + std::to_string(getpid()) + ".yaml")) {
    std::ofstream(path_, std::ios::binary) << text;
  }
  ~TemporaryFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

Cluster read_text(const std::string& text) { return read_cluster(TemporaryFile(text).path(), catalog()); }

std::string changed(const std::string& from, const std::string& to) {
  std::string text = kCluster;
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << "the file has no " << from;
  return text.replace(at == std::string::npos ? 0 : at, from.size(), to);
}

struct Refusal {
  std::string from;     // this part of kCluster ...
  std::string to;       // ... becomes this, with ^ before the place of the complaint
  std::string message;  // what the complaint says, in part
  std::string hint = {};
};

void expect_refusals(const std::vector<Refusal>& refusals) {
  for (const Refusal& refusal : refusals) {
    SCOPED_TRACE(refusal.to);
    std::string text = changed(refusal.from, refusal.to);
    const std::size_t mark = text.find('^');
    text.erase(mark, 1);
    const std::size_t line_start = text.rfind('\n', mark) + 1;
    const int line = 1 + static_cast<int>(std::count(text.begin(), text.begin() + static_cast<long>(mark), '\n'));
    try {
      read_text(text);
      ADD_FAILURE() << "was accepted";
    } catch (const InputError& error) {
      EXPECT_NE(error.message().find(refusal.message), std::string::npos) << error.message();
      EXPECT_NE(error.hint().find(refusal.hint), std::string::npos) << error.hint();
      EXPECT_EQ(error.at().line, line) << error.message();
      EXPECT_EQ(error.at().column, static_cast<int>(mark - line_start) + 1) << error.message();
    }
  }
}

TEST(ClusterReader, ReadsOneOfEverything) {
  const Cluster cluster = read_text(kCluster);
  EXPECT_EQ(cluster.title, "two nodes");
  ASSERT_EQ(cluster.groups.size(), 1u);
  const Group& group = cluster.groups[0];
  EXPECT_EQ(group.role, "serve");
  EXPECT_EQ(group.spares, 1);
  EXPECT_EQ(group.node.accelerator->id, "nvidia-a100-pcie-80gb");
  EXPECT_EQ(group.node.accelerator_price->value, parse_money("85000 CNY"));
  EXPECT_EQ(group.node.memory, 512_GB);
  EXPECT_EQ(group.node.nics[0].rate, 25_GBps);
  EXPECT_EQ(group.node.power.mean->origin.confidence, Confidence::kStated);
  EXPECT_EQ(group.node.power.peak->origin.source, "design");
  EXPECT_FALSE(group.node.power.idle.has_value());
  EXPECT_EQ(cluster.site_of(group).carbon_g_per_kwh->value, 582);
  EXPECT_EQ(cluster.fabric("ib")->links[0].to, "leaf");
  EXPECT_EQ(cluster.fabric("none"), nullptr);
  EXPECT_EQ(cluster.yearly[0].category, "staff");
  EXPECT_EQ(cluster.finance.utilisation.high, 0.8);
  EXPECT_EQ(cluster.layout[0].weights, "int8");
  EXPECT_EQ(cluster.claims[0].terms.at("quantity"), "32");
}

TEST(ClusterReader, LeavesWhatIsNotStatedEmpty) {
  const Cluster cluster = read_text(
      "format: fathom-cluster/1\ntitle: small\nsites: [{id: a}]\n"
      "groups: [{id: g, nodes: 1, node: {accelerator: {part: nvidia-l40s-48gb, count: 1}}}]\n"
      "workload: {model: qwen2.5-32b, input_tokens: 10, output_tokens: 10, concurrency: 1}\n");
  EXPECT_EQ(cluster.groups[0].site, "a") << "the only site needs no naming";
  EXPECT_FALSE(cluster.groups[0].node.accelerator_price.has_value());
  EXPECT_FALSE(cluster.sites[0].pue.has_value());
  EXPECT_EQ(cluster.finance.utilisation.value, 0.5);
  EXPECT_EQ(cluster.finance.utilisation.origin.confidence, Confidence::kAssumed);
}

TEST(ClusterReader, TakesNamesFromTheCatalog) {
  const Cluster cluster = read_text(
      "format: fathom-cluster/1\ntitle: names\nsites: [{id: a, electricity: cn-industrial, carbon: cn, pue: "
      "cold-plate}]\n"
      "groups: [{id: g, nodes: 1, node: {accelerator: {part: NYUDA A100 80GB PCIe, count: 1}, cpu: {part: 鲲鹏920 "
      "7260}}}]\n"
      "fabrics: [{id: f, kind: ethernet, switches: [{role: top, part: Nexus 93180YC-EX, count: 1}, {role: odd, part: "
      "my "
      "own switch, count: 1}]}]\n"
      "workload: {model: qwen2.5-32b, input_tokens: 10, output_tokens: 10, concurrency: 1}\n"
      "alternatives: [{id: r, rental: aws-p5}, {id: i, api: deepseek-r1}]\n");
  EXPECT_EQ(cluster.sites[0].electricity->value, parse_unit_price("0.088 USD/kWh"));
  EXPECT_DOUBLE_EQ(cluster.sites[0].carbon_g_per_kwh->value, 582.3);
  EXPECT_TRUE(cluster.sites[0].pue->low.has_value());
  EXPECT_EQ(cluster.groups[0].node.accelerator->id, "nvidia-a100-pcie-80gb");
  EXPECT_EQ(cluster.groups[0].node.cpu->id, "huawei-kunpeng-920-7260");
  EXPECT_EQ(cluster.fabrics[0].switches[0].part, "cisco-93180yc-ex");
  EXPECT_EQ(cluster.fabrics[0].switches[1].part, "my own switch") << "words that the catalog does not know stay";
  EXPECT_DOUBLE_EQ(cluster.alternatives[0].per_gpu_hour->value.major(), 6.88);
  EXPECT_DOUBLE_EQ(cluster.alternatives[1].output->value.major(), 2.19);
}

TEST(ClusterReader, FindsAModelByNameByRepositoryAndByPath) {
  const std::string line = "model: deepseek-r1";
  EXPECT_FALSE(read_text(changed(line, "model: deepseek-ai/DeepSeek-R1")).model_config);
  const std::string config = std::string(FATHOM_SOURCE_DIR) + "/tests/data/configs/qwen2.json";
  EXPECT_EQ(read_text(changed(line, "model: " + config)).model_config, std::filesystem::path(config));
  // Tests run in the root of the repository.
  EXPECT_EQ(read_text(changed(line, "model: tests/data/configs/qwen2.json")).model_config,
            std::filesystem::path("tests/data/configs/qwen2.json"));
  expect_refusals(
      {{line, "model: ^nowhere/config.json", "there is no file \"nowhere/config.json\" and no model of that name",
        "paths are taken from the folder of this file"}});
}

TEST(ClusterReader, RefusesUnknownKeysAndFormats) {
  expect_refusals({
      {"fathom-cluster/1", "^fathom-cluster/2", "\"format\" must be"},
      {"spares: 1", "^spare: 1", "unknown key \"spare\"", "did you mean \"spares\"?"},
      {"rate: 200 Gb/s, fabric", "^speed: 3, rate: 200 Gb/s, fabric", "unknown key \"speed\""},
      {"availability: {target: 0.999}", "^availabilty: {target: 0.999}", "unknown key \"availabilty\""},
      {"title: two nodes\n", "title: two nodes\n^title: again\n", "duplicate key"},
  });
}

TEST(ClusterReader, RefusesWrongKindsAndUnits) {
  expect_refusals({
      {"memory: 512 GB", "memory: ^512", "expected"},
      {"memory: 512 GB", "memory: ^512 W", "expected an amount of bytes"},
      {"rate: 200 Gb/s, fabric", "rate: ^200 GB, fabric", "expected a bandwidth"},
      {"mean: 850 W", "mean: ^850 Wh", "expected a power"},
      {"price: 8.5 万 CNY", "price: ^85000", "no currency"},
      {"0.63 CNY/kWh", "^0.63 CNY/h", "electricity is priced per kWh"},
      {"carbon: 582 g/kWh", "carbon: ^582", "expected a carbon intensity", "582 g/kWh"},
      {"carbon: 582 g/kWh", "carbon: ^582 kg", "expected a carbon intensity"},
      {"nodes: 2", "nodes: ^two", "expected a whole number"},
      {"nodes: 2", "nodes: ^2.5", "expected a whole number"},
      {"date: 2025-02\nsites", "date: ^2025-13\nsites", "expected a date"},
      {"grade: platinum", "grade: ^platin", "\"grade\" must be"},
      {"kind: infiniband", "kind: ^infinband", "\"kind\" must be", "did you mean \"infiniband\"?"},
      {"category: staff", "category: ^stuff", "\"category\" must be"},
      {"items:\n  - {what: rack, count: 4, price: 12 万 CNY}", "items: ^{what: rack}", "expected a list"},
      {"per_gpu_hour: 2 USD/gpu-hour", "per_gpu_hour: ^2 USD/kWh", "must be a price per gpu-hour"},
  });
}

TEST(ClusterReader, RefusesCountsBelowOneAndAbsurdOnes) {
  expect_refusals({
      {"nodes: 2", "nodes: ^0", "\"nodes\" must be at least 1"},
      {"nodes: 2", "nodes: ^-3", "\"nodes\" must be at least 1"},
      {"nodes: 2", "nodes: ^10000001", "\"nodes\" must be at most 10000000", "a digit too many"},
      {"spares: 1", "spares: ^2", "\"spares\" must be at most 1"},
      {"80gb, count: 2", "80gb, count: ^0", "\"count\" must be at least 1"},
      {"needed: 1", "needed: ^3", "\"needed\" must be at most 2"},
      {"tp: 2", "tp: ^0", "\"tp\" must be at least 1"},
      {"line: 25", "line: ^0", "\"line\" must be at least 1"},
      {"count: 2, rate", "count: ^0, rate", "\"count\" must be at least 1"},
  });
}

TEST(ClusterReader, RefusesWhatCannotBeZeroOrNegative) {
  expect_refusals({
      {"raw: 640 TB", "raw: ^0 TB", "\"raw\" must be greater than zero"},
      {"rated: 1600 W", "rated: ^0 W", "\"rated\" must be greater than zero"},
      {"price: 12 万 CNY", "price: ^-12 万 CNY", "negative"},
      {"annual: 80 万 CNY", "annual: {value: ^-80 万 CNY}", "negative"},
      {"rate: 7.2", "rate: ^0", "rate"},
  });
}

TEST(ClusterReader, RefusesSharesOutsideZeroAndOne) {
  expect_refusals({
      {"target: 0.999", "target: ^99.9", "\"target\" must be between 0 and 1", "write 0.999"},
      {"target: 0.999", "target: ^99.9 %", "percentage", "0.999"},
      {"availability: 0.99\n", "availability: {value: ^1.2}\n", "\"availability\" must be between 0.001 and 1"},
      {"high: 0.8", "high: ^1.8", "\"utilisation\" must be between 0 and 1"},
      {"low: 0.3", "low: ^-0.1", "\"utilisation\" must be between 0 and 1"},
      {"pue: 1.3", "pue: ^0.9", "\"pue\" must be between 1 and 5"},
      {"utilisation: {low: 0.3", "utilisation: ^{low: 0.6", "\"low\" must not be above the value"},
  });
}

TEST(ClusterReader, RefusesReferencesToWhatIsNotThere) {
  expect_refusals({
      {"site: hall", "site: ^hal", "there is no site \"hal\"", "did you mean \"hall\"?"},
      {"fabric: ib", "fabric: ^eth", "there is no fabric \"eth\"", "the file defines ib"},
      {"group: gpu", "group: ^gpus", "there is no group \"gpus\"", "did you mean \"gpu\"?"},
      {"to: leaf", "to: ^spine", "\"spine\"", "gpu, leaf, ceph, hall"},
      {"part: nvidia-a100-pcie-80gb", "part: ^nvidia-a100-pice-80gb", "no accelerator", "nvidia-a100-pcie-80gb"},
      {"part: nvidia-a100-pcie-80gb", "part: ^NYUDA A100", "may be", "write the one that is meant"},
      {"part: huawei-kunpeng-920-7260", "part: ^huawei-kunpeng-921", "no processor"},
      {"electricity: 0.63 CNY/kWh", "electricity: ^cn-industry", "no tariff"},
      {"carbon: 582 g/kWh", "carbon: ^xx", "no carbon factor"},
      {"model: deepseek-r1", "model: ^deepseek-r2", "no model", "deepseek-r1"},
      {"per_gpu_hour: 2 USD/gpu-hour", "rental: ^aws-p6", "no rental price"},
      {"weights: int8", "weights: ^int9", "unknown weight scheme \"int9\"", "did you mean \"int8\"?"},
  });
}

TEST(ClusterReader, RefusesAnIdThatIsTakenAlready) {
  expect_refusals({
      {"  - id: ib\n", "  - {id: ib, kind: ethernet}\n  - id: ^ib\n", "two entries of \"fabrics\" have the id \"ib\""},
      {"  - {id: 000-01,", "  - {id: 000-01, line: 1, quote: q, about: a}\n  - {id: ^000-01,",
       "two entries of \"claims\""},
      {"switches: [{role: leaf,", "switches: [{role: leaf, count: 1}, {role: ^leaf,", "two tiers of this fabric"},
  });
}

TEST(ClusterReader, RefusesMoneyThatCannotBeAddedUp) {
  expect_refusals({
      {"price: 12 万 CNY", "price: ^12000 EUR", "no exchange rate between EUR and CNY", "from: EUR, to: CNY"},
      {"price: 8.5 万 CNY", "price: {value: ^1 EUR}", "no exchange rate between EUR and CNY"},
      {"4500 USD/gpu-year", "^4500 EUR/gpu-year", "no exchange rate between EUR and CNY"},
      {"electricity: 0.63 CNY/kWh", "electricity: ^eu-household", "no exchange rate between EUR and CNY"},
      {"currency: CNY", "currency: ^RMB", "unknown currency \"RMB\""},
      {"to: CNY", "to: ^USD", "not exchanged for itself"},
  });
}

TEST(ClusterReader, RefusesNodesThatSayTooLittle) {
  expect_refusals({
      {"psu: {count: 2, needed: 1,", "psu: ^{count: 2,", "how many of the 2 supplies must work?", "needed: 1"},
      {"  - {id: cloud, per_gpu_hour: 2 USD/gpu-hour}", "  - ^{id: cloud}", "needs a price"},
      {"    node:\n", "    role: ^decoder\n    node:\n", "\"role\" must be", "did you mean \"decode\"?"},
      {"accelerator: {part: nvidia-a100-pcie-80gb, count: 2, price: 8.5 万 CNY}", "height_u: ^200", "\"height_u\""},
  });
}

}  // namespace
}  // namespace fathom
