// The times of a step's operators, on the device.
#pragma once

#include <cstdint>
#include <vector>

#include "device/cuda_handles.h"
#include "executor/executor.h"

namespace fathom {

// What a timed step of this rank waits behind until its launches are in the queue (or five milliseconds are over: a queue holds about a
// thousand): how fast the host puts them there is no operator's time. Other ranks open theirs when they are ready, and the first collective
// sees the difference.
class StartGate {
 public:
  StartGate();
  // Around what puts the launches into the queue.
  void hold() { *word_.as<volatile std::uint32_t>() = 0; }
  void open() { *word_.as<volatile std::uint32_t>() = 1; }
  void wait_on(cudaStream_t stream) const;

 private:
  PinnedBuffer word_;
};

// Events between the operators of a step. The same calls in the same order every time.
class OperatorClock {
 public:
  // `in_graph`: the events become nodes of the graph that is being captured.
  void start(cudaStream_t stream, bool in_graph);
  static constexpr int kNobody = -1;
  void mark(int slot);  // what was launched since the last mark belongs to this row, or to nobody
  // Adds to times[slot], when all of it is done.
  void read(std::vector<RowTime>& times) const;

 private:
  void record();

  cudaStream_t stream_ = nullptr;
  bool in_graph_ = false;
  std::size_t used_ = 0;
  std::vector<CudaEvent> events_;
  std::vector<int> slots_;
};

}  // namespace fathom
