// Sums of small messages by the engine's own kernel, which writes into the other cards' memory: what a step of one token waits for after
// every layer.
#include <fmt/format.h>

#include <cstring>

#include "cuda/peers.h"
#include "cuda/random_numbers.h"
#include "gpu_cases/card_weights.h"
#include "gpu_cases/gpu_cases.h"

namespace fathom::probe {

namespace {

constexpr int kWidth = 8192;
constexpr std::size_t kPacketBytes = 128 << 10;  // up to here every eight bytes have a mark, as in the engine
constexpr std::uint64_t kPatienceNs = 5'000'000'000;

// One card's share.
struct Share {
  Card* card;
  CardMemory flags, before, partial, packets, flights, residual;
  PinnedBuffer trouble;
  std::uint32_t calls = 0;

  Share(Card& c, int ranks, int rows, int width)
      : card((c.use(), &c)),
        flags(cuda::kPeerFlags * sizeof(std::uint32_t)),
        before(sizeof(std::uint32_t)),
        partial(static_cast<std::size_t>(rows) * static_cast<std::size_t>(width) * 2),
        packets(cuda::peer_packet_bytes(ranks, rows, width)),
        flights(cuda::peer_flight_bytes(ranks, rows, width)),
        residual(partial.bytes() * 2),
        trouble(sizeof(cuda::PeerTrouble)) {
    for (const CardMemory* zeros : {&flags, &before, &packets}) clear(c, *zeros, 0);
    std::memset(trouble.as<void>(), 0, sizeof(cuda::PeerTrouble));
    // Eighths between 1 and 2: their sums are exact.
    cuda::fill_random({.stream = c.stream()}, partial.as<void>(), partial.bytes(), 0x0070, 0x3f80,
                      static_cast<std::uint64_t>(c.ordinal()) << 40);
    c.stream().wait();
  }
};

class SmallSum {
 public:
  SmallSum(const Cards& cards, std::size_t bytes)
      : cards_(all_of(cards)),
        width_(static_cast<int>(std::min<std::size_t>(bytes / 2, kWidth))),
        rows_(static_cast<int>(bytes / 2) / width_) {
    for (Card* card : cards_) shares_.emplace_back(*card, static_cast<int>(cards_.size()), rows_, width_);
  }

  Result measure(const GpuRules& rules) {
    const std::size_t bytes = shares_.front().partial.bytes();
    Result r = collective_result("collective.all_reduce", cards_, bytes);
    r.shape["launch"] = to_string(Launches::kGraph);
    r.shape["by"] = "fathom";
    const GroupBody body{.launch = [&](int run) { launch(run); }, .prepare = [&](int runs) { count_calls(runs); }};
    for (const Share& share : shares_) {
      share.card->use();
      clear(*share.card, share.residual, 0xff);
    }
    fill(r, {.engine = our_kernels(), .kernel = "peer_reduce", .cache = ""},
         time_on_cards(cards_, {.repeat = rules.repeat()}, body));
    for (const Share& share : shares_) {
      if (share.trouble.as<volatile cuda::PeerTrouble>()->missing != 0) {
        throw std::runtime_error("a card waited in vain for another");
      }
    }
    check(r, "all values of each card", wrong(), 0);
    return r;
  }

 private:
  // Calls are numbered on from sample to sample.
  void count_calls(int runs) {
    for (Share& share : shares_) {
      share.card->use();
      share.calls += done_;
      cuda_ok(cudaMemcpy(share.before.as<void>(), &share.calls, sizeof share.calls, cudaMemcpyHostToDevice),
              "cudaMemcpy");
    }
    done_ = static_cast<std::uint32_t>(runs);
  }

  void launch(int run) {
    cuda::PeerReduce op;
    op.rows = rows_;
    op.width = width_;
    op.replace = true;
    op.packet_rows = shares_.front().partial.bytes() <= kPacketBytes ? rows_ : 0;
    op.flight_rows = rows_;
    for (std::size_t rank = 0; rank < shares_.size(); ++rank) {
      op.partial[rank] = shares_[rank].partial.as<std::uint16_t>();
      op.packets[rank] = shares_[rank].packets.as<void>();
      op.flights[rank] = shares_[rank].flights.as<void>();
      op.peers.flags[rank] = shares_[rank].flags.as<std::uint32_t>();
    }
    op.peers.ranks = static_cast<int>(shares_.size());
    op.peers.number = static_cast<std::uint32_t>(run + 1);
    op.peers.patience_ns = kPatienceNs;
    for (std::size_t rank = 0; rank < shares_.size(); ++rank) {
      const Share& share = shares_[rank];
      share.card->use();
      op.peers.rank = static_cast<int>(rank);
      op.peers.before = share.before.as<std::uint32_t>();
      op.peers.trouble = share.trouble.as<volatile cuda::PeerTrouble>();
      op.residual = share.residual.as<float>();
      cuda::peer_reduce({.stream = share.card->stream()}, op);
    }
  }

  double wrong() const {
    std::vector<double> sums(static_cast<std::size_t>(rows_ * width_));
    for (const Share& share : shares_) {
      share.card->use();
      const auto values = bf16_on_host(share.partial.as<std::uint16_t>(), sums.size());
      for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += values[i];
    }
    double found = 0;
    for (const Share& share : shares_) {
      share.card->use();
      const auto got = on_host<float>(share.residual.as<void>(), sums.size());
      for (std::size_t i = 0; i < sums.size(); ++i) found += static_cast<double>(got[i]) != sums[i] ? 1 : 0;
    }
    return found;
  }

  std::vector<Card*> cards_;
  int width_, rows_;
  std::vector<Share> shares_;
  std::uint32_t done_ = 0;  // calls of the last sample
};

bool reach_each_other(const Cards& cards) {
  bool all = true;
  for (const auto& from : cards) {
    for (const auto& to : cards) all = all && (from == to || let_reach(*from, *to));
  }
  return all;
}

}  // namespace

std::vector<Result> measure_small_sums(const Cards& cards, const GpuRules& rules) {
  std::vector<Result> results;
  const Card& first = *cards.front();
  const auto missing = [&](const char* why) {
    return std::vector{without_figure("collective.all_reduce", first.device(), Status::kNotSupported, why)};
  };
  if (cards.size() > cuda::kMostPeers) return missing("the engine's kernel sums over eight cards at most");
  if (!reach_each_other(cards)) return missing("these cards cannot reach each other's memory");
  for (std::size_t kib = 1; kib <= 1024; kib *= 2) {
    attempt(results, "collective.all_reduce", first,
            [&] { results.push_back(SmallSum(cards, kib << 10).measure(rules)); });
  }
  return results;
}

}  // namespace fathom::probe
