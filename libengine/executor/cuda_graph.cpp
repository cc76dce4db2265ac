#include "executor/cuda_graph.h"

#include "cuda/start_latch.h"

namespace fathom {

namespace {

// Of a step with more launches than the queue holds: the host waits in one of them, and the gate stays shut.
constexpr std::uint64_t kPatienceNs = 5'000'000;

}  // namespace

StartGate::StartGate() : word_(sizeof(std::uint32_t)) { open(); }

void StartGate::wait_on(cudaStream_t stream) const {
  cuda::start_latch({.stream = stream}, word_.as<const volatile std::uint32_t>(), 1, kPatienceNs);
}

void OperatorClock::start(cudaStream_t stream, bool in_graph) {
  stream_ = stream;
  in_graph_ = in_graph;
  used_ = 0;
  slots_.clear();
  record();
}

void OperatorClock::mark(int slot) {
  slots_.push_back(slot);
  record();
}

void OperatorClock::record() {
  if (used_ == events_.size()) events_.emplace_back();
  const unsigned how = in_graph_ ? cudaEventRecordExternal : cudaEventRecordDefault;
  cuda_ok(cudaEventRecordWithFlags(events_[used_++], stream_, how), "cudaEventRecord");
}

void OperatorClock::read(std::vector<RowTime>& times) const {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i] == kNobody) continue;
    float milliseconds = 0;
    cuda_ok(cudaEventElapsedTime(&milliseconds, events_[i], events_[i + 1]), "cudaEventElapsedTime");
    times[static_cast<std::size_t>(slots_[i])].seconds += static_cast<double>(milliseconds) * 1e-3;
  }
}

}  // namespace fathom
