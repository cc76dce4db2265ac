// Damaged traces, with a fixed seed: the reader refuses or reads, and what it read can be played.
#include <gtest/gtest.h>

#include "simulate/read_trace.h"
#include "simulate/synthetic.h"
#include "support/mutation.h"

namespace fathom {
namespace {

const std::vector<std::string> kTraces = {
    "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,374,44\n2023-11-16 "
    "18:15:50.9951690,396,109\n",
    "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,ChatGPT,472,18,490,Conversation log\n"
    "45,\"GPT-4\",1087,230,1317,API log\n",
    "{\"timestamp\": 0, \"input_length\": 6758, \"output_length\": 500, \"hash_ids\": [0, 1, 2, 3]}\n"
    "{\"timestamp\": 27482, \"input_length\": 731, \"output_length\": 49, \"hash_ids\": [0, 14]}\n",
    "input_len,output_len,priority\n10,20,1\n300,5,0\n"};

TEST(TraceMutation, TheReaderReadsOrRefuses) {
  std::mt19937 random(11);
  int refused = 0, played = 0;
  for (int round = 0; round < 20000 / kThinning; ++round) {
    std::string text = kTraces[random() % kTraces.size()];
    for (auto edits = 1 + random() % 4; edits > 0; --edits) text = mutated(std::move(text), random);
    SCOPED_TRACE(text);
    RequestTrace trace;
    if (refusal(text, [&] { trace = parse_trace(text, "trace"); })) {
      ++refused;
      continue;
    }
    ASSERT_FALSE(trace.requests.empty());
    Scenario s = poisson(synthetic_pool(linear_steps()), 1, 10, 10, 10);
    s.pools[0].kv_tokens = 20'000;  // longer ones are turned away
    s.arrivals.trace = &trace;
    s.arrivals.kind = trace.timed ? Arrivals::kTrace : Arrivals::kPoisson;
    const SimulationResult r = simulate(s);
    EXPECT_EQ(r.finished + r.rejected, r.requests);
    ++played;
  }
  EXPECT_GT(refused, 300 / kThinning);
  EXPECT_GT(played, 300 / kThinning);
}

}  // namespace
}  // namespace fathom
