// The loops that everything but the matrix products is made of. Sums run in sixteen lanes that are added in a fixed order,
// so that results do not depend on the processor or on how a loop is cut.
#pragma once

#include <cstdint>

namespace fathom::host {

void add_scaled(float* y, float a, const float* x, std::int64_t n);  // y += a x
void add(float* y, const float* x, std::int64_t n);                  // y += x

// y = x / sqrt(mean(x^2) + epsilon) * weight; y may be x.
void rms_norm(const float* x, const float* weight, float epsilon, std::int64_t n, float* y);

// Attention (attention.h). Scores of 64 keys by column: s_j = scale * sum_i query_i columns[i][j]. Exponentials: s_j =
// exp(s_j - highest), returns their sum; within 2e-7 of std::exp, 0 below -87. Weighted rows: out += sum_j weight_j value_j.
void page_scores(const float* query, std::int64_t width, const float* columns, float scale, float* scores);
float exponentials(float* scores, std::int64_t rows, float highest);
void add_weighted_rows(float* out, std::int64_t width, const float* weights, const float* values, std::int64_t stride,
                       std::int64_t rows);

void widen_bf16(const std::uint16_t* from, std::int64_t n, float* to);

// y = silu(gate) * up with silu(g) = g / (1 + exp(-g)); y may be gate.
void silu_times(const float* gate, const float* up, std::int64_t n, float* y);

}  // namespace fathom::host
