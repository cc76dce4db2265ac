#include "validate/serve_arrivals.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <numeric>

#include "host/team.h"
#include "validate/host_machine.h"
#include "validate/step_shape.h"

namespace fathom {

namespace {

// Of the cache of one micro-batch of one attention group: what its sequences can fill, and what was planned for it.
std::int64_t most_blocks(int sequences, const std::vector<Request>& requests) {
  std::vector<std::int64_t> blocks;
  for (const Request& r : requests) blocks.push_back(blocks_of(r));
  std::sort(blocks.begin(), blocks.end(), std::greater<>());
  if (blocks.size() > static_cast<std::size_t>(sequences)) blocks.resize(static_cast<std::size_t>(sequences));
  return std::accumulate(blocks.begin(), blocks.end(), std::int64_t{0});
}
std::int64_t planned_blocks(const ServingPool& replica, int shares) {
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(replica.kv_tokens / shares / KvCache::kBlockTokens));
}

void refuse_what_is_not_served(const SavedPool& pool, const ValidationOptions& options) {
  if (pool.role != "serve") {
    throw std::invalid_argument(fmt::format(
        "requests arrive at pools that read prompts and decode; this one's role is {}: not supported", pool.role));
  }
  if (pool.layout.mtp) {
    throw std::invalid_argument(
        "requests arrive without drafts only: how many of the planned MTP drafts hold depends on the text");
  }
  if (options.layers > 0) throw std::invalid_argument("--layers: requests that arrive are served by all layers");
}

}  // namespace

std::vector<Request> engine_requests(const RequestTrace& requests, int vocabulary) {
  std::vector<Request> out;
  for (const SimulatedRequest& r : requests.requests) {
    const int id = static_cast<int>(out.size());
    out.push_back(
        {.id = id, .prompt = made_up_tokens(r.input, vocabulary, id), .output_tokens = r.output, .arrival = r.arrival});
  }
  return out;
}

RunOptions serving_options(const EngineModel& model, const SavedPool& pool, const ServingPool& replica,
                           const std::vector<Request>& requests, const ValidationOptions& options) {
  const int shares = model.layout.attention_dp * model.layout.pp;
  const int at_once = std::min(replica.most_sequences, static_cast<int>(requests.size()));
  RunOptions run = run_options(model, pool, {.sequences = at_once}, options);
  run.chunk_tokens = std::max(1, static_cast<int>(replica.chunk_tokens));
  run.cache_tokens =
      KvCache::kBlockTokens * std::min(planned_blocks(replica, shares), most_blocks(run.max_sequences, requests));
  run.hash_logits = false;
  run.time_every = 0;  // every step is to be as long as it is
  run.clock = std::make_shared<WallClock>();
  return run;
}

ServedRun served(const EngineModel& model, const RunResult& run, const RequestTrace& requests) {
  ServedRun out;
  for (std::size_t i = 0; i < requests.requests.size(); ++i) {
    const SimulatedRequest& r = requests.requests[i];
    out.requests.push_back(
        {.arrival = r.arrival, .input = r.input, .token_times = run.token_times.at(static_cast<int>(i))});
  }
  if (model.layout.pp > 1 || model.layout.attention_dp > 1) return out;  // rounds of several steps
  const RankTrace& rank = run.traces.front();
  for (const StepRecord& step : rank.steps) {
    ServedStep& s = out.steps.emplace_back();
    s.work = {.sequences = static_cast<double>(step.sequences),
              .context = step.context + 1,  // with the token of this step
              .prompt_tokens = static_cast<double>(step.prompt_rows)};
    if (step.prompt_rows > 0) {
      s.work.prompt_context = std::max(0.0, step.pairs / step.prompt_rows - 0.5 * step.prompt_rows);
    }
    s.time = Seconds(rank.rounds[static_cast<std::size_t>(step.round)]);
  }
  return out;
}

ServedRun serve_arrivals(const SavedPlan& plan, const SavedPool& pool, const ServingPool& replica,
                         const WeightSource& source, const RequestTrace& requests, const ValidationOptions& options) {
  refuse_what_is_not_served(pool, options);
  const EngineModel model = planned_model(plan, pool, 0, Part::kMixed);
  const std::vector<Request> asked = engine_requests(requests, model.architecture.vocab_size);
  const RunOptions run = serving_options(model, pool, replica, asked, options);
  const double cache = static_cast<double>(run.cache_tokens) * model.layout.attention_dp * model.layout.pp;
  check_memory(model, {.sequences = 0, .prompt = run.chunk_tokens}, 0, options.backend,
               replica.kv_bytes_per_token * (cache * model.ranks() / model.layout.attention_dp));
  ServedRun out = served(model, run_engine(model, source, asked, run), requests);
  out.backend = options.backend.name;
  out.machine = options.backend.machine;
  out.accelerator = options.backend.accelerator;
  out.date = today();
  out.ranks = model.ranks();
  out.threads = run.threads;
  out.notes.push_back(fmt::format("weights: {}; made-up prompts; {} tokens of a step at most, {} sequences at once",
                                  source.describe(), run.chunk_tokens, run.max_sequences));
  if (most_blocks(run.max_sequences, asked) * KvCache::kBlockTokens > run.cache_tokens) {
    out.notes.push_back(
        "the cache may fill: the engine then lets requests wait until it can hold their whole answers, and the "
        "simulation "
        "preempts");
  }
  if (const int here = ranks_here(model); here > host::hardware_threads()) {
    out.notes.push_back(fmt::format("{} ranks share {} hardware threads: they wait for each other's time slices", here,
                                    host::hardware_threads()));
  }
  return out;
}

}  // namespace fathom
