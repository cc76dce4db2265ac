#include "host/matrix.h"

namespace fathom::host {

void matmul_reference(const Matrix& w, const float* x, std::int64_t x_stride, std::int64_t tokens, float* y,
                      std::int64_t y_stride) {
  for (std::int64_t token = 0; token < tokens; ++token) {
    for (std::int64_t row = 0; row < w.rows; ++row) {
      double sum = 0;  // in double, so that it is the better of any two that differ
      for (std::int64_t col = 0; col < w.cols; ++col) {
        sum += static_cast<double>(x[token * x_stride + col]) * value(w, row, col);
      }
      y[token * y_stride + row] = static_cast<float>(sum);
    }
  }
}

}  // namespace fathom::host
