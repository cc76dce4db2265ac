#include "serve/scheduler.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "cache/kv_cache.h"

namespace fathom {

std::int64_t blocks_of(const Request& request) {
  return KvCache::blocks_for(static_cast<std::int64_t>(request.prompt.size()) + request.output_tokens + 1);  // a draft
}

std::int64_t cache_tokens(const Request& request) { return blocks_of(request) * KvCache::kBlockTokens; }

Scheduler::Scheduler(std::vector<Request> requests, const SchedulerOptions& options)
    : options_(options), free_blocks_(options.cache_blocks) {
  std::stable_sort(requests.begin(), requests.end(),
                   [](const Request& a, const Request& b) { return a.arrival < b.arrival; });
  waiting_.assign(std::make_move_iterator(requests.begin()), std::make_move_iterator(requests.end()));
  for (const Request& r : waiting_) {
    if (blocks_of(r) > options.cache_blocks) {
      throw std::invalid_argument(fmt::format("request {} of {} tokens can never fit the cache", r.id,
                                              r.prompt.size() + static_cast<std::size_t>(r.output_tokens)));
    }
  }
  for (int s = options.max_sequences; s-- > 0;) free_sequences_.push_back(options.first_sequence + s);
}

// A request enters when a sequence and room for its whole length are free, in order of arrival: nothing is ever preempted.
void Scheduler::admit(double now) {
  while (!waiting_.empty() && !free_sequences_.empty() && waiting_.front().arrival <= now) {
    const std::int64_t blocks = blocks_of(waiting_.front());
    if (blocks > free_blocks_) break;
    Running r;
    r.request = std::move(waiting_.front());
    waiting_.pop_front();
    r.tokens = r.request.prompt;
    r.blocks = blocks;
    r.sequence = free_sequences_.back();
    free_sequences_.pop_back();
    free_blocks_ -= blocks;
    if (r.request.cached) {
      r.computed = static_cast<std::int64_t>(r.tokens.size()) - 1;
      to_fill_[r.sequence] = r.computed;
    }
    running_.push_back(std::move(r));
  }
}

void Scheduler::retire() {
  released_.clear();
  for (std::size_t i = 0; i < running_.size();) {
    Running& r = running_[i];
    if (r.answered() < r.request.output_tokens) {
      ++i;
      continue;
    }
    r.tokens.resize(r.request.prompt.size() + r.request.output_tokens);  // a verified draft may lie beyond the end
    answers_[r.request.id].assign(r.tokens.begin() + static_cast<std::ptrdiff_t>(r.request.prompt.size()),
                                  r.tokens.end());
    released_.push_back(r.sequence);
    free_sequences_.push_back(r.sequence);
    free_blocks_ += r.blocks;
    running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

StepInput Scheduler::next(double now) {
  retire();
  to_fill_.clear();
  admit(now);
  in_step_.clear();
  StepInput input;
  const auto add_row = [&](int token, int next) {
    input.tokens.push_back(token);
    input.next_tokens.push_back(next);
  };
  for (std::size_t i = 0; i < running_.size(); ++i) {
    const Running& r = running_[i];
    if (r.prompt_left() > 0) continue;
    Piece piece{.request = r.request.id, .sequence = r.sequence, .position = r.computed};
    add_row(r.tokens.back(), -1);
    if (r.draft >= 0) {
      add_row(r.draft, -1);
      piece.tokens = 2;
    }
    input.pieces.push_back(piece);
    in_step_.push_back({static_cast<int>(i), true});
  }
  int budget = options_.chunk_tokens - input.rows();
  for (std::size_t i = 0; i < running_.size() && budget > 0; ++i) {
    const Running& r = running_[i];
    const std::int64_t left = r.prompt_left();
    if (left == 0) continue;
    const int count = static_cast<int>(std::min<std::int64_t>(left, budget));
    budget -= count;
    for (int t = 0; t < count; ++t) {
      const std::size_t at = static_cast<std::size_t>(r.computed) + t;
      add_row(r.tokens[at], at + 1 < r.tokens.size() ? r.tokens[at + 1] : -1);
    }
    input.pieces.push_back({.request = r.request.id,
                            .sequence = r.sequence,
                            .position = r.computed,
                            .tokens = count,
                            .decode = false,
                            .last_chunk = count == left});
    in_step_.push_back({static_cast<int>(i), false});
  }
  for (std::size_t p = 0; p < in_step_.size();
       ++p) {  // the prompt's part is in the cache after this step, whoever samples
    if (!in_step_[p].decode) running_[in_step_[p].running].computed += input.pieces[p].tokens;
  }
  return input;
}

void Scheduler::take(const std::vector<PieceOutput>& outputs) {
  for (std::size_t p = 0; p < outputs.size(); ++p) {
    Running& r = running_[in_step_[p].running];
    for (int token : outputs[p].tokens) {
      const std::size_t k = static_cast<std::size_t>(r.answered());
      r.tokens.push_back(k < r.request.forced.size() ? r.request.forced[k] : token);
    }
    if (in_step_[p].decode) r.computed += static_cast<std::int64_t>(outputs[p].tokens.size());
    r.draft = options_.drafts ? outputs[p].draft : -1;
  }
}

}  // namespace fathom
