#include "serve/rank_loop.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "executor/rank_place.h"
#include "serve/gather.h"
#include "weights/slices.h"

namespace fathom {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

class RankLoop {
 public:
  RankLoop(Communicator& world, const EngineModel& model, const WeightSource& source,
           const std::vector<Request>& requests, const RunOptions& options)
      : model_(model),
        layout_(model.layout),
        place_(RankPlace::of(world.rank(), model.layout)),
        groups_(world, place_, model.layout),
        program_(model.architecture, model.tensors, model.layout, model.stages[place_.stage], place_.rank),
        keep_logits_(options.keep_logits),
        hash_logits_(options.hash_logits),
        clock_(options.clock.get()),
        longest_sleep_(std::chrono::duration<double>(options.communicator.timeout).count() / 4),
        vocabulary_(model.architecture.vocab_size) {
    // A prompt's last row answers too.
    for (const Request& r : requests) {
      limits_[r.id] = r.output_tokens - (r.cached ? 0 : 1);
      arrivals_.push_back(r.arrival);
    }
    std::sort(arrivals_.begin(), arrivals_.end());
    const std::int64_t blocks = make_schedulers(requests, options);
    const ExecutorOptions how{
        .threads = options.threads,
        .cache = options.cache,
        .cache_blocks = blocks,
        .sampling = options.sampling,
        .expert_owner = model.experts.owner,
        .all_logits = options.all_logits,
        .integers = options.integers,
        .check_agreement = options.check_agreement,
        .limits = {.sequences = options.max_sequences,
                   .rows = options.chunk_tokens + options.max_sequences * (layout_.mtp ? 2 : 1),
                   .sequence_blocks = longest_},
        .time_every = options.time_every,
        .patience = options.communicator.timeout,
    };
    const std::vector<TensorSlice> slices =
        rank_slices(model.architecture, model.tensors, layout_, model.stages[place_.stage], place_.stage_rank(layout_),
                    model.experts, model.checkpoint_layers);
    source.check(slices);
    world.enter("loading weights", -1);
    executor_ = options.make_executor({program_, place_, groups_, slices, source, account_, how});
    for (BatchKind kind : {BatchKind{true, false}, BatchKind{false, true}, BatchKind{true, true}}) {
      findings_.trace.row_names.push_back(lower(program_, kind).rows);
    }
    findings_.trace.stage = place_.stage;
    findings_.trace.group = place_.group;
  }

  // Ranks wait for each other first: loading takes unequal time, and a step should not measure that.
  void serve(const std::function<void(const std::string&)>& progress) {
    // Attention groups have requests of their own, and would not take the same steps.
    if (clock_ != nullptr && layout_.attention_dp == 1) executor_->warm_up();
    groups_.world.enter("start", -1);
    groups_.world.barrier();
    if (clock_ != nullptr && groups_.world.rank() == 0) clock_->start();  // the others hear from this rank first
    for (int round = 0; !round_of_micro_batches(round); ++round) {
      if (!progress) continue;
      std::size_t answered = 0;
      for (const Scheduler& s : schedulers_) answered += s.answers().size();
      progress(fmt::format("step {}, {} requests answered", round + 1, answered));
    }
  }

  RankFindings findings() {
    for (const Scheduler& s : schedulers_) findings_.answers.insert(s.answers().begin(), s.answers().end());
    for (auto& [request, times] : findings_.token_times) {  // a verified draft may lie beyond the end
      times.resize(std::min(times.size(), findings_.answers[request].size()));
    }
    const auto held = [&](Purpose purpose) { return account_.held(purpose); };
    findings_.trace.memory = {{"weights", held(Purpose::kWeights)},
                              {"kv_cache", held(Purpose::kKvCache)},
                              {"activations", held(Purpose::kActivations)},
                              {"communication", held(Purpose::kCommunication)}};
    findings_.speaks = place_.rank == 0 && place_.stage == layout_.pp - 1;
    return std::move(findings_);
  }

  Communicator& world() { return groups_.world; }

 private:
  // Requests are dealt to attention groups, then to micro-batches, in turn. Returns the cache blocks they need.
  std::int64_t make_schedulers(const std::vector<Request>& requests, const RunOptions& options) {
    const int groups = layout_.attention_dp, micro_batches = layout_.pp;
    std::int64_t blocks = 0;
    for (int m = 0; m < micro_batches; ++m) {
      std::vector<Request> mine;
      for (std::size_t r = 0; r < requests.size(); ++r) {
        const int turn = static_cast<int>(r);
        if (turn % groups == place_.group && turn / groups % micro_batches == m) mine.push_back(requests[r]);
      }
      std::vector<std::int64_t> needed;
      for (const Request& r : mine) needed.push_back(blocks_of(r));
      std::sort(needed.rbegin(), needed.rend());
      if (!needed.empty()) longest_ = std::max(longest_, needed.front());
      needed.resize(std::min<std::size_t>(needed.size(), options.max_sequences));
      std::int64_t room = 0;
      for (std::int64_t n : needed) room += n;
      if (options.cache_tokens > 0) room = KvCache::blocks_for(options.cache_tokens);
      schedulers_.emplace_back(std::move(mine), SchedulerOptions{.first_sequence = m * options.max_sequences,
                                                                 .max_sequences = options.max_sequences,
                                                                 .chunk_tokens = options.chunk_tokens,
                                                                 .cache_blocks = room,
                                                                 .drafts = layout_.mtp});
      blocks += room;
    }
    pending_.resize(schedulers_.size());
    return blocks;
  }

  bool last_stage() const { return place_.stage == layout_.pp - 1; }

  // One step of every micro-batch; true when nothing is left to do anywhere.
  bool round_of_micro_batches(int round) {
    const double now = time_of(round);
    const auto start = Clock::now();
    aside_ = Clock::duration::zero();
    bool all_done = true;
    idle_ = true;
    for (std::size_t m = 0; m < schedulers_.size(); ++m) {
      Scheduler& scheduler = schedulers_[m];
      if (!pending_[m].empty()) scheduler.take(receive_outputs(pending_[m]));
      pending_[m].clear();
      const StepInput input = scheduler.next(now);
      for (int sequence : scheduler.released()) executor_->release(sequence);
      for (const auto& [sequence, tokens] : scheduler.to_fill()) {
        executor_->reserve(sequence, tokens);
        executor_->fill_cache(sequence, tokens);
      }
      // Experts are shared by the attention groups: while one of them has rows, all take part in the step.
      const State state = state_of_groups({.rows = input.rows(), .busy = !scheduler.done()});
      if (state.busy) all_done = false;
      if (state.rows == 0) continue;
      idle_ = false;
      run_step(round, scheduler, input, pending_[m]);
    }
    if (!all_done) findings_.trace.rounds.push_back(seconds_since(start + aside_));
    return all_done;
  }

  // What the schedulers take for now. Copies of one scheduler must admit the same requests in the same round, so one rank
  // looks at the clock for all; when there is nothing to do it waits for the next request first, though never so long that
  // the others would give it up.
  double time_of(int round) {
    if (clock_ == nullptr) return round;
    if (groups_.world.rank() == 0) {
      const auto next = std::upper_bound(arrivals_.begin(), arrivals_.end(), now_);
      if (idle_ && next != arrivals_.end()) clock_->sleep_until(std::min(*next, clock_->now() + longest_sleep_));
      now_ = clock_->now();
      for (int rank = 1; rank < groups_.world.size(); ++rank) {
        groups_.world.send(rank, std::as_bytes(std::span(&now_, 1)));
      }
    } else {
      groups_.world.enter("waiting for requests", -1);
      groups_.world.receive(0, std::as_writable_bytes(std::span(&now_, 1)));
    }
    return now_;
  }

  struct State {
    std::int32_t rows = 0;
    std::int32_t busy = 0;
  };
  State state_of_groups(State mine) {
    if (layout_.attention_dp == 1) return mine;
    std::vector<State> all(layout_.stage_width());
    groups_.world.enter("agreeing on the step", -1);
    groups_.stage->all_gather(std::as_bytes(std::span(&mine, 1)), std::as_writable_bytes(std::span(all)));
    State sum;
    for (const State& s : all) sum.rows += s.rows, sum.busy += s.busy;
    return sum;
  }

  void run_step(int round, Scheduler& scheduler, const StepInput& input, std::vector<Piece>& pending) {
    const auto start = Clock::now();
    std::vector<PieceOutput> outputs = executor_->step(input);
    record(round, input, seconds_since(start));
    if (last_stage()) {
      send_outputs(outputs);
      scheduler.take(outputs);
      note_times(input, outputs);
      const auto begin = Clock::now();
      keep(input, outputs);
      aside_ += Clock::now() - begin;
    } else {
      pending = input.pieces;
    }
  }

  void record(int round, const StepInput& input, double seconds) {
    StepRecord step{.round = round, .seconds = seconds, .timed = executor_->timed(), .rows = executor_->times()};
    for (const Piece& p : input.pieces) {
      (p.decode ? step.decode_rows : step.prompt_rows) += p.tokens;
      if (!p.decode) step.pairs += p.tokens * (static_cast<double>(p.position) + 0.5 * p.tokens);
      if (!p.decode) continue;
      ++step.sequences;
      step.context += static_cast<double>(p.position);
    }
    if (step.sequences > 0) step.context /= step.sequences;
    findings_.trace.steps.push_back(std::move(step));
  }

  void note_times(const StepInput& input, const std::vector<PieceOutput>& outputs) {
    if (clock_ == nullptr || place_.rank != 0) return;
    const double now = clock_->now();
    for (std::size_t p = 0; p < outputs.size(); ++p) {
      std::vector<double>& times = findings_.token_times[input.pieces[p].request];
      times.insert(times.end(), outputs[p].tokens.size(), now);
    }
  }

  // What was sampled goes to the same rank of every earlier stage: the first needs the tokens, all need the count.
  struct WireOutput {
    std::int32_t count = 0, first = -1, second = -1, draft = -1;
  };
  void send_outputs(const std::vector<PieceOutput>& outputs) {
    if (layout_.pp == 1 || outputs.empty()) return;
    std::vector<WireOutput> wire;
    for (const PieceOutput& o : outputs) {
      WireOutput& w = wire.emplace_back();
      w.count = static_cast<std::int32_t>(o.tokens.size());
      if (w.count > 0) w.first = o.tokens[0];
      if (w.count > 1) w.second = o.tokens[1];
      w.draft = o.draft;
    }
    groups_.world.enter("tokens to earlier stages", -1);
    for (int s = 0; s + 1 < layout_.pp; ++s) {
      groups_.world.send(place_.on_stage(s).world_rank(layout_), std::as_bytes(std::span(wire)));
    }
  }

  std::vector<PieceOutput> receive_outputs(const std::vector<Piece>& pieces) {
    std::vector<WireOutput> wire(pieces.size());
    groups_.world.enter("tokens from the last stage", -1);
    groups_.world.receive(place_.on_stage(layout_.pp - 1).world_rank(layout_), std::as_writable_bytes(std::span(wire)));
    std::vector<PieceOutput> outputs;
    for (const WireOutput& w : wire) {
      PieceOutput& o = outputs.emplace_back();
      if (w.count > 0) o.tokens.push_back(w.first);
      if (w.count > 1) o.tokens.push_back(w.second);
      o.draft = w.draft;
    }
    return outputs;
  }

  // Logits of rows that count: all of a prompt's when they were computed, of a decoding piece those before the first draft
  // that was wrong.
  void keep(const StepInput& input, const std::vector<PieceOutput>& outputs) {
    if (!hash_logits_ && !keep_logits_) return;
    if (place_.rank == 0) keep_rows(input, outputs);
    // All ranks have the same. They wait for the one that looks at them, or would wait in the next step, which is timed.
    groups_.world.enter("after a step", -1);
    groups_.tp->barrier();
  }

  void keep_rows(const StepInput& input, const std::vector<PieceOutput>& outputs) {
    const std::vector<int>& rows = executor_->logit_rows();
    std::size_t next = 0;
    int row = 0;
    for (std::size_t p = 0; p < input.pieces.size(); ++p) {
      const Piece& piece = input.pieces[p];
      const int counted = piece.decode ? static_cast<int>(outputs[p].tokens.size()) : piece.tokens;
      for (; next < rows.size() && rows[next] < row + piece.tokens; ++next) {
        if (rows[next] >= row + counted) continue;
        const float* logits = executor_->logits() + static_cast<std::int64_t>(next) * vocabulary_;
        if (piece.decode && answered_[piece.request]++ >= limits_[piece.request]) continue;  // a draft beyond the end
        findings_.hash_row(piece.request, logits, vocabulary_);
        if (!keep_logits_) continue;
        std::vector<float>& all = findings_.logits[piece.request];
        all.insert(all.end(), logits, logits + vocabulary_);
      }
      row += piece.tokens;
    }
    if (keep_logits_ && layout_.mtp && input.pieces.size() == 1) {  // of a single request: enough for tests and dumps
      std::vector<float>& all = findings_.draft_logits[input.pieces.front().request];
      const float* draft = executor_->draft_logits();
      all.assign(draft, draft + static_cast<std::int64_t>(executor_->draft_rows()) * vocabulary_);
    }
  }

  const EngineModel& model_;
  const Layout& layout_;
  RankPlace place_;
  RankGroups groups_;
  StageProgram program_;
  bool keep_logits_, hash_logits_;
  RunClock* clock_;
  double longest_sleep_;  // s
  int vocabulary_;
  Account account_;
  std::unique_ptr<Executor> executor_;
  std::vector<Scheduler> schedulers_;        // of this group's micro-batches
  std::vector<std::vector<Piece>> pending_;  // steps whose outputs the last stage still owes
  RankFindings findings_;
  std::map<int, int> limits_, answered_;  // decoded rows of a request that count, and that were kept
  std::int64_t longest_ = 1;              // cache blocks of the longest request
  std::vector<double> arrivals_;          // of all requests, in order
  bool idle_ = true;                      // no group had a row in the last round
  double now_ = -1;                       // of the last round on the run's clock
  Clock::duration aside_{};               // of this round: keeping logits is for those who look on, no part of a step
};

}  // namespace

RunResult run_rank(Communicator& world, const EngineModel& model, const WeightSource& source,
                   const std::vector<Request>& requests, const RunOptions& options) {
  RankLoop loop(world, model, source, requests, options);
  loop.serve(world.rank() == 0 ? options.progress : nullptr);
  RunResult result = gather_at_first_rank(world, loop.findings());
  world.enter("the end", -1);
  world.barrier();  // what devices of other processes may still look at goes with the executor
  return result;
}

}  // namespace fathom
