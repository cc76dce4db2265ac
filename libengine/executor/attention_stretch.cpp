#include "executor/attention_stretch.h"

#include <algorithm>
#include <cmath>

namespace fathom {

namespace {

constexpr std::int64_t kContext = 4 * host::kPageRows;  // of a stretch that decodes: some 20 us of work per head
constexpr int kRows = 32;                               // of a stretch of a prompt
constexpr int kFewRows = 8;                             // up to so many, a piece is cut along its context

}  // namespace

std::vector<Stretch> stretches_of(const std::vector<Piece>& pieces, const StretchRule& rule) {
  std::vector<Stretch> all;
  for (int i = 0; i < rule.pieces; ++i) {
    const Piece& p = pieces[i];
    const bool few = p.tokens <= kFewRows;
    for (int head = 0; head < rule.heads; head += rule.heads_at_once) {
      for (int row = 0; row < p.tokens; row += few ? p.tokens : kRows) {
        const int rows = few ? p.tokens : std::min(kRows, p.tokens - row);
        const std::int64_t seen = rule.window > 0 ? std::max<std::int64_t>(0, p.position + row + 1 - rule.window) : 0;
        const std::int64_t end = p.position + row + rows;
        Stretch s{.piece = i,
                  .head = head,
                  .heads = std::min(rule.heads_at_once, rule.heads - head),
                  .row = row,
                  .rows = rows,
                  .first = seen / host::kPageRows * host::kPageRows,
                  .last = end};
        while (few && s.first + kContext < end) {
          s.last = s.first + kContext;
          all.push_back(s);
          s.first = s.last;
          s.last = end;
        }
        all.push_back(s);
      }
    }
  }
  return all;
}

void StretchSums::add(const StretchSums& later, std::int64_t width) {
  for (std::size_t i = 0; i < states.size(); ++i) {
    const host::SoftmaxState<float>& other = later.states[i];
    if (other.sum == 0) continue;  // saw nothing
    host::SoftmaxState<float>& own = states[i];
    const float highest = std::max(own.max, other.max);
    const float keep = std::exp(own.max - highest), take = std::exp(other.max - highest);
    own.max = highest;
    own.sum = own.sum * keep + other.sum * take;
    float* to = out.data() + i * width;
    const float* from = later.out.data() + i * width;
    for (std::int64_t j = 0; j < width; ++j) to[j] = to[j] * keep + from[j] * take;
  }
}

void StretchSums::finish(std::int64_t width) {
  for (std::size_t i = 0; i < states.size(); ++i) host::finish(states[i], out.data() + i * width, width);
}

std::vector<std::size_t> join(const std::vector<Stretch>& stretches, std::vector<StretchSums>& sums,
                              std::int64_t width) {
  std::vector<std::size_t> firsts;
  for (std::size_t i = 0; i < stretches.size(); ++i) {
    const Stretch& s = stretches[i];
    const bool follows = !firsts.empty() && stretches[firsts.back()].piece == s.piece &&
                         stretches[firsts.back()].head == s.head && stretches[firsts.back()].row == s.row;
    if (follows) {
      sums[firsts.back()].add(sums[i], width);
    } else {
      firsts.push_back(i);
    }
  }
  for (std::size_t first : firsts) sums[first].finish(width);
  return firsts;
}

}  // namespace fathom
