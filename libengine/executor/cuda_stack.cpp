#include "executor/cuda_stack.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "cuda/int4_layout.h"
#include "cuda/synthetic.h"
#include "weights/slice_memory.h"

namespace fathom {

namespace {

cuda::WeightFormat device_format(const TensorSlice& s) {
  switch (s.format) {
    case Format::kBf16:
      return cuda::WeightFormat::kBf16;
    case Format::kFp8Block128:
      return cuda::WeightFormat::kFp8Block128;
    case Format::kInt4G128:
    case Format::kInt4G128Asym:
      return cuda::WeightFormat::kInt4G128;
    default:
      throw std::invalid_argument(fmt::format("{}: no CUDA kernel reads {}", s.name, to_string(s.format)));
  }
}

std::int64_t rows_of(const std::vector<const TensorSlice*>& slices) {
  std::int64_t rows = 0;
  for (const TensorSlice* s : slices) rows += s->row_count;
  return rows;
}

void check(const TensorSlice& s, cuda::WeightFormat format, std::int64_t all_rows) {
  const std::int64_t step = format == cuda::WeightFormat::kBf16          ? 8
                            : format == cuda::WeightFormat::kFp8Block128 ? 16
                                                                         : 128;
  if (s.col_count % step != 0) {
    throw std::invalid_argument(
        fmt::format("{}: the CUDA kernels want a multiple of {} inputs, not {}", s.name, step, s.col_count));
  }
  if (format == cuda::WeightFormat::kInt4G128 && all_rows % 4 != 0) {
    throw std::invalid_argument(fmt::format("{}: the CUDA kernels want a multiple of 4 outputs", s.name));
  }
}

void copy(const void* from, std::size_t bytes, void* to, cudaStream_t stream) {
  cuda_ok(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream), "copying weights");
}

}  // namespace

// Tiles of 128 rows must begin where a slice begins; experts have tiles of their own.
bool CudaStack::fits(const std::vector<const TensorSlice*>& slices) {
  for (const TensorSlice* s : slices) {
    if (s->format != slices.front()->format || s->col_count != slices.front()->col_count) return false;
    if (s->format != Format::kFp8Block128 || s->expert >= 0) continue;
    if (s->row % kBlock != 0 || (s != slices.back() && s->row_count % kBlock != 0)) return false;
  }
  return true;
}

CudaStack::CudaStack(std::vector<const TensorSlice*> parts, Account& account) : slices(std::move(parts)) {
  const TensorSlice& first = *slices.front();
  const std::int64_t rows = rows_of(slices), cols = first.col_count;
  view.format = device_format(first);
  view.rows = first.expert >= 0 ? first.row_count : rows;
  view.cols = cols;
  for (const TensorSlice* s : slices) check(*s, view.format, rows);
  std::size_t code_bytes = 0, scale_bytes = 0;
  for (const TensorSlice* s : slices) {
    view.row_phase = view.format == cuda::WeightFormat::kFp8Block128 ? first.row % kBlock : 0;
    const host::MatrixBytes bytes = host::matrix_bytes(storage_of(s->format), s->row_count + view.row_phase, cols);
    code_bytes += host::matrix_bytes(storage_of(s->format), s->row_count, cols).codes;
    scale_bytes += bytes.scales;
  }
  constexpr std::size_t kSlack = 256;  // a kernel's 16-byte reads may pass the end of short scales
  codes = DeviceBuffer(account, Purpose::kWeights, code_bytes);
  if (scale_bytes > 0) scales = DeviceBuffer(account, Purpose::kWeights, scale_bytes + kSlack);
  if (first.format == Format::kInt4G128Asym) {
    zeros = DeviceBuffer(account, Purpose::kWeights, static_cast<std::size_t>(rows * cols / kBlock) + kSlack);
  }
  view.codes = codes.as<void>();
  view.scales = scales.as<void>();
  view.zeros = zeros.as<void>();
  if (four_bits()) view.scale_stride = rows;
}

void CudaStack::load(const WeightSource& source, cudaStream_t stream) {
  const auto* synthetic = dynamic_cast<const SyntheticWeights*>(&source);
  synthetic != nullptr ? make_up(*synthetic, stream) : load_from_host(source, stream);
}

void CudaStack::make_up(const SyntheticWeights& source, cudaStream_t stream) {
  const cuda::Launch how{.stream = stream};
  auto* codes_at = codes.as<std::byte>();
  auto* scales_at = scales.as<std::byte>();
  auto* zeros_at = zeros.as<std::uint8_t>();
  for (const TensorSlice* s : slices) {
    const SyntheticWeights::Recipe recipe = source.recipe(*s);
    cuda::make_synthetic(how, {.format = view.format,
                               .value_key = recipe.value_key,
                               .scale_key = recipe.scale_key,
                               .zero_key = recipe.zero_key,
                               .step = recipe.step,
                               .scale = recipe.scale,
                               .row = s->row,
                               .rows = s->row_count,
                               .col = s->col,
                               .cols = s->col_count,
                               .tensor_cols = s->cols,
                               .codes = codes_at,
                               .scales = scales_at,
                               .zeros = zeros_at,
                               .scale_stride = view.scale_stride});
    codes_at += host::matrix_bytes(storage_of(s->format), s->row_count, s->col_count).codes;
    if (four_bits()) {  // the scales of all rows side by side
      scales_at += static_cast<std::size_t>(s->row_count) * sizeof(std::uint16_t);
      if (zeros_at != nullptr) zeros_at += s->row_count;
    } else if (scales_at != nullptr) {
      scales_at += host::matrix_bytes(storage_of(s->format), view.row_phase + s->row_count, s->col_count).scales;
    }
  }
  if (four_bits()) cuda::repack_int4_codes(how, codes.as<void>(), rows_of(slices), view.cols);
  cuda_ok(cudaStreamSynchronize(stream), "making weights");
}

// Host copies are given back slice by slice; what the device still has to turn round waits in memory of its own.
void CudaStack::load_from_host(const WeightSource& source, cudaStream_t stream) {
  Account unaccounted;
  const std::int64_t rows = rows_of(slices), cols = view.cols;
  const std::size_t row_zeros = zeros.bytes() > 0 ? static_cast<std::size_t>(zero_bytes(cols)) : 0;
  DeviceBuffer turned_scales, turned_zeros;  // in the host's order
  if (four_bits()) turned_scales = DeviceBuffer(unaccounted, Purpose::kWeights, scales.bytes());
  if (row_zeros > 0) {
    turned_zeros = DeviceBuffer(unaccounted, Purpose::kWeights, static_cast<std::size_t>(rows) * row_zeros);
  }
  auto* codes_at = codes.as<std::byte>();
  auto* scales_at = (four_bits() ? turned_scales : scales).as<std::byte>();
  auto* zeros_at = turned_zeros.as<std::byte>();
  for (const TensorSlice* s : slices) {
    const LoadedMatrix m = source.matrix(*s, unaccounted);
    copy(m.view.codes, m.codes.bytes(), codes_at, stream);
    if (m.scales.bytes() > 0) copy(m.view.scales, m.scales.bytes(), scales_at, stream);
    if (row_zeros > 0) copy(m.view.zeros, m.zeros.bytes(), zeros_at, stream);
    codes_at += m.codes.bytes();
    scales_at += m.scales.bytes();
    zeros_at += row_zeros > 0 ? m.zeros.bytes() : 0;
    cuda_ok(cudaStreamSynchronize(stream), "copying weights");
  }
  if (!four_bits()) return;
  const cuda::Launch how{.stream = stream};
  cuda::repack_int4_codes(how, codes.as<void>(), rows, cols);
  cuda::turn_int4_scales(how, turned_scales.as<std::uint16_t>(), scales.as<std::uint16_t>(), rows, cols);
  if (row_zeros > 0) {
    cuda::turn_int4_zeros(how, turned_zeros.as<std::uint8_t>(), zeros.as<std::uint8_t>(), rows, cols);
  }
  cuda_ok(cudaStreamSynchronize(stream), "turning weights");
}

}  // namespace fathom
