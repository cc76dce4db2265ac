#include "storage/buffer.h"

#include <new>
#include <utility>

namespace fathom {

namespace {

constexpr std::align_val_t kAlignment{64};

}  // namespace

Buffer::Buffer(Account& account, Purpose purpose, std::size_t bytes)
    : account_(&account), purpose_(purpose), bytes_(bytes) {
  if (bytes == 0) return;
  data_ = static_cast<std::byte*>(::operator new(bytes, kAlignment));
  account_->add(purpose_, static_cast<std::int64_t>(bytes_));
}

Buffer::Buffer(Buffer&& other) noexcept { *this = std::move(other); }

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(account_, other.account_);
  std::swap(purpose_, other.purpose_);
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

Buffer::~Buffer() {
  if (data_ == nullptr) return;
  account_->add(purpose_, -static_cast<std::int64_t>(bytes_));
  ::operator delete(data_, kAlignment);
}

}  // namespace fathom
