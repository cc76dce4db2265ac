// Damaged tables of measurements, with a fixed seed: the reader refuses or reads, and what it read can be scored.
#include <gtest/gtest.h>

#include <cmath>

#include "score/score.h"
#include "support/measurement_table.h"
#include "support/mutation.h"
#include "support/planning.h"

namespace fathom {
namespace {

std::vector<std::string> tables() {
  return {table_of({good_row(), good_row({{"id", "t-002"}, {"note", "a, \"b\""}})}),
          table_of({good_row({{"role", "disaggregated"},
                              {"accelerators", "4"},
                              {"prefill_pool", "workers=1 tp=2 attention_dp=1 ep=1"},
                              {"decode_pool", "workers=1 tp=2 attention_dp=1 ep=1"},
                              {"load_kind", "closed"},
                              {"load", "8"}})}),
          table_of({good_row({{"role", "micro"},
                              {"engine", "nccl"},
                              {"model", ""},
                              {"accelerators", "8"},
                              {"scale_up", "nvlink4"},
                              {"metric", "allreduce_s"},
                              {"value", "0.0001"},
                              {"message_bytes", "1048576"},
                              {"shape", "op=all_reduce dtype=fp16"}})}),
          table_of({good_row({{"offload", "experts:gpu=4"}, {"load_kind", "max"}, {"load", ""}})})};
}

TEST(MeasurementsMutation, TheReaderReadsOrRefuses) {
  std::mt19937 random(23);
  const std::vector<std::string> originals = tables();
  EngineBook engines(shipped().data_dir());
  int refused = 0, read = 0, predicted = 0;
  for (int round = 0; round < 12000 / kThinning; ++round) {
    std::string text = originals[random() % originals.size()];
    for (auto edits = 1 + random() % 3; edits > 0; --edits) text = mutated(std::move(text), random);
    SCOPED_TRACE(text);
    std::vector<Measurement> rows;
    if (refusal(text, [&] { rows = parse_measurements(text, "measurements.csv"); })) {
      ++refused;
      continue;
    }
    ++read;
    if (read % (kThinning > 1 ? 1 : 10) != 0) continue;
    const Score result = score(rows, shipped(), engines, {});
    for (const ScoredRow& row : result.details) {
      EXPECT_TRUE(std::isfinite(row.ln_error)) << row.row->id;
      ++predicted;
    }
  }
  EXPECT_GT(refused, 1000 / kThinning);
  EXPECT_GT(read, 300 / kThinning);
  EXPECT_GT(predicted, 5);
}

}  // namespace
}  // namespace fathom
