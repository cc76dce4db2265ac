// The executor on a GPU against the host's, on small models of every family, in every weight format.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "executor/cuda.h"
#include "serve/engine.h"
#include "support/tiny_models.h"
#include "weights/synthetic.h"

namespace fathom {
namespace {

using testing::nmse;
using testing::some_tokens;
using testing::tiny_model;

const SyntheticWeights kWeights(5);
const char* const kFamilies[] = {"llama",      "qwen2", "qwen3", "mistral", "mixtral", "qwen3-moe", "deepseek-v2-lite",
                                 "deepseek-v3"};

// The tiny models in sizes that the kernels are made for.
Architecture model(const std::string& id) {
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

Layout layout(const std::string& scheme) { return {.weights = *find_weight_scheme(scheme)}; }

// Prompts longer than a page and than a chunk, begun while others decode; what is decoded is given, so that both executors
// see the same tokens whatever they would have said.
std::vector<Request> requests_for(const Architecture& a, int count = 3) {
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

RunOptions options(int chunk = 48) {
  RunOptions o;
  o.threads = 4;
  o.max_sequences = 3;
  o.chunk_tokens = chunk;
  o.all_logits = o.keep_logits = true;
  return o;
}

RunResult on_host(const Architecture& a, const Layout& l, const std::vector<Request>& requests, const RunOptions& o) {
  return run_engine(EngineModel(a, l), kWeights, requests, o);
}

RunResult on_device(const Architecture& a, const Layout& l, const std::vector<Request>& requests, RunOptions o,
                    bool graphs = true) {
  o.make_executor = [graphs](const ExecutorParts& parts) {
    ExecutorOptions how = parts.options;
    how.graphs = graphs;
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

Agreement agreement(const RunResult& device, const RunResult& host, int vocabulary) {
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
void expect_agreement(const Architecture& a, const RunResult& device, const RunResult& host, const std::string& what) {
  const Agreement found = agreement(device, host, a.vocab_size);
  EXPECT_LT(a.moe ? found.typical_row : found.whole, 1e-3) << what;
  EXPECT_LT(found.whole, 0.05) << what;
  EXPECT_GT(found.same_greedy, a.moe ? 0.85 : 0.95) << what;
  fmt::print("{}: NMSE {:.2e}, of the median row {:.2e}, greedy token the same in {:.1f} % of rows\n", what,
             found.whole, found.typical_row, found.same_greedy * 100);
}

TEST(CudaExecutor, GivesTheHostsLogits) {
  for (const char* id : kFamilies) {
    const Architecture a = model(id);
    for (const char* scheme : {"bf16", "fp8", "int4"}) {
      const std::vector<Request> requests = requests_for(a);
      expect_agreement(a, on_device(a, layout(scheme), requests, options()),
                       on_host(a, layout(scheme), requests, options()), fmt::format("{} {}", id, scheme));
    }
  }
}

TEST(CudaExecutor, GivesTheHostsLogitsForPromptsOfManyTokens) {
  for (const char* id : kFamilies) {
    const Architecture a = model(id);
    for (const char* scheme : {"bf16", "int4"}) {
      const std::vector<Request> requests = requests_for(a);
      expect_agreement(a, on_device(a, layout(scheme), requests, options(300)),
                       on_host(a, layout(scheme), requests, options(300)), fmt::format("{} {} at once", id, scheme));
    }
  }
}

TEST(CudaExecutor, AChunkedPromptEqualsAWholeOne) {
  for (const char* id : kFamilies) {
    const Architecture a = model(id);
    const std::vector<Request> one = {requests_for(a).front()};
    const RunResult whole = on_device(a, layout("bf16"), one, options(200));
    for (int chunk : {1, 7, 64, 149}) {
      expect_agreement(a, on_device(a, layout("bf16"), one, options(chunk)), whole, fmt::format("{} by {}", id, chunk));
    }
  }
}

TEST(CudaExecutor, GraphsAndTimedStepsAndOtherRunsGiveTheSameBits) {
  for (const char* id : kFamilies) {
    const Architecture a = model(id);
    const std::vector<Request> requests = requests_for(a);
    RunOptions o = options();
    o.time_every = 0;
    const RunResult first = on_device(a, layout("bf16"), requests, o);
    for (int run = 0; run < 2; ++run) {
      EXPECT_EQ(on_device(a, layout("bf16"), requests, o).logits_hash, first.logits_hash) << id;
    }
    EXPECT_EQ(on_device(a, layout("bf16"), requests, o, false).logits_hash, first.logits_hash) << id << " eager";
    o.time_every = 2;
    EXPECT_EQ(on_device(a, layout("bf16"), requests, o).logits_hash, first.logits_hash) << id << " timed";
    EXPECT_EQ(on_device(a, layout("bf16"), requests, o, false).logits_hash, first.logits_hash) << id << " eager, timed";
  }
}

TEST(CudaExecutor, RowsOfPaddingChangeNothing) {
  for (const char* id : {"llama", "qwen3-moe", "deepseek-v2-lite"}) {
    const Architecture a = model(id);
    const std::vector<Request> requests = requests_for(a, 5);  // beside three rows of padding
    RunOptions o = options();
    o.max_sequences = 16;
    expect_agreement(a, on_device(a, layout("bf16"), requests, o), on_host(a, layout("bf16"), requests, o),
                     fmt::format("{} five at once", id));
  }
}

TEST(CudaExecutor, ManySequencesTakeTheProductsOfManyRows) {
  for (const char* id : {"qwen2", "qwen3-moe", "deepseek-v3"}) {
    const Architecture a = model(id);
    std::vector<Request> requests = requests_for(a, 70);
    for (Request& r : requests) r.arrival = 0;
    RunOptions o = options(200);
    o.max_sequences = 70;
    o.all_logits = false;
    expect_agreement(a, on_device(a, layout("fp8"), requests, o), on_host(a, layout("fp8"), requests, o),
                     fmt::format("{} seventy at once", id));
  }
}

TEST(CudaExecutor, FreelySampledTextIsTheHosts) {
  const Architecture a = model("llama");
  std::vector<Request> requests = requests_for(a);
  for (Request& r : requests) r.forced.clear();
  RunOptions o = options();
  const RunResult host = on_host(a, layout("bf16"), requests, o), device = on_device(a, layout("bf16"), requests, o);
  int same = 0, all = 0;
  for (const auto& [request, tokens] : host.answers) {
    for (std::size_t i = 0; i < tokens.size(); ++i, ++all) same += device.answers.at(request)[i] == tokens[i];
  }
  EXPECT_GE(same, all * 3 / 4);  // one token that differs changes all after it
}

TEST(CudaExecutor, TimesOperatorsInStepsOfTheirOwn) {
  for (const char* id : {"llama", "deepseek-v3"}) {
    const Architecture a = model(id);
    Request r = requests_for(a).front();
    r.cached = true;
    r.output_tokens = 12;
    r.forced.clear();
    RunOptions o = options();
    o.all_logits = o.keep_logits = false;
    const RunResult run = on_device(a, layout("bf16"), {r}, o);
    int timed = 0;
    for (const StepRecord& step : run.traces.front().steps) {
      double inside = 0;
      for (const RowTime& row : step.rows) inside += row.seconds;
      EXPECT_EQ(step.timed, inside > 0);
      EXPECT_LT(inside, step.seconds);
      timed += step.timed;
    }
    EXPECT_EQ(timed, 3) << id;
  }
}

TEST(CudaExecutor, MadeUpCachesGiveFiniteLogits) {
  for (const char* id : kFamilies) {
    const Architecture a = model(id);
    Request r = requests_for(a).front();
    r.cached = true;
    const RunResult run = on_device(a, layout("bf16"), {r}, options());
    for (float x : run.logits.at(0)) ASSERT_TRUE(std::isfinite(x)) << id;
  }
}

TEST(CudaExecutor, RefusesWhatItDoesNotRun) {
  const auto message = [](const Architecture& a, const Layout& l, const RunOptions& o) -> std::string {
    try {
      on_device(a, l, requests_for(a), o);
    } catch (const std::exception& e) {
      return e.what();
    }
    return {};
  };
  EXPECT_NE(message(model("llama"), {.tp = 2}, options()).find("more than one rank"), std::string::npos);
  EXPECT_NE(message(tiny_model("llama"), {}, options()).find("heads of 16 values"), std::string::npos);
  RunOptions fp32 = options();
  fp32.cache = CacheFormat::kFp32;
  EXPECT_NE(message(model("llama"), {}, fp32).find("caches in another format"), std::string::npos);
}

}  // namespace
}  // namespace fathom
