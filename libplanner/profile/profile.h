// What one machine really does, as rates that replace those of the catalogs: a row per operator kind and weight format,
// collectives, the time between operators. Fitted to measurements by fit_profile(); docs/formulas/profile.md.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "model/format.h"
#include "operators/operator.h"
#include "profile/curve.h"
#include "profile/product_surface.h"
#include "units/fact.h"
#include "units/quantity.h"

namespace fathom {

// How reading and computing make the time of one execution.
enum class ProfileForm {
  kLongest,  // max(bytes / memory, flops / compute) + floor: they overlap
  kSum,      // bytes / memory + flops / compute + floor: they do not
};

// How well a row fits what was measured, by shape. `fast` and `slow` are times over the row's own, the ends of a
// prediction's band.
struct ProfileFit {
  int samples = 0;
  double median_error = 0, worst_error = 0;  // |measured / fitted - 1|
  double fast = 0.95, slow = 1.05;
};

// Measured over the row's own time at one arithmetic intensity, the median of the shapes there: kernels work in blocks and
// passes, which two rates do not show. Operators without FLOP have a size only, and attention that decodes one intensity: few long
// contexts and many short ones are the same bytes.
struct ProfileFactor {
  double flops_per_byte = 0;
  Bytes bytes_per_token{};  // 0: any
  Bytes bytes{};            // 0: of any size
  double factor = 1;
};

struct ProfileRow {
  OperatorKind kind = OperatorKind::kLinear;
  Format weights = Format::kBf16;  // bf16 for kinds that read none or whose format does not matter
  ProfileForm form = ProfileForm::kLongest;
  BytesPerSecond memory{};   // infinite: no part of the time follows the bytes
  FlopsPerSecond compute{};  // infinite: none follows the FLOP
  Seconds floor{};
  std::vector<ProfileFactor> factors = {};  // by intensity, bytes per token, size, rising; empty: 1 everywhere
  ProfileFit fit;
};

// The parts of one execution's time under a row; `total` is what the form and the factor make of them.
struct ProfileTime {
  Seconds memory{}, compute{}, floor{}, total{};
};
ProfileTime profile_time(const ProfileRow& row, Bytes bytes, Flops flops, double tokens);
// Whether shapes of about such an arithmetic intensity were among those that the row was fitted to; true when it has no factors.
bool reaches(const ProfileRow& row, Bytes bytes, Flops flops);

struct ProfileCollective {
  OperatorKind kind = OperatorKind::kAllReduce;
  int ranks = 2;
  Seconds latency{};
  BytesPerSecond bandwidth{};               // of wire_bytes(); infinite when the time does not follow them
  std::vector<ProfileFactor> factors = {};  // by size alone, rising: libraries take another way from some size on
  ProfileFit fit;
};
Seconds profile_time(const ProfileCollective& row, Bytes wire_bytes);

// What a device drew at rest and at two loads without end, and what these moved: the median over the devices of a machine.
struct ProfileWatts {
  Watts idle{}, reading{}, multiplying{};
  BytesPerSecond memory{};          // while it read its memory
  FlopsPerSecond compute{};         // while it multiplied bf16 matrices
  std::optional<Watts> limit = {};  // of the cards, as it was set
};

// An operator that ran as part of another and took no time of its own, in steps where it has so few tokens.
struct ProfilePart {
  std::string name;   // as in a plan: "ffn.activation"
  double tokens = 0;  // at most; infinite: always
};

struct Profile {
  std::string file;         // it was read from; empty before it is written
  std::string machine;      // "Intel Xeon Platinum 8480+, 112 cores"
  std::string backend;      // "host" or "cuda"
  std::string date;         // ISO 8601
  std::string accelerator;  // id in the catalog of what it stands for
  std::string engine;       // id of the engine that ran
  std::vector<ProfileRow> rows;
  std::vector<ProfilePart> parts;
  std::vector<ProfileCollective> collectives;
  bool alone = false;                     // measured outside of steps: rows' bands are of shapes left out
  std::vector<ProductSurface> surfaces;   // of products, one for each format, and
  std::vector<MeasuredCurve> curves;      // of collectives: measured alone, they come before rows; in no profile file
  Estimate<Seconds> step_overhead;        // between the operators of a step
  int step_samples = 0;                   // 0: it was not measured
  std::optional<ProfileWatts> watts;      // and
  std::optional<BytesPerSecond> storage;  // long reads where the weights lie: of a machine's record, in no profile file
  std::vector<std::string> commands;      // that made the measurements
  std::vector<std::string> shapes;        // that were measured, in words

  const ProfileRow* find(OperatorKind kind, Format weights) const;  // nullptr when there is none
  const ProfileCollective* find(OperatorKind kind, int ranks) const;
  const ProductSurface* surface(Format weights) const;
  // The fastest of the ways that were measured at such a size; beyond all of them the slowest. Absent: no curve, or none that begins
  // so early, since a bandwidth tells nothing of a latency.
  std::optional<Figure> on_curves(OperatorKind kind, int ranks, Bytes wire_bytes) const;
  bool part_of_another(const std::string& name, double tokens) const;
};

// The format under which a kind is looked up: weights matter to products and to the embedding only.
Format profile_format(OperatorKind kind, Format weights);

// One line for each surface and curve: "linear bf16: 120 shapes, left out one by one 2.9 % off (median), 9.1 % (90 % of them)".
std::vector<std::string> fit_texts(const Profile& profile);

std::string profile_json(const Profile& profile);  // ends with a newline

// Throws InputError for a file that is not a profile, with the place of what is wrong.
Profile read_profile(const std::filesystem::path& path);

}  // namespace fathom
