// What scripts may rely on when they simulate a plan: exit codes, JSON keys, files that are whole.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "support/program.h"
#include "support/scratch_folder.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

class Simulate : public ::testing::Test {
 protected:
  // A plan of an example, made once by the program itself.
  std::string plan_of(const std::string& example) {
    const fs::path plan = scratch_.path() / (example + ".json");
    run_program(fmt::format("plan {} -f json=/dev/null -o {}",
                            (fs::path(FATHOM_SOURCE_DIR) / "examples" / example / "cluster.yaml").string(),
                            plan.string()));
    EXPECT_TRUE(fs::exists(plan));
    return plan.string();
  }
  Json json_of(const std::string& arguments) {
    return Json::parse(run_program("simulate " + arguments + " -f json").out);
  }

  ScratchFolder scratch_;
};

TEST_F(Simulate, PrintsTheKeysOfTheContract) {
  const Answer run = run_program("simulate " + plan_of("r1-appliance-h100") + " --requests 2000 -f json");
  const Json json = Json::parse(run.out);
  EXPECT_EQ(json.at("format_version"), "1.0");
  for (const char* key : {"ttft_s", "tpot_s", "inter_token_s", "e2e_s"}) {
    for (const char* part : {"mean", "p50", "p90", "p95", "p99", "max", "count"})
      EXPECT_TRUE(json.at(key).at(part).is_number()) << key << " " << part;
  }
  for (const char* key : {"requests_per_s", "output_tok_per_s", "goodput_requests_per_s", "utilisation", "preemptions",
                          "energy_per_output_token_j", "simulated_s", "window_s"})
    EXPECT_TRUE(json.at(key).is_number()) << key;
  EXPECT_TRUE(json.at("waiting").at("max").is_number());
  EXPECT_TRUE(json.at("kv_use").at("mean").is_number());
  EXPECT_EQ(json.at("requests").at("finished"), 2000);
  EXPECT_EQ(json.at("slo").at("percentile"), 99);
  EXPECT_EQ(run.code, json.at("verdict").at("meets").get<bool>() ? 0 : 1);
}

TEST_F(Simulate, MeansAreNearThoseOfThePlanWhenTheLoadIsLight) {
  const std::string plan = plan_of("r1-appliance-h100");
  const Json json = json_of(plan), planned = Json::parse(content_of(plan)).at("predictions");
  for (const char* key : {"ttft_s", "tpot_s"}) {
    const double mean = planned.at(key).at("likely");
    EXPECT_NEAR(json.at(key).at("mean").get<double>(), mean, 0.1 * mean) << key;
  }
}

TEST_F(Simulate, ExitCodesTellWhetherTheServiceLevelIsKept) {
  const std::string plan = plan_of("r1-appliance-h100");
  EXPECT_EQ(run_program("simulate " + plan + " --requests 500 -q").code, 0);
  const Answer missed = run_program("simulate " + plan + " --requests 500 --tpot '1 ms'");
  EXPECT_EQ(missed.code, 1);
  EXPECT_NE(missed.out.find("NO: the service level is not kept"), std::string::npos) << missed.out;
  EXPECT_NE(missed.out.find("P99 TPOT"), std::string::npos) << missed.out;
}

TEST_F(Simulate, RepeatsItselfForASeed) {
  const std::string plan = plan_of("team-30-r1-32b");
  const Answer a = run_program("simulate " + plan + " --requests 500"),
               b = run_program("simulate " + plan + " --requests 500");
  EXPECT_EQ(a.out, b.out);
  EXPECT_NE(run_program("simulate " + plan + " --requests 500 --seed 2").out, a.out);
}

TEST_F(Simulate, WritesFilesForSeriesAndPlots) {
  const std::string plan = plan_of("team-30-r1-32b");
  const fs::path csv = scratch_.path() / "series.csv", svg = scratch_.path() / "plot.svg",
                 html = scratch_.path() / "plot.html";
  Answer run = run_program(fmt::format("simulate {} --requests 300 --series {} --plot {} -f json=/dev/null", plan,
                                       csv.string(), svg.string()));
  EXPECT_EQ(run.out, "");
  EXPECT_EQ(content_of(csv).rfind("begin_s,width_s,arrived", 0), 0u);
  EXPECT_EQ(content_of(svg).rfind("<svg", 0), 0u);
  EXPECT_EQ(content_of(svg).find("nan"), std::string::npos);
  run =
      run_program(fmt::format("simulate {} --requests 300 --sweep concurrency=1:20:3 --plot {}", plan, html.string()));
  EXPECT_NE(content_of(html).find("</html>"), std::string::npos);
  EXPECT_NE(run.out.find("in flight"), std::string::npos) << run.out;
}

TEST_F(Simulate, ASweepFindsTheHighestLoad) {
  const Json json =
      json_of(plan_of("team-30-r1-32b") + " --requests 500 --e2e '12 s' --percentile 90 --sweep concurrency=1:40:4");
  const double highest = json.at("sweep").at("highest_concurrency");
  EXPECT_GE(highest, 1);
  EXPECT_LT(highest, 40);
  EXPECT_EQ(json.at("sweep").at("bounded"), true);
  for (const Json& point : json.at("points")) {
    const bool meets = point.at("verdict").at("meets");
    EXPECT_EQ(meets, point.at("load").get<double>() <= highest) << point.at("load");
  }
}

TEST_F(Simulate, PlaysTraces) {
  const std::string plan = plan_of("team-30-r1-32b");
  const fs::path trace = scratch_.write("trace.csv",
                                        "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.68,374,44\n"
                                        "2023-11-16 18:15:50.95,396,109\n2023-11-16 18:15:51.22,879,55\n");
  const Json json = json_of(plan + " --warm-up 0 --trace " + trace.string());
  const std::string more =
      run_program("simulate " + plan + " --requests 5000 --warm-up 0 --trace " + trace.string()).out;
  EXPECT_NE(more.find("fewer than the 5000 of --requests"), std::string::npos) << more;
  EXPECT_EQ(more.find("are the warm-up"), std::string::npos) << more;
  EXPECT_EQ(json.at("requests").at("finished"), 3);
  const fs::path lengths = scratch_.write("lengths.csv", "input_len,output_len\n100,20\n200,30\n");
  EXPECT_EQ(json_of(plan + " --rate 1 --requests 50 --trace " + lengths.string()).at("requests").at("finished"), 50);
}

TEST_F(Simulate, APlanWithTheWattsOfOneLoadSaysSo) {
  const std::string plan = plan_of("team-30-r1-32b");
  Json old = Json::parse(content_of(plan));
  for (Json& pool : old.at("pools")) EXPECT_EQ(pool.at("serving").erase("power"), 1u);
  const std::string older = scratch_.write("old.json", old.dump(1)).string();
  const Json now = json_of(plan + " --rate 0.05 --requests 500"), then = json_of(older + " --rate 0.05 --requests 500");
  EXPECT_TRUE(now.at("notes").empty()) << now.at("notes");
  ASSERT_EQ(then.at("notes").size(), 1u);
  EXPECT_NE(then.at("notes")[0].get<std::string>().find("make it again"), std::string::npos);
  EXPECT_LT(now.at("energy_j"), then.at("energy_j"));  // hardly ever two at once
  EXPECT_EQ(now.at("e2e_s"), then.at("e2e_s"));
}

TEST_F(Simulate, RefusesWhatItCannotPlayWithOneClearMessage) {
  const std::string plan = plan_of("team-30-r1-32b");
  const auto refused = [&](const std::string& arguments, const std::string& message) {
    const Answer run = run_program("simulate " + arguments);
    EXPECT_EQ(run.code, 2) << arguments << "\n" << run.err;
    EXPECT_EQ(run.out, "") << arguments;
    EXPECT_NE(run.err.find(message), std::string::npos) << arguments << "\n" << run.err;
  };
  refused((scratch_.path() / "none.json").string(), "no such file");
  refused((fs::path(FATHOM_SOURCE_DIR) / "examples/team-30-r1-32b/cluster.yaml").string(), "not a saved plan");
  refused(plan + " --rate 1 --concurrency 2", "excludes");
  refused(plan + " --rate 0", "--rate: 0 is not a number above zero");
  refused(plan + " --rate 1 --in-step", "add --concurrency");
  refused(plan + " --time-scale 2", "add --trace");
  refused(plan + " --mttr '1 h'", "add --mtbf");
  refused(plan + " --swap-bandwidth '10 GB/s'", "add --preemption swap");
  refused(plan + " --rate 1 --sweep rate=1:2:3", "excludes");
  refused(plan + " --mtbf '1 us'", "would be finished");
  refused(plan + " --output-tokens 1e8", "longer than");
  refused(plan + " --cv 2", "--rate");
  refused(plan + " --ttft soon", "--ttft");
  refused(plan + " --mtbf '0 s'", "--mtbf");
  refused(plan + " --sweep load=1:2:3", "--sweep");
  refused(plan + " --sweep rate=5:1:3", "--sweep");
  refused(plan + " --sweep rate=1:2", "--sweep");
  refused(plan + " --plot x.png", ".svg");
  refused(plan + " --routing magic", "magic");
  refused(plan + " -f json=" + plan, "input");
  refused(plan + " --trace " + scratch_.write("t.csv", "a,b\n1,2\n").string(), "prompts");
  Json old = Json::parse(content_of(plan));
  for (Json& pool : old.at("pools")) {
    pool.erase("serving");
    pool.erase("step_times");
  }
  refused(scratch_.write("old.json", old.dump(1)).string(), "make the plan again");
  Json broken = Json::parse(content_of(plan));
  broken["pools"][0]["step_times"]["latency"][0]["decode"]["time_s"].erase(0);
  refused(scratch_.write("broken.json", broken.dump(1)).string(), "rows");
}

}  // namespace
}  // namespace fathom
