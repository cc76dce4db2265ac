#include "simulate/step_times.h"

#include <algorithm>

namespace fathom {

namespace {

// The cell that holds `at`, and where in it: above 1 beyond the last point.
struct Place {
  std::size_t cell = 0;
  double share = 0;
};

Place place(const std::vector<double>& axis, double at) {
  if (axis.size() < 2 || at <= axis.front()) return {};
  const auto above = std::upper_bound(axis.begin() + 1, axis.end() - 1, at);
  const auto cell = static_cast<std::size_t>(above - axis.begin()) - 1;
  return {.cell = cell, .share = (at - axis[cell]) / (axis[cell + 1] - axis[cell])};
}

}  // namespace

double StepGrid::at(double x_at, double y_at) const {
  const Place px = place(x, x_at), py = place(y, y_at);
  const double* row = values.data() + px.cell * y.size() + py.cell;
  const auto along_y = [&](const double* low) { return py.share == 0 ? *low : low[0] + (low[1] - low[0]) * py.share; };
  const double low = along_y(row);
  return px.share == 0 ? low : low + (along_y(row + y.size()) - low) * px.share;
}

double BatchTimes::seconds(const StepWork& b) const {
  if (b.prompt_tokens <= 0) return b.sequences <= 0 ? 0 : decode.at(b.sequences, b.context);
  const double alone = prefill.at(b.prompt_tokens, b.prompt_context);
  if (b.sequences <= 0) return alone;
  return prefill.at(b.prompt_tokens + b.sequences, 0) + alone - prefill.at(b.prompt_tokens, 0) +
         decode.at(b.sequences, b.context) - prefill.at(b.sequences, 0) +
         (more.empty() ? 0 : more.at(b.sequences, b.prompt_tokens));
}

double BoundTimes::seconds(const StepWork& batch) const {
  double longest = 0;
  for (const BatchTimes& times : bounds) longest = std::max(longest, times.seconds(batch));
  return longest;
}

// m micro-batches, k of them with prompts; fractions are means over time.
double StepTimes::seconds(const StepWork& s) const {
  if (stages == 1) return latency.seconds(s);
  const double k = s.prompt_tokens > 0 ? std::clamp(s.prompt_tokens / chunk_tokens, 1.0, 1.0 * stages) : 0;
  const double m = std::clamp(std::max(s.sequences, k), 1.0, 1.0 * stages);
  StepWork batch{.sequences = s.sequences / m, .context = s.context};
  double trip = 0, paces = 0;
  if (m > k && s.sequences > 0) {
    trip = latency.seconds(batch);
    paces = pace.seconds(batch) * (m - k);
  }
  if (k > 0) {
    batch.prompt_tokens = s.prompt_tokens / k;
    batch.prompt_context = s.prompt_context;
    trip = std::max(trip, latency.seconds(batch));
    paces += pace.seconds(batch) * k;
  }
  return std::max(trip, paces);
}

}  // namespace fathom
