// The only place where unit symbols and prefixes are read or written.
//
// GB is 1e9 B, GiB is 2^30 B, Gb/s is 1e9/8 B/s. Reading checks the dimension: "400 GB" where a bandwidth is wanted is
// an error that says so. Printing picks a prefix for people; programs get SI numbers with the unit last in the key.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "units/quantity.h"

namespace fathom {

struct UnitError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Each throws UnitError with what was expected and an example. Negative and non-finite numbers are refused here:
// no physical input of this program may be negative.
Bytes parse_bytes(std::string_view text);                  // "80 GiB", "1.6 TB"
BytesPerSecond parse_bandwidth(std::string_view text);     // "3.35 TB/s", "400 Gb/s"
FlopsPerSecond parse_compute_rate(std::string_view text);  // "989.4 TFLOPS", "624 TOPS"
Seconds parse_duration(std::string_view text);             // "1.5 us", "24 h", "3 years"
Watts parse_power(std::string_view text);                  // "10.2 kW"
Joules parse_energy(std::string_view text);                // "5 kWh"
Metres parse_length(std::string_view text);                // "120 km"
Hertz parse_rate(std::string_view text);                   // "0.5 /s", "12000 /day", "2.6 GHz"
Celsius parse_temperature(std::string_view text);          // "27 C" (may be negative)

// Overloads for templates (readers): the target type picks the dimension.
void parse_quantity(std::string_view text, Bytes& out);
void parse_quantity(std::string_view text, BytesPerSecond& out);
void parse_quantity(std::string_view text, FlopsPerSecond& out);
void parse_quantity(std::string_view text, Seconds& out);
void parse_quantity(std::string_view text, Watts& out);
void parse_quantity(std::string_view text, Joules& out);
void parse_quantity(std::string_view text, Metres& out);
void parse_quantity(std::string_view text, Hertz& out);
void parse_quantity(std::string_view text, Celsius& out);

std::string to_string(Bytes bytes);               // decimal prefix: "89.1 GB"
std::string to_string_binary(Bytes bytes);        // binary prefix: "626.9 GiB"
std::string to_string(BytesPerSecond bandwidth);  // "3.35 TB/s"
std::string to_string(FlopsPerSecond rate);       // "989 TFLOPS"
std::string to_string(Flops work);                // "73.3 GFLOP"
std::string to_string(Seconds time);              // "17.9 ms"
std::string to_string(Watts power);               // "10.2 kW"
std::string to_string(Joules energy);             // "575 MWh" above 1 kWh, else "2.4 J"
std::string to_string(Metres length);             // "120 m"
std::string to_string(Celsius temperature);       // "27 C"
std::string percent(double share);                // "55.6 %"
std::string count_text(double count);             // "1.2 M", three significant digits
std::string grouped(long long count);             // "671,026,419,200"

}  // namespace fathom
