// What the cards of a node tell each other through NCCL, in a graph and launched one by one. One thread drives all cards; sizes are
// those of nccl-tests.
#include <fmt/format.h>

#include <algorithm>

#include "cuda/random_numbers.h"
#include "device/nccl.h"
#include "gpu_cases/card_weights.h"
#include "gpu_cases/gpu_cases.h"

namespace fathom::probe {

namespace {

constexpr std::size_t kMost = std::size_t{1} << 30, kValue = 2;  // bytes; of bf16
constexpr std::size_t kChecked = 32;                             // values of every rank, from the first to the last

// Every power of two: where a library takes another way its time jumps (NCCL over two H200s, from 1 to 2 MiB: by 1.9), and of sizes
// 4 and 16 apart the ones on either side are missed by 40 %.
std::vector<std::size_t> sizes_of(const GpuRules& rules) {
  std::vector<std::size_t> sizes;
  const std::size_t last = rules.detail == Detail::kFew ? kMost / 4 : kMost;
  for (std::size_t bytes = 8; bytes <= last; bytes *= 2) sizes.push_back(bytes);
  return sizes;
}

// Sends and receives of every card; what is sent are eighths between 1 and 2, whose sums over eight cards are exact in bf16.
struct Room {
  Card* card;
  CardMemory send, receive;
  Room(Card& c, std::size_t bytes) : card((c.use(), &c)), send(bytes), receive(bytes) {
    cuda::fill_random({.stream = c.stream()}, send.as<void>(), bytes, 0x0070, 0x3f80,
                      static_cast<std::uint64_t>(c.ordinal()) << 40);
    c.stream().wait();
  }
  std::uint16_t* out() const { return send.as<std::uint16_t>(); }
  std::uint16_t* in() const { return receive.as<std::uint16_t>(); }
};
using Rooms = std::vector<Room>;

class Nccl {
 public:
  explicit Nccl(const Cards& cards) : library_(nccl_library()), comms_(cards.size()) {
    std::vector<int> devices;
    for (const auto& card : cards) devices.push_back(card->ordinal());
    ok(library_.CommInitAll(comms_.data(), static_cast<int>(devices.size()), devices.data()));
  }
  Nccl(const Nccl&) = delete;
  Nccl& operator=(const Nccl&) = delete;
  ~Nccl() {
    for (void* comm : comms_) library_.CommAbort(comm);  // Destroy would wait for what failed
  }

  void* comm(std::size_t rank) const { return comms_[rank]; }
  const NcclLibrary& library() const { return library_; }
  void ok(int status) const {
    if (status != kNcclSuccess) throw std::runtime_error("NCCL: " + library_.words_of(status));
  }

  // Puts one call of every rank into its stream.
  template <class Call>
  void together(const Rooms& rooms, const Call& call) const {
    ok(library_.GroupStart());
    for (std::size_t rank = 0; rank < rooms.size(); ++rank) call(rank, rooms[rank]);
    ok(library_.GroupEnd());
  }

 private:
  const NcclLibrary& library_;
  std::vector<void*> comms_;
};

// Where value `i` of what `rank` took comes from: the ranks whose values are added, and the place in what those gave.
struct Origin {
  std::size_t first, last, place;
};

// `part` is a rank's share of the `part * ranks` values of the message.
struct Operation {
  const char* name;
  void (*call)(const Nccl& nccl, const Room& room, std::size_t rank, std::size_t ranks, std::size_t part);
  Origin (*origin)(std::size_t rank, std::size_t ranks, std::size_t part, std::size_t i);
  bool takes_a_part = false;  // instead of the whole message
};

constexpr Operation kOperations[] = {
    {"collective.all_reduce",
     [](const Nccl& n, const Room& r, std::size_t rank, std::size_t ranks, std::size_t part) {
       n.ok(n.library().AllReduce(r.out(), r.in(), part * ranks, kNcclBfloat16, kNcclSum, n.comm(rank),
                                  r.card->stream()));
     },
     [](std::size_t, std::size_t ranks, std::size_t, std::size_t i) {
       return Origin{0, ranks, i};
     }},
    {"collective.all_gather",
     [](const Nccl& n, const Room& r, std::size_t rank, std::size_t, std::size_t part) {
       n.ok(n.library().AllGather(r.out(), r.in(), part, kNcclBfloat16, n.comm(rank), r.card->stream()));
     },
     [](std::size_t, std::size_t, std::size_t part, std::size_t i) {
       return Origin{i / part, i / part + 1, i % part};
     }},
    {"collective.reduce_scatter",
     [](const Nccl& n, const Room& r, std::size_t rank, std::size_t, std::size_t part) {
       n.ok(n.library().ReduceScatter(r.out(), r.in(), part, kNcclBfloat16, kNcclSum, n.comm(rank), r.card->stream()));
     },
     [](std::size_t rank, std::size_t ranks, std::size_t part, std::size_t i) {
       return Origin{0, ranks, rank * part + i};
     },
     true},
    {"collective.all_to_all",
     [](const Nccl& n, const Room& r, std::size_t rank, std::size_t ranks, std::size_t part) {
       for (std::size_t other = 0; other < ranks; ++other) {
         const int peer = static_cast<int>(other);
         n.ok(n.library().Send(r.out() + other * part, part, kNcclBfloat16, peer, n.comm(rank), r.card->stream()));
         n.ok(n.library().Recv(r.in() + other * part, part, kNcclBfloat16, peer, n.comm(rank), r.card->stream()));
       }
     },
     [](std::size_t rank, std::size_t, std::size_t part, std::size_t i) {
       return Origin{i / part, i / part + 1, rank * part + i % part};
     }},
    {"collective.send_recv",
     [](const Nccl& n, const Room& r, std::size_t rank, std::size_t ranks, std::size_t part) {
       const int next = static_cast<int>((rank + 1) % ranks), before = static_cast<int>((rank + ranks - 1) % ranks);
       n.ok(n.library().Send(r.out(), part * ranks, kNcclBfloat16, next, n.comm(rank), r.card->stream()));
       n.ok(n.library().Recv(r.in(), part * ranks, kNcclBfloat16, before, n.comm(rank), r.card->stream()));
     },
     [](std::size_t rank, std::size_t ranks, std::size_t, std::size_t i) {
       const std::size_t before = (rank + ranks - 1) % ranks;
       return Origin{before, before + 1, i};
     }}};

class Collectives {
 public:
  Collectives(const Cards& all, const GpuRules& rules) : rules_(rules), cards_(all_of(all)), nccl_(all) {
    for (const auto& card : all) rooms_.emplace_back(*card, kMost);
  }

  void measure(std::vector<Result>& results) {
    std::vector<Case> freely;
    for (const Operation& operation : kOperations) {
      for (const std::size_t bytes : sizes_of(rules_)) {
        const std::size_t part = bytes / kValue / rooms_.size();
        if (part == 0) continue;
        Case one{.operation = operation, .part = part, .launches = Launches::kGraph};
        take(one, rules_.repeat());
        results.push_back(ended(one));
        if (is_launched_freely(operation))
          freely.push_back({.operation = operation, .part = part, .launches = Launches::kFree});
      }
    }
    measure_freely(freely, results);
  }

 private:
  struct Case {
    const Operation& operation;
    std::size_t part;
    Launches launches;
    TimedOnCard timed = {};
    double wrong = 0;  // values
  };
  std::size_t bytes_of(const Case& one) const { return one.part * rooms_.size() * kValue; }

  // Calls one by one take a third of a second each, for the host's sake, and engines have graphs: what launching adds shows in sums.
  bool is_launched_freely(const Operation& operation) const {
    return rules_.detail == Detail::kAll || &operation == &kOperations[0];
  }

  // Calls one by one took 19 us on two H200 at first, and 13 from a second on; then, for three or four seconds, 20 again: a host is disturbed
  // for longer than a case takes. So it is warm first, and the samples of a case come from rounds that are seconds apart.
  void measure_freely(std::vector<Case>& cases, std::vector<Result>& results) {
    constexpr int kRounds = 5;
    if (cases.empty()) return;
    warm_up(cards_, Launches::kFree, Seconds(1), Seconds(3), body_of(kOperations[0], 1));
    RepeatRules rules = rules_.repeat();
    rules.least = std::max(rules.least / kRounds, 3);
    rules.least_sample = rules.warm_up = Seconds(0.005);
    rules.budget = std::min(rules.budget, Seconds(0.25)) / kRounds;
    for (int round = 0; round < kRounds; ++round) {
      for (Case& one : cases) take(one, rules);
    }
    for (const Case& one : cases) results.push_back(ended(one));
  }

  GroupBody body_of(const Operation& operation, std::size_t part) const {
    return {.launch =
                [this, &operation, part](int) {
                  nccl_.together(rooms_, [&](std::size_t rank, const Room& room) {
                    operation.call(nccl_, room, rank, rooms_.size(), part);
                  });
                },
            .prepare = {}};
  }

  // What the timed calls wrote is looked at while it is there.
  void take(Case& one, const RepeatRules& rules) const {
    for (const Room& room : rooms_) {
      room.card->use();
      cuda_ok(cudaMemsetAsync(room.in(), 0xff, std::min(room.receive.bytes(), bytes_of(one)), room.card->stream()),
              "cudaMemsetAsync");
    }
    one.timed.launches = one.launches;
    one.timed.add(time_on_cards(cards_, {.repeat = rules, .launches = one.launches}, body_of(one.operation, one.part)));
    one.wrong += wrong(one.operation, one.part);
  }

  Result ended(const Case& one) const {
    Result r = collective_result(one.operation.name, cards_, bytes_of(one));
    r.shape["launch"] = to_string(one.launches);
    fill(r, {.engine = "NCCL " + nccl_.library().version(), .kernel = "its choice", .cache = ""}, one.timed);
    check(r, fmt::format("{} values of each rank", kChecked), one.wrong, 0);
    return r;
  }

  double value(std::size_t rank, const std::uint16_t* at) const {
    rooms_[rank].card->use();
    return bf16_on_host(at, 1)[0];
  }

  double wrong(const Operation& operation, std::size_t part) const {
    const std::size_t ranks = rooms_.size(), taken = operation.takes_a_part ? part : part * ranks;
    double found = 0;
    for (std::size_t rank = 0; rank < ranks; ++rank) {
      for (std::size_t n = 0; n < std::min(kChecked, taken); ++n) {
        const std::size_t i = n * (taken - 1) / std::max<std::size_t>(std::min(kChecked, taken) - 1, 1);
        const Origin origin = operation.origin(rank, ranks, part, i);
        double sum = 0;
        for (std::size_t from = origin.first; from < origin.last; ++from) {
          sum += value(from, rooms_[from].out() + origin.place);
        }
        if (value(rank, rooms_[rank].in() + i) != sum) ++found;
      }
    }
    return found;
  }

  const GpuRules& rules_;
  std::vector<Card*> cards_;
  Rooms rooms_;
  Nccl nccl_;
};

}  // namespace

std::vector<Result> measure_nccl(const Cards& cards, const GpuRules& rules) {
  std::vector<Result> results;
  if (!nccl_library().missing.empty()) {
    return {without_figure("collective", cards.front()->device(), Status::kNotSupported,
                           "NCCL: " + nccl_library().missing)};
  }
  attempt(results, "collective", *cards.front(), [&] { Collectives(cards, rules).measure(results); });
  return results;
}

}  // namespace fathom::probe
