// Device memory: read, written, copied, and how fast caches make small parts of it.
#include <fmt/format.h>

#include <algorithm>

#include "cuda/memory_loops.h"
#include "cuda/random_numbers.h"
#include "gpu_cases/gpu_cases.h"

namespace fathom::probe {

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr std::uint32_t kWritten = 0x9e3779b9u;

// Which grid is the fastest is another on every device: it is found, and not part of the figure's key.
constexpr cuda::MemoryGrid kGrids[] = {{4, 4}, {8, 4}, {16, 4}, {0, 4}, {4, 8}, {8, 8}, {16, 8}, {0, 8}};

class Memory {
 public:
  Memory(Card& card, const GpuRules& rules)
      : card_(card),
        rules_(rules),
        bytes_(std::min(std::size_t{2} << 30, card.free_memory() / 8 / cuda::kMemoryPart * cuda::kMemoryPart)),
        seed_(static_cast<std::uint64_t>(card.ordinal() + 1) << 40),
        from_(bytes_),
        to_(bytes_),
        sum_(2 * sizeof(unsigned long long)) {
    cuda::fill_random(how(), from_.as<void>(), bytes_, 0xffff, 0, seed_);
    card_.stream().wait();
  }

  std::vector<Result> measure() {
    warm_up(card_, rules_.settle, rules_.most_settle, read_with({8, 8}, bytes_, 1));
    std::vector<Result> results = {read(), write(), copy()};
    for (const std::size_t mib : {8, 16, 24, 32, 40, 48, 64, 96, 128, 256}) {
      if (mib * kMiB > bytes_) break;
      if (rules_.detail == Detail::kFew && mib != 16 && mib != 64 && mib != 128) continue;
      results.push_back(sweep(mib * kMiB));
    }
    return results;
  }

 private:
  cuda::Launch how() const { return {.stream = card_.stream()}; }

  CardBody read_with(const cuda::MemoryGrid& grid, std::size_t bytes, int passes) const {
    return [this, grid, bytes, passes](const cuda::Launch& launch, int) {
      cuda::read_memory(launch, grid, from_.as<void>(), bytes, passes, sum_.as<unsigned long long>());
    };
  }

  template <class BodyOf>
  cuda::MemoryGrid fastest(const BodyOf& body_of) const {
    const RepeatRules brief{.least = 5, .budget = Seconds(0), .warm_up = Seconds(0.002), .least_sample = Seconds(1e-3)};
    cuda::MemoryGrid best = kGrids[0];
    double least = 0;
    for (const cuda::MemoryGrid& grid : kGrids) {
      const double time = median_of(time_on_card(card_, {.repeat = brief}, body_of(grid)).repeated.seconds);
      if (least == 0 || time < least) {
        least = time;
        best = grid;
      }
    }
    return best;
  }

  Result figure(const char* name, std::size_t bytes, double moved, const CardBody& body, const char* kernel,
                Launches launches = Launches::kGraph) {
    Result r = card_result(name, card_, Unit::kBytesPerSecond, {{"bytes", fmt::format("{}", bytes)}});
    const bool cached = bytes < 3 * card_.second_level_cache();
    RepeatRules repeat = rules_.repeat();
    if (cached) repeat.least_sample = Seconds(0.01);  // what stays in the cache is another part every time
    const TimedOnCard timed = time_on_card(card_, {.repeat = repeat, .launches = launches}, body);
    fill(r, {.amount = moved, .engine = "builtin", .kernel = kernel, .cache = cached ? "L2 as it fits" : "beyond L2"},
         timed);
    return r;
  }

  static std::string text_of(const cuda::MemoryGrid& grid) {
    return fmt::format("{} blocks per multiprocessor, {} x 16 B under way in a thread",
                       grid.blocks_per_multiprocessor == 0 ? "all" : fmt::format("{}", grid.blocks_per_multiprocessor),
                       grid.loads);
  }

  // What a launch adds up to, against the same numbers made anew.
  double sum_is_off(const std::function<void()>& read, const std::function<void(unsigned long long*)>& expected) {
    clear(card_, sum_, 0);
    read();
    expected(sum_.as<unsigned long long>() + 1);
    card_.stream().wait();
    const auto sums = on_host<unsigned long long>(sum_.as<void>(), 2);
    return sums[0] == sums[1] ? 0 : 1;
  }

  Result read() {
    const cuda::MemoryGrid grid = fastest([&](const auto& g) { return read_with(g, bytes_, 1); });
    Result r = figure("gpu.memory.read", bytes_, static_cast<double>(bytes_), read_with(grid, bytes_, 1),
                      "16 B loads, the best of 8 grids");
    check(r, "the sum of all words", read_is_off(grid, bytes_), 0);
    r.notes.push_back(text_of(grid));
    return r;
  }

  double read_is_off(const cuda::MemoryGrid& grid, std::size_t bytes) {
    return sum_is_off([&] { read_with(grid, bytes, 1)(how(), 0); },
                      [&](unsigned long long* sum) { cuda::sum_random(how(), bytes, seed_, sum); });
  }

  Result write() {
    const auto write_with = [this](const cuda::MemoryGrid& grid) -> CardBody {
      return [this, grid](const cuda::Launch& launch, int) {
        cuda::write_memory(launch, grid, to_.as<void>(), bytes_, kWritten);
      };
    };
    const cuda::MemoryGrid grid = fastest(write_with);
    Result r = figure("gpu.memory.write", bytes_, static_cast<double>(bytes_), write_with(grid),
                      "16 B stores, the best of 8 grids");
    r.protocol.pattern = "one word";
    const unsigned long long sum = (kWritten | static_cast<unsigned long long>(kWritten) << 32) * (bytes_ / 8);
    const double off =
        sum_is_off([&] { cuda::read_memory(how(), grid, to_.as<void>(), bytes_, 1, sum_.as<unsigned long long>()); },
                   [&](unsigned long long* expected) {
                     cuda_ok(cudaMemcpy(expected, &sum, sizeof sum, cudaMemcpyHostToDevice), "cudaMemcpy");
                   });
    check(r, "the sum of all words", off, 0);
    return r;
  }

  // Not from a graph: there the copy engine does it, 2.8 instead of 4.3 TB/s on an H200.
  Result copy() {
    Result r = figure(
        "gpu.memory.copy", bytes_, 2.0 * static_cast<double>(bytes_),
        [this](const cuda::Launch& launch, int) {
          cuda_ok(cudaMemcpyAsync(to_.as<void>(), from_.as<void>(), bytes_, cudaMemcpyDeviceToDevice, launch.stream),
                  "cudaMemcpyAsync");
        },
        "cudaMemcpyAsync; bytes read and written", Launches::kEager);
    clear(card_, sum_, 0);
    cuda::count_others(how(), to_.as<void>(), bytes_, seed_, sum_.as<unsigned long long>());
    card_.stream().wait();
    check(r, "words that differ", static_cast<double>(on_host<unsigned long long>(sum_.as<void>(), 1)[0]), 0);
    return r;
  }

  // So many passes that launching does not count.
  Result sweep(std::size_t bytes) {
    const int passes = static_cast<int>(std::max<std::size_t>(1, 1024 * kMiB / bytes));
    const cuda::MemoryGrid grid{.blocks_per_multiprocessor = 8, .loads = 4};
    Result r = figure("gpu.memory.read", bytes, static_cast<double>(bytes) * passes, read_with(grid, bytes, passes),
                      "16 B loads, again and again");
    check(r, "the sum of all words", read_is_off(grid, bytes), 0);
    return r;
  }

  Card& card_;
  const GpuRules& rules_;
  std::size_t bytes_;
  std::uint64_t seed_;
  CardMemory from_, to_, sum_;
};

}  // namespace

std::vector<Result> measure_gpu_memory(const Cards& cards, const GpuRules& rules) {
  return on_every_card(cards, "gpu.memory", [&](Card& card) { return Memory(card, rules).measure(); });
}

}  // namespace fathom::probe
