#include "catalog/catalog.h"

namespace fathom {

const Fact<FlopsPerSecond>* peak(const Peaks& peaks, Dtype dtype) {
  const auto first = [&peaks](std::initializer_list<PeakRate> rates) -> const Fact<FlopsPerSecond>* {
    for (const PeakRate rate : rates) {
      if (const auto found = peaks.find(rate); found != peaks.end()) return &found->second;
    }
    return nullptr;
  };
  switch (dtype) {
    case Dtype::kFp64:
      return first({PeakRate::kFp64Tensor, PeakRate::kFp64});
    case Dtype::kFp32:
      return first({PeakRate::kFp32Matrix, PeakRate::kFp32});
    case Dtype::kTf32:
      return first({PeakRate::kTf32});
    case Dtype::kFp16:
      return first({PeakRate::kFp16Fp32Accumulate, PeakRate::kFp16});
    case Dtype::kBf16:
      return first({PeakRate::kBf16});
    case Dtype::kFp8:
      return first({PeakRate::kFp8Fp32Accumulate, PeakRate::kFp8});
    case Dtype::kFp6:
      return first({PeakRate::kFp6});
    case Dtype::kFp4:
      return first({PeakRate::kFp4});
    case Dtype::kInt16:
      return first({PeakRate::kInt16});
    case Dtype::kInt8:
      return first({PeakRate::kInt8});
    case Dtype::kInt4:
      return first({PeakRate::kInt4});
  }
  return nullptr;
}

Fact<UnitPrice> per_gpu_hour(const RentalPrice& rental) {
  Fact<UnitPrice> price = rental.price;
  if (price.value.per == "gpu-hour") return price;
  const auto share = [&rental](UnitPrice& whole) {
    whole.micros = (whole.micros + rental.accelerators / 2) / rental.accelerators;
    whole.per = "gpu-hour";
  };
  share(price.value);
  if (price.low) share(*price.low);
  if (price.high) share(*price.high);
  price.origin.confidence = weakest(price.origin.confidence, Confidence::kDerived);
  return price;
}

void load_all(const Catalog& catalog) {
  const auto load = [&catalog]<class... T>(std::tuple<T...>*) { ((void)catalog.all<T>(), ...); };
  load(static_cast<AllKinds*>(nullptr));
}

}  // namespace fathom
