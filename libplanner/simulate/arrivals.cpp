#include "simulate/arrivals.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace fathom {

namespace {

constexpr std::uint64_t kStream = 3;  // of the seed's random numbers

std::int64_t how_many(const ArrivalPlan& a) {
  if (a.kind != Arrivals::kTrace) return a.requests;
  const auto recorded = static_cast<std::int64_t>(a.trace->requests.size());
  return a.requests > 0 ? std::min(a.requests, recorded) : recorded;
}

}  // namespace

ArrivalStream::ArrivalStream(const ArrivalPlan& plan, const ServingLoad& load, double longest, std::uint64_t seed)
    : plan_(plan), random_(seed, kStream), lengths_(load, plan.trace, longest, seed) {
  planned_ = how_many(plan);
  draw();
}

double ArrivalStream::next() const { return has_next_ ? next_.arrival : std::numeric_limits<double>::infinity(); }

SimulatedRequest ArrivalStream::take() {
  const SimulatedRequest taken = next_;
  draw();
  return taken;
}

void ArrivalStream::answered(double now) {
  if (plan_.kind != Arrivals::kClosed) return;
  again_.push_back(now);
  if (!has_next_) draw();
}

void ArrivalStream::draw() {
  has_next_ = drawn_ < planned_ && draw_time();
  if (!has_next_) return;
  next_ = {};
  if (plan_.kind == Arrivals::kTrace) {
    next_ = plan_.trace->requests[static_cast<std::size_t>(drawn_)];
  } else {
    lengths_.fill(next_);
  }
  // Clients of a closed loop are anywhere in their answers when the clock starts.
  if (plan_.kind == Arrivals::kClosed && !plan_.in_step && drawn_ < static_cast<std::int64_t>(plan_.concurrency))
    next_.output = 1 + static_cast<int>(random_.uniform() * next_.output);
  next_.arrival = clock_;
  ++drawn_;
}

// Of the request that is drawn next. False: a closed loop waits for an answer.
bool ArrivalStream::draw_time() {
  switch (plan_.kind) {
    case Arrivals::kPoisson:
      clock_ += random_.exponential(1 / plan_.requests_per_s);
      return true;
    case Arrivals::kGamma: {
      const double shape = 1 / std::max(1e-12, plan_.variation * plan_.variation);
      clock_ +=
          plan_.variation < 1e-3 ? 1 / plan_.requests_per_s : random_.gamma(shape, 1 / (shape * plan_.requests_per_s));
      return true;
    }
    case Arrivals::kClosed:
      if (drawn_ < static_cast<std::int64_t>(plan_.concurrency)) return true;
      if (again_.empty()) return false;
      clock_ = again_.front();
      again_.pop_front();
      return true;
    case Arrivals::kTrace: {
      const std::vector<SimulatedRequest>& recorded = plan_.trace->requests;
      clock_ = (recorded[static_cast<std::size_t>(drawn_)].arrival - recorded.front().arrival) * plan_.time_scale;
      return true;
    }
  }
  return false;
}

std::string describe(const ArrivalPlan& a) {
  switch (a.kind) {
    case Arrivals::kPoisson:
      return fmt::format("Poisson, {:.4g} requests/s", a.requests_per_s);
    case Arrivals::kGamma:
      return fmt::format("gamma, {:.4g} requests/s, coefficient of variation {:g}", a.requests_per_s, a.variation);
    case Arrivals::kClosed:
      return fmt::format("closed loop, {:g} in flight{}", a.concurrency, a.in_step ? ", started in step" : "");
    case Arrivals::kTrace:
      return a.time_scale == 1 ? "trace" : fmt::format("trace, its times x {:g}", a.time_scale);
  }
  return {};
}

}  // namespace fathom
