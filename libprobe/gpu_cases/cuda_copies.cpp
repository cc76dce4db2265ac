// Copies between pinned memory of the host and a card, each way and both at once.
#include <fmt/format.h>

#include <cstring>

#include "cuda/random_numbers.h"
#include "gpu_cases/gpu_cases.h"
#include "harness/case_units.h"

namespace fathom::probe {

namespace {

constexpr std::size_t kLarge = std::size_t{256} << 20;
constexpr std::uint64_t kSeed = 5;

std::vector<std::size_t> sizes_of(const GpuRules& rules) {
  if (rules.detail == Detail::kFew) return {8, kLarge};
  return {8, 4096, 65536, std::size_t{1} << 20, std::size_t{16} << 20, kLarge, std::size_t{1} << 30};
}

// Words of `memory` that are not what was sent.
double others(const Card& card, const CardMemory& memory, std::size_t bytes) {
  const CardMemory count(sizeof(unsigned long long));
  clear(card, count, 0);
  cuda::count_others({.stream = card.stream()}, memory.as<void>(), bytes, kSeed, count.as<unsigned long long>());
  card.stream().wait();
  return static_cast<double>(on_host<unsigned long long>(count.as<void>(), 1)[0]);
}

class Copies {
 public:
  Copies(Card& card, const GpuRules& rules, std::size_t most)
      : card_(card), rules_(rules), from_(most), to_(most), host_(most), back_(most) {
    cuda::fill_random({.stream = card.stream()}, from_.as<void>(), most, 0xffff, 0, kSeed);
    card.stream().wait();
  }

  // From the card, then back to another place of it, where all of it must be what it was.
  std::vector<Result> measure(std::size_t bytes) {
    forget();
    std::memset(host_.as<void>(), 2, to_.bytes());
    Result d2h = one_way("gpu.copy.d2h", bytes, host_.as<void>(), from_.as<void>(), cudaMemcpyDeviceToHost);
    Result h2d = one_way("gpu.copy.h2d", bytes, to_.as<void>(), host_.as<void>(), cudaMemcpyHostToDevice);
    card_.look_at_slot();
    check(h2d, "words that differ after both ways", differing(bytes), 0);
    d2h.correctness = h2d.correctness;
    std::vector<Result> results = {h2d, d2h};
    if (bytes >= kLarge) {
      forget();
      results.push_back(both_ways(bytes));
      const double wrong = differing(bytes);  // what came up; then what went down, by the same place
      cuda_ok(cudaMemcpy(to_.as<void>(), back_.as<void>(), bytes, cudaMemcpyHostToDevice), "a copy");
      check(results.back(), "words that differ at both targets", wrong + differing(bytes), 0);
    }
    return results;
  }

 private:
  // What was copied before would pass for what is copied next.
  void forget() {
    clear(card_, to_, 0);
    std::memset(back_.as<void>(), 1, to_.bytes());
  }

  Result figure(const char* name, std::size_t bytes, int directions, const CardBody& body) {
    const bool is_latency = bytes <= kMostTimedBytes;
    Result r = card_result(name, card_, is_latency ? Unit::kTime : Unit::kBytesPerSecond,
                           {{"bytes", fmt::format("{}", bytes)}, {"directions", fmt::format("{}", directions)}});
    fill(r,
         {.amount = static_cast<double>(bytes) * directions,
          .engine = "builtin",
          .kernel = "cudaMemcpyAsync, pinned",
          .cache = ""},
         time_on_card(card_, {.repeat = rules_.repeat(), .launches = Launches::kEager}, body));
    return r;
  }

  Result one_way(const char* name, std::size_t bytes, void* to, const void* from, cudaMemcpyKind kind) {
    return figure(name, bytes, 1, [=](const cuda::Launch& how, int) {
      cuda_ok(cudaMemcpyAsync(to, from, bytes, kind, how.stream), "cudaMemcpyAsync");
    });
  }

  Result both_ways(std::size_t bytes) {
    const CudaStream other;
    const CudaEvent begun, ended;
    return figure("gpu.copy.both", bytes, 2, [&](const cuda::Launch& how, int) {
      cuda_ok(cudaEventRecord(begun, how.stream), "cudaEventRecord");
      cuda_ok(cudaStreamWaitEvent(other, begun, 0), "cudaStreamWaitEvent");
      cuda_ok(cudaMemcpyAsync(to_.as<void>(), host_.as<void>(), bytes, cudaMemcpyHostToDevice, how.stream), "a copy");
      cuda_ok(cudaMemcpyAsync(back_.as<void>(), from_.as<void>(), bytes, cudaMemcpyDeviceToHost, other), "a copy");
      cuda_ok(cudaEventRecord(ended, other), "cudaEventRecord");
      cuda_ok(cudaStreamWaitEvent(how.stream, ended, 0), "cudaStreamWaitEvent");
    });
  }

  double differing(std::size_t bytes) const { return others(card_, to_, bytes); }

  Card& card_;
  const GpuRules& rules_;
  CardMemory from_, to_;
  PinnedBuffer host_, back_;
};

std::vector<Result> measure(Card& card, const GpuRules& rules) {
  const std::vector<std::size_t> sizes = sizes_of(rules);
  Copies copies(card, rules, sizes.back());
  std::vector<Result> results;
  for (const std::size_t bytes : sizes) {
    for (Result& result : copies.measure(bytes)) results.push_back(std::move(result));
  }
  return results;
}

// What the cards of a node get when all of them ask: shared switches and memory show only so.
Result together(const char* name, const Cards& cards, const GpuRules& rules, cudaMemcpyKind kind) {
  std::vector<CardMemory> on_cards;
  std::vector<PinnedBuffer> on_host;
  for (const auto& card : cards) {
    card->use();
    on_cards.emplace_back(kLarge);
    on_host.emplace_back(kLarge);
    cuda::fill_random({.stream = card->stream()}, on_cards.back().as<void>(), kLarge, 0xffff, 0, kSeed);
    card->stream().wait();
    cuda_ok(cudaMemcpy(on_host.back().as<void>(), on_cards.back().as<void>(), kLarge, cudaMemcpyDeviceToHost),
            "a copy");
    const bool up = kind == cudaMemcpyHostToDevice;  // where it goes, nothing is left of it
    if (up) clear(*card, on_cards.back(), 0);
    if (!up) std::memset(on_host.back().as<void>(), 0, kLarge);
  }
  const GroupBody body{
      .launch =
          [&](int) {
            for (std::size_t i = 0; i < cards.size(); ++i) {
              void *device = on_cards[i].as<void>(), *host = on_host[i].as<void>();
              const bool up = kind == cudaMemcpyHostToDevice;
              cards[i]->use();
              cuda_ok(cudaMemcpyAsync(up ? device : host, up ? host : device, kLarge, kind, cards[i]->stream()),
                      "cudaMemcpyAsync");
            }
          },
      .prepare = {}};
  Result r = card_result(
      name, *cards.front(), Unit::kBytesPerSecond,
      {{"bytes", fmt::format("{}", kLarge)}, {"directions", "1"}, {"together", fmt::format("{}", cards.size())}});
  r.device = devices_text(all_of(cards));
  fill(r,
       {.amount = static_cast<double>(kLarge) * static_cast<double>(cards.size()),
        .engine = "builtin",
        .kernel = "cudaMemcpyAsync, pinned",
        .cache = ""},
       time_on_cards(all_of(cards), {.repeat = rules.repeat(), .launches = Launches::kEager}, body));
  double wrong = 0;
  for (std::size_t i = 0; i < cards.size(); ++i) {
    cards[i]->use();
    if (kind == cudaMemcpyDeviceToHost) {
      cuda_ok(cudaMemcpy(on_cards[i].as<void>(), on_host[i].as<void>(), kLarge, cudaMemcpyHostToDevice), "a copy");
    }
    wrong += others(*cards[i], on_cards[i], kLarge);
  }
  check(r, "words that differ at the targets", wrong, 0);
  return r;
}

}  // namespace

std::vector<Result> measure_gpu_copies(const Cards& cards, const GpuRules& rules) {
  std::vector<Result> results = in_turn(cards, "gpu.copy", [&](Card& card) { return measure(card, rules); });
  if (cards.size() < 2) return results;
  attempt(results, "gpu.copy", *cards.front(), [&] {
    results.push_back(together("gpu.copy.h2d", cards, rules, cudaMemcpyHostToDevice));
    results.push_back(together("gpu.copy.d2h", cards, rules, cudaMemcpyDeviceToHost));
  });
  return results;
}

}  // namespace fathom::probe
