// A machine as it was found: what is in it, what surrounds it, and what it did. Observations only; whether they are good
// is said by libprobe/health and libprobe/checklist from this alone, so a recorded machine is judged as a live one.
//
// Unknown is absent, never 0.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "harness/result.h"
#include "input/value.h"

namespace fathom::probe {

struct Processor {
  std::string name;  // as the system calls it: "AMD EPYC 9B14"
  std::optional<int> sockets, cores;
  int threads = 0;                            // of the machine
  int threads_allowed = 0;                    // that this process may use (affinity, cgroup quota)
  std::vector<std::string> instruction_sets;  // that the kernels have a path for, fastest first: "AVX-512"
  std::optional<Bytes> last_level_cache;      // all of them together
};

struct NumaNode {
  int node = 0;
  std::string cpus;  // "0-31,64-95"
  std::optional<Bytes> memory;
  std::vector<int> distances;  // to every node, as the firmware tells; 10 is local
};

struct Gpu {
  std::string device;  // "gpu0": the key of its results
  std::string name;    // "NVIDIA H200"
  std::string uuid, bus;
  std::optional<Bytes> memory;
  std::optional<BytesPerSecond> memory_peak;  // bus width x memory clock, as the device tells
  std::optional<Hertz> clock, clock_max;      // of the multiprocessors: median under load, and the highest it may have
  std::optional<Watts> power_limit, power_limit_default;  // in force, and as the board came
  std::optional<double> temperature;                      // C, under load
  std::optional<double> temperature_slowdown;             // from which on the hardware slows down, as the device tells
  std::optional<int> pcie_generation, pcie_generation_max, pcie_width, pcie_width_max;  // now, under load
  std::optional<int> nvlinks, nvlinks_expected;                                         // active, and on the board
  std::optional<unsigned> throttle_reasons;  // NVML's event reasons, or-ed over the run
  std::optional<std::int64_t> ecc_uncorrected;
  std::optional<bool> remap_pending, remap_failed;
  std::optional<bool> ecc, persistence, mig;  // modes that are on or off
};

// Between two devices, in one direction.
struct Link {
  std::string from, to;
  std::string kind;                          // "nvlink", "pcie", "sys"
  std::optional<bool> peer_access;           // each may read the other's memory
  std::optional<bool> peer_access_expected;  // such devices can
};

// What chronyd says of itself (chronyc -c tracking).
struct ClockState {
  std::string tool;          // "chronyc 4.3"
  std::string reference_id;  // eight hexadecimal digits
  int stratum = 0;
  std::string leap;                       // "Normal"
  double offset_s = 0, rms_offset_s = 0;  // of the system's clock
  double root_delay_s = 0, root_dispersion_s = 0;
  double reference_age_s = 0, update_interval_s = 0;
};

struct StoragePlace {
  std::string path;
  std::string file_system;  // "ext4", "tmpfs"
};

// Who says that the power is redundant, since no instrument here can.
struct Attestation {
  std::string date;  // ISO 8601, of the drill
  std::string person, evidence;
};

struct Ups {
  std::string name, status;            // "OL": on line; empty when it gave no answer
  std::string why;                     // it gave none: "Data stale"
  std::optional<double> charge, load;  // shares
  std::optional<Seconds> runtime;
};

// As the management controller names and calls them; empty: it does not say.
struct PowerSupply {
  std::string name;
  std::string state;   // "Enabled", "Absent"
  std::string health;  // "OK", "Warning", "Critical"
  std::string input;   // "Normal", "LossOfInput", "OutOfRange"
  std::optional<Watts> capacity;
};
struct SupplyGroup {
  std::string kind;  // "NPlusM", "Failover", "NotRedundant"; of older controllers "N+m"
  std::string health;
  int members = 0;
  std::optional<int> needed;  // of the members, at least
};
struct NodePower {
  std::vector<PowerSupply> supplies;
  std::vector<SupplyGroup> groups;
};

// A limit or setting of the system: "memlock" is "unlimited".
struct Setting {
  std::string name, value;
};

// Why a record has no GPU that was written by a program without CUDA: nobody looked for one.
inline constexpr const char* kBuiltWithoutCuda = "this program was built without CUDA";

// How long a case took, with all that it needs beside its samples.
struct CaseTime {
  std::string name;  // "gpu.gemm"
  Seconds time;
};

struct MachineRecord {
  std::string file;                  // it was read from; empty of this machine
  std::vector<std::string> notes;    // of whoever read it: what is unread of a newer one
  std::string node;                  // name
  std::string date;                  // ISO 8601
  std::string tool;                  // "fathom 0.1.0"
  std::string profile;               // "quick"
  std::string system;                // "Linux 6.1.0-18-amd64"
  std::string hypervisor;            // "" when none was seen
  std::optional<Seconds> duration;   // of the whole probe
  std::vector<CaseTime> case_times;  // of its parts, in their order
  std::optional<Processor> processor;
  std::optional<Bytes> memory, memory_limit;  // of the machine, and of this process's group
  std::vector<NumaNode> numa;
  std::vector<Gpu> gpus;
  std::vector<Link> links;
  std::vector<Setting> settings;
  std::optional<ClockState> clock;
  std::string no_clock;  // why `clock` is absent
  std::optional<StoragePlace> storage;
  std::optional<Attestation> power_attestation;
  std::vector<Ups> ups;
  std::optional<NodePower> power;
  std::string no_power;  // why `power` is absent, when the controller was asked
  std::vector<Result> results;

  const Gpu* gpu(const std::string& device) const;  // nullptr when there is none
  const Setting* setting(const std::string& name) const;
};

// "2026-06-01" and nothing else; absent for other texts and days that no calendar has.
std::optional<std::chrono::sys_days> day_of(const std::string& date);

// Texts are printed on terminals, which control characters would drive: throws InputError with the place of the first.
void check_texts(const std::string& file, const Value& value);

// Of the records that are written: "1.2". The minor number grows with new keys, the major one with changed ones.
inline constexpr int kRecordMajor = 1, kRecordMinor = 2;

inline constexpr int kMostFileResults = 100000;
// Eight GPUs measured in full are about 14,000 results of 70 values each.
inline constexpr std::size_t kMostRecordValues = 4'000'000;

std::string record_json(const MachineRecord& record);  // ends with a newline

// Throws InputError for a file that is not a machine's record, with the place of what is wrong. Of a newer minor version what is
// not known is left unread, and a note says so.
MachineRecord read_record(const std::filesystem::path& path);
MachineRecord parse_record(std::string text, const std::string& file_name);

}  // namespace fathom::probe
