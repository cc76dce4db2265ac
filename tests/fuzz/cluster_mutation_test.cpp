// Cluster files that are wrong, made from the examples by one change each. Every one must be refused with a message that
// points into the file; none may crash, hang or be taken for a cluster. What is absurd but legal: absurd_cluster_test.cpp.
#include <gtest/gtest.h>

#include <algorithm>

#include "support/mutation.h"
#include "support/yaml_edit.h"

namespace fathom {
namespace {

void expect_refused(const std::string& what, const std::string& text) {
  EXPECT_TRUE(refusal(what, [&] { read_cluster_text(text); })) << "taken for a cluster: " << what << "\n"
                                                               << text.substr(0, 20'000);
}

const std::vector<YamlEdit>& examples() {
  static const std::vector<YamlEdit> parsed = [] {
    std::vector<YamlEdit> all;
    for (const std::string& text : example_texts()) all.emplace_back(parse_yaml(text, "example.yaml"));
    return all;
  }();
  return parsed;
}

std::string parent(const std::string& path) {
  const std::size_t dot = path.rfind('.');
  return dot == std::string::npos ? std::string() : path.substr(0, dot);
}

// The next example, in turn, that has such a place.
const YamlEdit& example_with(const std::string& path) {
  static std::size_t turn = 0;
  for (std::size_t i = 0; i < examples().size(); ++i) {
    const YamlEdit& example = examples()[++turn % examples().size()];
    if (example.has(path)) return example;
  }
  throw std::logic_error("no example has " + path);
}

struct Wrong {
  const char* path;
  std::vector<const char*> values;
};

const std::vector<const char*> kNoCount = {
    "-1",  "0",   "many", "[2]",  "{a: 2}", "1e308",    "1e18", "1000000000000000000",
    "2.5", "'8'", ".nan", ".inf", "50 %",   "8 pieces", "0x10", "99999999999999999999"};
const std::vector<const char*> kNoShare = {"1.5",  "50",    "-0.1", "50 %",       ".nan",
                                           "high", "[0.5]", "{}",   "{value: 2}", "{low: 0.1}"};
const std::vector<const char*> kNoMoney = {"85000",
                                           "-5 CNY",
                                           "5 XYZ",
                                           "5 RMB",
                                           "free",
                                           "[5 CNY]",
                                           "1e30 CNY",
                                           "5 CHF",
                                           "{}",
                                           "CNY",
                                           "{value: 5 CNY, low: 9 CNY}",
                                           "5 CNY CNY",
                                           ".nan CNY"};
const std::vector<const char*> kNoPower = {"700",  "-5 W", "lots",       "[5 W]", "1e400 W",
                                           "5 GB", "{}",   "{value: 5}", "5 w/h"};
const std::vector<const char*> kNoBytes = {"512",      "-5 GB", "512 GHz", "lots",     "[1 GB]",
                                           "1e400 GB", "5 KB",  "{}",      "{size: 5}"};
const std::vector<const char*> kNoRate = {"400",     "-5 Gb/s",    "fast",   "[1 Gb/s]",
                                          "400 GHz", "1e400 Gb/s", "0 Gb/s", "{}"};
const std::vector<const char*> kNoTime = {"5", "-5 s", "soon", "[5 s]", "5 GB", "{}", "1e400 s"};
const std::vector<const char*> kNoTokens = {"0",
                                            "-5",
                                            "1e9",
                                            "1e15",
                                            "1e308",
                                            "1000 tokens",
                                            "many",
                                            "[1]",
                                            "{}",
                                            "{mean: 10}",
                                            "{p99: 10}",
                                            "{mean: 10, p50: 10, p99: 20}",
                                            "{mean: 100, p99: 10}",
                                            "{mean: 1, p99: 1e8}",
                                            ".nan"};
const std::vector<const char*> kNoFlag = {"maybe", "yes", "1", "[true]", "{}", "\"true\""};
const std::vector<const char*> kNoText = {"[a]", "{a: b}"};
const std::vector<const char*> kNoDate = {"2025-13",    "2025-02-32", "25",       "yesterday",
                                          "2025/02/14", "[2025]",     "14.2.2025"};

const std::vector<Wrong> kWrongValues = {
    {"format", {"fathom-cluster/2", "1", "[a]", ""}},
    {"title", kNoText},
    {"date", kNoDate},
    {"sites", {"5", "{}", "[]", "[5]", "[{}]", "[{id: a}, {id: a}]", "[[]]"}},
    {"sites.0.id", kNoText},
    {"sites.0.kind", {"castle", "5", "[office]"}},
    {"sites.0.count", kNoCount},
    {"sites.0.electricity",
     {"0.63", "0.63 CNY", "0.63 CNY/h", "free", "-1 CNY/kWh", "{}", "cn-industrie", "1 CHF/kWh", "1e30 CNY/kWh"}},
    {"sites.0.pue", {"0.5", "9", "-1", "good", "130 %", "[1.3]", "{}", ".nan", "{value: 1.3, low: 2}"}},
    {"sites.0.carbon", {"500", "-1 g/kWh", "5 g/h", "atlantis", "{}", "[1 g/kWh]"}},
    {"sites.0.mains_availability", kNoShare},
    {"sites.0.rack_power", kNoPower},
    {"sites.0.rack_units", kNoCount},
    {"sites.0.inlet", {"27", "-300 C", "hot", "27 W"}},
    {"sites.0.other_it_load", kNoPower},
    {"sites.0.liquid_cooling", kNoFlag},
    {"sites.0.circuit", {"{}", "16", "{volts: 220}", "{volts: -220, amps: 16}", "{volts: 220 V, amps: 16}"}},
    {"groups", {"5", "{}", "[]", "[5]", "[{}]"}},
    {"groups.0.id", kNoText},
    {"groups.0.site", {"nowhere", "[office]", "5"}},
    {"groups.0.nodes", kNoCount},
    {"groups.0.spares", {"-1", "1000000000", "1e308", "some", "[1]", "1.5"}},
    {"groups.0.role", {"boss", "[serve]", "5"}},
    {"groups.0.availability", kNoShare},
    {"groups.0.nodes_per_failure_domain", kNoCount},
    {"groups.0.node", {"5", "[]", "{}", "{accelerator: {}}"}},
    {"groups.0.node.accelerator", {"8", "nvidia-h100-sxm5-80gb", "[a]", "{part: nvidia-h100-sxm5-80gb}"}},
    {"groups.0.node.accelerator.part", {"nvidia-h1000-1tb", "H", "[a]", "{a: b}", "5"}},
    {"groups.0.node.accelerator.count", kNoCount},
    {"groups.0.node.accelerator.price", kNoMoney},
    {"groups.0.node.cpu", {"2", "intel", "[a]", "{part: intel-9999}"}},
    {"groups.0.node.cpu.count", kNoCount},
    {"groups.0.node.memory", kNoBytes},
    {"groups.0.node.nics", {"4", "{}", "[4]", "[{}]"}},
    {"groups.0.node.nics.0.count", kNoCount},
    {"groups.0.node.nics.0.rate", kNoRate},
    {"groups.0.node.nics.0.fabric", {"nowhere", "[a]"}},
    {"groups.0.node.disks.0.capacity", kNoBytes},
    {"groups.0.node.disks.0.count", kNoCount},
    {"groups.0.node.disks.0.read", kNoRate},
    {"groups.0.node.psu", {"1600 W", "[]", "{}", "{count: 2, rated: 800 W}", "{count: 2, needed: 3, rated: 800 W}"}},
    {"groups.0.node.psu.rated", kNoPower},
    {"groups.0.node.power", {"800 W", "{mean: 5}", "{mean: 5 W, maximum: 6 W}", "[5 W]"}},
    {"groups.0.node.power.mean", kNoPower},
    {"groups.0.node.power.peak", kNoPower},
    {"groups.0.node.scale_up", kNoFlag},
    {"groups.0.node.scale_up_domain", kNoCount},
    {"groups.0.node.height_u", {"-1", "1e308", "4 U", "tall", ".nan"}},
    {"groups.0.node.price", kNoMoney},
    {"groups.0.node.price_covers_parts", kNoFlag},
    {"fabrics", {"5", "{}", "[5]", "[{}]"}},
    {"fabrics.0.kind", {"token-ring", "5", "[ethernet]"}},
    {"fabrics.0.latency", kNoTime},
    {"fabrics.0.oversubscription", {"0", "-1", "1e308", "3:1", ".nan"}},
    {"fabrics.0.switches.0.count", kNoCount},
    {"fabrics.0.links.0.count", kNoCount},
    {"fabrics.0.links.0.rate", kNoRate},
    {"fabrics.0.links.0.from", {"nowhere", "5", "[a]"}},
    {"fabrics.0.links.0.length", {"5", "-1 m", "far", "0 m", "5 s"}},
    {"storage.0.raw", kNoBytes},
    {"storage.0.read", kNoRate},
    {"items.0.count", {"-1", "0", "1e308", "1e18", "many", "[1]", "'8'", ".nan"}},
    {"items.0.price", kNoMoney},
    {"items.0.life_years", {"0", "-1", "1e9", "5 years", ".nan"}},
    {"software",
     {"5", "{}", "[5]", "[{}]", "[{id: a, unit: planet}]", "[{id: a, units: -1}]", "[{id: a, price: 5 CNY}]",
      "[{id: a}, {id: a}]"}},
    {"yearly.0.annual", kNoMoney},
    {"yearly.0.category", {"fun", "5", "[staff]"}},
    {"finance.horizon_years", {"0", "-3", "1e9", "1e308", "3 years", "forever", ".nan"}},
    {"finance.discount_rate", {"1.5", "50", "-0.1", "5 %", ".nan", "high", "[0.5]"}},
    {"finance.residual_share", {"1.5", "50", "-0.1", "5 %", ".nan", "high"}},
    {"finance.tax", {"1.3", "13", "-0.1", "13 %", ".nan"}},
    {"finance.install_share", {"1.3", "13", "-0.1", ".nan"}},
    {"finance.utilisation", kNoShare},
    {"finance.currency", {"XYZ", "cny", "5", "[CNY]", "CHF", "{}"}},
    {"finance.exchange", {"7.2", "{}", "[7.2]", "[{}]", "[{from: CNY, to: CNY, rate: 1, date: 2025}]"}},
    {"finance.exchange.0.rate", {"0", "-7", "1e308", "7.2 CNY", ".nan", "[7]"}},
    {"finance.exchange.0.from", {"XYZ", "[USD]", "5"}},
    {"finance.exchange.0.date", kNoDate},
    {"workload", {"5", "[]", "{}", "chat"}},
    {"workload.model", {"gpt-17", "[deepseek-r1]", "5", "deepseek r-one"}},
    {"workload.engine", {"[vllm]", "{}"}},
    {"workload.input_tokens", kNoTokens},
    {"workload.output_tokens", kNoTokens},
    {"workload.concurrency", {"0", "-1", "1e9", "1e308", "many", "[3]", "8 users", ".nan"}},
    {"workload.prefix_cache_hit", {"1", "1.5", "-0.1", "50 %", "most", ".nan"}},
    {"workload.slo",
     {"{}", "5 s", "[]", "{ttft: 0 s}", "{ttft: -1 s}", "{tpot: 5}", "{ttft: 1 s, percentile: 100}",
      "{ttft: 1 s, percentile: 0}"}},
    {"workload.objective", {"speed", "5", "[latency]"}},
    {"workload.weights", {"int5", "[int5]", "[]", "[bf16, bf16]", "{a: 1}", "[[bf16]]"}},
    {"workload.kv", {"fp4", "[]", "{}", "16"}},
    {"workload.max_context", {"0", "-1", "1e9", "1e15", "1e308", "128K", "long", ".nan"}},
    {"workload.mtp_acceptance", {"1.5", "-0.1", "85 %", ".nan"}},
    {"workload.offload_experts", kNoFlag},
    {"layout", {"5", "{}", "[5]", "[{}]", "[{group: nowhere}]", "[{tp: 8}]"}},
    {"availability", {"0.99", "[]"}},
    {"availability",
     {"{target: 1.5}", "{target: 99.9}", "{target: 99.9 %}", "{mttr: 5}", "{mttr: -5 h}", "{detect: soon}",
      "{failures_per_1000_node_days: -1}", "{failures_per_1000_node_days: 1e9}", "{weight_load: 0 B/s}", "{nines: 5}"}},
    {"alternatives",
     {"5", "{}", "[{}]", "[{id: a}]", "[{id: a, rental: nobody}]", "[{id: a, api: nobody}]",
      "[{id: a, per_gpu_hour: 2 USD}]", "[{id: a, per_gpu_hour: 2 USD/kWh}]", "[{id: a, output: 2 USD/h}]"}},
    {"claims", {"5", "{}", "[5]", "[{}]"}},
    {"claims.0.line", {"0", "-1", "first", "1e18"}},
    {"claims.0.terms", {"5", "[a]", "{a: [b]}", "{a: }"}},
    {"sources", {"5", "[a]", "{a: [b]}"}},
};

TEST(WrongCluster, EveryWrongValueIsRefusedAtItsPlace) {
  int count = 0;
  for (const Wrong& wrong : kWrongValues) {
    for (const char* value : wrong.values) {
      YamlEdit edit = example_with(parent(wrong.path));
      edit.set(wrong.path, value);
      expect_refused(std::string(wrong.path) + ": " + value, edit.text());
      ++count;
    }
  }
  EXPECT_GE(count, 400);
}

TEST(WrongCluster, EveryRequiredKeyIsMissed) {
  for (const char* path : {"format",
                           "title",
                           "sites",
                           "sites.0.id",
                           "groups",
                           "groups.0.id",
                           "groups.0.nodes",
                           "groups.0.node",
                           "groups.0.node.accelerator.part",
                           "groups.0.node.accelerator.count",
                           "groups.0.node.cpu.part",
                           "groups.0.node.nics.0.rate",
                           "groups.0.node.disks.0.capacity",
                           "groups.0.node.psu.rated",
                           "fabrics.0.id",
                           "fabrics.0.kind",
                           "fabrics.0.links.0.from",
                           "fabrics.0.links.0.to",
                           "fabrics.0.links.0.count",
                           "fabrics.0.links.0.rate",
                           "fabrics.0.switches.0.role",
                           "fabrics.0.switches.0.count",
                           "storage.0.id",
                           "storage.0.raw",
                           "items.0.what",
                           "yearly.0.id",
                           "finance.exchange",
                           "finance.exchange.0.from",
                           "finance.exchange.0.to",
                           "finance.exchange.0.rate",
                           "finance.exchange.0.date",
                           "workload",
                           "workload.model",
                           "workload.input_tokens",
                           "workload.output_tokens",
                           "workload.concurrency",
                           "claims.0.id",
                           "claims.0.line",
                           "claims.0.quote",
                           "claims.0.about"}) {
    YamlEdit edit = example_with(path);
    edit.remove(path);
    expect_refused(std::string("without ") + path, edit.text());
    edit = example_with(path);
    edit.set(path, "");
    expect_refused(std::string("empty: ") + path, edit.text());
  }
}

TEST(WrongCluster, EveryPinOutOfRangeIsRefused) {
  for (const char* degree : {"tp", "pp", "ep", "attention_dp", "replicas"}) {
    for (const char* value : {"0", "-1", "1000000000", "1e18", "all", "2.5", "[2]", "{}"}) {
      YamlEdit edit = example_with("groups.0.id");
      edit.set("layout", "[{group: " + edit.find("groups.0.id")->text + ", " + degree + ": " + value + "}]");
      expect_refused(std::string(degree) + ": " + value, edit.text());
    }
  }
}

bool takes_any_key(const std::string& path) { return path == "sources" || path.ends_with(".terms"); }

TEST(WrongCluster, UnknownKeysAreRefusedInEveryMapping) {
  int met = 0, count = 0;
  for (const YamlEdit& example : examples()) {
    for (const std::string& path : example.paths()) {
      if (example.find(path)->kind != Value::Kind::kMapping || takes_any_key(path) || ++met % 7 != 0) continue;
      YamlEdit edit = example;
      edit.set(path + ".colour", "red");
      expect_refused(path + ".colour", edit.text());
      ++count;
    }
  }
  EXPECT_GE(count, 40);
}

TEST(WrongCluster, DuplicateKeysAreRefusedInEveryMapping) {
  int met = 0, count = 0;
  for (const YamlEdit& example : examples()) {
    for (const std::string& path : example.paths()) {
      const Value* above = example.find(parent(path));
      if (path.find('.') == std::string::npos || above->kind != Value::Kind::kMapping || ++met % 29 != 0) continue;
      YamlEdit edit = example;
      edit.twice(path);
      expect_refused("twice " + path, edit.text());
      ++count;
    }
  }
  EXPECT_GE(count, 40);
}

TEST(WrongCluster, ListsMappingsAndTextsDoNotStandForEachOther) {
  int met = 0, count = 0;
  for (const YamlEdit& example : examples()) {
    for (const std::string& path : example.paths()) {
      if (takes_any_key(path) || ++met % 23 != 0) continue;
      const Value::Kind kind = example.find(path)->kind;
      const bool words = path == "workload.weights" || path == "workload.kv";
      if (words) continue;  // one word stands for a list of one
      for (const char* other : {"-5", "[-5]", "{-5: -5}"}) {
        const bool same = (kind == Value::Kind::kScalar && *other == '-') ||
                          (kind == Value::Kind::kSequence && *other == '[') ||
                          (kind == Value::Kind::kMapping && *other == '{');
        if (same) continue;
        YamlEdit edit = example;
        edit.set(path, other);
        expect_refused(path + ": " + other, edit.text());
        ++count;
      }
    }
  }
  EXPECT_GE(count, 100);
}

TEST(WrongCluster, AFileCutOffBeforeItsWorkloadIsRefused) {
  for (const std::string& text : example_texts()) {
    const std::size_t end = text.find("\nworkload:");
    ASSERT_NE(end, std::string::npos);
    for (std::size_t i = 0; i < 15; ++i) {
      const std::size_t cut = end * i / 15;
      expect_refused("cut at byte " + std::to_string(cut), text.substr(0, cut));
    }
  }
}

TEST(WrongCluster, AFileCutOffInsideACharacterIsRefused) {
  int count = 0;
  for (const std::string& text : example_texts()) {
    int left = 4;
    for (std::size_t at = 0; at < text.size() && left > 0; at += text.size() / 500 + 1) {
      if ((static_cast<unsigned char>(text[at]) & 0xC0) != 0x80) continue;
      expect_refused("cut inside the character at byte " + std::to_string(at), text.substr(0, at));
      --left;
      ++count;
    }
  }
  EXPECT_GE(count, 20);
}

// Behind the workload, less is missing: what is left is read, or refused in good order.
TEST(WrongCluster, AFileCutOffAnywhereElseIsReadOrRefused) {
  for (const std::string& text : example_texts()) {
    const std::size_t start = text.find("\nworkload:");
    for (std::size_t i = 0; i < 12; ++i) {
      const std::string rest = text.substr(0, start + (text.size() - start) * i / 12);
      refusal("cut at byte " + std::to_string(rest.size()), [&] { read_cluster_text(rest); });
    }
  }
}

TEST(WrongCluster, OneChangeThatTheParserMustStop) {
  const std::string& text = example_texts().front();
  std::string laughs = "x-0: &l0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string name = std::to_string(i), one = "*l" + std::to_string(i - 1);
    laughs += "x-" + name + ": &l" + name + " [" + one;
    for (int j = 0; j < 9; ++j) laughs += ", " + one;
    laughs += "]\n";
  }
  const auto deep = [](const std::string& open, const std::string& close, int depth) {
    std::string nested = "x-deep: ";
    for (int i = 0; i < depth; ++i) nested += open;
    for (int i = 0; i < depth; ++i) nested += close;
    return nested + "\n";
  };
  for (const std::string& lines : {laughs,
                                   deep("[", "]", 100),
                                   deep("{a: ", "}", 100),
                                   deep("[", "]", 100'000),
                                   deep("[", "", 50'000),
                                   std::string("x-loop: &a [*a]\n"),
                                   std::string("x-loop: &a {b: *a}\n"),
                                   std::string("x-none: *nobody\n"),
                                   std::string("? [a]\n: b\n"),
                                   std::string("<<: {a: b}\n"),
                                   std::string("---\na: b\n"),
                                   std::string("x-tag: !!binary aGVsbG8=\n"),
                                   std::string("x-tag: !<x> 5\n"),
                                   std::string("x-open: \"\n"),
                                   std::string("x-bell: \a\n"),
                                   std::string("x-nul: \0\n", 9),
                                   std::string("x-bad: \xC0\xAF\n"),
                                   std::string("x-bad: \xED\xA0\x80\n"),
                                   std::string("\tx-tab: 5\n"),
                                   std::string("x-a: b: c\n"),
                                   std::string("- item\n"),
                                   std::string("}\n"),
                                   std::string("x-q: 'a' b\n"),
                                   std::string("x-u: \"\\ud800\"\n"),
                                   std::string("x-u: \"\\q\"\n"),
                                   std::string("x-many: [") + std::string(600'000, ',') + "]\n"}) {
    expect_refused(lines.substr(0, 60), text + lines);
  }
}

TEST(WrongCluster, WhatIsNoTextAtAllIsRefused) {
  std::mt19937 random(20250214);
  for (int round = 0; round < 40; ++round) {
    std::string garbage(1 + random() % 2000, '\0');
    for (char& c : garbage) c = static_cast<char>(random() % 256);
    expect_refused("random bytes", garbage);
  }
  for (const std::string& start :
       {std::string("\x7F"
                    "ELF\x02\x01\x01"),
        std::string("\x1F\x8B\x08\x00", 4), std::string("PK\x03\x04"),
        std::string("\xFF\xFE"
                    "f\0o\0",
                    6),
        std::string("%PDF-1.7\n"), std::string("<html>"), std::string("{\"format\": \"fathom-cluster/1\""),
        std::string("SQLite format 3\0", 16)}) {
    expect_refused(start, start);
    if (!start.starts_with('%')) expect_refused(start, start + example_texts().front());  // a line of YAML directives
  }
}

TEST(WrongCluster, AnEmptyFileIsRefusedAsAWhole) {
  for (const char* text : {"", "\n", " ", "# nothing\n", "---\n", "~\n", "null\n", "\xEF\xBB\xBF", "...\n"}) {
    expect_refused("empty", text);
  }
  for (const char* text : {"a\n", "5\n", "[]\n", "{}\n", "\"\"\n"}) expect_refused(text, text);
}

std::string complaint(const YamlEdit& edit) {
  const auto error = refusal("complaint", [&] { read_cluster_text(edit.text()); });
  return error ? error->message() + " | " + error->hint() : std::string();
}

// Not what follows from it further down.
TEST(WrongCluster, TheMistakeItselfIsNamed) {
  struct Case {
    const char *path, *value, *message;
  };
  for (const Case& c :
       {Case{"sites", "[]", "the list of sites is empty"}, Case{"groups", "[]", "the list of groups is empty"},
        Case{"fabrics", "5", "expected a list"}, Case{"groups", "{}", "expected a list"},
        Case{"workload.max_context", "128K", "write the number with all its digits"},
        Case{"workload.input_tokens", "", "needs the key \"input_tokens\", but it is empty here"}}) {
    YamlEdit edit = example_with(parent(c.path));
    edit.set(c.path, c.value);
    EXPECT_NE(complaint(edit).find(c.message), std::string::npos) << complaint(edit);
  }
  YamlEdit edit = example_with("workload.input_tokens");
  edit.remove("workload.input_tokens");
  EXPECT_EQ(complaint(edit), "the workload needs the key \"input_tokens\" | ")
      << "output_tokens is no misspelling of it";
}

TEST(WrongCluster, MoreAcceleratorsThanCanBeCountedAreRefused) {
  YamlEdit edit = example_with("groups.0.node.accelerator");
  edit.set("groups.0.nodes", "10000000");
  edit.set("groups.0.node.accelerator.count", "1024");
  EXPECT_NE(complaint(edit).find("more than 100 million accelerators"), std::string::npos) << complaint(edit);
}

TEST(WrongCluster, LoadIsGivenOnce) {
  for (const char* rate : {"5 /s", "1e-9 /s", "0 /s"}) {
    YamlEdit edit = example_with("workload.concurrency");
    edit.set("workload.arrival_rate", rate);
    expect_refused("both loads", edit.text());
  }
  for (const char* rate : {"0 /s", "-1 /s", "1e12 /s", "5", "5 GB", "[1 /s]", "often", ".nan /s", "1e400 /s"}) {
    YamlEdit edit = example_with("workload.concurrency");
    edit.remove("workload.concurrency");
    edit.set("workload.arrival_rate", rate);
    expect_refused(std::string("arrival_rate: ") + rate, edit.text());
  }
}

}  // namespace
}  // namespace fathom
