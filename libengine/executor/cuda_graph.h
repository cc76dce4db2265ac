// A step put together once and launched many times, and the times of its operators.
#pragma once

#include <functional>
#include <vector>

#include "executor/executor.h"
#include "storage/cuda_memory.h"

namespace fathom {

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

class CudaGraph {
 public:
  // What `launches` puts into the stream.
  CudaGraph(cudaStream_t stream, const std::function<void()>& launches);
  CudaGraph(const CudaGraph&) = delete;
  CudaGraph& operator=(const CudaGraph&) = delete;
  ~CudaGraph();
  void launch(cudaStream_t stream) const;

 private:
  cudaGraphExec_t graph_ = nullptr;
};

}  // namespace fathom
