// What is written is what is read, and what is not a record is refused with its place.
#include <gtest/gtest.h>

#include "input/error.h"
#include "support/invented_machine.h"

namespace fathom::probe {
namespace {

InputError refusal_of(const std::string& text) {
  try {
    parse_record(text, "machine.json");
  } catch (const InputError& error) {
    return error;
  }
  ADD_FAILURE() << "was read: " << text.substr(0, 200);
  return {"", {}, ""};
}

std::string with(const std::string& inside) {
  return R"({"format": "fathom-machine", "format_version": "1.0", "node": "a", "date": "2026-11-22",)" + inside + "}";
}

// Eight GPUs at standard depth, of some 1,600 results each, can be saved and replayed.
TEST(MachineRecord, OfManyResultsIsReadBack) {
  MachineRecord record = invented_machine();
  const Result one = record.results.front();
  for (int i = 0; i < 12800; ++i) {
    record.results.push_back(one);
    record.results.back().shape["number"] = std::to_string(i);
  }
  EXPECT_EQ(parse_record(record_json(record), "many.json").results.size(), record.results.size());
}

TEST(MachineRecord, ReadsWhatItWrites) {
  const std::string once = record_json(invented_machine());
  EXPECT_EQ(record_json(parse_record(once, "again.json")), once);
}

TEST(MachineRecord, KeepsEveryPartOfTheMachine) {
  const MachineRecord record = parse_record(record_json(invented_machine()), "again.json");
  ASSERT_EQ(record.gpus.size(), 4u);
  EXPECT_EQ(record.gpus[3].device, "gpu3");
  EXPECT_EQ(record.gpus[1].pcie_width, 16);
  EXPECT_EQ(record.gpus[0].throttle_reasons, 4u);
  EXPECT_EQ(record.links.size(), 12u);
  EXPECT_EQ(record.numa[1].distances, (std::vector<int>{21, 10}));
  EXPECT_EQ(record.setting("memlock_bytes")->value, "unlimited");
  EXPECT_EQ(record.clock->stratum, 2);
  EXPECT_EQ(record.storage->file_system, "xfs");
  EXPECT_EQ(record.ups.front().runtime, Seconds(900));
  EXPECT_EQ(record.power_attestation->person, "A. Tester");
  const Result& first = record.results.front();
  EXPECT_EQ(first.shape.at("threads"), "224");
  EXPECT_EQ(first.unit, Unit::kBytesPerSecond);
  EXPECT_DOUBLE_EQ(first.figure->median, 4.61e11);
  EXPECT_TRUE(first.correctness->correct);
}

TEST(MachineRecord, KeepsWhatIsSetOnAGpu) {
  MachineRecord record = invented_machine();
  record.gpus[1].power_limit_default = Watts(750);
  record.gpus[1].remap_failed = record.gpus[1].ecc = true;
  record.gpus[1].persistence = record.gpus[1].mig = false;
  const Gpu gpu = parse_record(record_json(record), "again.json").gpus[1];
  EXPECT_EQ(gpu.power_limit_default, Watts(750));
  EXPECT_EQ(gpu.remap_failed, true);
  EXPECT_EQ(gpu.ecc, true);
  EXPECT_EQ(gpu.persistence, false);
  EXPECT_EQ(gpu.mig, false);
}

TEST(MachineRecord, WritesNothingThatIsNotKnown) {
  MachineRecord record;
  record.node = "a";
  record.date = "2026-11-22";
  record.results.push_back(without_figure("gpu.memory", "gpu", Status::kNotSupported, "not supported yet"));
  const std::string text = record_json(record);
  for (const char* key :
       {"gpus", "numa", "clock", "storage", "memory_bytes", "hypervisor", "bytes_per_s", "protocol"}) {
    EXPECT_EQ(text.find('"' + std::string(key) + '"'), std::string::npos) << key;
  }
  EXPECT_EQ(parse_record(text, "b.json").results.front().status, Status::kNotSupported);
}

TEST(MachineRecord, OtherFilesAreRefusedWithWhatWasExpected) {
  EXPECT_NE(refusal_of("{}").hint().find("fathom-machine"), std::string::npos);
  EXPECT_NE(refusal_of(R"({"format": "fathom-profile/1"})").message().find("no machine's record"), std::string::npos);
  EXPECT_NE(refusal_of(R"({"format": "fathom-machine", "format_version": "2.0"})").message().find("2.0"),
            std::string::npos);
  EXPECT_NE(refusal_of(with("")).message().find("results"), std::string::npos);
}

TEST(MachineRecord, WhatCannotBeIsRefused) {
  const auto refused = [](const char* anchor, const char* before, const char* after) {
    return refusal_of(edited_machine(anchor, before, after)).message();
  };
  const char* const copy = R"("gpu.copy.h2d", "device": "gpu0")";
  EXPECT_NE(refused(copy, R"("q1": 5.49792e+10)", R"("q1": 5.6e+10)").find("q1"), std::string::npos);
  EXPECT_NE(refused(copy, R"("min": 5.45376e+10)", R"("min": 6e+10)").find("min"), std::string::npos);
  EXPECT_NE(refused(copy, R"("status": "passed")", R"("status": "not_run")").find("no figure"), std::string::npos);
  EXPECT_NE(refused(copy, R"("device": "gpu0")", R"("device": "gpu9")").find("gpu9"), std::string::npos);
  EXPECT_NE(refused("gpu.peer.copy", "gpu0>gpu1", "gpu0>gpu7").find("gpu7"), std::string::npos);
  EXPECT_NE(refused("\"date\"", "2026-11-22", "yesterday").find("no day"), std::string::npos);
}

TEST(MachineRecord, TextsDriveNoTerminal) {
  const std::string name = edited_machine("\"node\"", "invented-4-gpus", R"(\u001b[2Jnode)");
  EXPECT_NE(refusal_of(name).message().find("control character"), std::string::npos);
  for (const char* mark :
       {R"(\u009b2J)", R"(\u202enode)", R"(\u2066node)", R"(\u200fnode)"}) {  // C1, and text turned around
    EXPECT_NE(refusal_of(edited_machine("\"node\"", "invented-4-gpus", mark)).message().find("control character"),
              std::string::npos)
        << mark;
  }
  const std::string shape = edited_machine("host.memory.read", "array_bytes", R"(\u001b[2J)");
  EXPECT_NE(refusal_of(shape).message().find("control character"), std::string::npos);
}

TEST(MachineRecord, UnknownKeysAndWordsAreRefusedWithASuggestion) {
  EXPECT_EQ(refusal_of(with(R"("inventry": {}, "results": [])")).suggestion(), "inventory");
  EXPECT_EQ(
      refusal_of(with(R"("results": [{"case": "a", "device": "host", "status": "pased", "time_s": {"median": 1}}])"))
          .suggestion(),
      "passed");
  EXPECT_NE(refusal_of(with(R"("results": [{"case": "a", "device": "host", "status": "passed"}])"))
                .hint()
                .find("bytes_per_s"),
            std::string::npos);
  EXPECT_NE(refusal_of(with(R"("results": [{"case": "a", "device": "host", "status": "passed", "time_s": {"median": 1},
                             "bytes_per_s": {"median": 1}}])"))
                .message()
                .find("second"),
            std::string::npos);
  EXPECT_NE(refusal_of(edited_machine("\"device\": \"gpu1\"", "gpu1", "gpu0")).message().find("two GPUs"),
            std::string::npos);
}

TEST(MachineRecord, NumbersOutOfRangeAreRefused) {
  EXPECT_NE(refusal_of(edited_machine("\"pcie_width\"", "16", "-16")).message().find("pcie_width"), std::string::npos);
  refusal_of(edited_machine("\"median\"", "4.61e+11", "1e99"));
  refusal_of(edited_machine("\"median\"", "4.61e+11", ".nan"));
  refusal_of(edited_machine("\"median\"", "4.61e+11", "\"4.61e11\""));
}

}  // namespace
}  // namespace fathom::probe
