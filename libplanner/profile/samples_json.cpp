#include <nlohmann/json.hpp>

#include "profile/fit.h"

namespace fathom {

std::string samples_json(const ProfileMeasurements& measurements) {
  std::string lines;
  for (const ProfileSample& s : measurements.operators) {
    const nlohmann::ordered_json json{
        {"name", s.name},         {"kind", to_string(s.kind)}, {"weights", to_string(s.weights)},
        {"bytes", s.bytes.value}, {"flops", s.flops.value},    {"tokens", s.tokens},
        {"time_s", s.time.value}};
    lines += (lines.empty() ? "[" : ",\n ") + json.dump();
  }
  return lines.empty() ? "[]\n" : lines + "]\n";
}

}  // namespace fathom
