// Mixture of experts: choose, take tokens to their experts, multiply, bring the sums back.
//
// Without attention-DP every rank of the stage knows every row, computes what its own experts add, and the all-reduce joins
// the sums. With attention-DP rows travel: each rank of a tensor-parallel group sends its share of the group's rows.
#include <algorithm>
#include <cstring>

#include "executor/host_executor.h"
#include "host/vector_math.h"

namespace fathom {

namespace {

// The rows of a group that one of its ranks sends.
struct Share {
  int first = 0, last = 0;
  Share(int rows, int rank, int ranks)
      : first(static_cast<int>(std::int64_t{rows} * rank / ranks)),
        last(static_cast<int>(std::int64_t{rows} * (rank + 1) / ranks)) {}
};

template <class T>
void append(std::vector<std::byte>& to, const T* from, std::size_t count) {
  const auto* bytes = reinterpret_cast<const std::byte*>(from);
  to.insert(to.end(), bytes, bytes + count * sizeof(T));
}

// What precedes a row on its way: where it comes from, and the experts it wants there.
struct Ticket {
  std::int32_t row = 0;
  std::int32_t experts = 0;
};
struct Wish {
  std::int32_t expert = 0;
  float weight = 0;
};

}  // namespace

void HostExecutor::router(const Instruction& i) {
  const OperatorWeights& w = weights(i.name, i.layer);
  const int experts = a_.moe->routed_experts;
  float* logits = room(router_logits_, static_cast<std::int64_t>(rows_.all()) * experts);
  linear(w.matrices.front().view, normed_.as<float>(), a_.hidden_size, rows_.all(), logits, experts);
  const float* bias = w.vectors.empty() ? nullptr : w.vectors.front().data();
  routed_.assign(rows_.all(), {});
  team_.for_ranges(rows_.all(), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      routed_[r] = host::route(router_rule_, logits + r * experts, bias);
      for (host::RoutedExpert& e : routed_[r]) exact(&e.weight, 1);
    }
  });
  exchanged_ = l_.attention_dp > 1;
  if (!exchanged_) take_local_pairs(i.layer);
}

// Pairs of (row, expert held here), by expert, and the rows gathered in that order.
void HostExecutor::take_local_pairs(int layer) {
  const std::vector<int>& held = weights_.experts(layer);
  pairs_.clear();
  for (int local = 0; local < static_cast<int>(held.size()); ++local) {
    for (int r = 0; r < static_cast<int>(routed_.size()); ++r) {
      for (const host::RoutedExpert& e : routed_[r]) {
        if (e.expert == held[local]) pairs_.push_back({.expert = local, .row = r, .weight = e.weight});
      }
    }
  }
  const std::int64_t width = a_.hidden_size;
  float* in = room(pair_in_, static_cast<std::int64_t>(pairs_.size()) * width);
  const float* rows = exchanged_ ? wire_.as<float>() : normed_.as<float>();
  for (std::size_t p = 0; p < pairs_.size(); ++p) std::copy_n(rows + pairs_[p].row * width, width, in + p * width);
}

void HostExecutor::dispatch(const Instruction& i) {
  const int ranks = groups_.stage->size();
  const std::int64_t width = a_.hidden_size;
  std::vector<std::vector<std::byte>> send(ranks);
  const Share share(rows_.all(), place_.rank, l_.tp);
  for (int r = share.first; r < share.last; ++r) {
    for (int to = 0; to < ranks; ++to) {
      std::vector<Wish> wishes;
      for (const host::RoutedExpert& e : routed_[r]) {
        if (options_.expert_owner[e.expert] == to) wishes.push_back({.expert = e.expert, .weight = e.weight});
      }
      if (wishes.empty()) continue;
      const Ticket ticket{.row = r, .experts = static_cast<std::int32_t>(wishes.size())};
      append(send[to], &ticket, 1);
      append(send[to], wishes.data(), wishes.size());
      append(send[to], normed_.as<float>() + r * width, static_cast<std::size_t>(width));
    }
  }
  const std::vector<std::vector<std::byte>> came = groups_.stage->all_to_all(send);

  arrivals_.clear();
  routed_.clear();
  std::vector<float> rows;
  for (int from = 0; from < ranks; ++from) {
    const std::byte* at = came[from].data();
    const std::byte* end = at + came[from].size();
    while (at < end) {
      Ticket ticket;
      std::memcpy(&ticket, at, sizeof ticket);
      at += sizeof ticket;
      std::vector<host::RoutedExpert>& wishes = routed_.emplace_back();
      for (int e = 0; e < ticket.experts; ++e, at += sizeof(Wish)) {
        Wish wish;
        std::memcpy(&wish, at, sizeof wish);
        wishes.push_back({.expert = wish.expert, .weight = wish.weight});
      }
      rows.resize(rows.size() + width);
      std::memcpy(rows.data() + rows.size() - width, at, width * sizeof(float));
      at += width * sizeof(float);
      arrivals_.push_back({.from = from, .row = ticket.row});
    }
  }
  std::copy(rows.begin(), rows.end(), room(wire_, static_cast<std::int64_t>(rows.size()), Purpose::kCommunication));
  take_local_pairs(i.layer);
}

void HostExecutor::experts_gate_up(const Instruction& i) {
  const OperatorWeights& w = weights(i.name, i.layer);
  if (w.matrices.empty()) return;
  const std::int64_t width = w.matrices.front().view.rows;
  const std::size_t held = w.matrices.size() / 2;  // every gate, then every up
  float* out = room(pair_gate_up_, static_cast<std::int64_t>(pairs_.size()) * 2 * width);
  for (std::size_t first = 0, last; first < pairs_.size(); first = last) {
    const int expert = pairs_[first].expert;
    for (last = first; last < pairs_.size() && pairs_[last].expert == expert;) ++last;
    const float* x = pair_in_.as<float>() + first * a_.hidden_size;
    const int rows = static_cast<int>(last - first);
    gate_and_up(w.matrices[expert].view, w.matrices[held + expert].view, x, rows, out + first * 2 * width);
  }
}

void HostExecutor::experts_activation(const Instruction&) {
  const std::int64_t width = a_.moe->intermediate_size / l_.expert_tp();
  const int rows = static_cast<int>(pairs_.size());
  gated_activation(pair_gate_up_.as<float>(), rows, width, room(pair_hidden_, rows * width));
}

void HostExecutor::experts_down(const Instruction& i) {
  const OperatorWeights& w = weights(i.name, i.layer);
  const std::int64_t width = a_.moe->intermediate_size / l_.expert_tp(), out_width = a_.hidden_size;
  float* out = room(pair_out_, static_cast<std::int64_t>(pairs_.size()) * out_width);
  for (std::size_t first = 0, last; first < pairs_.size(); first = last) {
    const int expert = pairs_[first].expert;
    for (last = first; last < pairs_.size() && pairs_[last].expert == expert;) ++last;
    linear(w.matrices[expert].view, pair_hidden_.as<float>() + first * width, width, static_cast<int>(last - first),
           out + first * out_width, out_width);
  }
}

// Each row that came gets one weighted sum back; its sender adds them up in rank order.
void HostExecutor::combine_exchange(const Instruction&) {
  const std::int64_t width = a_.hidden_size;
  const std::size_t arrived = arrivals_.size();
  float* sums = room(pair_in_, static_cast<std::int64_t>(arrived) * width);
  std::fill_n(sums, arrived * width, 0.0f);
  for (std::size_t p = 0; p < pairs_.size(); ++p) {
    host::add_scaled(sums + pairs_[p].row * width, pairs_[p].weight, pair_out_.as<float>() + p * width, width);
  }
  std::vector<std::vector<std::byte>> back(groups_.stage->size());
  for (std::size_t a = 0; a < arrived; ++a) {
    const std::int32_t row = arrivals_[a].row;
    append(back[arrivals_[a].from], &row, 1);
    append(back[arrivals_[a].from], sums + a * width, static_cast<std::size_t>(width));
  }
  const std::vector<std::vector<std::byte>> came = groups_.stage->all_to_all(back);
  float* out = room(block_, rows_.all() * width);
  std::fill_n(out, rows_.all() * width, 0.0f);
  std::vector<float> sum(width);
  for (const std::vector<std::byte>& part : came) {
    for (std::size_t at = 0; at < part.size(); at += sizeof(std::int32_t) + width * sizeof(float)) {
      std::int32_t row;
      std::memcpy(&row, part.data() + at, sizeof row);
      std::memcpy(sum.data(), part.data() + at + sizeof row, width * sizeof(float));
      host::add(out + row * width, sum.data(), width);
    }
  }
}

void HostExecutor::shared_gate_up(const Instruction& i) { ffn_gate_up(i); }

void HostExecutor::shared_activation(const Instruction& i) {
  const std::int64_t width = weights("moe.shared.gate_up", i.layer).matrices.front().view.rows;
  gated_activation(gate_up_.as<float>(), rows_.all(), width, room(hidden_, rows_.all() * width));
}

void HostExecutor::shared_down(const Instruction& i) {
  const host::Matrix& w = weights(i.name, i.layer).matrices.front().view;
  linear(w, hidden_.as<float>(), w.cols, rows_.all(),
         room(shared_out_, static_cast<std::int64_t>(rows_.all()) * w.rows), w.rows);
}

void HostExecutor::combine(const Instruction& i) {
  const std::int64_t width = a_.hidden_size;
  if (!exchanged_) {
    float* out = room(block_, rows_.all() * width);
    std::fill_n(out, rows_.all() * width, 0.0f);
    for (std::size_t p = 0; p < pairs_.size(); ++p) {
      host::add_scaled(out + pairs_[p].row * width, pairs_[p].weight, pair_out_.as<float>() + p * width, width);
    }
  }
  if (weights("moe.shared.down", i.layer).matrices.empty()) return;
  host::add(block_.as<float>(), shared_out_.as<float>(), rows_.all() * width);
}

}  // namespace fathom
