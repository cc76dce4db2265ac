// A fixed team of threads that share loops. One caller at a time; the caller is worker 0.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace fathom::host {

class Team {
 public:
  explicit Team(int threads);  // at least 1; 1 starts no thread
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int size() const { return size_; }

  // body(begin, end) on contiguous parts of [0, count), one part per worker, each a multiple of `grain` but the last.
  // Which part a worker gets depends on count, grain and size() only. Returns when all are done; rethrows the first
  // exception.
  void for_ranges(std::int64_t count, std::int64_t grain,
                  const std::function<void(std::int64_t begin, std::int64_t end)>& body);

 private:
  struct Shared;
  int size_;
  std::unique_ptr<Shared> shared_;
};

int hardware_threads();  // that this process may run on (affinity mask, cgroup quota), at least 1

}  // namespace fathom::host
