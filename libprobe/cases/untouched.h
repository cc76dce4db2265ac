// Memory whose pages nobody has touched yet: the threads that measure touch them first, each its own part, so that they lie on the
// NUMA nodes of those threads. A vector would put all of them on the node of whoever makes it.
#pragma once

#include <cstdlib>
#include <memory>
#include <new>

namespace fathom::probe {

template <class T>
class Untouched {
 public:
  explicit Untouched(std::size_t count) : count_(count) {
    constexpr std::size_t kPage = 4096;
    data_.reset(static_cast<T*>(std::aligned_alloc(kPage, (count * sizeof(T) + kPage) / kPage * kPage)));
    if (data_ == nullptr) throw std::bad_alloc();
  }
  T* data() { return data_.get(); }
  std::size_t size() const { return count_; }

 private:
  struct Free {
    void operator()(T* p) const { std::free(p); }
  };
  std::size_t count_;
  std::unique_ptr<T[], Free> data_;
};

}  // namespace fathom::probe
