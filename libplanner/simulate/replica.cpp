#include "simulate/replica.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace fathom {

namespace {

constexpr int kBlock = 16;           // tokens of one page of the cache
constexpr double kWatermark = 0.01;  // of the pages stay free when a request is admitted, as in vLLM

// Beyond the table a replica draws what it draws at the end of it.
double watts_of(const ServingPool& pool, const StepWork& work) {
  const StepGrid& table = pool.watts;
  if (table.empty()) return pool.busy.value_or(Watts{}).value;
  return table.at(std::min(work.sequences, table.x.back()), std::min(work.prompt_tokens, table.y.back()));
}

std::int64_t blocks_of(double tokens) { return static_cast<std::int64_t>(std::ceil(tokens / kBlock)); }

}  // namespace

Replica::Replica(const ServingPool& pool, const EngineOptions& options, std::vector<Job>& jobs)
    : pool_(pool),
      options_(options),
      jobs_(jobs),
      blocks_(static_cast<std::int64_t>(std::min(pool.kv_tokens, 1e15) / kBlock)),
      growth_steps_(std::max(1, static_cast<int>(std::lround(kBlock / pool.tokens_per_step)))),
      growing_(static_cast<std::size_t>(growth_steps_)),
      lanes_(static_cast<std::size_t>(pool.attention_groups)) {}

bool Replica::fits(const Job& j) const {
  return blocks_of(static_cast<double>(j.input) + (pool_.part == PoolPart::kPrefill ? 0 : j.output)) <= blocks_;
}

void Replica::add(int index) { queue(index, false); }

void Replica::queue(int index, bool first) {
  const int priority = job(index).priority;
  auto level = std::find_if(levels_.begin(), levels_.end(), [&](const Level& l) { return l.priority >= priority; });
  if (level == levels_.end() || level->priority != priority) {
    level = levels_.insert(level, Level{.priority = priority, .jobs = {}});
    priorities_ = levels_.size() > 1;
  }
  first ? level->jobs.push_front(index) : level->jobs.push_back(index);
  ++waiting_;
}

// One step: caches of decoding sequences grow first, then prompts that were begun, then new requests, as long as
// tokens, places and pages last. A step that had to preempt admits nobody.
bool Replica::begin(double now) {
  ++step_;
  chunks_.clear();
  late_.clear();
  swap_seconds_ = 0;
  preempted_ = false;
  step_begin_ = now;
  grow_caches();
  const double budget = std::max(0.0, pool_.chunk_tokens * pool_.micro_batches -
                                          std::ceil(static_cast<double>(decoding_) / pool_.attention_groups));
  std::fill(lanes_.begin(), lanes_.end(), budget);
  read_prompts();
  if (!preempted_) admit();
  decoding_now_ = decoding_;
  StepWork shape{.sequences = static_cast<double>(decoding_)};
  if (decoding_ > 0) shape.context = context_ / decoding_;
  double pairs = 0, tokens = 0, seen = 0;
  for (const auto& [index, count] : chunks_) {
    const Job& j = job(index);
    const double before = j.prompt - j.left;
    tokens += count;
    seen += before * count;
    pairs += count * (before + 0.5 * count);
  }
  if (tokens > 0) {
    // Groups wait for the one with the longest chunk: the step costs as if all had it.
    const double longest = budget - *std::min_element(lanes_.begin(), lanes_.end());
    shape.prompt_tokens = pool_.attention_groups > 1 ? longest * pool_.attention_groups : tokens;
    // The table has one prompt per group: the context that gives as many pairs of tokens as these prompts have.
    const double own = 0.5 * tokens / pool_.attention_groups;
    shape.prompt_context = std::max(0.0, pairs / tokens - own);
  }
  step_watts_ = 0;
  if (decoding_ == 0 && chunks_.empty() && swap_seconds_ == 0) {
    --step_;
    return false;
  }
  step_end_ = now + pool_.step_times.seconds(shape) + swap_seconds_;
  step_watts_ = watts_of(pool_, shape);
  return true;
}

void Replica::end(Outcome& out) {
  out.answered.clear();
  out.finished.clear();
  out.passed_on.clear();
  out.other_gaps.clear();
  out.prompt_tokens = 0;
  out.gaps = decoding_now_ - static_cast<int>(late_.size());
  out.tokens = decoding_now_ * pool_.tokens_per_step;
  for (const int index : late_) out.other_gaps.push_back(step_end_ - job(index).last_token);
  context_ += decoding_ * pool_.tokens_per_step;
  while (!leaving_.empty() && (leaving_.front().step <= step_ || !live(leaving_.front().who))) {
    const Stay who = leaving_.front().who;
    std::pop_heap(leaving_.begin(), leaving_.end(), std::greater<>());
    leaving_.pop_back();
    if (!live(who)) continue;
    leave_decode(who.job);
    out.finished.push_back(who.job);
  }
  for (const auto& [index, count] : chunks_) {
    Job& j = job(index);
    j.left -= count;
    out.prompt_tokens += count;
    if (j.left > 0) continue;
    reading_.erase(std::find(reading_.begin(), reading_.end(), index));
    remember(j);
    if (j.produced == 0) {
      j.first_token = step_end_;
      out.answered.push_back(index);
    } else {
      out.other_gaps.push_back(step_end_ - j.last_token);
    }
    ++j.produced;
    out.tokens += 1;
    if (pool_.part == PoolPart::kPrefill) {
      held_.push_back(index);
      out.passed_on.push_back(index);
    } else if (j.produced >= j.output) {
      used_ -= j.blocks;
      ++j.stay;
      out.finished.push_back(index);
    } else {
      enter_decode(index);
    }
  }
  forget_stale();
}

int Replica::blocks_held(const Job& j) const {
  const int steps = decoded_steps(j);
  return j.blocks + (steps >= j.first_growth ? 1 + (steps - j.first_growth) / growth_steps_ : 0);
}

// Sequences at a page's end need the next one. When there is none, the youngest request leaves.
void Replica::grow_caches() {
  const auto due = static_cast<std::size_t>(step_ % growth_steps_);
  --step_;  // those who leave were in steps up to the last one
  while (used_ + growing_[due] > blocks_ && preempt_one()) {
  }
  ++step_;
  used_ += growing_[due];
}

int Replica::youngest() {
  while (!order_.empty() && !live(order_.back())) order_.pop_back();
  if (order_.empty()) return -1;
  if (!priorities_) return order_.back().job;
  const Stay* last = nullptr;
  for (const Stay& s : order_) {
    if (live(s) && (last == nullptr || job(s.job).priority >= job(last->job).priority)) last = &s;
  }
  return last->job;
}

bool Replica::preempt_one() {
  const int index = youngest();
  if (index < 0) return false;
  ++preemptions_;
  preempted_ = true;
  Job& j = job(index);
  const auto reading = std::find(reading_.begin(), reading_.end(), index);
  if (reading != reading_.end()) {
    reading_.erase(reading);
    used_ -= j.blocks;
    ++j.stay;
    j.left = j.prompt;
  } else {
    const int answered =
        std::min(j.output - 1, j.produced + static_cast<int>(decoded_steps(j) * pool_.tokens_per_step));
    leave_decode(index);
    j.produced = answered;
    j.prompt = j.input + answered;
    j.left = j.prompt;
    j.last_token = step_begin_;
    j.cached = j.swapped = options_.preemption == Preemption::kSwap;
    if (j.cached) {
      --j.prompt;  // the last token is fed to the next step, not to the cache
      swap_seconds_ += j.prompt * options_.swap_seconds_per_token;
    }
  }
  queue(index, true);
  return true;
}

void Replica::read_prompts() {
  for (const int index : reading_) {
    if (read(index) == 0) break;
  }
}

// Gives a prompt what the least busy group has left of the step.
int Replica::read(int index) {
  double& lane = *std::max_element(lanes_.begin(), lanes_.end());
  const int tokens = std::min(job(index).left, static_cast<int>(lane));
  if (tokens <= 0) return 0;
  lane -= tokens;
  chunks_.emplace_back(index, tokens);
  return tokens;
}

void Replica::admit() {
  while (waiting_ > 0 && running() < pool_.most_sequences && admit_next()) {
  }
}

bool Replica::admit_next() {
  auto level = std::find_if(levels_.begin(), levels_.end(), [](const Level& l) { return !l.jobs.empty(); });
  const int index = level->jobs.front();
  Job& j = job(index);
  const std::int64_t needed = blocks_of(j.prompt + (j.cached ? pool_.tokens_per_step : 0));
  const auto spare = static_cast<std::int64_t>(kWatermark * static_cast<double>(blocks_));
  if (used_ + needed + (running() > 0 ? spare : 0) > blocks_) return false;
  if (!j.cached && *std::max_element(lanes_.begin(), lanes_.end()) < 1) return false;
  level->jobs.pop_front();
  --waiting_;
  used_ += needed;
  j.blocks = static_cast<int>(needed);
  order_.push_back({.job = index, .stay = j.stay});
  if (j.cached) {
    if (j.swapped) swap_seconds_ += j.prompt * options_.swap_seconds_per_token;
    j.cached = j.swapped = false;
    --step_;
    enter_decode(index);
    ++step_;
    late_.push_back(index);
    return true;
  }
  const int found = found_in_cache(j);
  found_ += found;
  j.left = j.prompt - found;
  reading_.push_back(index);
  read(index);
  return true;
}

// After this step the sequence decodes: one step for each token that is missing, fewer with accepted drafts.
void Replica::enter_decode(int index) {
  Job& j = job(index);
  const double a = pool_.tokens_per_step;
  const auto steps =
      std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil((j.output - j.produced) / a - 1e-9)));
  j.entered = step_;
  j.leaves = step_ + steps;
  const double room = static_cast<double>(j.blocks) * kBlock - j.prompt;
  j.first_growth = std::clamp(static_cast<int>(room / a) + 1, 1, growth_steps_);
  ++growing_[static_cast<std::size_t>((step_ + j.first_growth) % growth_steps_)];
  context_ += j.prompt + a;
  ++decoding_;
  leaving_.push_back({.step = j.leaves, .who = {.job = index, .stay = j.stay}});
  std::push_heap(leaving_.begin(), leaving_.end(), std::greater<>());
}

void Replica::leave_decode(int index) {
  Job& j = job(index);
  used_ -= blocks_held(j);
  --growing_[static_cast<std::size_t>((j.entered + j.first_growth) % growth_steps_)];
  context_ -= j.prompt + pool_.tokens_per_step * (decoded_steps(j) + 1);
  --decoding_;
  if (decoding_ == 0) context_ = 0;
  ++j.stay;
}

void Replica::forget_stale() {
  if (order_.size() < 64 + 2 * static_cast<std::size_t>(running())) return;
  std::erase_if(order_, [&](const Stay& s) { return !live(s); });
}

// Tokens of the prompt whose cache is there: a known share, or the leading blocks that were used before.
int Replica::found_in_cache(const Job& j) {
  if (j.in_trace < 0) return std::min(j.input - 1, static_cast<int>(j.input * options_.prefix_hit));
  int found = 0;
  for (const std::uint64_t block : options_.trace->blocks_of(j.in_trace)) {
    const auto known = prefixes_.at.find(block);
    if (known == prefixes_.at.end()) break;
    prefixes_.recent.splice(prefixes_.recent.begin(), prefixes_.recent, known->second);
    found += options_.trace->block_tokens;
  }
  return std::min(j.input - 1, found);
}

// The blocks of a prompt stay until running requests or newer blocks need their pages.
void Replica::remember(const Job& j) {
  if (j.in_trace < 0) return;
  const RequestTrace& trace = *options_.trace;
  for (const std::uint64_t block : trace.blocks_of(j.in_trace)) {
    const auto [entry, added] = prefixes_.at.try_emplace(block);
    if (!added) prefixes_.recent.erase(entry->second);
    prefixes_.recent.push_front(block);
    entry->second = prefixes_.recent.begin();
  }
  const auto room = static_cast<std::size_t>(std::max<std::int64_t>(0, blocks_ - used_) * kBlock / trace.block_tokens);
  while (prefixes_.recent.size() > room) {
    prefixes_.at.erase(prefixes_.recent.back());
    prefixes_.recent.pop_back();
  }
}

void Replica::release(int index) {
  held_.erase(std::find(held_.begin(), held_.end(), index));
  used_ -= job(index).blocks;
  ++job(index).stay;
}

std::vector<int> Replica::take_all() {
  std::vector<int> all = held_;
  for (const Stay& s : order_) {
    if (live(s) && std::find(held_.begin(), held_.end(), s.job) == held_.end()) all.push_back(s.job);
  }
  for (const int index : all) ++job(index).stay;
  for (Level& level : levels_) {
    all.insert(all.end(), level.jobs.begin(), level.jobs.end());
    level.jobs.clear();
  }
  held_.clear();
  order_.clear();
  reading_.clear();
  leaving_.clear();
  std::fill(growing_.begin(), growing_.end(), 0);
  prefixes_ = {};
  waiting_ = decoding_ = 0;
  used_ = 0;
  step_watts_ = 0;
  context_ = 0;
  return all;
}

}  // namespace fathom
