#include "device/sampler.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

namespace fathom {

namespace {

template <class Join>
void join(std::optional<double>& into, const std::optional<double>& from, Join how) {
  if (from) into = into ? how(*into, *from) : *from;
}

DeviceWatch sample_of(const NvmlDevice& device) {
  DeviceWatch now;
  now.samples = 1;
  now.mean_watts = now.most_watts = device.power_w();
  now.least_clock_hz = now.mean_clock_hz = now.most_clock_hz = device.clock_hz();
  now.memory_clock_hz = device.memory_clock_hz();
  now.most_celsius = device.temperature_c();
  now.event_reasons = device.event_reasons();
  return now;
}

}  // namespace

void DeviceWatch::add(const DeviceWatch& later) {
  const auto least = [](double a, double b) { return std::min(a, b); };
  const auto most = [](double a, double b) { return std::max(a, b); };
  const auto last = [](double, double b) { return b; };
  const auto mean = [&](double a, double b) { return (a * samples + b * later.samples) / (samples + later.samples); };
  join(mean_watts, later.mean_watts, mean);
  join(most_watts, later.most_watts, most);
  join(least_clock_hz, later.least_clock_hz, least);
  join(mean_clock_hz, later.mean_clock_hz, mean);
  join(most_clock_hz, later.most_clock_hz, most);
  join(memory_clock_hz, later.memory_clock_hz, last);
  join(most_celsius, later.most_celsius, most);
  if (later.event_reasons) event_reasons = event_reasons.value_or(0) | *later.event_reasons;
  samples += later.samples;
}

struct NvmlSampler::Thread {
  std::mutex mutex;
  std::condition_variable ending;
  bool ended = false;
  DeviceWatch seen;
  std::thread thread;

  Thread(const NvmlDevice& device, std::chrono::milliseconds between)
      : thread([this, device, between] { sample(device, between); }) {}

  void sample(const NvmlDevice& device, std::chrono::milliseconds between) {
    std::unique_lock lock(mutex, std::defer_lock);
    while (true) {  // once at least
      const DeviceWatch now = sample_of(device);
      lock.lock();
      seen.add(now);
      ending.wait_for(lock, between, [this] { return ended; });
      if (ended) return;
      lock.unlock();
    }
  }
};

NvmlSampler::NvmlSampler(std::optional<NvmlDevice> device, std::chrono::milliseconds between)
    : device_(std::move(device)), between_(between) {}

NvmlSampler::~NvmlSampler() { stop(); }

void NvmlSampler::start() {
  if (thread_ == nullptr && device_) thread_ = std::make_unique<Thread>(*device_, between_);
}

std::optional<DeviceWatch> NvmlSampler::stop() {
  if (thread_ == nullptr) return std::nullopt;
  {
    const std::lock_guard lock(thread_->mutex);
    thread_->ended = true;
  }
  thread_->ending.notify_all();
  thread_->thread.join();
  const DeviceWatch seen = thread_->seen;
  thread_.reset();
  return seen.samples > 0 ? std::optional(seen) : std::nullopt;
}

}  // namespace fathom
