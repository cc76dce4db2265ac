// Small models, run by the executor on a GPU and by the host's, and how well the two agree.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "executor/cuda.h"
#include "serve/engine.h"
#include "support/tiny_models.h"
#include "weights/synthetic.h"

namespace fathom::testing {

inline const SyntheticWeights kWeights(5);
inline const char* const kFamilies[] = {
    "llama", "qwen2", "qwen3", "mistral", "mixtral", "qwen3-moe", "deepseek-v2-lite", "deepseek-v3"};

// The tiny models in sizes that the kernels are made for.
inline Architecture model(const std::string& id) {
  Architecture a = tiny_model(id);
  a.hidden_size = 256;
  a.vocab_size = 512;
  if (a.intermediate_size > 0) a.intermediate_size = 512;
  if (a.moe) a.moe->intermediate_size = 128;
  a.mtp_modules = 0;
  if (a.mla) {
    a.num_heads = a.num_kv_heads = 4;
    a.mla = Mla{.q_lora_rank = a.mla->q_lora_rank > 0 ? 256 : 0,
                .kv_lora_rank = 512,
                .qk_nope_head_dim = 128,
                .qk_rope_head_dim = 64,
                .v_head_dim = 128};
    a.head_dim = a.mla->qk_head_dim();
  } else {
    a.head_dim = id == "qwen3" ? 128 : 64;
  }
  return a;
}

inline Layout layout(const std::string& scheme) { return {.weights = *find_weight_scheme(scheme)}; }

// Prompts longer than a page and than a chunk, begun while others decode; what is decoded is given, so that both executors
// see the same tokens whatever they would have said.
inline std::vector<Request> requests_for(const Architecture& a, int count = 3) {
  std::vector<Request> requests;
  for (int i = 0; i < count; ++i) {
    Request r{.id = i,
              .prompt = some_tokens(20 + 65 * ((i + 2) % 3), a.vocab_size, i + 1),
              .output_tokens = 9,
              .arrival = 2.0 * i};
    r.forced = some_tokens(9, a.vocab_size, 100 + i);
    requests.push_back(r);
  }
  return requests;
}

inline RunOptions options(int chunk = 48) {
  RunOptions o;
  o.threads = 4;
  o.max_sequences = 3;
  o.chunk_tokens = chunk;
  o.all_logits = o.keep_logits = true;
  return o;
}

inline RunResult on_host(const Architecture& a, const Layout& l, const std::vector<Request>& requests,
                         const RunOptions& o) {
  return run_engine(EngineModel(a, l), kWeights, requests, o);
}

inline RunResult on_device(const Architecture& a, const Layout& l, const std::vector<Request>& requests, RunOptions o,
                           bool graphs = true, DeviceLinks links = DeviceLinks::kAuto) {
  o.make_executor = [graphs, links](const ExecutorParts& parts) {
    ExecutorOptions how = parts.options;
    how.graphs = graphs;
    how.links = links;
    return make_cuda_executor(
        {parts.program, parts.place, parts.groups, parts.slices, parts.source, parts.account, how});
  };
  return run_engine(EngineModel(a, l), kWeights, requests, o);
}

struct Agreement {
  double whole = 0;        // NMSE of all logits
  double typical_row = 0;  // the median row's
  double same_greedy = 0;  // part of the rows
};

inline Agreement agreement(const RunResult& device, const RunResult& host, int vocabulary) {
  std::vector<float> all, expected;
  std::vector<double> rows;
  int same = 0;
  for (const auto& [request, theirs] : host.logits) {
    const std::vector<float>& ours = device.logits.at(request);
    EXPECT_EQ(ours.size(), theirs.size());
    all.insert(all.end(), ours.begin(), ours.end());
    expected.insert(expected.end(), theirs.begin(), theirs.end());
    for (std::size_t at = 0; at + vocabulary <= theirs.size(); at += vocabulary) {
      const auto row = [&](const std::vector<float>& v) {
        return std::vector<float>(v.begin() + static_cast<std::ptrdiff_t>(at),
                                  v.begin() + static_cast<std::ptrdiff_t>(at) + vocabulary);
      };
      const std::vector<float> mine = row(ours), other = row(theirs);
      rows.push_back(nmse(mine, other));
      same += std::max_element(mine.begin(), mine.end()) - mine.begin() ==
              std::max_element(other.begin(), other.end()) - other.begin();
    }
  }
  std::nth_element(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(rows.size() / 2), rows.end());
  return {nmse(all, expected), rows[rows.size() / 2], same / static_cast<double>(rows.size())};
}

// Experts chosen by a hair's breadth turn with the last bit of bf16, and a row with another expert is another row: of models
// with experts the typical row is held to the bound.
inline void expect_agreement(const Architecture& a, const RunResult& device, const RunResult& host,
                             const std::string& what) {
  const Agreement found = agreement(device, host, a.vocab_size);
  EXPECT_LT(a.moe ? found.typical_row : found.whole, 1e-3) << what;
  EXPECT_LT(found.whole, 0.05) << what;
  EXPECT_GT(found.same_greedy, a.moe ? 0.85 : 0.95) << what;
  fmt::print("{}: NMSE {:.2e}, of the median row {:.2e}, greedy token the same in {:.1f} % of rows\n", what,
             found.whole, found.typical_row, found.same_greedy * 100);
}

}  // namespace fathom::testing
