// The times of a step's operators, on the device.
#pragma once

#include <cstdint>
#include <vector>

#include "device/cuda_handles.h"
#include "executor/executor.h"

namespace fathom {

// Events between the operators of a step. The same calls in the same order every time. The first operator waits until all launches are in the
// queue: how fast the host puts them there is no operator's time.
class OperatorClock {
 public:
  OperatorClock();
  // Around what puts the launches into the queue.
  void hold() { *gate_.as<volatile std::uint32_t>() = 0; }
  void open() { *gate_.as<volatile std::uint32_t>() = 1; }
  // `in_graph`: the events become nodes of the graph that is being captured.
  void start(cudaStream_t stream, bool in_graph);
  static constexpr int kNobody = -1;
  void mark(int slot);  // what was launched since the last mark belongs to this row, or to nobody
  // Adds to times[slot], when all of it is done.
  void read(std::vector<RowTime>& times) const;

 private:
  void record();

  PinnedBuffer gate_;
  cudaStream_t stream_ = nullptr;
  bool in_graph_ = false;
  std::size_t used_ = 0;
  std::vector<CudaEvent> events_;
  std::vector<int> slots_;
};

}  // namespace fathom
