#include "power/accelerator_power.h"

#include <algorithm>
#include <array>
#include <stdexcept>

namespace fathom {
namespace {

constexpr const char* kFitSource = "fit to ml-energy/leaderboard @0cd52da";

struct Fit {
  std::string_view part;  // start of the catalog id
  double floor, per_memory, per_compute, tdp, error;
};

// Watts. The catalog's other cards with these chips (PCIe, NVL) have another TDP and take the share form.
constexpr std::array kFits = {
    Fit{"nvidia-h100-sxm", 349, 179, 1302, 700, 0.075},    // R2 0.55
    Fit{"nvidia-b200-sxm", 286, 1004, 2158, 1000, 0.099},  // R2 0.80
};

// The H100 fit divided by its 700 W. For other chips it overstates: A100 averages published with it are 0.435 to 0.65 of
// TDP (Mutinifni/splitwise-sim, perf_model.csv), up to a quarter below what this form gives.
constexpr double kFloorShare = 0.50, kMemoryShare = 0.26, kComputeShare = 1.86, kShareError = 0.25;

struct IdleShare {
  std::string_view part;
  double watts, tdp;
};

// Idle with the driver loaded: A100, H100 from Splitwise's constants; H200 from a blog's measurement.
constexpr std::array kIdle = {
    IdleShare{"nvidia-a100", 63, 400}, IdleShare{"nvidia-a800", 63, 400}, IdleShare{"nvidia-h100", 75, 700},
    IdleShare{"nvidia-h800", 75, 700}, IdleShare{"nvidia-h200", 80, 700},
};
constexpr double kOtherIdleShare = 0.13;  // between A100's 0.158 and H100's 0.107

Watts idle_of(std::string_view id, Watts tdp) {
  for (const IdleShare& known : kIdle) {
    if (id.starts_with(known.part)) return tdp * (known.watts / known.tdp);
  }
  return tdp * kOtherIdleShare;
}

AcceleratorPowerModel share_of_tdp(Watts tdp) {
  return {.floor = tdp * kFloorShare,
          .per_memory = tdp * kMemoryShare,
          .per_compute = tdp * kComputeShare,
          .cap = tdp,
          .relative_error = kShareError,
          .confidence = Confidence::kAssumed,
          .source = "H100 fit as a share of TDP"};
}

AcceleratorPowerModel fitted(const Fit& fit, Watts tdp) {
  return {.floor = Watts(fit.floor),
          .per_memory = Watts(fit.per_memory),
          .per_compute = Watts(fit.per_compute),
          .cap = tdp,
          .relative_error = fit.error,
          .confidence = Confidence::kDerived,
          .source = kFitSource};
}

// NVML's sensor against a power meter, over 70 cards (arXiv 2312.02741).
constexpr double kSensorError = 0.05;

// The share of the time in which one of the measured loads runs.
double share_at_ends(const MeasuredWatts& watts, const Activity& activity) {
  return std::min(1.0, activity.memory / watts.memory + activity.compute / watts.compute);
}

double error_at(const AcceleratorPowerModel& model, const Activity& activity) {
  if (!model.measured) return model.relative_error;
  return model.relative_error + (kSensorError - model.relative_error) * share_at_ends(*model.measured, activity);
}

}  // namespace

AcceleratorPowerModel accelerator_power_model(std::string_view catalog_id, Watts tdp, std::optional<Watts> idle) {
  if (!(tdp.value > 0)) throw std::invalid_argument("the power model needs the TDP of the accelerator");
  AcceleratorPowerModel model = share_of_tdp(tdp);
  for (const Fit& fit : kFits) {
    if (catalog_id.starts_with(fit.part) && tdp.value == fit.tdp) model = fitted(fit, tdp);
  }
  model.idle = idle.value_or(idle_of(catalog_id, tdp));
  return model;
}

AcceleratorPowerModel through_measured(const AcceleratorPowerModel& prior, const MeasuredWatts& watts) {
  const Watts least = std::min(watts.reading, watts.multiplying);
  if (!(watts.idle.value > 0 && least > watts.idle && watts.memory > 0 && watts.compute > 0))
    throw std::invalid_argument("measured watts need two loads above idle, and how busy they were");
  AcceleratorPowerModel model = prior;
  model.floor = std::clamp(prior.floor, watts.idle, least);
  model.per_memory = (watts.reading - model.floor) / watts.memory;
  model.per_compute = (watts.multiplying - model.floor) / watts.compute;
  model.idle = watts.idle;
  model.cap = std::max({watts.limit.value_or(prior.cap), watts.reading, watts.multiplying});
  model.relative_error = std::max(prior.relative_error, kSensorError);
  model.confidence = Confidence::kDerived;  // between what was measured
  model.source = "measured";
  model.measured = watts;
  return model;
}

Estimate<Watts> busy_power(const AcceleratorPowerModel& model, const Activity& activity) {
  const double error = error_at(model, activity);
  const Watts raw = model.floor + model.per_memory * activity.memory + model.per_compute * activity.compute;
  const auto within = [&](double factor) { return std::clamp(raw * factor, model.idle, model.cap); };
  return {.min = within(1 - error), .likely = within(1), .max = within(1 + error), .confidence = model.confidence};
}

Estimate<Watts> mean_power(const AcceleratorPowerModel& model, const Activity& activity) {
  const Estimate<Watts> busy = busy_power(model, activity);
  const auto over_time = [&](Watts power) { return power * activity.busy + model.idle * (1 - activity.busy); };
  return {.min = over_time(busy.min),
          .likely = over_time(busy.likely),
          .max = over_time(busy.max),
          .confidence = busy.confidence};
}

// Above idle, of TDP: copies, dense products, peer copies and all-reduces over network cards of A100, 910B3 and BI-V150
// (FlagOpen/FlagPerf @1b5a030, eight rows); fp32 arithmetic of H200 (te42kyfo/gpu-benches @1c36d50).
Watts steady_power(const AcceleratorPowerModel& model, SteadyWork work) {
  const auto above_idle = [&] {
    switch (work) {
      case SteadyWork::kMemory:
        return 0.43;
      case SteadyWork::kMatrix:
        return 0.80;
      case SteadyWork::kVector:
        return 0.46;
      case SteadyWork::kScaleUpLink:
        return 0.23;
      case SteadyWork::kNetwork:
        return 0.10;
    }
    return 0.0;
  };
  return std::min(model.idle + model.cap * above_idle(), model.cap);
}

// 1e6 tokens * J / 3.6e6 J per kWh.
double kwh_per_mtok(Joules accelerators_per_token, double node_over_accelerators, double pue) {
  return accelerators_per_token.value * node_over_accelerators * pue / 3.6;
}

}  // namespace fathom
