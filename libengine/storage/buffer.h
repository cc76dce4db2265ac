// Memory of one rank by purpose, so that what the ledger predicts can be held against what was allocated.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace fathom {

enum class Purpose { kWeights, kKvCache, kActivations, kCommunication };

// Bytes asked for and not yet given back. Outlives its buffers.
class Account {
 public:
  void add(Purpose purpose, std::int64_t bytes) { held_[static_cast<std::size_t>(purpose)] += bytes; }
  std::int64_t held(Purpose purpose) const { return held_[static_cast<std::size_t>(purpose)]; }

 private:
  std::array<std::atomic<std::int64_t>, 4> held_{};
};

// Uninitialised bytes, aligned for any vector instruction.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Account& account, Purpose purpose, std::size_t bytes);
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer();

  std::byte* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }
  template <class T>
  T* as() const {
    return reinterpret_cast<T*>(data_);
  }

 private:
  Account* account_ = nullptr;
  Purpose purpose_ = Purpose::kWeights;
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace fathom
