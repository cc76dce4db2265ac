#include "plan/read_serving.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "plan/saved_numbers.h"

namespace fathom {

namespace {

using namespace saved;

// The same as a degree of the layout.
int degree_like(MapReader& reader, const std::string& key, int layout, const char* name) {
  const int out = degree(reader, key);
  if (out != layout)
    reader.context(reader.need(key))
        .fail(fmt::format("{} is {}, the layout's {} is {}", in_quotes(key), out, name, layout));
  return out;
}

std::vector<double> ascending(MapReader& reader, const std::string& key) {
  const std::vector<double> axis = list(reader, key, [&](const Context& at) {
    double x = 0;
    read(at, x);
    check_range(at, x, 0, kMostTokens, in_quotes(key));
    return x;
  });
  const bool rises = std::adjacent_find(axis.begin(), axis.end(), std::greater_equal<>()) == axis.end();
  if (axis.empty() || !rises) reader.context(reader.need(key)).fail(in_quotes(key) + " must be numbers that rise");
  return axis;
}

// Rows of the values belong to the first axis.
StepGrid read_grid(MapReader& parent, const std::string& key, const char* x, const char* y, double lowest,
                   const char* values = "time_s") {
  MapReader reader(parent.file(), parent.need(key), fmt::format("the table {}", in_quotes(key)));
  StepGrid grid{.x = ascending(reader, x), .y = ascending(reader, y), .values = {}};
  const std::vector<std::vector<double>> rows = list(reader, values, [&](const Context& at) {
    std::vector<double> row;
    read(at, row);
    for (const double value : row) check_range(at, value, lowest, kMost, in_quotes(values));
    if (row.size() != grid.y.size())
      at.fail(fmt::format("a row of {} numbers, {} has {}", row.size(), in_quotes(y), grid.y.size()));
    return row;
  });
  if (rows.size() != grid.x.size())
    reader.context(reader.need(values))
        .fail(fmt::format("{} rows, {} has {}", rows.size(), in_quotes(x), grid.x.size()));
  for (const std::vector<double>& row : rows) grid.values.insert(grid.values.end(), row.begin(), row.end());
  return grid;
}

BoundTimes read_bounds(MapReader& parent, const std::string& key) {
  BoundTimes times;
  times.bounds = list(parent, key, [](const Context& at) {
    MapReader reader(at.file, at.value, "a table of step times");
    BatchTimes batch;
    batch.prefill = read_grid(reader, "prefill", "prompt_tokens", "cached", 0);
    if (reader.value().find("decode") == nullptr) return batch;
    batch.decode = read_grid(reader, "decode", "sequences", "context", 0);
    batch.more = read_grid(reader, "more", "sequences", "prompt_tokens", -kMost);
    return batch;
  });
  return times;
}

StepTimes read_step_times(const Context& at, PoolPart part) {
  MapReader reader(at.file, at.value, "the step times");
  StepTimes t{.latency = read_bounds(reader, "latency"), .pace = {}};
  t.stages = degree(reader, "stages");
  t.chunk_tokens = number(reader, "chunk_tokens", 1, kMostTokens);
  if (t.stages > 1) t.pace = read_bounds(reader, "pace");
  const auto without = [&](const BoundTimes& times) {
    return times.bounds.empty() ||
           std::any_of(times.bounds.begin(), times.bounds.end(), [](const BatchTimes& b) { return b.decode.empty(); });
  };
  if (t.latency.bounds.empty() || (t.stages > 1 && t.pace.bounds.empty())) reader.fail("there are no step times");
  if (part != PoolPart::kPrefill && (without(t.latency) || (t.stages > 1 && without(t.pace))))
    reader.fail("a pool that decodes needs times of decode steps");
  return t;
}

std::optional<Watts> watts(MapReader& reader, const std::string& key) {
  if (reader.value().find(key) == nullptr) return std::nullopt;
  return Watts(number(reader, key, 0));
}

}  // namespace

ServingPool read_serving(const Context& at, const Context& times_at, const SavedPool& of) {
  MapReader reader(at.file, at.value, "what serves");
  ServingPool pool;
  pool.name = of.group;
  pool.replicas = of.layout.replicas;
  pool.part = of.role == "prefill" ? PoolPart::kPrefill : of.role == "decode" ? PoolPart::kDecode : PoolPart::kServe;
  pool.share = number(reader, "share", 0, 1);
  pool.kv_tokens = number(reader, "kv_tokens", 0, kMostTokens);
  pool.most_sequences = degree(reader, "most_sequences");
  pool.chunk_tokens = number(reader, "chunk_tokens", 1, kMostTokens);
  pool.attention_groups = degree_like(reader, "attention_groups", of.layout.attention_dp, "attention_dp");
  pool.micro_batches = degree_like(reader, "micro_batches", of.layout.pp, "pp");
  pool.tokens_per_step = number(reader, "tokens_per_step", 1, 16);
  pool.max_context = number(reader, "max_context_tokens", 0, kMostTokens);
  pool.kv_bytes_per_token = bytes(reader, "kv_bytes_per_token");
  pool.request_overhead = seconds(reader, "request_overhead_s");
  pool.step_overhead = seconds(reader, "step_overhead_s");
  pool.transfer_base = seconds(reader, "transfer_base_s");
  pool.transfer_per_token = Seconds(number(reader, "transfer_s_per_token", 0));
  pool.idle = watts(reader, "idle_w");
  pool.busy = watts(reader, "busy_w");
  if (reader.value().find("power") != nullptr)
    pool.watts = read_grid(reader, "power", "sequences", "prompt_tokens", 0, "power_w");
  pool.step_times = read_step_times(times_at, pool.part);
  return pool;
}

}  // namespace fathom
