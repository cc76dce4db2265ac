// What scripts may rely on: exit codes, what goes to stdout and what to stderr, and the keys of the JSON.
#include "support/program.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "support/mutation.h"
#include "support/planning.h"
#include "support/scratch_folder.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

std::string in_shell(const fs::path& path) { return "'" + path.string() + "'"; }

// A design that does what it is asked, and one that does not.
const std::string kYesFile = in_shell(fs::path(FATHOM_SOURCE_DIR) / "examples/r1-a100-kunpeng/corrected.yaml");
const std::string kNoFile = in_shell(fs::path(FATHOM_SOURCE_DIR) / "examples/r1-appliance-h100/one-node.yaml");

// ---------------------------------------------------------------------------------------------------------------------
// Exit codes

TEST(ExitCode, IsZeroForYesAndOneForNoInEveryFormat) {
  for (const char* format : {"", "-f text", "-f json", "-f md"}) {
    EXPECT_EQ(run_program("plan " + kYesFile + " " + format).code, 0) << format;
    EXPECT_EQ(run_program("plan " + kNoFile + " " + format).code, 1) << format;
  }
}

TEST(ExitCode, IsTheVerdictOfEveryExample) {
  for (const fs::path& file : example_files()) {
    const Answer run = run_program("plan -f json " + in_shell(file));
    const Json verdict = Json::parse(run.out)["verdict"];
    EXPECT_EQ(run.code, verdict["fits"] && verdict["meets"] ? 0 : 1) << file;
    EXPECT_EQ(run.err, "") << file;
  }
}

TEST(ExitCode, IsTwoForWrongUsage) {
  for (const std::string& arguments : {std::string(),
                                       std::string("plan"),
                                       std::string("paln x.yaml"),
                                       "plan --no-such-flag " + kYesFile,
                                       "plan " + kYesFile + " " + kNoFile,
                                       "plan " + kYesFile + " -f pdf",
                                       "plan " + kYesFile + " -f json=",
                                       "plan " + kYesFile + " -f",
                                       "plan " + kYesFile + " -f ''",
                                       "plan " + kYesFile + " -f json -f pdf",
                                       "--color=sometimes plan " + kYesFile,
                                       std::string("catalog"),
                                       std::string("catalog show"),
                                       std::string("catalog show accelerator"),
                                       std::string("catalog show accelerator nvidia-h1000"),
                                       std::string("catalog show spoons a"),
                                       std::string("catalog list spoons"),
                                       std::string("catalog list accelerators -f pdf"),
                                       std::string("catalog list accelerators --min-memory lots"),
                                       std::string("catalog list accelerators --year soon")}) {
    const Answer run = run_program(arguments);
    EXPECT_EQ(run.code, 2) << arguments << "\n" << run.err;
    EXPECT_EQ(run.out, "") << arguments;
    EXPECT_NE(run.err, "") << arguments;
  }
}

TEST(ExitCode, IsOneWithANoteWhenNoEntryPassesTheFilters) {
  const Answer run = run_program("catalog list accelerators --vendor nobody");
  EXPECT_EQ(run.code, 1);
  EXPECT_EQ(run.out, "");
  EXPECT_EQ(run.err, "note: none of the 103 accelerators passes the filters\n");
}

TEST(ExitCode, IsTwoForWrongInputWithThePlaceInTheFile) {
  const ScratchFolder folder;
  const std::string broken = in_shell(folder.write("broken.yaml", "format: fathom-cluster/1\ntitel: a\n"));
  const Answer run = run_program("plan " + broken);
  EXPECT_EQ(run.code, 2);
  EXPECT_EQ(run.out, "");
  EXPECT_NE(run.err.find("broken.yaml:2:1"), std::string::npos) << run.err;
  EXPECT_NE(run.err.find("did you mean \"title\"?"), std::string::npos) << run.err;
  for (const std::string& file :
       {in_shell(folder.path() / "nowhere.yaml"), in_shell(folder.path()), std::string("/dev/null"),
        in_shell(folder.write("empty.yaml", "")), in_shell(folder.write("\xFF.yaml", "\xFF"))}) {
    const Answer wrong = run_program("plan " + file);
    EXPECT_EQ(wrong.code, 2) << file << "\n" << wrong.err;
    EXPECT_EQ(wrong.out, "") << file;
    EXPECT_EQ(wrong.err.rfind("error: ", 0), 0u) << wrong.err;
  }
}

TEST(ExitCode, IsTwoForAnUnknownEngineOrModelWithThePlaceInTheFile) {
  const ScratchFolder folder;
  const std::string text = content_of(fs::path(FATHOM_SOURCE_DIR) / "examples/team-30-r1-32b/cluster.yaml");
  for (const std::string key : {"model", "engine"}) {
    const std::size_t at = text.find("\n  " + key + ": ");
    ASSERT_NE(at, std::string::npos);
    const std::string wrong = text.substr(0, at) + "\n  " + key + ": nonsense # " + text.substr(at + 4);
    const Answer run = run_program("plan " + in_shell(folder.write("cluster.yaml", wrong)));
    EXPECT_EQ(run.code, 2) << run.err;
    EXPECT_NE(run.err.find("cluster.yaml:"), std::string::npos) << run.err;
    EXPECT_NE(run.err.find("nonsense"), std::string::npos) << run.err;
  }
}

TEST(ExitCode, IsThreeWhenTheResultCannotBeWritten) {
  const ScratchFolder folder;
  folder.write("file", "");
  for (const fs::path& target :
       {folder.path() / "no/such/folder/plan.json", folder.path() / "file/plan.json", folder.path()}) {
    for (const std::string& option : {"-f json=" + in_shell(target), "-o " + in_shell(target)}) {
      const Answer run = run_program("plan " + kYesFile + " " + option);
      EXPECT_EQ(run.code, 3) << option << "\n" << run.err;
      EXPECT_NE(run.err.find("cannot write"), std::string::npos) << run.err;
    }
  }
  EXPECT_EQ(run_program("plan " + kYesFile + " >/dev/full #").code, 3);
}

TEST(ExitCode, IsZeroForHelpAndVersion) {
  for (const char* arguments :
       {"--help", "plan --help", "catalog --help", "catalog show --help", "catalog list --help", "--version"}) {
    const Answer run = run_program(arguments);
    EXPECT_EQ(run.code, 0) << arguments;
    EXPECT_NE(run.out, "") << arguments;
    EXPECT_EQ(run.err, "") << arguments;
  }
  EXPECT_NE(run_program("--help").out.find("Exit codes"), std::string::npos);
}

// ---------------------------------------------------------------------------------------------------------------------
// Output

TEST(Output, GoesToSeveralFilesAtOnce) {
  const ScratchFolder folder;
  const fs::path json = folder.path() / "plan.json", markdown = folder.path() / "plan.md",
                 saved = folder.path() / "saved.json";
  const Answer run = run_program("plan " + kYesFile + " -f json=" + in_shell(json) + " -f md=" + in_shell(markdown) +
                                 " -f text -o " + in_shell(saved));
  EXPECT_EQ(run.code, 0);
  EXPECT_EQ(content_of(json), content_of(saved));
  EXPECT_EQ(Json::parse(content_of(json))["verdict"]["fits"], true);
  EXPECT_NE(content_of(markdown).find("# "), std::string::npos);
  EXPECT_EQ(run.out, run_program("plan " + kYesFile).out) << "files change nothing on stdout";
  EXPECT_NE(run.err.find(json.string()), std::string::npos);
  EXPECT_EQ(run_program("-q plan " + kYesFile + " -f json=" + in_shell(json)).err, "");
}

TEST(Output, LeavesNoHalfFileBehind) {
  const ScratchFolder folder;
  const fs::path place = folder.path() / "place";
  fs::create_directory(place);
  fs::create_directory(place / "plan.json");  // a folder where the file should be
  EXPECT_EQ(run_program("plan " + kYesFile + " -f json=" + in_shell(place / "plan.json")).code, 3);
  EXPECT_TRUE(fs::is_directory(place / "plan.json"));
  EXPECT_EQ(std::distance(fs::directory_iterator(place), {}), 1);

  if (geteuid() == 0) GTEST_SKIP() << "waived: root may write everywhere";
  fs::permissions(place, fs::perms::owner_read | fs::perms::owner_exec);
  EXPECT_EQ(run_program("plan " + kYesFile + " -f json=" + in_shell(place / "other.json")).code, 3);
  fs::permissions(place, fs::perms::owner_all);
  EXPECT_EQ(std::distance(fs::directory_iterator(place), {}), 1);
}

TEST(Output, KeepsTheOldFileWhenTheNewOneCannotBeMade) {
  const ScratchFolder folder;
  const fs::path kept = folder.write("plan.json", "old");
  EXPECT_EQ(run_program("plan /nowhere.yaml -f json=" + in_shell(kept)).code, 2);
  EXPECT_EQ(content_of(kept), "old");
  EXPECT_EQ(run_program("plan " + kYesFile + " -f json=" + in_shell(kept)).code, 0);
  EXPECT_TRUE(Json::accept(content_of(kept)));
}

TEST(Output, IsTheSameTwice) {
  for (const fs::path& file : example_files()) {
    const std::string arguments = "plan -f text -f json " + in_shell(file);
    EXPECT_EQ(run_program(arguments).out, run_program(arguments).out) << arguments;
  }
}

TEST(Output, HasColourOnlyWhereItIsWanted) {
  const std::string plan = "plan " + kYesFile;
  const std::string escape = "\033[";
  EXPECT_EQ(run_program(plan).out.find(escape), std::string::npos) << "stdout is no terminal";
  EXPECT_NE(run_program("--color=always " + plan).out.find(escape), std::string::npos);
  EXPECT_NE(run_program(plan + " --color=always", "NO_COLOR=1").out.find(escape), std::string::npos)
      << "what is asked for comes first";
  EXPECT_NE(run_program(plan, "CLICOLOR_FORCE=1").out.find(escape), std::string::npos);
  EXPECT_EQ(run_program(plan, "CLICOLOR_FORCE=1 NO_COLOR=1").out.find(escape), std::string::npos);
  EXPECT_EQ(run_program(plan + " --color=never", "CLICOLOR_FORCE=1").out.find(escape), std::string::npos);
  for (const char* format : {" -f json", " -f md"}) {
    EXPECT_EQ(run_program("--color=always " + plan + format).out.find(escape), std::string::npos) << format;
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// The JSON of a plan

void expect_keys(const Json& json, const std::vector<const char*>& keys, const std::string& where) {
  for (const char* key : keys) EXPECT_TRUE(json.contains(key)) << where << " lacks " << key;
}

void expect_number(const Json& json, const char* key) {
  ASSERT_TRUE(json.contains(key)) << key;
  EXPECT_TRUE(json[key].is_number()) << key << " is " << json[key];
}

void expect_layout_and_memory(const Json& pool) {
  for (const char* degree : {"tp", "pp", "ep", "dp", "attention_dp", "replicas"})
    EXPECT_GE(pool["layout"][degree], 1) << degree;
  EXPECT_TRUE(pool["layout"]["role"].is_string());
  double sum = 0;
  for (const Json& row : pool["memory"]["rows"]) {
    EXPECT_TRUE(row["name"].is_string());
    EXPECT_GE(row["bytes"], 0);
    sum += row["bytes"].get<double>();
  }
  for (const char* key : {"used_bytes", "capacity_bytes", "kv_tokens_capacity"}) expect_number(pool["memory"], key);
  EXPECT_NEAR(pool["memory"]["used_bytes"].get<double>(), sum, 1e-6 * sum) << "the rows add up";
}

void expect_predictions(const Json& predictions) {
  for (const char* name : {"ttft_s", "tpot_s", "step_time_s", "output_tok_per_s", "prefill_tok_per_s"}) {
    ASSERT_TRUE(predictions.contains(name)) << name;
    const Json& band = predictions[name];
    for (const char* key : {"min", "likely", "max"}) expect_number(band, key);
    EXPECT_GT(band["likely"], 0) << name;
    EXPECT_LE(band["min"], band["likely"]) << name;
    EXPECT_LE(band["likely"], band["max"]) << name;
  }
}

void expect_operators(const Json& operators) {
  EXPECT_FALSE(operators.empty());
  for (const Json& op : operators) {
    for (const char* key : {"name", "kind", "bound"}) EXPECT_TRUE(op[key].is_string()) << op;
    for (const char* key : {"count", "time_s", "flops", "bytes", "wire_bytes"}) EXPECT_GE(op[key], 0) << op;
  }
}

TEST(PlanJson, KeepsItsContractInEveryExample) {
  int fitting = 0;
  for (const fs::path& file : example_files()) {
    SCOPED_TRACE(file);
    const Json plan = Json::parse(run_program("plan -f json " + in_shell(file)).out);
    expect_keys(plan, {"format_version", "verdict", "checks", "provenance", "power", "cost"}, "plan");
    EXPECT_TRUE(plan["verdict"]["fits"].is_boolean());
    EXPECT_TRUE(plan["verdict"]["reasons"].is_array());
    EXPECT_TRUE(plan["checks"].is_array());
    expect_keys(plan["provenance"], {"tool", "version", "inputs"}, "provenance");
    for (const char* key : {"it_mean_w", "it_peak_w", "site_mean_w"}) expect_number(plan["power"], key);
    expect_keys(plan["cost"], {"capex", "opex_per_year", "total", "currency"}, "cost");
    if (!plan["verdict"]["fits"]) {
      EXPECT_FALSE(plan["verdict"]["reasons"].empty());
      continue;
    }
    ++fitting;
    expect_layout_and_memory(plan);
    expect_predictions(plan["predictions"]);
    expect_operators(plan["operators"]);
    for (const Json& pool : plan["pools"]) expect_layout_and_memory(pool);
    // Where nothing that is bought has a price, a cost per token would be that of electricity: it is absent.
    if (plan["cost"]["capex"].get<std::string>() != "0.00") expect_keys(plan["cost"], {"per_mtok_output"}, "cost");
    const double service = plan["availability"]["service"];
    EXPECT_TRUE(service > 0 && service <= 1) << service;
  }
  EXPECT_GE(fitting, 5);
}

// ---------------------------------------------------------------------------------------------------------------------
// The JSON of the catalog

bool is_measure(const std::string& key) {
  return key.ends_with("_bytes") || key.ends_with("_per_s") || key.ends_with("_w");
}

// Every measure of the part, however deep, is an object of value and origin.
void expect_facts(const Json& json, int& count) {
  for (const auto& [key, value] : json.items()) {
    if (is_measure(key)) {
      ++count;
      expect_keys(value, {"value", "unit", "source", "date", "confidence"}, key);
    } else if (value.is_structured() && key != "sources") {
      expect_facts(value, count);
    }
  }
}

TEST(CatalogJson, ShowsTheSizeOfEveryModel) {
  for (const ModelEntry& model : shipped().all<ModelEntry>()) {
    const Json json = Json::parse(run_program("catalog show model " + model.id + " -f json").out);
    for (const char* key : {"parameters", "active_parameters", "kv_bytes_per_token"}) {
      expect_number(json, key);
      EXPECT_GT(json[key], 0) << model.id;
    }
  }
}

TEST(CatalogJson, ShowsTheOriginOfEveryFactOfAnAccelerator) {
  for (const Accelerator& part : shipped().all<Accelerator>()) {
    SCOPED_TRACE(part.id);
    const Answer run = run_program("catalog show accelerator " + part.id + " -f json");
    ASSERT_EQ(run.code, 0) << run.err;
    int count = 0;
    expect_facts(Json::parse(run.out), count);
    EXPECT_GE(count, 1) << "at least its memory";
  }
}

}  // namespace
}  // namespace fathom
