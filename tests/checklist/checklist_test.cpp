// The four lines of the checklist, and every way in which a broken system may look well.
#include "checklist/checklist.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "input/error.h"
#include "support/invented_machine.h"
#include "support/planning.h"
#include "support/scratch_folder.h"

namespace fathom::probe {
namespace {

ChecklistLine line_of(const MachineRecord& record, const std::string& id) {
  const auto lines = check_environment(record, read_requirements(shipped().data_dir() / "checklist.yaml"));
  return *std::find_if(lines.begin(), lines.end(), [&](const ChecklistLine& line) { return line.id == id; });
}

ChecklistLine with(const std::string& id, const std::function<void(MachineRecord&)>& change) {
  MachineRecord record = invented_machine();
  change(record);
  const ChecklistLine line = line_of(record, id);
  EXPECT_EQ(line.why.empty(), line.status == Status::kPassed);
  return line;
}

Result& named(MachineRecord& record, const std::string& name, std::size_t skip = 0) {
  for (Result& result : record.results) {
    if (result.name == name && skip-- == 0) return result;
  }
  throw std::runtime_error(name);
}

TEST(Checklist, AGoodMachinePassesEveryLine) {
  for (const char* id : {"power", "network", "storage", "clock"}) {
    const ChecklistLine line = line_of(invented_machine(), id);
    EXPECT_EQ(line.status, Status::kPassed) << id << ": " << line.why;
    EXPECT_FALSE(line.measured.empty()) << id;
  }
}

TEST(Checklist, NothingAskedAndNothingSeenPassesNothing) {
  MachineRecord record;
  record.date = "2026-11-22";
  EXPECT_EQ(line_of(record, "power").status, Status::kNeedsAttestation);
  EXPECT_EQ(line_of(record, "network").status, Status::kNotRun);
  EXPECT_EQ(line_of(record, "storage").status, Status::kNotRun);
  EXPECT_EQ(line_of(record, "clock").status, Status::kUnknown);
}

// |4 us| + 20 us + 40 us / 2 = 44 us.
TEST(Checklist, TheClockMustBeProven) {
  const auto clock = [](const std::function<void(ClockState&)>& change) {
    return with("clock", [&](MachineRecord& record) { change(*record.clock); });
  };
  EXPECT_EQ(clock([](ClockState&) {}).status, Status::kPassed);
  EXPECT_NE(clock([](ClockState&) {}).measured.find("at most 44.0 us"), std::string::npos);
  EXPECT_EQ(clock([](ClockState& c) { c.reference_id = "7F7F0101"; }).status, Status::kFailed);
  EXPECT_EQ(clock([](ClockState& c) { c.reference_id = "00000000"; }).status, Status::kFailed);
  for (const char* id : {"7f7f0101", "7F7F0100", "7F000001", "4C4F434C", "494E4954"}) {  // LOCL, INIT
    EXPECT_EQ(clock([&](ClockState& c) { c.reference_id = id; }).status, Status::kFailed) << id;
  }
  for (const int stratum : {0, 16, 255}) {
    EXPECT_EQ(clock([&](ClockState& c) { c.stratum = stratum; }).status, Status::kFailed) << stratum;
  }
  EXPECT_EQ(clock([](ClockState& c) { c.reference_id = "50505300"; }).status, Status::kPassed) << "PPS";
  EXPECT_EQ(clock([](ClockState& c) { c.reference_id = "ntp.home"; }).status, Status::kUnknown);
  EXPECT_EQ(clock([](ClockState& c) { c.root_dispersion_s = -1e-3; }).status, Status::kUnknown);
  EXPECT_EQ(clock([](ClockState& c) { c.reference_age_s = -30; }).status, Status::kUnknown);
  EXPECT_EQ(clock([](ClockState& c) { c.reference_age_s = -0.2; }).status, Status::kPassed);
  EXPECT_EQ(clock([](ClockState& c) { c.leap = "Not synchronised"; }).status, Status::kFailed);
  EXPECT_EQ(clock([](ClockState& c) { c.offset_s = -150e-6; }).status, Status::kFailed);
  EXPECT_EQ(clock([](ClockState& c) { c.rms_offset_s = 150e-6; }).status, Status::kFailed);
  EXPECT_EQ(clock([](ClockState& c) { c.root_delay_s = 30e-3; }).status, Status::kUnknown) << "over the internet";
  EXPECT_EQ(clock([](ClockState& c) { c.reference_age_s = 300; }).status, Status::kUnknown);
}

TEST(Checklist, TheNetworkIsAsFastAsItsSlowerDirection) {
  EXPECT_EQ(with("network", [](MachineRecord& r) { named(r, "host.network", 1).figure = single_figure(4.9e9); }).status,
            Status::kFailed);
  EXPECT_EQ(with("network", [](MachineRecord& r) { named(r, "host.network", 1).figure = single_figure(5.0e9); }).status,
            Status::kPassed);
  const ChecklistLine one_way = with("network", [](MachineRecord& r) {
    named(r, "host.network", 1) =
        without_figure("host.network", "host", Status::kUnknown, "iperf3: Connection refused");
  });
  EXPECT_EQ(one_way.status, Status::kUnknown);
  EXPECT_NE(one_way.why.find("refused"), std::string::npos);
}

TEST(Checklist, AnOldIperfCannotFailAFastNetwork) {
  const auto slow = [](const std::string& engine) {
    return with("network", [&](MachineRecord& r) {
      for (std::size_t i = 0; i < 2; ++i) {
        named(r, "host.network", i).figure = single_figure(4.4e9);
        named(r, "host.network", i).protocol.engine = engine;
      }
    });
  };
  EXPECT_EQ(slow("iperf 3.12").status, Status::kUnknown);
  EXPECT_EQ(slow("iperf 3.16").status, Status::kFailed);
}

// 35 Gb/s by one thread: against 40 Gb/s it says nothing, against 10 Gb/s it would have been enough.
TEST(Checklist, OneThreadIsNoExcuseBelowThirtyGigabits) {
  const ScratchFolder folder;
  Requirements asked = read_requirements(shipped().data_dir() / "checklist.yaml");
  const auto status = [&](double required, double measured) {
    asked.network.value = BytesPerSecond(required / 8);
    MachineRecord record = invented_machine();
    for (std::size_t i = 0; i < 2; ++i) {
      named(record, "host.network", i).figure = single_figure(measured / 8);
      named(record, "host.network", i).protocol.engine = "iperf 3.12";
    }
    return check_environment(record, asked).at(1).status;
  };
  EXPECT_EQ(status(40e9, 35e9), Status::kUnknown);
  EXPECT_EQ(status(30e9, 20e9), Status::kFailed);
  EXPECT_EQ(status(10e9, 35e9), Status::kPassed);
}

Result rdma(const std::string& test, double gigabits, const std::string& bytes = "65536") {
  Result r = without_figure("host.rdma", "host", Status::kPassed, "");
  r.shape = {{"test", test}, {"bytes", bytes}};
  r.figure = single_figure(gigabits * 1e9 / 8);
  r.protocol.engine = "perftest";
  return r;
}

ChecklistLine by_rdma(const std::vector<Result>& results, const std::string& iperf = "", double tcp = 4.4e9) {
  return with("network", [&](MachineRecord& record) {
    if (iperf.empty()) std::erase_if(record.results, [](const Result& r) { return r.name == "host.network"; });
    for (std::size_t i = 0; i < 2 && !iperf.empty(); ++i) {
      named(record, "host.network", i).figure = single_figure(tcp);
      named(record, "host.network", i).protocol.engine = iperf;
    }
    record.results.insert(record.results.end(), results.begin(), results.end());
  });
}

TEST(Checklist, RdmaShowsWhatTcpCannot) {
  const Result out = rdma("RDMA_Write", 392), in = rdma("RDMA_Read", 380), slow = rdma("RDMA_Read", 39);
  const ChecklistLine both = by_rdma({out, in});
  EXPECT_EQ(both.status, Status::kPassed) << both.why;
  EXPECT_NE(both.measured.find("392.0 Gb/s out by RDMA (perftest RDMA_Write)"), std::string::npos) << both.measured;
  EXPECT_EQ(by_rdma({out, slow}).status, Status::kFailed);
  const ChecklistLine one_way = by_rdma({out});
  EXPECT_EQ(one_way.status, Status::kUnknown);
  EXPECT_NE(one_way.next.find("ib_read_bw"), std::string::npos);
  EXPECT_EQ(by_rdma({slow}).status, Status::kFailed) << "whatever the other way gives";
  EXPECT_EQ(by_rdma({out, in}, "iperf 3.12").status, Status::kPassed) << "TCP was limited by the host";
  EXPECT_EQ(by_rdma({out, in}, "iperf 3.17").status, Status::kFailed) << "TCP was not";
  EXPECT_EQ(by_rdma({out, in}, "iperf 3.17", 0).status, Status::kImplausible) << "a void figure is never a pass";
  EXPECT_EQ(by_rdma({out, slow}, "iperf 3.17", 6e9).status, Status::kPassed) << "TCP is enough";
  EXPECT_EQ(by_rdma({rdma("RDMA_Write", 40960), in}).status, Status::kImplausible);
}

TEST(Checklist, SmallMessagesAreNoBandwidth) {
  const std::vector<Result> sweep = {rdma("RDMA_Write", 0.4, "8"), rdma("RDMA_Write", 392), rdma("RDMA_Read", 0.3, "8"),
                                     rdma("RDMA_Read", 380)};
  EXPECT_EQ(by_rdma(sweep).status, Status::kPassed);
  EXPECT_EQ(by_rdma({rdma("Send", 392), rdma("something else", 392)}).status, Status::kUnknown);
}

// 912,000 operations/s on a file of 64 GB that the device read, in a node of 1 TiB.
TEST(Checklist, StorageThatACacheMayHaveAnsweredPassesNothing) {
  const auto storage = [](const std::string& file, const std::string& cache) {
    return with("storage", [&](MachineRecord& r) {
      Result& random = named(r, "host.storage.random_read");
      random.shape.erase("file_bytes");
      if (!file.empty()) random.shape["file_bytes"] = file;
      random.protocol.cache = cache;
    });
  };
  EXPECT_EQ(storage("64000000000", kByDevice).status, Status::kPassed);
  EXPECT_EQ(storage("1000000000", kByDevice).status, Status::kUnknown);
  EXPECT_EQ(storage("", kByDevice).status, Status::kUnknown);
  EXPECT_EQ(storage("64000000000", "O_DIRECT").status, Status::kUnknown) << "the node's memory holds it";
  EXPECT_EQ(storage("2200000000000", "O_DIRECT").status, Status::kPassed);
  const ChecklistLine cached = storage("2200000000000", kByCache);
  EXPECT_EQ(cached.status, Status::kUnknown);
  EXPECT_NE(cached.why.find("a cache answered"), std::string::npos);
}

TEST(Checklist, StorageThatIsMemoryIsNotSupported) {
  for (const char* type : {"tmpfs", "overlay", "ramfs", "fuse.overlayfs", "fuse-overlayfs", "fuse.unionfs-fuse"}) {
    EXPECT_EQ(with("storage", [&](MachineRecord& r) { r.storage->file_system = type; }).status, Status::kNotSupported)
        << type;
  }
  EXPECT_EQ(with("storage", [](MachineRecord& r) { named(r, "host.storage.random_read").figure = single_figure(3e5); })
                .status,
            Status::kFailed);
  EXPECT_EQ(
      with("storage", [](MachineRecord& r) { named(r, "host.storage.random_read").shape["block_bytes"] = "65536"; })
          .status,
      Status::kNotRun)
      << "operations of another size are another figure";
}

// 912,000 operations/s, with one thing wrong.
TEST(Checklist, AFigureThatIsVoidPassesNothing) {
  const auto storage = [](const std::function<void(Result&)>& change) {
    return with("storage", [&](MachineRecord& r) { change(named(r, "host.storage.random_read")); }).status;
  };
  EXPECT_EQ(storage([](Result& r) { r.protocol.cache = "page cache"; }), Status::kUnknown);
  EXPECT_EQ(storage([](Result& r) { r.protocol.cache.clear(); }), Status::kUnknown);
  EXPECT_EQ(storage([](Result& r) { r.correctness = Correctness{.method = "numbers", .correct = false}; }),
            Status::kIncorrect);
  EXPECT_EQ(storage([](Result& r) { r.figure = single_figure(912e15); }), Status::kImplausible);
  EXPECT_EQ(storage([](Result& r) { r.figure = single_figure(0); }), Status::kImplausible);
  EXPECT_EQ(
      with("network", [](MachineRecord& r) { named(r, "host.network", 1).figure = single_figure(1.18e13); }).status,
      Status::kImplausible);
  EXPECT_EQ(with("network", [](MachineRecord& r) { named(r, "host.network").figure = single_figure(0); }).status,
            Status::kImplausible);
}

TEST(Checklist, OfSeveralFiguresTheWorstCounts) {
  for (const double slow : {3e5, 0.0}) {
    for (const std::size_t place : {0u, 1u}) {
      const ChecklistLine line = with("storage", [&](MachineRecord& r) {
        r.results.push_back(named(r, "host.storage.random_read"));
        named(r, "host.storage.random_read", place).figure = single_figure(slow);
      });
      EXPECT_EQ(line.status, slow > 0 ? Status::kFailed : Status::kImplausible) << place;
    }
  }
}

TEST(Checklist, ADrillIsAttestedAndGrowsOld) {
  const auto drill = [](const std::string& date) {
    return with("power", [&](MachineRecord& r) { r.power_attestation->date = date; }).status;
  };
  EXPECT_EQ(drill("2025-11-23"), Status::kPassed);
  EXPECT_EQ(drill("2025-11-21"), Status::kUnknown);
  EXPECT_EQ(drill("2027-01-01"), Status::kUnknown) << "in the future";
  for (const char* date : {"last summer", "67562-06-01", "2026-06-01x", "2026-02-30", "2026-6-1", "-026-06-01"}) {
    EXPECT_EQ(drill(date), Status::kUnknown) << date;
  }
  EXPECT_EQ(with("power", [](MachineRecord& r) { r.power_attestation.reset(); }).status, Status::kNeedsAttestation);
}

TEST(Checklist, AUpsOnBatteryFailsWhateverIsAttested) {
  EXPECT_EQ(with("power", [](MachineRecord& r) { r.ups[0].status = "OB DISCHRG"; }).status, Status::kFailed);
  EXPECT_EQ(with("power", [](MachineRecord& r) { r.ups[0].runtime = Seconds(120); }).status, Status::kFailed);
  for (const char* status : {"OL RB", "OL LB", "OL OVER", "OL BYPASS", "OL OFF", "FSD OL", "BOLT"}) {
    EXPECT_EQ(with("power", [&](MachineRecord& r) { r.ups[0].status = status; }).status, Status::kFailed) << status;
  }
  EXPECT_EQ(with("power", [](MachineRecord& r) { r.ups[0].status = "OL CHRG TRIM"; }).status, Status::kPassed);
  const ChecklistLine silent = with("power", [](MachineRecord& r) {
    r.ups[0].status.clear();
    r.ups[0].why = "Data stale";
  });
  EXPECT_EQ(silent.status, Status::kUnknown);
  EXPECT_NE(silent.why.find("Data stale"), std::string::npos);
}

TEST(Checklist, ASiteMayAskForMore) {
  const ScratchFolder folder;
  const std::string stricter =
      "format: fathom-checklist/1\nnetwork: 200 Gb/s\nstorage_operations: 2000000\nclock: 20 us\nups_runtime: 1 h\n"
      "feed_load: 0.8\n"
      "attestation_age: 30 days\n";
  const Requirements asked = read_requirements(folder.write("site.yaml", stricter));
  for (const ChecklistLine& line : check_environment(invented_machine(), asked)) {
    EXPECT_NE(line.status, Status::kPassed) << line.id;
  }
  EXPECT_THROW(read_requirements(folder.write("typo.yaml", stricter + "clok: 1 us\n")), InputError);
  EXPECT_THROW(read_requirements(folder.write("unit.yaml", "format: fathom-checklist/1\nnetwork: 200\n")), InputError);
}

}  // namespace
}  // namespace fathom::probe
