// What makes a launch read memory that the ones before it did not: copies of weights, and tables over other pages.
#pragma once

#include <vector>

#include "bench.h"

namespace fathom::cuda {

const char* name_of(WeightFormat format);

// As many copies of a matrix as the pool holds (200 at most), filled there before; gated, of a pair of them.
struct RotatingWeights {
  std::vector<Weights> w, up;  // `up` without codes where it is not gated
  std::size_t bytes = 0;       // of a copy
  int launches = 0;            // each copy once, 24 at least
  RotatingWeights(const Bench& bench, WeightFormat format, std::int64_t rows, std::int64_t cols, bool gated);
};

// Tables and lengths of equally long sequences; each launch starts at another page of the pool.
struct RotatingPages {
  int stride, launches;
  Buffer tables, lengths;
  RotatingPages(int sequences, int length, std::size_t page_bytes);
  const std::int32_t* table(int launch) const { return tables.as<std::int32_t>() + launch % launches * lines_; }

 private:
  std::int64_t lines_;  // of a launch: sequences * stride
};

}  // namespace fathom::cuda
