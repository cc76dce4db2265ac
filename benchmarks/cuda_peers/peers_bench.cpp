// peers_bench [FILE.json]: sums and gathers between this machine's GPUs inside a graph, by our kernels and by NCCL.
//
// Each line is the median over replays of a graph of many calls in a row on every GPU, of the slowest rank; data are random.
#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <random>
#include <vector>

#include "comm/cuda_nccl.h"
#include "comm/cuda_peers.h"
#include "device/cuda_handles.h"
#include "host/convert.h"

namespace fathom {
namespace {

constexpr int kWidth = 7168, kMostRows = 16384, kReplays = 9;
constexpr std::size_t kMostBytes = std::size_t{kMostRows} * kWidth * sizeof(std::uint16_t);

struct Line {
  std::string what;
  int ranks = 0;
  std::size_t bytes = 0;
  double us = 0;
};

// Microseconds of one call: of the slowest rank, the median over replays.
double measure(Communicator& world, const CudaStream& stream, int calls, const std::function<void()>& begin_step,
               const std::function<void(int)>& call) {
  begin_step();
  call(0);  // loads the kernel
  stream.wait();
  world.barrier();
  begin_step();
  const CudaGraph graph(stream, [&] {
    for (int i = 0; i < calls; ++i) call(i);
  });
  const CudaEvent begin, end;
  std::vector<float> times;
  for (int replay = -2; replay < kReplays; ++replay) {
    if (replay > -2) begin_step();
    world.barrier();
    cuda_ok(cudaEventRecord(begin, stream), "cudaEventRecord");
    graph.launch(stream);
    cuda_ok(cudaEventRecord(end, stream), "cudaEventRecord");
    stream.wait();
    float ms = 0;
    cuda_ok(cudaEventElapsedTime(&ms, begin, end), "cudaEventElapsedTime");
    std::vector<float> all(static_cast<std::size_t>(world.size()));
    world.all_gather(std::as_bytes(std::span(&ms, 1)), std::as_writable_bytes(std::span(all)));
    if (replay >= 0) times.push_back(*std::max_element(all.begin(), all.end()));
  }
  std::nth_element(times.begin(), times.begin() + kReplays / 2, times.end());
  return static_cast<double>(times[kReplays / 2]) * 1e3 / calls;
}

class Rank {
 public:
  explicit Rank(Communicator& world)
      : world_(world),
        words_(account_, Purpose::kActivations, sizeof(PeerCalls::Counts)),
        calls_(world, account_,
               2 * kMostBytes + packet_bytes(world.size()) + cuda::peer_flight_bytes(world.size(), kFlightRows, kWidth),
               std::chrono::milliseconds(10'000)),
        residual_(account_, Purpose::kActivations, 2 * kMostBytes),
        normed_(account_, Purpose::kActivations, kMostBytes),
        weight_(account_, Purpose::kActivations, kWidth * sizeof(float)) {
    std::vector<std::uint16_t> values(kMostBytes / sizeof(std::uint16_t));
    std::minstd_rand engine(static_cast<unsigned>(world.rank() + 1));
    for (std::uint16_t& v : values) v = host::to_bf16(static_cast<float>(engine() % 4096) / 4096 - 0.5f);
    cuda_ok(cudaMemcpy(calls_.own<void>(0), values.data(), kMostBytes, cudaMemcpyHostToDevice), "filling");
    residual_.clear();
    weight_.clear();
    if (nccl_available()) nccl_ = std::make_unique<NcclGroup>(world);
  }

  double sum(int rows, int packet_rows, int flight_rows, bool overlap, bool norm) {
    cuda::PeerReduce op;
    calls_.place<std::uint16_t>(0, op.partial);
    calls_.place<std::uint16_t>(kMostBytes, op.sums);
    calls_.place<void>(2 * kMostBytes, op.packets);
    calls_.place<void>(2 * kMostBytes + packet_bytes(world_.size()), op.flights);
    op.rows = rows;
    op.width = kWidth;
    op.packet_rows = packet_rows;
    op.flight_rows = flight_rows;
    op.residual = residual_.as<float>();
    if (norm) op.weight = weight_.as<float>();
    op.out = normed_.as<std::uint16_t>();
    return time(calls_of(rows), [&](int i) {
      op.peers = calls_.next(i, 0);
      cuda::peer_reduce({.stream = stream_, .overlap = overlap && i > 0}, op);
    });
  }
  double nccl_sum(int rows) {
    return time(calls_of(rows), [&](int) {
      nccl_->sum_bf16(calls_.own<std::uint16_t>(0), static_cast<std::size_t>(rows) * kWidth, stream_);
    });
  }
  // Rows of logits, a vocabulary of 128,256.
  double gather(int rows) {
    constexpr std::int64_t kVocabulary = 128256;
    cuda::PeerGather op;
    calls_.place<float>(0, op.at);
    op.rows = rows;
    op.stride = kVocabulary;
    op.count = kVocabulary / world_.size();
    op.first = op.count * world_.rank();
    return time(calls_of(64 * rows), [&](int i) {
      op.peers = calls_.next(i, 0);
      cuda::peer_gather({.stream = stream_}, op);
    });
  }
  bool has_nccl() const { return nccl_ != nullptr; }
  int missing() const { return calls_.missing(); }

  static constexpr int kPacketRows = 64, kFlightRows = 128;

 private:
  // A replay is a step of as many calls as were captured.
  double time(int calls, const std::function<void(int)>& call) {
    return measure(
        world_, stream_, calls,
        [&] {
          calls_.end(step_);
          cuda_ok(
              cudaMemcpy(words_.as<void>(), calls_.before().data(), sizeof(PeerCalls::Counts), cudaMemcpyHostToDevice),
              "words");
          calls_.begin(words_.as<std::uint32_t>());
        },
        [&](int i) {
          call(i);
          step_ = calls_.calls();
        });
  }

  static std::size_t packet_bytes(int ranks) { return cuda::peer_packet_bytes(ranks, kPacketRows, kWidth); }
  static int calls_of(int rows) { return rows <= 64 ? 200 : rows <= 1024 ? 50 : 10; }

  Communicator& world_;
  CudaStream stream_;
  Account account_;
  DeviceBuffer words_;
  PeerCalls calls_;
  DeviceBuffer residual_, normed_, weight_;
  std::unique_ptr<NcclGroup> nccl_;
  PeerCalls::Counts step_ = {};  // calls of the running one
};

void measure_ranks(int ranks, std::vector<Line>& lines) {
  run_on_threads(ranks, {.timeout = std::chrono::milliseconds(60'000)}, [&](Communicator& world) {
    take_device(world);
    Rank rank(world);
    const auto report = [&](const std::string& what, std::size_t bytes, double us) {
      if (world.rank() != 0) return;
      lines.push_back({what, ranks, bytes, us});
      const double moved = what.starts_with("gather") ? 1 : 2;  // of bytes * (ranks - 1) / ranks
      const double bus = static_cast<double>(bytes) * moved * (ranks - 1) / ranks / us * 1e-3;
      fmt::print("{} GPUs {:34} {:>10} B {:9.2f} us {:7.1f} GB/s bus\n", ranks, what, bytes, us, bus);
      std::fflush(stdout);
    };
    for (int rows : {1, 2, 4, 8, 16, 32, 64, 128, 256, 1024, 4096, 16384}) {
      const std::size_t bytes = static_cast<std::size_t>(rows) * kWidth * sizeof(std::uint16_t);
      if (rows <= Rank::kPacketRows) {
        report("sum, packets", bytes, rank.sum(rows, rows, 0, false, false));
        report("sum, packets, norm", bytes, rank.sum(rows, rows, 0, false, true));
        report("sum, packets, norm, overlap", bytes, rank.sum(rows, rows, 0, true, true));
      }
      if (rows <= Rank::kFlightRows) report("sum, one flight, norm", bytes, rank.sum(rows, 0, rows, false, true));
      if (rows >= 8) report("sum, two flights, norm", bytes, rank.sum(rows, 0, 0, false, true));
      if (rank.has_nccl()) report("NCCL all-reduce", bytes, rank.nccl_sum(rows));
    }
    for (int rows : {1, 8, 64}) report("gather of logits", rows * std::size_t{128256} * 4, rank.gather(rows));
    if (rank.missing() >= 0) throw RankFailure(fmt::format("rank {} did not come", rank.missing()));
  });
}

int run(int argc, char** argv) {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices < 2) {
    std::puts("waived: fewer than two devices");
    return 77;
  }
  std::vector<Line> lines;
  for (int ranks = 2; ranks <= std::min(devices, cuda::kMostPeers); ranks *= 2) measure_ranks(ranks, lines);
  if (argc < 2) return 0;
  nlohmann::json json = {{"nccl", nccl_version()}, {"lines", nlohmann::json::array()}};
  for (const Line& l : lines) {
    json["lines"].push_back({{"what", l.what}, {"ranks", l.ranks}, {"bytes", l.bytes}, {"us", l.us}});
  }
  std::ofstream(argv[1]) << json.dump(1) << "\n";
  return 0;
}

}  // namespace
}  // namespace fathom

int main(int argc, char** argv) {
  try {
    return fathom::run(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "peers_bench: %s\n", e.what());
    return 3;
  }
}
