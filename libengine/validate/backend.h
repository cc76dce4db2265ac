// What a plan is run on: this machine's processor or its GPU.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "executor/executor_parts.h"

namespace fathom {

// What a profile is measured by: shapes of steps, each of them so many times.
struct ProfileShapes {
  struct Decode {
    int sequences = 1;  // of one micro-batch of one attention group
    std::int64_t context = 1;
  };
  std::vector<Decode> decodes = {};
  std::vector<int> prompts = {};  // tokens
  int passes = 1;
};

struct Backend {
  std::string name = "host";
  std::string machine = {};      // "NVIDIA H200, 132 multiprocessors"
  std::string accelerator = {};  // id in the catalog; empty: not known, taken for the plan's
  std::string device = {};       // by which NVML knows it; empty: a processor
  std::string memory = {};       // whose memory it is, in a sentence
  MakeExecutor make_executor = {};
  std::function<std::int64_t()> free_memory = {};  // bytes
  bool memory_per_rank = false;                    // that of a rank's own device, else what the ranks here share
  double activation_bytes = 2;                     // of one value, most of them
  CacheFormat exact_cache = CacheFormat::kBf16;    // the most exact that it has
  bool widens_weights = false;                     // to bf16 for products of many rows, one matrix at a time
  ProfileShapes profile = {};
  std::function<int(int)> rows_run = [](int rows) { return rows; };  // a decoding step of so many, filled up
};

Backend host_backend();
Backend cuda_backend();  // throws std::runtime_error where it is not: cuda_device()

}  // namespace fathom
