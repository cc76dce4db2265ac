// Measurements to rates: the row of each kind and format that misses its samples least, by relative error.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "operators/operator.h"
#include "profile/profile.h"

namespace fathom {

struct ProfileSample {
  std::string name = {};  // as in a plan; needed where the operator took no time
  OperatorKind kind = OperatorKind::kLinear;
  Format weights = Format::kBf16;
  Bytes bytes{};
  Flops flops{};
  double tokens = 0;
  Seconds time{};  // of one execution
};
ProfileSample sample_of(const Operator& op, Seconds time);  // bytes and FLOP as the planner counts them

struct CollectiveSample {
  OperatorKind kind = OperatorKind::kAllReduce;
  int ranks = 2;
  Bytes wire_bytes{};
  Seconds time{};
  std::string way = {};  // of several that do the same; curves are apart
};
CollectiveSample collective_sample_of(const Operator& op, Seconds time);

// A product on its own, outside of a step.
struct ProductSample {
  Format weights = Format::kBf16;
  ProductPoint point;
};

struct ProfileMeasurements {
  std::string machine, backend, date, accelerator, engine;  // as in Profile
  bool alone = false;  // kernels outside of steps, one sample for a shape: a row's band is of shapes left out
  std::vector<ProfileSample> operators;
  std::vector<CollectiveSample> collectives;
  std::vector<ProductSample> products;  // these two become surfaces and curves, where there are points enough
  std::vector<CollectiveSample> curves;
  std::vector<ProfilePart> parts;       // operators that are known to be part of others
  std::vector<Seconds> step_overheads;  // of steps: their time without their operators'
  std::vector<ProfileRow> rows;         // taken over as they are, these three
  std::optional<ProfileWatts> watts;
  std::optional<BytesPerSecond> storage;
  std::vector<std::string> commands;
};

// Samples without a positive finite time are in no row; one row per kind and format that has others. A time of 0 under a name
// says that the operator ran as part of another.
Profile fit_profile(const ProfileMeasurements& measurements);

// The operators' samples, one line each, for whoever wants to fit them otherwise. Ends with a newline.
std::string samples_json(const ProfileMeasurements& measurements);

}  // namespace fathom
