#include "units/quantity.h"

#include <gtest/gtest.h>

#include <type_traits>

namespace fathom {
namespace {

template <class A, class B>
concept CanAdd = requires(A a, B b) {
  a + b;
};

TEST(Quantity, DividingBytesByBandwidthGivesSeconds) {
  // 80 GB at 3.35 TB/s: 80e9 / 3350e9 = 0.0238806 s.
  const auto time = 80_GB / 3350_GBps;
  static_assert(std::is_same_v<decltype(time), const Seconds>);
  EXPECT_NEAR(time.value, 0.0238806, 1e-7);
}

TEST(Quantity, ADimensionlessQuotientIsAPlainDouble) {
  // One GiB is 1.073741824 GB.
  static_assert(std::is_same_v<decltype(1_GiB / 1_GB), double>);
  EXPECT_DOUBLE_EQ(1_GiB / 1_GB, 1.073741824);
}

TEST(Quantity, PowerTimesTimeIsEnergyAndOneOverTimeIsARate) {
  static_assert(std::is_same_v<decltype(10_W * 1_hours), Joules>);
  EXPECT_DOUBLE_EQ((10_W * 1_hours).value, 36000);
  static_assert(std::is_same_v<decltype(1.0 / 2_s), Hertz>);
  EXPECT_DOUBLE_EQ((1.0 / 2_s).value, 0.5);
}

TEST(Quantity, DifferentDimensionsDoNotAddUp) {
  static_assert(CanAdd<Bytes, Bytes>);
  static_assert(!CanAdd<Bytes, Seconds>);
  static_assert(!CanAdd<Bytes, double>);
  static_assert(!std::is_convertible_v<double, Bytes>);
}

}  // namespace
}  // namespace fathom
