#include <gtest/gtest.h>

#include "input/error.h"
#include "inventory/clock_state.h"
#include "inventory/processor.h"
#include "inventory/surroundings.h"
#include "support/fake_system.h"
#include "support/scratch_folder.h"

namespace fathom::probe {
namespace {

// Two sockets of two cores with two threads each; 32 MiB of L3 per socket.
FakeSystem two_sockets() {
  FakeSystem system;
  for (int cpu = 0; cpu < 8; ++cpu) {
    const std::string folder = "/sys/devices/system/cpu/cpu" + std::to_string(cpu);
    const int socket = cpu / 2 % 2;
    system.files["/proc/cpuinfo"] += "processor : " + std::to_string(cpu) +
                                     "\nmodel name : Invented CPU\ncpu MHz : " + std::to_string(2000 + cpu) +
                                     ".5\nflags : fpu hypervisor avx2\n\n";
    system.files[folder + "/topology/physical_package_id"] = std::to_string(socket) + "\n";
    system.files[folder + "/topology/core_id"] = std::to_string(cpu % 2) + "\n";
    system.files[folder + "/cache/index0/level"] = "1\n";
    system.files[folder + "/cache/index0/type"] = "Data\n";
    system.files[folder + "/cache/index0/size"] = "32K\n";
    system.files[folder + "/cache/index3/level"] = "3\n";
    system.files[folder + "/cache/index3/type"] = "Unified\n";
    system.files[folder + "/cache/index3/size"] = "32768K\n";
    system.files[folder + "/cache/index3/shared_cpu_list"] = socket == 0 ? "0-1,4-5\n" : "2-3,6-7\n";
  }
  system.files["/sys/devices/system/cpu/cpufreq/boost"] = "1\n";
  system.files["/proc/meminfo"] = "MemTotal:       1000 kB\nMemAvailable:    600 kB\n";
  return system;
}

TEST(Inventory, CountsSocketsCoresAndCachesOnce) {
  const Processor p = find_processor(two_sockets());
  EXPECT_EQ(p.name, "Invented CPU");
  EXPECT_EQ(p.sockets, 2);
  EXPECT_EQ(p.cores, 4);
  EXPECT_EQ(p.last_level_cache, Bytes(2 * 32768 * 1024.0));
}

TEST(Inventory, WhatTheKernelDoesNotTellIsAbsent) {
  const FakeSystem nothing;
  const Processor p = find_processor(nothing);
  EXPECT_EQ(p.name, "unknown processor");
  EXPECT_FALSE(p.sockets);
  EXPECT_FALSE(p.last_level_cache);
  EXPECT_FALSE(memory_figure(nothing, "MemTotal"));
  EXPECT_EQ(free_memory(nothing), Bytes(0));
  EXPECT_TRUE(find_numa(nothing).empty());
  EXPECT_TRUE(find_settings(nothing).empty());
  EXPECT_EQ(find_hypervisor(nothing), "");
  EXPECT_EQ(file_system_of(nothing, "/srv"), "");
}

TEST(Inventory, MemoryIsWhatTheGroupLeaves) {
  FakeSystem system = two_sockets();
  EXPECT_EQ(free_memory(system), Bytes(600 * 1024.0));
  system.files["/sys/fs/cgroup/memory.max"] = "409600\n";
  system.files["/sys/fs/cgroup/memory.current"] = "102400\n";
  EXPECT_EQ(free_memory(system), Bytes(307200));
  system.files["/sys/fs/cgroup/memory.max"] = "max\n";
  EXPECT_FALSE(memory_limit(system));
}

TEST(Inventory, ClocksAreThoseOfAllProcessors) {
  const ClockRange clocks = clocks_now(two_sockets());
  EXPECT_DOUBLE_EQ(clocks.low->value, 2000.5e6);
  EXPECT_DOUBLE_EQ(clocks.high->value, 2007.5e6);
}

TEST(Inventory, NumaNodesHaveMemoryAndDistances) {
  FakeSystem system;
  system.files["/sys/devices/system/node/node1/cpulist"] = "2-3\n";
  system.files["/sys/devices/system/node/node1/distance"] = "21 10\n";
  system.files["/sys/devices/system/node/node1/meminfo"] = "Node 1 MemTotal:  2048 kB\nNode 1 MemFree:  1 kB\n";
  system.files["/sys/devices/system/node/node0/cpulist"] = "0-1\n";
  system.files["/sys/devices/system/node/possible"] = "0-1\n";
  const std::vector<NumaNode> nodes = find_numa(system);
  ASSERT_EQ(nodes.size(), 2u);
  EXPECT_EQ(nodes[1].cpus, "2-3");
  EXPECT_EQ(nodes[1].memory, Bytes(2048 * 1024.0));
  EXPECT_EQ(nodes[1].distances, (std::vector<int>{21, 10}));
  EXPECT_FALSE(nodes[0].memory);
}

TEST(Inventory, SettingsAreTheSoftLimitsAndWhatStandsInBrackets) {
  FakeSystem system;
  system.files["/proc/self/limits"] =
      "Limit                     Soft Limit           Hard Limit           Units     \n"
      "Max locked memory         unlimited            unlimited            bytes     \n"
      "Max open files            1024                 1048576              files     \n";
  system.files["/sys/kernel/mm/transparent_hugepage/enabled"] = "always [madvise] never\n";
  MachineRecord record;
  record.settings = find_settings(system);
  EXPECT_EQ(record.setting("memlock_bytes")->value, "unlimited");
  EXPECT_EQ(record.setting("open_files")->value, "1024");
  EXPECT_EQ(record.setting("transparent_hugepages")->value, "madvise");
  EXPECT_EQ(record.setting("governor"), nullptr);
}

TEST(Inventory, GpusOfTheBusAreThoseThatDisplay) {
  FakeSystem system;
  const auto add = [&](const std::string& bus, const char* vendor, const char* kind) {
    system.files["/sys/bus/pci/devices/" + bus + "/vendor"] = std::string(vendor) + "\n";
    system.files["/sys/bus/pci/devices/" + bus + "/class"] = std::string(kind) + "\n";
  };
  add("0000:19:00.0", "0x10de", "0x030200");  // 3D
  add("0000:29:00.0", "0x10de", "0x030000");  // VGA
  add("0000:29:00.1", "0x10de", "0x040300");  // its sound
  add("0000:39:00.0", "0x10de", "0x068000");  // a switch of NVLink
  add("0000:03:00.0", "0x1a03", "0x030000");  // the board's own graphics
  system.files["/proc/sys/kernel/random/boot_id"] = "0b1c\n";
  MachineRecord record;
  record.settings = find_settings(system);
  EXPECT_EQ(record.setting("pci_gpus")->value, "2");
  EXPECT_EQ(record.setting("boot_id")->value, "0b1c");
}

TEST(Inventory, TheFileSystemIsThatOfTheNearestMount) {
  FakeSystem system;
  system.files["/proc/self/mountinfo"] =
      "22 1 254:0 / / rw - overlay overlay rw\n"
      "23 22 0:20 / /dev/shm rw,nosuid shared:1 master:2 - tmpfs tmpfs rw\n"
      "24 22 8:1 / /srv/my\\040models rw - xfs /dev/sda1 rw\n";
  EXPECT_EQ(file_system_of(system, "/"), "overlay");
  EXPECT_EQ(file_system_of(system, "/home/a"), "overlay");
  EXPECT_EQ(file_system_of(system, "/dev/shm"), "tmpfs");
  EXPECT_EQ(file_system_of(system, "/dev/shmoo"), "overlay");
  EXPECT_EQ(file_system_of(system, "/srv/my models/r1"), "xfs");
}

// As chrony 4.3 prints them, with only `local stratum 10`.
constexpr const char* kFreeRunning =
    "7F7F0101,,10,1795357965.978118522,0.000000000,0.000000000,0.000000000,0.000,0.000,0.000,0.000000000,0.000000000,0."
    "0,"
    "Normal\n";

TEST(ClockState, ReadsTheFourteenValues) {
  const auto clock = parse_tracking(
      "C0A80001,ntp1,2,1795357900.5,-0.000004,0.000001,0.000006,-12.5,0.001,0.02,0.000040,0.000020,64.2,Normal\n",
      1795357920.5);
  ASSERT_TRUE(clock);
  EXPECT_EQ(clock->reference_id, "C0A80001");
  EXPECT_EQ(clock->stratum, 2);
  EXPECT_DOUBLE_EQ(clock->offset_s, -4e-6);
  EXPECT_DOUBLE_EQ(clock->rms_offset_s, 6e-6);
  EXPECT_DOUBLE_EQ(clock->root_delay_s, 4e-5);
  EXPECT_DOUBLE_EQ(clock->root_dispersion_s, 2e-5);
  EXPECT_DOUBLE_EQ(clock->reference_age_s, 20);
  EXPECT_DOUBLE_EQ(clock->update_interval_s, 64.2);
  EXPECT_TRUE(parse_tracking(kFreeRunning, 1795357966));
}

TEST(ClockState, RefusesAnythingElse) {
  for (const char* text :
       {"", "506 Cannot talk to daemon\n", "a,b,c,d,e,f,g,h,i,j,k,l,m,n\n", "7F7F0101,,10,1,0,0,0,0,0,0,0,0,0\n"}) {
    EXPECT_FALSE(parse_tracking(text, 0)) << text;
  }
}

TEST(ClockState, SaysWhyThereIsNone) {
  FakeSystem system;
  MachineRecord record;
  find_clock(system, 0, record);
  EXPECT_EQ(record.no_clock, "chronyc is not installed");
  system.answers["chronyc -c tracking"] = kFreeRunning;
  MachineRecord with;
  find_clock(system, 1795357966, with);
  ASSERT_TRUE(with.clock);
  EXPECT_EQ(with.clock->reference_id, "7F7F0101");
}

TEST(Surroundings, UpsAreThoseThatNutKnows) {
  FakeSystem system;
  EXPECT_TRUE(find_ups(system).empty());
  system.answers["upsc -l"] = "rack1\n";
  system.answers["upsc rack1"] = "battery.charge: 97\nbattery.runtime: 840\nups.load: 38\nups.status: OL CHRG\n";
  const std::vector<Ups> ups = find_ups(system);
  ASSERT_EQ(ups.size(), 1u);
  EXPECT_EQ(ups[0].status, "OL CHRG");
  EXPECT_DOUBLE_EQ(*ups[0].charge, 0.97);
  EXPECT_EQ(ups[0].runtime, Seconds(840));
  system.answers["upsc -l"] = "rack1 rack2 rack3\n";
  system.answers["upsc rack3"] = "driver.name: usbhid-ups\n";
  const std::vector<Ups> silent = find_ups(system);
  ASSERT_EQ(silent.size(), 3u) << "one that gives no answer is there all the same";
  EXPECT_EQ(silent[1].status, "");
  EXPECT_FALSE(silent[1].why.empty());
  EXPECT_FALSE(silent[2].why.empty());
}

TEST(Surroundings, AnAttestationIsReadStrictly) {
  const ScratchFolder folder;
  const std::string good =
      "format: fathom-attestation/1\nsubject: power redundancy\ndate: 2026-06-01\nperson: A. Tester\nevidence: "
      "protocol 12\n";
  EXPECT_EQ(read_power_attestation(folder.write("a.yaml", good)).person, "A. Tester");
  EXPECT_THROW(read_power_attestation(folder.write("b.yaml", good + "duration: 10 min\n")), InputError);
  EXPECT_THROW(read_power_attestation(folder.write("c.yaml", "person: A\n")), InputError);
  EXPECT_THROW(read_power_attestation(folder.path() / "none.yaml"), InputError);
}

}  // namespace
}  // namespace fathom::probe
