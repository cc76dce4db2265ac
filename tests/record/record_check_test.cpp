// What each key of a record allows and all of them together do not: units, twins, links and sizes that cannot be.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "harness/case_units.h"
#include "importers/importers.h"
#include "input/error.h"
#include "support/invented_machine.h"

namespace fathom::probe {
namespace {

namespace fs = std::filesystem;

InputError refusal_of(const std::string& text) {
  try {
    parse_record(text, "machine.json");
  } catch (const InputError& error) {
    EXPECT_GT(error.at().line, 0) << error.message();
    return error;
  }
  ADD_FAILURE() << "was read: " << text.substr(0, 200);
  return {"", {}, ""};
}

bool says(const InputError& error, const std::string& words) {
  return (error.message() + " | " + error.hint()).find(words) != std::string::npos;
}

// A record of these results alone, one in each line from the second on.
std::string with_results(const std::vector<std::string>& results) {
  return fmt::format(
      R"({{"format": "fathom-machine", "format_version": "1.2", "node": "a", "date": "2026-11-22", "results": [
{}]}})",
      fmt::join(results, ",\n"));
}

std::string figure(const std::string& name, const std::string& unit, const std::string& shape = "{}") {
  return fmt::format(R"({{"case": "{}", "device": "host", "shape": {}, "status": "passed", "{}": {{"median": 1}}}})",
                     name, shape, unit);
}

TEST(RecordCheck, AFigureIsInTheUnitOfItsCase) {
  const InputError linear = refusal_of(with_results({figure("gpu.linear", "bytes_per_s")}));
  EXPECT_TRUE(says(linear, "gpu.linear on host is measured in \"time_s\", found \"bytes_per_s\"")) << linear.message();
  EXPECT_EQ(linear.at().line, 2);
  for (const auto& [name, wrong, right] :
       std::vector<std::array<const char*, 3>>{{"gpu.memory.read", "time_s", "bytes_per_s"},
                                               {"collective.all_reduce", "bytes_per_s", "time_s"},
                                               {"gpu.gemm", "bytes_per_s", "flops_per_s"},
                                               {"gpu.power", "flops_per_s", "power_w"},
                                               {"host.rdma.latency", "bytes_per_s", "time_s"},
                                               {"engine.llama_cpp.decode", "time_s", "tokens_per_s"}}) {
    EXPECT_TRUE(says(refusal_of(with_results({figure(name, wrong)})), fmt::format("is measured in \"{}\"", right)))
        << name;
    EXPECT_EQ(parse_record(with_results({figure(name, right)}), "a.json").results.size(), 1u) << name;
  }
}

TEST(RecordCheck, SizesDecideTheUnitOfMessagesAndBlocks) {
  const std::string small = R"({"bytes": 8})", large = R"({"bytes": 268435456})";
  parse_record(with_results({figure("gpu.copy.h2d", "time_s", small)}), "a.json");
  parse_record(with_results({figure("gpu.peer.copy", "bytes_per_s", large)}), "a.json");
  refusal_of(with_results({figure("gpu.copy.h2d", "bytes_per_s", small)}));
  refusal_of(with_results({figure("gpu.peer.copy", "time_s", large)}));
  refusal_of(with_results({figure("host.storage.read", "operations_per_s", R"({"block_bytes": 1048576})")}));
  refusal_of(with_results({figure("host.storage.random_read", "bytes_per_s", R"({"block_bytes": 4096})")}));
}

TEST(RecordCheck, ALinkIsOfAKindThatIsKnown) {
  const std::string gpus = R"({"gpus": [{"device": "gpu0", "name": "A"}, {"device": "gpu1", "name": "A"}], "links": [
{"from": "gpu0", "to": "gpu1", "kind": "carrier pigeon"}]})";
  const InputError error =
      refusal_of(R"({"format": "fathom-machine", "format_version": "1.2", "node": "a", "date": "2026-11-22",
"inventory": )" + gpus +
                 "}");
  EXPECT_TRUE(says(error, "found \"carrier pigeon\"")) << error.message();
}

TEST(RecordCheck, ACaseThatNobodyKnowsMayCountAnything) {
  parse_record(with_results({figure("other.tool", "power_w")}), "a.json");
}

// Every record of the tree was measured or made up before the rules above were written.
TEST(RecordCheck, RecordsOfOldAreRead) {
  int read = 0;
  for (const char* folder : {"tests/data/machines", "docs/measurements"}) {
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(FATHOM_SOURCE_DIR) / folder)) {
      if (entry.path().extension() != ".json") continue;
      if (text_of_file(entry.path()).find("\"fathom-machine\"") == std::string::npos) continue;
      for (const Result& r : read_record(entry.path()).results) EXPECT_TRUE(!r.figure || unit_of(r)) << r.name;
      ++read;
    }
  }
  EXPECT_GE(read, 6);
}

TEST(RecordCheck, OneThingHasOneFigure) {
  const std::string one = figure("gpu.linear", "time_s", R"({"m": 1})");
  const InputError twice = refusal_of(with_results({one, figure("gpu.linear", "time_s", R"({"m": 2})"), one}));
  EXPECT_TRUE(says(twice, "gpu.linear on host, m 1 has two figures under one protocol: 1 s in line 2"))
      << twice.message();
  EXPECT_EQ(twice.at().line, 4);
  const std::string graph =
      R"({"case": "gpu.linear", "device": "host", "shape": {"m": 1}, "status": "passed", "time_s": {"median": 2},
          "protocol": {"launch": "graph"}})";
  EXPECT_EQ(parse_record(with_results({one, graph}), "a.json").results.size(), 2u)
      << "another protocol, another figure";
  const std::string none = R"({"case": "host.network", "device": "host", "status": "unknown", "why": "no answer"})";
  EXPECT_EQ(parse_record(with_results({none, none}), "a.json").results.size(), 2u) << "both ways gave no answer";
}

TEST(RecordCheck, LinksJoinDevicesThatAreThere) {
  const auto refused = [](const char* before, const char* after) {
    return refusal_of(edited_machine("\"links\"", before, after));
  };
  EXPECT_TRUE(says(refused(R"("to": "gpu1")", R"("to": "gpu9")"), "has no \"gpu9\""));
  EXPECT_TRUE(says(refused(R"("to": "gpu1")", R"("to": "gpu0")"), "to itself"));
  EXPECT_TRUE(says(refused(R"("to": "gpu1")", R"("to": "gpu2")"), "twice"));
  const std::string without =
      R"({"format": "fathom-machine", "format_version": "1.2", "node": "a", "date": "2026-11-22",
    "inventory": {"links": [{"from": "gpu0", "to": "gpu1"}]}, "results": []})";
  EXPECT_TRUE(says(refusal_of(without), "has no \"gpu0\""));
}

TEST(RecordCheck, SizesAreCountsAndGroupsAreThatLarge) {
  for (const char* shape : {R"({"m": -1})", R"({"m": 0})", R"({"m": 1.5})", R"({"bytes": "many"})",
                            R"({"bytes": 1e25})", R"({"threads": -4})", R"({"generated_tokens": -1})"}) {
    EXPECT_TRUE(says(refusal_of(with_results({figure("other.tool", "time_s", shape)})), "whole number")) << shape;
  }
  parse_record(with_results({figure("engine.llama_cpp.prefill", "tokens_per_s", R"({"generated_tokens": 0})")}),
               "a.json");
  const auto group = [](const char* after) { return edited_machine("collective.all_reduce", "\"ranks\": 4", after); };
  EXPECT_TRUE(says(refusal_of(group("\"ranks\": 8")), "there are 8 ranks, and 4 of them in \"gpu0,gpu1,gpu2,gpu3\""));
  EXPECT_TRUE(says(refusal_of(group("\"ranks\": -4")), "ranks"));
  EXPECT_TRUE(says(refusal_of(edited_machine("gpu.peer.copy", "gpu0>gpu1", "gpu0>gpu0")), "no pair"));
  EXPECT_TRUE(says(refusal_of(edited_machine("gpu.peer.copy", "gpu0>gpu1", "gpu0>")), "names nothing"));
}

// ---------------------------------------------------------------------------------------------------------------------
// Versions

std::string of_version(const std::string& version, const std::string& more) {
  std::string text = edited_machine("\"format_version\"", "1.0", version);
  return text.replace(text.find("\"results\""), 0, more);
}

TEST(RecordVersion, OfANewerMinorOneWhatIsUnreadIsSaid) {
  const MachineRecord record = parse_record(of_version("1.9", R"("novel": {"a": [1]}, "x-own": 2, )"), "machine.json");
  ASSERT_EQ(record.notes.size(), 1u);
  EXPECT_EQ(record.notes.front(),
            "machine.json: format_version 1.9 is newer than the 1.2 that this program knows: left unread: \"novel\" in "
            "the record");
  EXPECT_EQ(record.results.size(), invented_machine().results.size());
  EXPECT_NE(parse_record(of_version("1.9", ""), "a.json").notes.front().find("all of it was read"), std::string::npos);
  EXPECT_TRUE(invented_machine().notes.empty());
  refusal_of(of_version("1.2", R"("novel": 1, )"));
}

TEST(RecordVersion, OfANewerMinorOneCasesThatNobodyKnowsAreNamed) {
  std::string text = with_results({figure("gpu.novel", "time_s"), figure("gpu.novel", "time_s", R"({"m": 2})")});
  text.replace(text.find("1.2"), 3, "1.10");
  EXPECT_NE(parse_record(text, "a.json").notes.front().find("left unread: what the case \"gpu.novel\" means"),
            std::string::npos);
}

TEST(RecordVersion, WhatANewerOneMayMeanIsRefusedWithTheWayOut) {
  std::string text = of_version("1.9", "");
  text.replace(text.find("\"passed\""), 8, "\"splendid\"");
  EXPECT_TRUE(says(refusal_of(text), "1.9 is newer than the 1.2 that this program knows: update it"));
  EXPECT_TRUE(says(refusal_of(of_version("2.0", "")), "a newer fathom wrote it: update this one"));
  for (const char* none : {"1.x", "1.", "0.9", "1.1.1", "one", "1.-1", ""})
    EXPECT_TRUE(says(refusal_of(of_version(none, "")), "expected \"format_version\": \"1.2\"")) << none;
}

TEST(RecordVersion, OldOnesTellNoDurations) {
  EXPECT_FALSE(invented_machine().duration);
  MachineRecord record = invented_machine();
  record.duration = Seconds(71.5);
  record.case_times = {{.name = "gpu.gemm", .time = Seconds(12.25)}, {.name = "collective", .time = Seconds(0)}};
  const std::string text = record_json(record);
  const MachineRecord again = parse_record(text, "a.json");
  EXPECT_EQ(again.duration, Seconds(71.5));
  ASSERT_EQ(again.case_times.size(), 2u);
  EXPECT_EQ(again.case_times.front().time, Seconds(12.25));
  EXPECT_EQ(record_json(again), text);
  record.case_times.push_back(record.case_times.front());
  EXPECT_TRUE(says(refusal_of(record_json(record)), "two durations of the case \"gpu.gemm\""));
}

}  // namespace
}  // namespace fathom::probe
