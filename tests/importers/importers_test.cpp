// What each tool's output becomes. tests/data/tools has the files.
#include "importers/importers.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "input/content.h"
#include "input/error.h"
#include "support/scratch_folder.h"
#include "support/tool_output.h"

namespace fathom::probe {
namespace {

const std::filesystem::path kTools = std::filesystem::path(FATHOM_SOURCE_DIR) / "tests/data/tools";

MachineRecord imported(const std::string& file) { return import_file(kTools / file); }

std::string refusal_of(const std::string& text, const std::string& file = "output.json") {
  try {
    import_text(text, file);
  } catch (const InputError& error) {
    return error.message();
  }
  ADD_FAILURE() << "was imported: " << text;
  return {};
}

TEST(Importers, FioCountsOperationsOfSmallBlocks) {
  const MachineRecord record = imported("fio-3.33.json");
  ASSERT_EQ(record.results.size(), 1u);
  const Result& r = record.results.front();
  EXPECT_EQ(r.name, "host.storage.random_read");
  EXPECT_EQ(r.unit, Unit::kOperationsPerSecond);
  EXPECT_DOUBLE_EQ(r.figure->median, 71824.175824);
  EXPECT_EQ(r.shape.at("block_bytes"), "4096");
  EXPECT_EQ(r.shape.at("depth"), "16");
  EXPECT_EQ(r.shape.at("jobs"), "2");
  EXPECT_EQ(r.protocol.engine, "fio-3.33");
  EXPECT_EQ(r.protocol.cache, "O_DIRECT");
}

TEST(Importers, FioCountsBytesOfLargeBlocksAndReadsPastWarnings) {
  const std::string text =
      "fio: this platform does not support process shared mutexes\n"
      R"({"fio version": "fio-3.36", "global options": {"direct": "0", "bs": "1m"}, "jobs": [{"jobname": "a", "error": 0,
          "job options": {"rw": "write"}, "read": {"iops": 0, "bw_bytes": 0}, "write": {"iops": 900.5, "bw_bytes": 944242688}}]})";
  const Result r = import_text(text, "fio.json").results.at(0);
  EXPECT_EQ(r.name, "host.storage.write");
  EXPECT_DOUBLE_EQ(r.figure->median, 944242688);
  EXPECT_EQ(r.protocol.cache, "page cache");
  EXPECT_FALSE(r.notes.empty()) << "memory may have answered";
}

TEST(Importers, FioThatEndedWithAnErrorIsUnknown) {
  const Result r =
      import_text(R"({"fio version": "fio-3.36", "jobs": [{"jobname": "a", "error": 22}]})", "fio.json").results.at(0);
  EXPECT_EQ(r.status, Status::kUnknown);
  EXPECT_FALSE(r.figure);
}

// iperf3 3.12 writes sock_bufsize twice; the omitted first second is no sample.
TEST(Importers, IperfTakesTheIntervalsThatCount) {
  const Result r = import_text(between_two_nodes(text_of_file(kTools / "iperf-3.12.json")), "i.json").results.at(0);
  EXPECT_EQ(r.name, "host.network");
  EXPECT_EQ(r.shape.at("direction"), "send");
  EXPECT_EQ(r.shape.at("streams"), "2");
  EXPECT_EQ(r.figure->samples, 2);
  EXPECT_EQ(r.protocol.engine, "iperf 3.12");
  EXPECT_GT(r.figure->median, 1e9);
  const Result refused =
      import_text(R"({"start": {"version": "iperf 3.17"}, "intervals": [], "end": {}, "error": "unable to connect"})",
                  "i.json")
          .results.at(0);
  EXPECT_EQ(refused.status, Status::kUnknown);
  EXPECT_EQ(refused.why, "iperf3: unable to connect");
}

TEST(Importers, IperfOfANodeWithItselfMeasuresNoNetwork) {
  const Result own = imported("iperf-3.12.json").results.at(0);
  EXPECT_EQ(own.status, Status::kNotSupported);
  EXPECT_FALSE(own.figure);
  std::string text = text_of_file(kTools / "iperf-3.12.json");
  for (std::size_t at; (at = text.find("127.0.0.1")) != std::string::npos;) text.replace(at, 9, "192.0.2.7");
  EXPECT_EQ(import_text(text, "i.json").results.at(0).status, Status::kNotSupported) << "by its own address";
}

// Cut off behind the first place, in the second, and in a number.
TEST(Importers, NcclTestsTextThatWasCutOffIsRefused) {
  const std::string text = text_of_file(kTools / "all_reduce.txt");
  const std::size_t row = text.find("1073741824     268435456");
  for (const char* behind : {"366.05       0", "4390.0", "244.03  366.05       0   4390.0  244.59", "1073741824"}) {
    const std::string cut = text.substr(0, text.find(behind, row) + std::string(behind).size());
    EXPECT_NE(refusal_of(cut, "all_reduce.txt").find(" of 13 columns"), std::string::npos) << behind;
  }
  std::string headless = text;
  headless.replace(text.find("#       size"), 12, "#       mass");
  EXPECT_NE(refusal_of(headless, "all_reduce.txt").find("columns"), std::string::npos);
}

TEST(Importers, NcclTestsTextHasBothPlacesOfEverySize) {
  const MachineRecord record = imported("all_reduce.txt");
  ASSERT_EQ(record.results.size(), 6u) << "of no bytes nothing is kept";
  const Result& large = record.results.at(4);
  EXPECT_EQ(large.name, "collective.all_reduce");
  EXPECT_EQ(large.device, "gpu0,gpu1,gpu2,gpu3");
  EXPECT_EQ(large.shape.at("bytes"), "1073741824");
  EXPECT_EQ(large.shape.at("dtype"), "fp32");
  EXPECT_EQ(large.shape.at("place"), "out");
  EXPECT_DOUBLE_EQ(large.figure->median, 4.4e-3);
  EXPECT_TRUE(large.correctness->correct);
  EXPECT_FALSE(record.results.at(5).correctness) << "N/A was not compared";
  ASSERT_EQ(record.gpus.size(), 4u);
  EXPECT_EQ(record.gpus[2].name, "NVIDIA H200");
}

// Whatever stands in a row, it does not vanish: "21,00" is no figure, and only "N/A" is a result that nobody compared.
TEST(Importers, NcclTestsTextWithCellsThatCannotBeReadIsRefused) {
  const std::string text = text_of_file(kTools / "all_reduce.txt");
  for (const auto& [cell, found, place] :
       {std::tuple("   21.00", "   21,00", "16:57"), std::tuple("   20.90", "     nan", "16:92"),
        std::tuple("74.90       0", "74.90      ??", "16:84"), std::tuple("  1048576  ", "  1048,76  ", "16:6")}) {
    std::string edited = text;
    edited.replace(edited.find(cell), std::string(cell).size(), found);
    try {
      import_text(edited, "all_reduce.txt");
      ADD_FAILURE() << "was imported: " << found;
    } catch (const InputError& error) {
      EXPECT_NE(error.message().find("expected "), std::string::npos) << error.message();
      EXPECT_EQ(fmt::format("{}:{}", error.at().line, error.at().column), place) << found;
    }
  }
}

// Of several processes one may see what no row tells. Old versions print deviations, which are no numbers of elements.
TEST(Importers, NcclTestsThatSayTheyFailedAreIncorrect) {
  std::string text = text_of_file(kTools / "all_reduce.txt");
  text.replace(text.find(": 0 OK"), 6, ": 3 FAILED");
  const MachineRecord failed = import_text(text, "all_reduce.txt");
  for (const Result& r : failed.results) EXPECT_EQ(r.status, Status::kIncorrect);
  EXPECT_NE(failed.results[0].why.find("3 FAILED"), std::string::npos);
  text.replace(text.find("74.90       0"), 13, "74.90       3");
  const MachineRecord placed = import_text(text, "all_reduce.txt");
  EXPECT_EQ(placed.results[2].status, Status::kIncorrect);
  EXPECT_EQ(placed.results[3].status, Status::kPassed) << "its row says that it is right";
  std::string json = text_of_file(kTools / "all_gather.json");
  json.replace(json.find("\"nwrong\":3.0"), 12, "\"nwrong\":0.0");
  EXPECT_EQ(import_text(json, "all_gather.json").results[0].status, Status::kIncorrect);
  std::string old = text_of_file(kTools / "all_reduce.txt");
  for (std::size_t at; (at = old.find("#wrong")) != std::string::npos;) old.replace(at, 6, " error");
  old.replace(old.find("74.90       0"), 13, "74.90   4e-07");
  EXPECT_EQ(import_text(old, "all_reduce.txt").results[2].status, Status::kPassed);
}

TEST(Importers, NcclTestsThatDidNotConcludeSaySo) {
  const std::string text = text_of_file(kTools / "all_reduce.txt");
  EXPECT_TRUE(imported("all_reduce.txt").results[0].notes.empty());
  const MachineRecord cut = import_text(text.substr(0, text.find("# Out of bounds")), "all_reduce.txt");
  ASSERT_EQ(cut.results[0].notes.size(), 1u);
  EXPECT_NE(cut.results[0].notes[0].find("did not conclude"), std::string::npos);
}

TEST(Importers, NcclTestsJsonKeepsWrongElementsAndNoEnvironment) {
  const MachineRecord record = imported("all_gather.json");
  ASSERT_EQ(record.results.size(), 3u);
  EXPECT_EQ(record.results[0].name, "collective.all_gather");
  EXPECT_EQ(record.results[0].status, Status::kPassed);
  EXPECT_EQ(record.results[1].status, Status::kIncorrect);
  EXPECT_EQ(record.results[2].shape.at("place"), "in");
  EXPECT_EQ(record_json(record).find("SECRET"), std::string::npos);
}

TEST(Importers, AnOperationThatIsNotToldIsTakenFromTheFilesName) {
  std::string text = text_of_file(kTools / "all_reduce.txt");
  text.erase(text.find("# Collective test starting"), 44);
  EXPECT_EQ(import_text(text, "reduce_scatter_h200.txt").results.at(0).name, "collective.reduce_scatter");
  EXPECT_NE(refusal_of(text, "output.txt").find("which collective"), std::string::npos);
}

TEST(Importers, NvbandwidthHasAFigurePerDeviceAndPair) {
  const MachineRecord record = imported("nvbandwidth.json");
  ASSERT_EQ(record.results.size(), 4u);
  EXPECT_EQ(record.results[0].name, "gpu.copy.h2d");
  EXPECT_EQ(record.results[0].device, "gpu0");
  EXPECT_DOUBLE_EQ(record.results[0].figure->median, 55.43e9);
  EXPECT_EQ(record.gpus.size(), 2u);
}

// The second row's figure was read by the second GPU, or written by it.
TEST(Importers, CopiesOfNvbandwidthGoWhereTheDataWent) {
  EXPECT_EQ(imported("nvbandwidth.json").results[3].device, "gpu0>gpu1");
  EXPECT_DOUBLE_EQ(imported("nvbandwidth.json").results[3].figure->median, 198.1e9);
  std::string text = text_of_file(kTools / "nvbandwidth.json");
  text.replace(text.find("device_to_device_memcpy_read_ce"), 31, "device_to_device_memcpy_write_sm");
  const Result written = import_text(text, "nvbandwidth.json").results[3];
  EXPECT_EQ(written.device, "gpu1>gpu0");
  EXPECT_DOUBLE_EQ(written.figure->median, 198.1e9);
}

// nccl-tests go over the sizes again with -N, and people run them twice: no figure is lost, and the record can be read.
TEST(Importers, WhatIsMeasuredAgainIsAnotherRun) {
  std::string text = text_of_file(kTools / "all_reduce.txt");
  const std::size_t row = text.find("     1048576"), end = text.find('\n', row) + 1;
  text.insert(end, text.substr(row, end - row));
  MachineRecord record = import_text(text, "all_reduce.txt");
  ASSERT_EQ(record.results.size(), 8u);
  EXPECT_FALSE(record.results[2].shape.contains("run"));
  EXPECT_EQ(record.results[4].shape.at("run"), "2");
  std::string later = text;
  for (const char* time : {"10.20", "10.10", "21.00", "20.90", "4400.0", "4390.0"}) {
    for (std::size_t at = later.find(time); at != std::string::npos; at = later.find(time)) later[at] = '9';
  }
  join(record, import_text(later, "all_reduce.txt"));
  ASSERT_EQ(record.results.size(), 16u);
  EXPECT_EQ(record.results[8].shape.at("run"), "2");
  EXPECT_EQ(record.results[12].shape.at("run"), "4") << "the second of the second file";
  record.date = "2026-11-22";
  EXPECT_EQ(parse_record(record_json(record), "record.json").results.size(), 16u);
}

TEST(Importers, SizesThatCannotBeAreRefused) {
  std::string bench = text_of_file(kTools / "llama-bench.json");
  bench.replace(bench.find("\"n_prompt\": 512"), 15, "\"n_prompt\": -12");
  EXPECT_NE(refusal_of(bench, "llama-bench.json").find("\"prompt_tokens\" of a shape is a whole number"),
            std::string::npos);
}

// nvbandwidth does not tell the names of GPUs; nccl-tests does.
TEST(Importers, SeveralOutputsAreOneMachine) {
  MachineRecord record = imported("nvbandwidth.json");
  join(record, imported("all_reduce.txt"));
  EXPECT_EQ(record.results.size(), 10u);
  ASSERT_EQ(record.gpus.size(), 4u);
  for (const Gpu& gpu : record.gpus) EXPECT_EQ(gpu.name, "NVIDIA H200");
}

TEST(Importers, AFileCountsOnce) {
  MachineRecord record = imported("all_reduce.txt");
  try {
    join(record, imported("all_reduce.txt"));
    ADD_FAILURE() << "counted twice";
  } catch (const InputError& error) {
    EXPECT_NE(std::string(error.what()).find((kTools / "all_reduce.txt").string()), std::string::npos) << error.what();
  }
}

// What an old file says of a node must not look as if it were of today.
TEST(Importers, AreDatedAsTheyWereMeasured) {
  for (const char* file : {"fio-3.33.json", "iperf-3.12.json", "all_gather.json"}) {
    EXPECT_EQ(imported(file).date, "2026-11-22") << file;
    EXPECT_TRUE(imported(file).notes.empty()) << file;
  }
  std::string bench = text_of_file(kTools / "llama-bench.json");
  bench.insert(bench.find("\"build_commit\""), "\"test_time\": \"2025-03-04T05:06:07Z\", ");
  EXPECT_EQ(import_text(bench, "llama-bench.json").date, "2025-03-04");
  const ScratchFolder folder;
  const std::filesystem::path file = folder.write("all_reduce.txt", text_of_file(kTools / "all_reduce.txt"));
  const auto is_set = std::chrono::sys_days(std::chrono::year(2024) / 2 / 29) + std::chrono::seconds(43200);
  std::filesystem::last_write_time(file, std::chrono::file_clock::from_sys(is_set));
  MachineRecord record = import_file(file);
  EXPECT_EQ(record.date, "2024-02-29");
  ASSERT_EQ(record.notes.size(), 1u);
  EXPECT_NE(record.notes[0].find("2024-02-29 is when the file was written"), std::string::npos);
  join(record, imported("fio-3.33.json"));
  EXPECT_EQ(record.date, "2026-11-22") << "of the latest";
  EXPECT_EQ(record.notes.size(), 1u);
  EXPECT_EQ(import_text(R"({"fio version": "fio-3.33", "timestamp": 1e300, "jobs": [{"error": 1}]})", "f.json").date,
            "");
}

TEST(Importers, FioFiguresThatCannotBeAreRefusedByTheirKey) {
  for (const char* figure : {"\"many\"", "-5", "null", "[]"}) {
    std::string text = text_of_file(kTools / "fio-3.33.json");
    text.replace(text.find("71824.175824"), 12, figure);
    EXPECT_NE(refusal_of(text, "fio.json").find("\"jobs[0].read.iops\""), std::string::npos) << figure;
  }
}

TEST(Importers, PerftestIsReadWithAndWithoutQuotes) {
  const Result bandwidth = imported("perftest.json").results.at(0);
  EXPECT_EQ(bandwidth.name, "host.rdma");
  EXPECT_DOUBLE_EQ(bandwidth.figure->median, 392.12e9 / 8);
  EXPECT_EQ(bandwidth.shape.at("bytes"), "65536");
  EXPECT_TRUE(bandwidth.notes.empty()) << "messages per second tell the unit";
  const Result latency = imported("perftest-latency.json").results.at(0);
  EXPECT_EQ(latency.unit, Unit::kTime);
  EXPECT_DOUBLE_EQ(latency.figure->median, 1.42e-6);
}

// 0.74791 million messages of 64 KiB a second are 392.12 Gb/s, or 46,744 MiB/s as perftest writes without --report_gbits.
TEST(Importers, PerftestsUnitIsToldByItsMessages) {
  const ScratchFolder folder;
  const auto imported_as = [&](const std::string& figure, const std::string& rate) {
    std::string text = text_of_file(kTools / "perftest.json");
    text.replace(text.find("392.120000"), 10, figure);
    text.replace(text.find("0.747910"), 8, rate);
    return import_file(folder.write("perftest.json", text)).results.at(0);
  };
  EXPECT_NEAR(imported_as("46744.38", "0.747910").figure->median, 392.12e9 / 8, 1e6);
  const Result untold = imported_as("392.12", "0.000000");
  EXPECT_NEAR(untold.figure->median, 392.12e9 / 8, 1e6);
  EXPECT_EQ(untold.notes.size(), 1u);
}

TEST(Importers, LlamaBenchIsTheSameFromJsonAndMarkdown) {
  const MachineRecord json = imported("llama-bench.json"), table = imported("llama-bench.md");
  ASSERT_EQ(json.results.size(), 2u);
  ASSERT_EQ(table.results.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(json.results[i].name, table.results[i].name);
    EXPECT_DOUBLE_EQ(json.results[i].figure->median, table.results[i].figure->median);
    EXPECT_EQ(json.results[i].shape.at("model"), table.results[i].shape.at("model"));
  }
  EXPECT_EQ(json.results[0].figure->samples, 3);
  EXPECT_EQ(json.results[1].name, "engine.llama_cpp.decode");
}

TEST(Importers, WhatWasImportedCanBeSavedAndReplayed) {
  for (const auto& entry : std::filesystem::directory_iterator(kTools)) {
    if (entry.path().filename() == "README.md") continue;
    MachineRecord record = import_file(entry.path());
    record.date = "2026-11-22";
    const std::string text = record_json(record);
    EXPECT_EQ(record_json(parse_record(text, "record.json")), text) << entry.path();
  }
}

TEST(Importers, TextsDriveNoTerminal) {
  std::string text = text_of_file(kTools / "all_reduce.txt");
  for (const char* mark : {"\xC2\x9B", "\xE2\x80\xAE"}) {  // CSI as one character; right to left
    std::string steered = text;
    steered.insert(steered.find("NVIDIA"), mark);
    EXPECT_NE(refusal_of(steered).find("control"), std::string::npos);
  }
  text.insert(text.find("NVIDIA"), "\x1b[2J");
  EXPECT_NE(refusal_of(text, "all_reduce.txt").find("control"), std::string::npos);
  EXPECT_NE(refusal_of(R"({"fio version": "\u001b[2J", "jobs": []})").find("control"), std::string::npos);
}

TEST(Importers, OtherFilesAreRefusedWithAReason) {
  EXPECT_NE(refusal_of("hello").find("no output"), std::string::npos);
  EXPECT_NE(refusal_of("{}").find("no output"), std::string::npos);
  EXPECT_NE(refusal_of("[]").find("no output"), std::string::npos);
  EXPECT_NE(refusal_of("").find("no output"), std::string::npos);
  EXPECT_NE(refusal_of(R"({"format": "fathom-machine"})").find("record already"), std::string::npos);
  EXPECT_NE(refusal_of(R"({"fio version": "fio-3.33"})").find("jobs"), std::string::npos);
  EXPECT_NE(refusal_of(R"({"nvbandwidth": {"error": "no device"}})").find("no device"), std::string::npos);
  EXPECT_NE(refusal_of("\xFF\xFE").find("UTF-8"), std::string::npos);
  refusal_of(std::string(100000, '['));
  refusal_of(R"({"start": {"version": "iperf 3.17"}, "end": {"sum_received": {"bits_per_second": "fast"}}})");
}

}  // namespace
}  // namespace fathom::probe
