// Weights of every format on host and device, and what products of them wrote.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "cuda/int4_layout.h"
#include "cuda/linear.h"
#include "host/matrix.h"
#include "on_device.h"

namespace fathom::cuda {

using host::Storage;

inline const char* name_of(Storage storage) {
  switch (storage) {
    case Storage::kBf16:
      return "bf16";
    case Storage::kFp8Block128:
      return "fp8";
    case Storage::kInt4G128:
      return "int4";
    case Storage::kInt4G128Asym:
      return "int4 asymmetric";
    case Storage::kFp32:
      break;
  }
  return "";
}

// One matrix on both sides.
class TestWeights {
 public:
  TestWeights(Storage storage, std::int64_t rows, std::int64_t cols, Random& random, std::int64_t row_phase = 0) {
    const host::MatrixBytes bytes = host::matrix_bytes(storage, rows + row_phase, cols);
    codes_.resize(host::matrix_bytes(storage, rows, cols).codes);
    scales_.resize(bytes.scales);
    zeros_.resize(bytes.zeros);
    for (std::uint8_t& z : zeros_) z = static_cast<std::uint8_t>(random.bits());
    if (storage == Storage::kBf16) {
      put(codes_, [&] { return random.bf16(); });
    } else if (storage == Storage::kFp8Block128) {
      put(codes_, [&] {
        return static_cast<std::uint8_t>(random.below(254) < 127 ? random.below(127) : 128 + random.below(127));
      });
    } else {
      put(codes_, [&] { return static_cast<std::uint8_t>(random.bits()); });
    }
    if (storage == Storage::kFp8Block128) {
      put(scales_, [&] { return 0.01f + std::abs(random.normal()); });
    } else {
      put(scales_, [&] { return host::to_fp16(0.01f + std::abs(random.normal())); });
    }
    host_ = {.storage = storage, .rows = rows, .cols = cols, .codes = codes_.data(), .row_phase = row_phase};
    if (!scales_.empty()) host_.scales = scales_.data();
    if (!zeros_.empty()) host_.zeros = zeros_.data();

    view_ = {.rows = rows, .cols = cols, .row_phase = row_phase};
    device_codes_ = std::make_unique<OnDevice<std::uint8_t>>(codes_);
    view_.codes = device_codes_->data();
    if (storage == Storage::kBf16) return;
    device_scales_ = std::make_unique<OnDevice<std::uint8_t>>(scales_);
    view_.scales = device_scales_->data();
    view_.format = WeightFormat::kFp8Block128;
    if (storage == Storage::kFp8Block128) return;
    view_.format = WeightFormat::kInt4G128;
    view_.scale_stride = rows;
    turned_scales_ = std::make_unique<OnDevice<std::uint16_t>>(rows * cols / 128);
    repack_int4_codes({}, device_codes_->data(), rows, cols);
    turn_int4_scales({}, reinterpret_cast<const std::uint16_t*>(device_scales_->data()), turned_scales_->data(), rows,
                     cols);
    view_.scales = turned_scales_->data();
    if (storage == Storage::kInt4G128) return;
    device_zeros_ = std::make_unique<OnDevice<std::uint8_t>>(zeros_);
    turned_zeros_ = std::make_unique<OnDevice<std::uint8_t>>(rows * cols / 128);
    turn_int4_zeros({}, device_zeros_->data(), turned_zeros_->data(), rows, cols);
    view_.zeros = turned_zeros_->data();
  }

  const host::Matrix& on_host() const { return host_; }
  const Weights& view() const { return view_; }

 private:
  template <class Make>
  static void put(std::vector<std::uint8_t>& to, const Make& make) {
    for (std::size_t i = 0; i < to.size(); i += sizeof(make())) {
      const auto value = make();
      std::memcpy(to.data() + i, &value, sizeof value);
    }
  }

  std::vector<std::uint8_t> codes_, scales_, zeros_;
  host::Matrix host_;
  Weights view_;
  std::unique_ptr<OnDevice<std::uint8_t>> device_codes_, device_scales_, device_zeros_, turned_zeros_;
  std::unique_ptr<OnDevice<std::uint16_t>> turned_scales_;
};

inline host::Team& team() {
  static host::Team all(host::hardware_threads());
  return all;
}

struct TestWorkspace {
  OnDevice<float> data{linear_workspace_bytes(device_traits()) / sizeof(float)};
  OnDevice<std::uint32_t> counters{kLinearCounters};
  TestWorkspace() { counters.clear(); }
  Workspace view() const { return {data.data(), data.bytes(), counters.data(), kLinearCounters}; }
};

inline constexpr Storage kStorages[] = {Storage::kBf16, Storage::kFp8Block128, Storage::kInt4G128,
                                        Storage::kInt4G128Asym};

// The first `rows` of every y_stride values, in fp32 or bf16; what lies behind them must be as it was poisoned.
inline std::vector<float> outputs_of(const std::vector<std::uint8_t>& bytes, std::int64_t rows, std::int64_t y_stride,
                                     bool fp32) {
  const std::size_t width = fp32 ? 4 : 2;
  std::vector<float> outputs;
  for (std::size_t i = 0; i < bytes.size() / width; ++i) {
    const std::uint8_t* at = bytes.data() + i * width;
    if (static_cast<std::int64_t>(i) % y_stride >= rows) {
      EXPECT_TRUE(std::all_of(at, at + width, [](std::uint8_t b) { return b == 0xff; })) << "padding was written";
      continue;
    }
    float value = 0;
    std::uint16_t narrow = 0;
    std::memcpy(fp32 ? static_cast<void*>(&value) : &narrow, at, width);
    outputs.push_back(fp32 ? value : host::from_bf16(narrow));
  }
  return outputs;
}

}  // namespace fathom::cuda
