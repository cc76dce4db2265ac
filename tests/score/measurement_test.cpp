// The table of measurements: what is read, and where complaints point.
#include "score/measurement.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "input/error.h"
#include "support/measurement_table.h"

namespace fathom {
namespace {

Measurement read(const Cells& changes) { return parse_measurements(table_of({good_row(changes)}), "t.csv").at(0); }

// The complaint about a row with these cells: its line, that it points at the cell, and part of what it says.
void refused(const Cells& changes, const std::string& says) {
  const std::string text = table_of({good_row({{"id", "before"}}), good_row(changes)});
  const std::string column = changes.begin()->first;
  try {
    parse_measurements(text, "t.csv");
    ADD_FAILURE() << column << " = " << changes.begin()->second << " was read";
  } catch (const InputError& error) {
    const CsvTable table = parse_csv(text, "t.csv");
    const CsvCell& cell = table.rows[1][static_cast<std::size_t>(table.column(column))];
    EXPECT_EQ(error.at().line, 3) << error.message();
    EXPECT_EQ(error.at().column, cell.at.column) << error.message();
    EXPECT_NE(error.message().find(says), std::string::npos) << error.message();
  }
}

TEST(Measurements, CellsBecomeValues) {
  const Measurement m = read({{"accelerators", "8"},
                              {"role", "disaggregated"},
                              {"prefill_pool", "workers=2 tp=2 attention_dp=1 ep=2"},
                              {"decode_pool", "workers=1 tp=1 attention_dp=4 ep=4"},
                              {"offload", "experts:gpu_frac=0.25"},
                              {"prefix_hit", "0.5"},
                              {"load_kind", "closed"},
                              {"load", "32"},
                              {"shape", "op=gemm m=16 n=8192"},
                              {"host", "intel-xeon-6980p x12; mrdimm-8800 12ch"},
                              {"note", "one, two"}});
  EXPECT_EQ(m.line, 2);
  EXPECT_EQ(m.role, MeasuredRole::kDisaggregated);
  EXPECT_EQ(m.prefill_pool->accelerators(), 4);
  EXPECT_EQ(m.decode_pool->attention_dp, 4);
  EXPECT_EQ(m.offload.kind, Offload::Kind::kExpertShare);
  EXPECT_DOUBLE_EQ(m.offload.on_gpu, 0.25);
  EXPECT_EQ(m.load_kind, LoadKind::kClosed);
  EXPECT_DOUBLE_EQ(m.load.value(), 32);
  EXPECT_EQ(m.word("op"), "gemm");
  EXPECT_DOUBLE_EQ(m.number("n").value(), 8192);
  EXPECT_FALSE(m.number("op").has_value());
  EXPECT_FALSE(m.context_len.has_value());
  EXPECT_EQ(m.metric->kind, MetricClass::kTpot);
  EXPECT_DOUBLE_EQ(m.value, 0.0075);
  EXPECT_EQ(m.note, "one, two");
  EXPECT_FALSE(m.notes_framework);
  EXPECT_EQ(m.host.cpu, "intel-xeon-6980p");
  EXPECT_EQ(m.host.sockets, 12);
  EXPECT_DOUBLE_EQ(m.host.transfers_per_s.value(), 8800e6);
  EXPECT_DOUBLE_EQ(m.host.channels.value(), 12);
  EXPECT_EQ(to_string(m.offload), "experts:gpu_frac=0.25");
  EXPECT_EQ(to_string(m.load_kind), "closed");
}

TEST(Measurements, AHostSaysWhatIsKnownOfIt) {
  EXPECT_TRUE(read({}).host.cpu.empty());
  EXPECT_EQ(read({{"host", "amd-epyc-9654"}}).host.sockets, 1);
  EXPECT_FALSE(read({{"host", "amd-epyc-9654 x2"}}).host.channels.has_value());
  EXPECT_DOUBLE_EQ(read({{"host", "amd-epyc-9654; 12ch"}}).host.channels.value(), 12);
  EXPECT_DOUBLE_EQ(read({{"host", "amd-epyc-9654; ddr5-4800"}}).host.transfers_per_s.value(), 4800e6);
}

// Other words in a note are for people, whatever they are.
TEST(Measurements, ANoteDecidesOnlyWithItsOwnWords) {
  EXPECT_TRUE(read({{"note", "median over ranks; through PyTorch"}}).notes_framework);
  EXPECT_TRUE(read({{"note", "through torch.distributed"}}).notes_framework);
  EXPECT_FALSE(read({{"note", "not through PyTorch"}}).notes_framework);
  EXPECT_FALSE(read({{"note", "torch 2.4 was installed"}}).notes_framework);
}

TEST(Measurements, ATableWithoutRowsIsRefused) {
  try {
    parse_measurements(table_of({}), "t.csv");
    ADD_FAILURE();
  } catch (const InputError& error) {
    EXPECT_NE(error.message().find("holds no measurement"), std::string::npos) << error.message();
  }
}

TEST(Measurements, ACellOutsideItsVocabularyIsPointedAt) {
  refused({{"id", ""}}, "needs an id");
  refused({{"id", "before"}}, "twice");
  refused({{"category", ""}}, "needs a category");
  refused({{"group", ""}}, "needs a group");
  refused({{"completeness", "ful"}}, "expected one of full, partial, context");
  refused({{"role", "agregated"}}, "expected one of");
  refused({{"load_kind", "closd"}}, "expected one of single, batch, closed, open, burst, max, or nothing");
  refused({{"accelerators", "8 GPUs"}}, "expected a number");
  refused({{"accelerators", "0"}}, "at least 1");
  refused({{"tp", "1.5"}}, "whole number");
  refused({{"input_len", "1,000"}}, "expected a number");
  refused({{"output_len", "-5"}}, "expected a number");
  refused({{"context_len", "nan"}}, "expected a number");
  refused({{"prefix_hit", "50"}}, "between 0 and 1");
  refused({{"accept_len", "0.5"}}, "at least one token");
  refused({{"prefill_pool", "workers=two"}}, "whole number");
  refused({{"decode_pool", "workes=2"}}, "unknown key");
  refused({{"offload", "experts:gpu"}}, "offload is");
  refused({{"offload", "expert"}}, "offload is");
  refused({{"host", "intel xeon gold"}}, "\"xeon\" is not expected");
  refused({{"host", "amd-epyc-9654 x2b"}}, "\"x2b\" is not expected");
  refused({{"host", "amd-epyc-9654 x0"}}, "\"x0\" is not expected");
  refused({{"host", "amd-epyc-9654 x2; 4800"}}, "\"4800\" is not expected");
  refused({{"host", "amd-epyc-9654 x2; ddr5-4800 ddr5-4800"}}, "not expected");
  refused({{"host", "amd-epyc-9654;"}}, "not expected");
  refused({{"host", "; 12ch"}}, "not expected");
  refused({{"shape", "op"}}, "key=value");
  refused({{"metric", "tpot_s"}}, "unknown metric");
  refused({{"unit", "ms"}}, "is in s");
  refused({{"value", ""}}, "above 0");
  refused({{"value", "0"}}, "above 0");
  refused({{"value", "-1"}}, "value is -1: expected a number above 0");
  refused({{"load", "-1"}}, "load is -1: expected a number of at least 0");
  refused({{"tp", "-1"}}, "tp is -1: expected a whole number of at least 1");
}

TEST(Measurements, AMisspeltWordIsGuessed) {
  try {
    read({{"metric", "tpot_s_meen"}});
    ADD_FAILURE();
  } catch (const InputError& error) {
    EXPECT_NE(error.hint().find("tpot_s_mean"), std::string::npos) << error.hint();
  }
}

TEST(Measurements, EveryColumnMustBeThereAndNoOther) {
  std::string text = table_of({good_row()});
  std::string without = text, another = text;
  without.replace(without.find("confidence"), 10, "confident");
  try {
    parse_measurements(without, "t.csv");
    ADD_FAILURE();
  } catch (const InputError& error) {
    EXPECT_NE(error.message().find("no column \"confidence\""), std::string::npos) << error.message();
    EXPECT_EQ(error.at().line, 1);
  }
  another.replace(another.find(",note\n"), 6, ",note,nota\n");
  another.insert(another.size() - 1, ",");
  EXPECT_THROW(parse_measurements(another, "t.csv"), InputError);
  EXPECT_THROW(parse_measurements("id,category\nx,a\n", "t.csv"), InputError);
}

TEST(Measurements, ColumnsMayStandInAnyOrder) {
  const Cells row = good_row();
  std::string head, line;
  std::vector<std::string> columns = measurement_columns();
  std::reverse(columns.begin(), columns.end());
  for (const std::string& column : columns) {
    head += (head.empty() ? "" : ",") + column;
    line += (column == columns.front() ? "" : ",") + (row.contains(column) ? row.at(column) : "");
  }
  const Measurement m = parse_measurements(head + "\n" + line + "\n", "t.csv").at(0);
  EXPECT_EQ(m.id, "t-001");
  EXPECT_EQ(m.model, "llama-3.1-8b");
}

TEST(Measurements, MetricsHaveNamesOfTheirOwn) {
  std::set<std::string> names;
  for (const Metric& metric : metrics()) {
    EXPECT_TRUE(names.insert(metric.name).second) << metric.name;
    EXPECT_EQ(find_metric(metric.name), &metric);
    EXPECT_NE(to_string(metric.kind), "?");
  }
  EXPECT_EQ(find_metric("speed"), nullptr);
}

TEST(Measurements, TheShippedTableIsReadWhole) {
  const std::vector<Measurement> rows =
      read_measurements(std::filesystem::path(FATHOM_SOURCE_DIR) / "data/measurements/measurements.csv");
  EXPECT_EQ(rows.size(), 1820u);
  const auto full =
      std::count_if(rows.begin(), rows.end(), [](const auto& m) { return m.completeness == Completeness::kFull; });
  EXPECT_EQ(full, 1461);
  for (const Measurement& m : rows) EXPECT_FALSE(category_title(m.category).empty()) << m.id;
}

}  // namespace
}  // namespace fathom
