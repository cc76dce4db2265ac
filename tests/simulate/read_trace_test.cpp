// The formats in which traces are published, and what is said about those that are none.
#include "simulate/read_trace.h"

#include <gtest/gtest.h>

#include "input/error.h"

namespace fathom {
namespace {

TEST(ReadTrace, AzureHasDatesAndTokens) {
  const RequestTrace t = parse_trace(
      "TIMESTAMP,ContextTokens,GeneratedTokens\n"
      "2023-11-16 23:59:59.5000000,4808,10\n"
      "2023-11-17 00:00:01.2500000,3180,8\n"
      "2024-05-10 00:00:00.009930+00:00,2162,5\n",
      "azure.csv");
  ASSERT_EQ(t.requests.size(), 3u);
  EXPECT_TRUE(t.timed);
  EXPECT_NEAR(t.requests[1].arrival - t.requests[0].arrival, 1.75, 1e-6);
  EXPECT_EQ(t.requests[0].input, 4808);
  EXPECT_EQ(t.requests[2].output, 5);
}

TEST(ReadTrace, DatesAreSecondsSince1970) {
  const auto seconds = [](const std::string& date) {
    return parse_trace("time,input_len,output_len\n" + date + ",1,1\n", "t").requests[0].arrival;
  };
  EXPECT_EQ(seconds("1970-01-01 00:00:00"), 0);
  EXPECT_EQ(seconds("2000-02-29T12:00:00Z"), 951825600);
  EXPECT_EQ(seconds("2023-11-16 18:15:46"), 1700158546);
  EXPECT_EQ(seconds("2024-05-10 02:00:00+02:00"), 1715299200);
}

TEST(ReadTrace, BurstGptLeavesOutWhatFailed) {
  const RequestTrace t = parse_trace(
      "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
      "5,ChatGPT,472,18,490,Conversation log\n45,ChatGPT,1087,0,1087,Conversation log\n118,GPT-4,417,276,693,API log\n",
      "burst.csv");
  ASSERT_EQ(t.requests.size(), 2u);
  EXPECT_EQ(t.skipped, 1);
  EXPECT_EQ(t.requests[1].arrival, 118);
  EXPECT_EQ(t.requests[1].output, 276);
}

TEST(ReadTrace, MooncakeHasMillisecondsAndBlocks) {
  const RequestTrace t = parse_trace(
      "{\"timestamp\": 3000, \"input_length\": 6755, \"output_length\": 500, \"hash_ids\": [0, 1, 2]}\n"
      "{\"timestamp\": 0, \"input_length\": 7319, \"output_length\": 490, \"hash_ids\": [0, 14]}\n\n",
      "mooncake.jsonl");
  ASSERT_EQ(t.requests.size(), 2u);
  EXPECT_EQ(t.requests[0].arrival, 0);  // in the order of their arrival
  EXPECT_EQ(t.requests[1].arrival, 3);
  EXPECT_EQ(t.blocks_of(t.requests[0].in_trace).size(), 2u);
  EXPECT_EQ(t.blocks_of(t.requests[1].in_trace)[2], 2u);
  EXPECT_EQ(t.block_tokens, 512);
}

TEST(ReadTrace, LengthsAloneAreEnoughAndPrioritiesAreRead) {
  const RequestTrace lengths = parse_trace("input_len,output_len\n10,20\n30,40\n", "lengths.csv");
  EXPECT_FALSE(lengths.timed);
  EXPECT_EQ(lengths.requests[1].input, 30);
  const RequestTrace t = parse_trace("priority,time,input_tokens,output_tokens\n2,0.5,10,20\n-1,0.25,1,2\n", "p.csv");
  EXPECT_EQ(t.requests[0].priority, -1);
  EXPECT_EQ(t.requests[1].arrival, 0.5);
}

TEST(ReadTrace, WhatIsWrongIsSaidWithItsPlace) {
  const auto refused = [](const std::string& text, const std::string& message, int line) {
    try {
      parse_trace(text, "t");
      ADD_FAILURE() << text;
    } catch (const InputError& error) {
      EXPECT_NE(error.message().find(message), std::string::npos) << error.message();
      EXPECT_EQ(error.at().line, line) << error.message();
    }
  };
  refused("", "empty", 0);
  refused("a,b\n1,2\n", "lengths of prompts", 1);
  refused("input_len,prompt_tokens,output_len\n1,2,3\n", "say the same", 1);
  refused("input_len,output_len\n1,x\n", "expected a number", 2);
  refused("input_len,output_len\n1,2.5\n", "number of tokens", 2);
  refused("input_len,output_len\n1,-2\n", "number of tokens", 2);
  refused("timestamp,input_len,output_len\nsoon,1,2\n", "expected a time", 2);
  refused("timestamp,input_len,output_len\n2023-13-41 00:00:00,1,2\n", "expected a time", 2);
  refused("input_len,output_len\n1,0\n", "no request of the trace was answered", 1);
  refused("{\"timestamp\": 1, \"input_length\": 2}\n", "length of the answer", 1);
  refused("{\"timestamp\": 1, \"input_length\": 2, \"output_length\": 3}\n{]\n", "one JSON object per line", 2);
  refused("{\"input_length\": 2, \"output_length\": 3, \"hash_ids\": [\"a\"]}\n", "hash_ids", 1);
}

}  // namespace
}  // namespace fathom
