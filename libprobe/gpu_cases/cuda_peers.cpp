// Copies between cards, each ordered pair alone: by the copy engines, and read by a kernel of the other.
#include <fmt/format.h>

#include <algorithm>

#include "cuda/memory_loops.h"
#include "cuda/random_numbers.h"
#include "gpu_cases/gpu_cases.h"
#include "harness/case_units.h"

namespace fathom::probe {

namespace {

constexpr std::size_t kLarge = std::size_t{256} << 20;
constexpr std::uint64_t kSeed = 9;
constexpr double kPatience = 5;  // seconds for eight bytes: a redirected link (ACS, IOMMU) may lose them

// Both directions between two cards, with a buffer to send and one to receive on each.
class Pair {
 public:
  struct End {
    Card& card;
    CardMemory out, in, sum;
    explicit End(Card& c) : card((c.use(), c)), out(kLarge), in(kLarge), sum(2 * sizeof(unsigned long long)) {
      cuda::fill_random({.stream = c.stream()}, out.as<void>(), kLarge, 0xffff, 0, kSeed);
      c.stream().wait();
    }
  };

  Pair(Card& a, Card& b, const GpuRules& rules)
      : rules_(rules), a_(a), b_(b), access_(let_reach(a, b) && let_reach(b, a)) {}

  std::vector<Result> measure() {
    std::vector<Result> results;
    for (auto [from, to] : {std::pair(&a_, &b_), std::pair(&b_, &a_)}) {
      must_arrive(*from, *to);
      results.push_back(copied(*from, *to, 8));
      results.push_back(copied(*from, *to, kLarge));
      if (access_) results.push_back(read(*from, *to));
    }
    results.push_back(both_ways());
    return results;
  }

 private:
  static void copy(const End& from, const End& to, std::size_t bytes, cudaStream_t stream) {
    cuda_ok(cudaMemcpyPeerAsync(to.in.as<void>(), to.card.ordinal(), from.out.as<void>(), from.card.ordinal(), bytes,
                                stream),
            "cudaMemcpyPeerAsync");
  }

  static void must_arrive(const End& from, const End& to) {
    from.card.use();
    copy(from, to, 8, from.card.stream());
    const Now now = steady_clock();
    for (const double begin = now(); !from.card.stream().idle();) {
      if (now() - begin < kPatience) continue;
      throw std::runtime_error(fmt::format("eight bytes from {} did not reach {} in 5 s: look at ACS and IOMMU",
                                           from.card.device(), to.card.device()));
    }
  }

  Result result_of(const char* name, const End& from, const End& to, Unit unit, std::size_t bytes,
                   int directions) const {
    Result r = card_result(name, from.card, unit,
                           {{"bytes", fmt::format("{}", bytes)},
                            {"directions", fmt::format("{}", directions)},
                            {"access", access_ ? "on" : "off"}});
    r.device = from.card.device() + ">" + to.card.device();
    return r;
  }

  Result copied(End& from, End& to, std::size_t bytes) {
    const bool is_latency = bytes <= kMostTimedBytes;
    from.card.use();
    Result r = result_of("gpu.peer.copy", from, to, is_latency ? Unit::kTime : Unit::kBytesPerSecond, bytes, 1);
    forget(to);
    fill(r, {.amount = static_cast<double>(bytes), .engine = "builtin", .kernel = "cudaMemcpyPeerAsync", .cache = ""},
         time_on_card(from.card, {.repeat = rules_.repeat(), .launches = Launches::kEager},
                      [&](const cuda::Launch& how, int) { copy(from, to, bytes, how.stream); }));
    check(r, "words that differ at the target", differing(to, bytes), 0);
    return r;
  }

  Result both_ways() {
    Result r = result_of("gpu.peer.copy", a_, b_, Unit::kBytesPerSecond, kLarge, 2);
    const GroupBody body{.launch =
                             [&](int) {
                               a_.card.use();
                               copy(a_, b_, kLarge, a_.card.stream());
                               b_.card.use();
                               copy(b_, a_, kLarge, b_.card.stream());
                             },
                         .prepare = {}};
    forget(a_);
    forget(b_);
    fill(r,
         {.amount = 2.0 * static_cast<double>(kLarge),
          .engine = "builtin",
          .kernel = "cudaMemcpyPeerAsync",
          .cache = ""},
         time_on_cards({&a_.card, &b_.card}, {.repeat = rules_.repeat(), .launches = Launches::kEager}, body));
    check(r, "words that differ at both targets", differing(a_, kLarge) + differing(b_, kLarge), 0);
    return r;
  }

  // What lies at `from`, by a kernel of `to`.
  Result read(const End& from, End& to) {
    to.card.use();
    Result r = result_of("gpu.peer.read", from, to, Unit::kBytesPerSecond, kLarge, 1);
    const auto run = [&](const cuda::Launch& how, int) {
      cuda::read_memory(how, {.blocks_per_multiprocessor = 8, .loads = 8}, from.out.as<void>(), kLarge, 1,
                        to.sum.as<unsigned long long>());
    };
    fill(r,
         {.amount = static_cast<double>(kLarge),
          .engine = "builtin",
          .kernel = "16 B loads of the other's memory",
          .cache = ""},
         time_on_card(to.card, {.repeat = rules_.repeat()}, run));
    clear(to.card, to.sum, 0);
    run({.stream = to.card.stream()}, 0);
    cuda::sum_random({.stream = to.card.stream()}, kLarge, kSeed, to.sum.as<unsigned long long>() + 1);
    to.card.stream().wait();
    const auto sums = on_host<unsigned long long>(to.sum.as<void>(), 2);
    check(r, "the sum of all words", sums[0] == sums[1] ? 0 : 1, 0);
    return r;
  }

  // What was copied before would pass for what is copied next.
  static void forget(const End& at) {
    at.card.use();
    clear(at.card, at.in, 0);
    at.card.stream().wait();  // the copies are in the other card's stream
  }

  static double differing(End& at, std::size_t bytes) {
    at.card.use();
    clear(at.card, at.sum, 0);
    cuda::count_others({.stream = at.card.stream()}, at.in.as<void>(), bytes, kSeed, at.sum.as<unsigned long long>());
    at.card.stream().wait();
    return static_cast<double>(on_host<unsigned long long>(at.sum.as<void>(), 1)[0]);
  }

  const GpuRules& rules_;
  End a_, b_;
  bool access_;
};

}  // namespace

std::vector<Result> measure_gpu_peers(const Cards& cards, const GpuRules& rules) {
  std::vector<Result> results;
  for (std::size_t a = 0; a < cards.size(); ++a) {
    for (std::size_t b = a + 1; b < cards.size(); ++b) {
      attempt(results, "gpu.peer", *cards[a], [&] {
        for (Result& result : Pair(*cards[a], *cards[b], rules).measure()) results.push_back(std::move(result));
      });
    }
  }
  if (cards.size() < 2) {
    results.push_back(without_figure("gpu.peer", cards.front()->device(), Status::kNotSupported, "it has no peer"));
  }
  return results;
}

}  // namespace fathom::probe
