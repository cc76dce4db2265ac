// A saved plan read back: nothing that an engine needs is lost, and what is no plan is refused at its place.
#include "plan/read_plan.h"

#include <gtest/gtest.h>

#include "plan/architecture_fields.h"
#include "plan/make_plan.h"
#include "report/plan_json.h"
#include "support/mutation.h"
#include "support/planning.h"
#include "support/scratch_folder.h"
#include "support/yaml_edit.h"

namespace fathom {
namespace {

SavedPlan read_text(const std::string& text) {
  static const ScratchFolder folder;
  return read_plan(folder.write("plan.json", text));
}

Plan plan_of(const std::filesystem::path& cluster) { return make_plan(read_cluster(cluster, shipped()), shipped()); }

std::filesystem::path example(const std::string& name) {
  return std::filesystem::path(FATHOM_SOURCE_DIR) / "examples" / name;
}

// One pool of a mixture of experts, and a small dense one.
const std::string& saved() {
  static const std::string text = plan_json(plan_of(example("r1-appliance-h100/cluster.yaml")));
  return text;
}

std::string with(const std::string& path, const std::string& value) {
  YamlEdit edit(parse_yaml(saved(), "plan.json"));
  EXPECT_TRUE(edit.has(path)) << path;
  edit.set(path, value);
  return edit.text();
}

std::string without(const std::string& path) {
  YamlEdit edit(parse_yaml(saved(), "plan.json"));
  EXPECT_TRUE(edit.has(path)) << path;
  edit.remove(path);
  return edit.text();
}

std::string message(const std::string& text) {
  const std::optional<InputError> error = refusal("plan", [&] { read_text(text); });
  return error ? render(*error) : "nothing was refused";
}

void expect_equal(const std::vector<PlanField>& a, const std::vector<PlanField>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].key, b[i].key);
    ASSERT_EQ(a[i].value.index(), b[i].value.index()) << a[i].key;
    if (const auto* nested = std::get_if<std::vector<PlanField>>(&a[i].value)) {
      expect_equal(*nested, std::get<std::vector<PlanField>>(b[i].value));
    } else {
      std::visit(
          [&](const auto& value) {
            using T = std::decay_t<decltype(value)>;
            if constexpr (!std::is_same_v<T, std::vector<PlanField>>) {
              EXPECT_EQ(value, std::get<T>(b[i].value)) << a[i].key;
            }
          },
          a[i].value);
    }
  }
}

// A number may lose its last digit in a text of 17 digits at most; counts of bytes are whole there.
void expect_near(double read, double written, const std::string& what) {
  if (std::isfinite(written)) {
    EXPECT_NEAR(read, written, std::abs(written) * 1e-12 + 0.5) << what;
  } else {
    EXPECT_FALSE(std::isfinite(read)) << what;
  }
}

void expect_equal(const std::vector<PlanOperator>& read, const std::vector<PlanOperator>& written) {
  ASSERT_EQ(read.size(), written.size());
  for (std::size_t i = 0; i < read.size(); ++i) {
    EXPECT_EQ(read[i].name, written[i].name);
    EXPECT_EQ(read[i].kind, written[i].kind);
    EXPECT_EQ(read[i].bound, written[i].bound);
    EXPECT_DOUBLE_EQ(read[i].count, written[i].count);
    EXPECT_DOUBLE_EQ(read[i].time.value, written[i].time.value);
    EXPECT_DOUBLE_EQ(read[i].flops.value, written[i].flops.value);
    expect_near(read[i].bytes.value, written[i].bytes.value, read[i].name);
    expect_near(read[i].wire_bytes.value, written[i].wire_bytes.value, read[i].name);
  }
}

TEST(ReadPlan, EveryExampleThatFitsReadsBackAsItWasMade) {
  int read_back = 0;
  for (const std::filesystem::path& file : example_files()) {
    SCOPED_TRACE(file);
    Plan plan = plan_of(file);
    plan.version = "0.1.0";
    if (!plan.fits) continue;
    ++read_back;
    const SavedPlan saved_plan = read_text(plan_json(plan));
    EXPECT_EQ(saved_plan.title, plan.title);
    EXPECT_EQ(saved_plan.engine, plan.engine);
    EXPECT_EQ(saved_plan.version, "0.1.0");
    expect_equal(architecture_fields(saved_plan.architecture), plan.model.architecture);
    EXPECT_DOUBLE_EQ(saved_plan.predictions.tpot.likely.value, plan.predictions.tpot.likely.value);
    EXPECT_EQ(saved_plan.predictions.tpot.confidence, plan.predictions.tpot.confidence);
    ASSERT_EQ(saved_plan.pools.size(), plan.pools.size());
    for (std::size_t i = 0; i < plan.pools.size(); ++i) {
      const SavedPool& read = saved_plan.pools[i];
      const PlanPool& written = plan.pools[i];
      EXPECT_EQ(read.group, written.group);
      EXPECT_EQ(read.role, written.role);
      EXPECT_EQ(read.accelerator, written.accelerator);
      EXPECT_EQ(read.accelerator_id, written.accelerator_id);
      EXPECT_EQ(short_name(read.layout), written.layout);
      EXPECT_EQ(read.stage_layers, written.stage_layers);
      EXPECT_DOUBLE_EQ(read.decode_sequences, written.decode_sequences);
      EXPECT_DOUBLE_EQ(read.decode_context, written.decode_context);
      EXPECT_DOUBLE_EQ(read.prefill_tokens, written.prefill_tokens);
      EXPECT_DOUBLE_EQ(read.step_time.min.value, written.step_time.min.value);
      EXPECT_DOUBLE_EQ(read.step_time.max.value, written.step_time.max.value);
      EXPECT_DOUBLE_EQ(read.step_overhead.value, written.step_overhead.value);
      expect_near(read.memory.kv_room.value, written.memory.kv_room.value, "kv_room");
      EXPECT_EQ(read.memory.rows.size(), written.memory.rows.size());
      expect_equal(read.decode, written.decode);
      expect_equal(read.prefill, written.prefill);
    }
  }
  EXPECT_GE(read_back, 6);
}

TEST(ReadPlan, TheArchitectureOfEveryCatalogModelReadsBack) {
  for (const ModelEntry& model : shipped().all<ModelEntry>()) {
    SCOPED_TRACE(model.id);
    Plan plan;
    plan.model.architecture = architecture_fields(model);
    const Document document = parse_yaml(plan_json(plan), "plan.json");
    const Value& written = *document.root.find("model")->find("architecture");
    EXPECT_EQ(written.find("licence"), nullptr);
    expect_equal(architecture_fields(read_architecture({document.file, written})), plan.model.architecture);
  }
}

// The band belongs to the listed step itself: its operators and the overhead make the likely value when there is one stage.
TEST(ReadPlan, TheStepOfOneStageIsItsOperatorsAndTheOverhead) {
  const SavedPlan plan = read_plan(ScratchFolder().write("plan.json", plan_json([] {
                                                           Plan p = plan_of(example("team-30-r1-32b/corrected.yaml"));
                                                           return p;
                                                         }())));
  for (const SavedPool& pool : plan.pools) {
    if (pool.layout.pp > 1 || pool.decode.empty()) continue;
    Seconds sum = pool.step_overhead;
    for (const PlanOperator& op : pool.decode) sum += op.time;
    EXPECT_NEAR(pool.step_time.likely.value, sum.value, 1e-9 * sum.value);
    EXPECT_LT(pool.step_time.min, pool.step_time.likely);
    EXPECT_LT(pool.step_time.likely, pool.step_time.max);
  }
}

TEST(ReadPlan, AClusterFileIsNamedAsWhatItIs) {
  const std::string text = message(example_texts().front());
  EXPECT_NE(text.find("this is a cluster file, not a saved plan"), std::string::npos) << text;
  EXPECT_NE(text.find("-o PLAN.json"), std::string::npos) << text;
}

TEST(ReadPlan, AnotherJsonIsNoPlan) {
  EXPECT_NE(message("{\"a\": 1}").find("this is not a saved plan"), std::string::npos);
  EXPECT_NE(message("[1, 2]").find("this is not a saved plan"), std::string::npos);
}

TEST(ReadPlan, APlanOfAnOlderProgramSaysWhatToDo) {
  const std::string text = message(without("model.architecture"));
  EXPECT_NE(text.find("written by an older fathom"), std::string::npos) << text;
  EXPECT_NE(text.find("run fathom plan CLUSTER.yaml -o PLAN.json again"), std::string::npos) << text;
  EXPECT_NE(message(with("format_version", "\"2.0\"")).find("reads plans of format 1"), std::string::npos);
}

TEST(ReadPlan, APlanThatDoesNotFitHasNothingToRun) {
  Plan plan = plan_of(example("r1-appliance-h100/one-node.yaml"));
  ASSERT_FALSE(plan.fits);
  const std::string text = message(plan_json(plan));
  EXPECT_NE(text.find("does not fit, so there is nothing to run"), std::string::npos) << text;
  EXPECT_NE(text.find(plan.reasons.front()), std::string::npos) << text;
  EXPECT_NE(message(with("pools", "[]")).find("no pool"), std::string::npos);
}

TEST(ReadPlan, LayoutsThatCannotBeAreRefusedWithTheReason) {
  const std::string layout = "pools.0.layout.";
  for (const char* key : {"tp", "pp", "ep", "attention_dp", "replicas"}) {
    for (const char* value : {"-1", "0", "1000000000", "99999999999999999999", "1.5", "\"8\"", "[8]", "{}", "null"}) {
      EXPECT_TRUE(refusal(key, [&] { read_text(with(layout + key, value)); })) << key << ": " << value;
    }
  }
  EXPECT_NE(message(with(layout + "tp", "7")).find("cannot be cut like this"), std::string::npos);
  EXPECT_NE(message(with(layout + "weights", "fp7")).find("the weight scheme \"fp7\" is not known"), std::string::npos);
  EXPECT_NE(message(with(layout + "kv", "fp7")).find("the cache format \"fp7\" is not known"), std::string::npos);
  EXPECT_NE(message(with(layout + "stage_layers", "[1]")).find("stages are listed"), std::string::npos);
  EXPECT_NE(message(with(layout + "stage_layers.0", "1")).find("layers, the model has"), std::string::npos);
}

// A degree that was edited alone no longer agrees with the devices that the plan counts, nor with its step times.
TEST(ReadPlan, EditedDegreesAreRefusedAtThePlaceThatDisagrees) {
  const std::string layout = "pools.0.layout.";
  const SavedPlan plan = read_text(saved());
  const Layout l = plan.pools[0].layout;
  const std::string more = std::to_string(l.replicas + 1);
  EXPECT_NE(message(with(layout + "replicas", more)).find("\"devices\" is"), std::string::npos);
  EXPECT_NE(message(with(layout + "replicas", more)).find(more + " replicas of "), std::string::npos);
  const std::string half = message(with(layout + "tp", std::to_string(l.tp / 2)));
  EXPECT_NE(half.find("\"devices_per_replica\" is " + std::to_string(l.devices_per_replica())), std::string::npos)
      << half;
  EXPECT_NE(half.find("plan.json:"), std::string::npos) << half;
  EXPECT_NE(half.find("plan again"), std::string::npos) << half;
  EXPECT_NE(message(with(layout + "devices", "1")).find("\"devices\" is 1"), std::string::npos);
  EXPECT_NE(message(with("pools.0.serving.micro_batches", "7")).find("the layout's pp is"), std::string::npos);
  EXPECT_EQ(message(without(layout + "devices")), "nothing was refused");  // older plans may not count them
}

TEST(ReadPlan, ModelsThatCannotBeAreRefused) {
  const std::string model = "model.architecture.";
  for (const char* key : {"hidden_size", "num_layers", "num_heads", "vocab_size"}) {
    for (const char* value : {"-1", "0", "2147483647", "1e18", "null", "many"}) {
      EXPECT_TRUE(refusal(key, [&] { read_text(with(model + key, value)); })) << key << ": " << value;
    }
  }
  EXPECT_NE(message(with(model + "moe.experts_per_token", "0")).find("experts per token"), std::string::npos);
  EXPECT_NE(message(with(model + "attention_bias", "some")).find("\"attention_bias\" must be"), std::string::npos);
}

TEST(ReadPlan, NumbersOutOfOrderAreRefused) {
  EXPECT_NE(message(with("pools.0.step_time_s.min", "1e9")).find("min <= likely <= max"), std::string::npos);
  EXPECT_NE(message(with("pools.0.step_time_s.max", "null")).find("never ends"), std::string::npos);
  EXPECT_NE(message(with("pools.0.operators.0.time_s", "-1")).find("\"time_s\" must be"), std::string::npos);
}

TEST(ReadPlan, APlanCutOffAnywhereIsRefused) {
  const std::string& text = saved();
  const std::size_t needed = text.find("\"power\"");  // what follows is not read, but the brackets must close
  ASSERT_NE(needed, std::string::npos);
  for (std::size_t cut = 1; cut < text.size() - 3; cut += 997 * kThinning)
    EXPECT_TRUE(refusal("cut", [&] { read_text(text.substr(0, cut)); })) << cut;
}

// Every key that the reader knows, in turn: absent, and of every wrong kind. It is refused at a place, or read.
TEST(ReadPlan, EveryValueOfEveryKeyIsReadOrRefused) {
  YamlEdit small(parse_yaml(saved(), "plan.json"));
  for (const char* key :
       {"power", "cost", "availability", "alternatives", "sensitivities", "rejected", "levers", "rejected_candidates",
        "operators", "layout", "memory", "maximum", "remedies",
        "pools.0.step_times"}) {  // a thousand numbers of one kind; tests/cli/simulate_test.cpp breaks them
    if (small.has(key)) small.remove(key);
  }
  for (const char* list : {"pools.0.operators", "pools.0.prefill_operators"}) {
    while (small.find(list)->items.size() > 1) small.remove(std::string(list) + ".1");  // one stands for all
  }
  int count = 0, refused = 0, turn = 0;
  for (const std::string& path : small.paths()) {
    if (++turn % kThinning != 0) continue;
    for (const char* value : {"-1", "1e999", "{}", "null"}) {
      YamlEdit edit = small;
      edit.set(path, value);
      SCOPED_TRACE(path + ": " + value);
      refused += refusal(path, [&] { read_text(edit.text()); }).has_value();
      ++count;
    }
    YamlEdit edit = small;
    edit.remove(path);
    refusal("without " + path, [&] { read_text(edit.text()); });
  }
  EXPECT_GE(count, 300 / kThinning);
  EXPECT_GE(refused, count / 2);
}

TEST(ReadPlan, RandomDamageIsReadOrRefused) {
  std::mt19937 random(7);
  const std::string start = saved().substr(0, saved().find("\"power\""));  // the part that is read
  const std::string rest = saved().substr(start.size());
  for (int round = 0; round < 300 / kThinning; ++round) {
    std::string text = start;
    for (auto edits = 1 + random() % 4; edits > 0; --edits) text = mutated(std::move(text), random);
    refusal("damaged", [&] { read_text(text + rest); });
  }
}

}  // namespace
}  // namespace fathom
