#include "program/rope_frequencies.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <stdexcept>

namespace fathom {

namespace {

bool is_yarn(const Architecture& a) { return a.rope_scaling && a.rope_scaling->type == "yarn"; }

// 0.1 mscale ln(factor) + 1 (Peng et al., "YaRN", 2023, eq. 22, with DeepSeek's mscale).
double yarn_magnitude(double factor, double mscale) { return factor <= 1 ? 1 : 0.1 * mscale * std::log(factor) + 1; }

// Llama 3.1: wavelengths beyond the original context turn slower by `factor`, short ones stay, a ramp between.
void scale_llama3(const RopeScaling& s, std::vector<double>& inverse) {
  for (double& f : inverse) {
    const double wavelength = 2 * std::numbers::pi / f;
    if (wavelength > s.original_max_position / s.low_freq_factor) {
      f /= s.factor;
    } else if (wavelength >= s.original_max_position / s.high_freq_factor) {
      const double smooth =
          (s.original_max_position / wavelength - s.low_freq_factor) / (s.high_freq_factor - s.low_freq_factor);
      f = (1 - smooth) * f / s.factor + smooth * f;
    }
  }
}

// YaRN: dimensions that turn more than beta_fast times within the original context stay, those below beta_slow turns are
// interpolated, a linear ramp over the dimension's number between.
void scale_yarn(const RopeScaling& s, double theta, int dims, std::vector<double>& inverse) {
  const auto dimension_of = [&](double turns) {
    return dims * std::log(s.original_max_position / (turns * 2 * std::numbers::pi)) / (2 * std::log(theta));
  };
  const double fast = s.beta_fast > 0 ? s.beta_fast : 32, slow = s.beta_slow > 0 ? s.beta_slow : 1;
  const double low = std::max(std::floor(dimension_of(fast)), 0.0);
  double high = std::min(std::ceil(dimension_of(slow)), dims - 1.0);
  if (high == low) high += 0.001;  // no division by zero, as the reference implementations do
  for (std::size_t i = 0; i < inverse.size(); ++i) {
    const double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    inverse[i] = inverse[i] / s.factor * ramp + inverse[i] * (1 - ramp);
  }
}

}  // namespace

RopeFrequencies rope_frequencies(const Architecture& a) {
  RopeFrequencies rope;
  rope.dims = a.mla ? a.mla->qk_rope_head_dim : a.head_dim;
  rope.pairs = a.mla ? host::RopePairs::kInterleaved : host::RopePairs::kHalves;
  for (int i = 0; i < rope.dims / 2; ++i) rope.inverse.push_back(std::pow(a.rope_theta, -2.0 * i / rope.dims));
  if (!a.rope_scaling || a.rope_scaling->type == "default" || a.rope_scaling->type.empty()) return rope;
  const RopeScaling& s = *a.rope_scaling;
  if (s.type == "llama3") {
    scale_llama3(s, rope.inverse);
  } else if (s.type == "yarn") {
    scale_yarn(s, a.rope_theta, rope.dims, rope.inverse);
    rope.magnitude = s.mscale > 0 && s.mscale_all_dim > 0
                         ? yarn_magnitude(s.factor, s.mscale) / yarn_magnitude(s.factor, s.mscale_all_dim)
                         : yarn_magnitude(s.factor, 1);
  } else if (s.type == "linear") {
    for (double& f : rope.inverse) f /= s.factor;
  } else {
    throw std::invalid_argument("rope scaling \"" + s.type + "\" is not supported by the engine");
  }
  return rope;
}

double attention_scale(const Architecture& a) {
  const double width = a.mla ? a.mla->qk_head_dim() : a.head_dim;
  double scale = 1 / std::sqrt(width);
  if (a.mla && is_yarn(a) && a.rope_scaling->mscale_all_dim > 0) {
    const double m = yarn_magnitude(a.rope_scaling->factor, a.rope_scaling->mscale_all_dim);
    scale *= m * m;
  }
  return scale;
}

void RopeFrequencies::angles(std::int64_t position, float* cosine, float* sine) const {
  for (std::size_t i = 0; i < inverse.size(); ++i) {
    const double angle = static_cast<double>(position) * inverse[i];
    cosine[i] = static_cast<float>(std::cos(angle) * magnitude);
    sine[i] = static_cast<float>(std::sin(angle) * magnitude);
  }
}

}  // namespace fathom
