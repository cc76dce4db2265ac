// The output of other people's tools as results. Planning and judging can start from what somebody has measured already.
// Each reader throws InputError with the place of what it did not expect; figures keep the tool's name and version.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "input/value.h"
#include "record/machine_record.h"

namespace fathom::probe {

// The file's format is recognised: nccl-tests (text, -J), nvbandwidth (-j), fio, iperf3, perftest, llama-bench (json, md).
// A name in the file's name stands in where the output does not tell the operation ("all_reduce.txt").
// The date is the tool's own; where it writes none, that of the file, and a note says so.
MachineRecord import_file(const std::filesystem::path& path);
MachineRecord import_text(const std::string& text, const std::string& file_name);

// Outputs of several tools on one node: all results, and each GPU once, under the name of whoever knows it. Its date is that of the
// latest.
void join(MachineRecord& record, const MachineRecord& more);

std::vector<Result> results_of_fio(const Document& fio);
std::vector<Result> results_of_iperf3(const Document& iperf3);
std::vector<Result> results_of_perftest(const Document& perftest);
std::vector<Result> results_of_llama_bench(const Document& llama_bench);
std::vector<Result> results_of_llama_bench_table(const std::string& text, const std::string& file_name);

// These tell the GPUs, too.
inline constexpr const char* kUnknownGpu = "unknown GPU";
void import_nccl_tests(const Document& json, MachineRecord& record);
void import_nccl_tests_text(const std::string& text, const std::string& file_name, MachineRecord& record);
void import_nvbandwidth(const Document& json, MachineRecord& record);

}  // namespace fathom::probe
