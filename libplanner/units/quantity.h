// Physical quantities as types: a wrong unit does not compile.
//
// A Quantity is one double in coherent SI units (bytes, FLOP, seconds, joules, metres) with its dimension in the type.
// Multiplication and division derive the dimension; a result without dimension is a plain double. Prefixes (GB, GiB,
// ms, kW) exist only where text is parsed or printed: units/text.h.
#pragma once

#include <compare>

namespace fathom {

template <int B, int F, int S, int J, int M>
struct Quantity {
  double value = 0;  // B^B FLOP^F s^S J^J m^M

  constexpr Quantity() = default;
  constexpr explicit Quantity(double in_si_units) : value(in_si_units) {}

  constexpr auto operator<=>(const Quantity&) const = default;
  constexpr Quantity operator-() const { return Quantity(-value); }
  constexpr Quantity& operator+=(Quantity other) { return value += other.value, *this; }
  constexpr Quantity& operator-=(Quantity other) { return value -= other.value, *this; }
  constexpr Quantity& operator*=(double factor) { return value *= factor, *this; }
  constexpr Quantity& operator/=(double factor) { return value /= factor, *this; }
};

namespace detail {
template <int B, int F, int S, int J, int M>
constexpr auto make_quantity(double value) {
  if constexpr (B == 0 && F == 0 && S == 0 && J == 0 && M == 0) {
    return value;
  } else {
    return Quantity<B, F, S, J, M>(value);
  }
}
}  // namespace detail

template <int B, int F, int S, int J, int M>
constexpr auto operator+(Quantity<B, F, S, J, M> a, Quantity<B, F, S, J, M> b) {
  return a += b;
}
template <int B, int F, int S, int J, int M>
constexpr auto operator-(Quantity<B, F, S, J, M> a, Quantity<B, F, S, J, M> b) {
  return a -= b;
}
template <int B, int F, int S, int J, int M>
constexpr auto operator*(Quantity<B, F, S, J, M> a, double factor) {
  return a *= factor;
}
template <int B, int F, int S, int J, int M>
constexpr auto operator*(double factor, Quantity<B, F, S, J, M> a) {
  return a *= factor;
}
template <int B, int F, int S, int J, int M>
constexpr auto operator/(Quantity<B, F, S, J, M> a, double divisor) {
  return a /= divisor;
}
template <int B, int F, int S, int J, int M, int B2, int F2, int S2, int J2, int M2>
constexpr auto operator*(Quantity<B, F, S, J, M> a, Quantity<B2, F2, S2, J2, M2> b) {
  return detail::make_quantity<B + B2, F + F2, S + S2, J + J2, M + M2>(a.value * b.value);
}
template <int B, int F, int S, int J, int M, int B2, int F2, int S2, int J2, int M2>
constexpr auto operator/(Quantity<B, F, S, J, M> a, Quantity<B2, F2, S2, J2, M2> b) {
  return detail::make_quantity<B - B2, F - F2, S - S2, J - J2, M - M2>(a.value / b.value);
}
template <int B, int F, int S, int J, int M>
constexpr auto operator/(double numerator, Quantity<B, F, S, J, M> b) {
  return detail::make_quantity<-B, -F, -S, -J, -M>(numerator / b.value);
}

using Bytes = Quantity<1, 0, 0, 0, 0>;
using Flops = Quantity<0, 1, 0, 0, 0>;  // an amount of work, not a rate
using Seconds = Quantity<0, 0, 1, 0, 0>;
using Joules = Quantity<0, 0, 0, 1, 0>;
using Metres = Quantity<0, 0, 0, 0, 1>;
using Watts = Quantity<0, 0, -1, 1, 0>;
using Hertz = Quantity<0, 0, -1, 0, 0>;  // also requests/s and tokens/s
using BytesPerSecond = Quantity<1, 0, -1, 0, 0>;
using FlopsPerSecond = Quantity<0, 1, -1, 0, 0>;

// Temperature is no ratio scale, so it takes no part in products.
struct Celsius {
  double value = 0;
  constexpr auto operator<=>(const Celsius&) const = default;
};

inline namespace literals {
constexpr Bytes operator""_GiB(long double v) { return Bytes(static_cast<double>(v) * 1073741824.0); }
constexpr Bytes operator""_GiB(unsigned long long v) { return Bytes(static_cast<double>(v) * 1073741824.0); }
constexpr Bytes operator""_GB(long double v) { return Bytes(static_cast<double>(v) * 1e9); }
constexpr Bytes operator""_GB(unsigned long long v) { return Bytes(static_cast<double>(v) * 1e9); }
constexpr Bytes operator""_B(unsigned long long v) { return Bytes(static_cast<double>(v)); }
constexpr BytesPerSecond operator""_GBps(long double v) { return BytesPerSecond(static_cast<double>(v) * 1e9); }
constexpr BytesPerSecond operator""_GBps(unsigned long long v) { return BytesPerSecond(static_cast<double>(v) * 1e9); }
constexpr FlopsPerSecond operator""_TFLOPS(long double v) { return FlopsPerSecond(static_cast<double>(v) * 1e12); }
constexpr FlopsPerSecond operator""_TFLOPS(unsigned long long v) {
  return FlopsPerSecond(static_cast<double>(v) * 1e12);
}
constexpr Seconds operator""_s(long double v) { return Seconds(static_cast<double>(v)); }
constexpr Seconds operator""_s(unsigned long long v) { return Seconds(static_cast<double>(v)); }
constexpr Seconds operator""_ms(long double v) { return Seconds(static_cast<double>(v) * 1e-3); }
constexpr Seconds operator""_ms(unsigned long long v) { return Seconds(static_cast<double>(v) * 1e-3); }
constexpr Seconds operator""_us(long double v) { return Seconds(static_cast<double>(v) * 1e-6); }
constexpr Seconds operator""_us(unsigned long long v) { return Seconds(static_cast<double>(v) * 1e-6); }
constexpr Seconds operator""_hours(long double v) { return Seconds(static_cast<double>(v) * 3600); }
constexpr Seconds operator""_hours(unsigned long long v) { return Seconds(static_cast<double>(v) * 3600); }
constexpr Watts operator""_W(long double v) { return Watts(static_cast<double>(v)); }
constexpr Watts operator""_W(unsigned long long v) { return Watts(static_cast<double>(v)); }
}  // namespace literals

}  // namespace fathom
