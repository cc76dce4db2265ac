// What a line of a bill buys: the kind of thing, and the entries of the catalog that its name may mean.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bill/bill.h"
#include "catalog/catalog.h"

namespace fathom::bill {

enum class PartKind {
  kUnknown,
  kAccelerator,
  kHost,  // servers, chassis, whole machines
  kCpu,
  kMemory,
  kDisk,
  kStorage,
  kNic,
  kSwitch,
  kOptic,
  kCable,
  kRack,
  kPsu,
  kPdu,
  kUps,
  kCooling,
  kLicence,
  kSupport,
  kSpares,
  kElectricity,
  kSpace,
  kStaff,
  kAccessory
};

struct Part {
  PartKind kind = PartKind::kUnknown;
  const Row* row = nullptr;
  double count = 0;  // 0 when it is missing or open
  std::vector<const Accelerator*> accelerators = {};
  double accelerators_each = 0;  // in a host; 1 for a card
  std::vector<const Cpu*> cpus = {};
  std::vector<const NetworkCard*> nics = {};
  std::vector<const Switch*> switches = {};
  std::vector<const Optic*> optics = {};
  std::vector<const Server*> servers = {};
  std::vector<const Licence*> licences = {};
  std::string called = {};  // the words that the catalog knows it by
};

// One part for each line that buys something, in order.
std::vector<Part> parts_of(const Bill& bill, const Catalog& catalog);

PartKind kind_of(std::string_view text);  // by the last word that says what a thing is: 服务器内存 is memory

// "80" and "GB" of "80GB显存".
struct Measure {
  double value = 0;
  std::string unit;    // letters or the first Chinese characters behind the number, as written
  std::string behind;  // the text after the unit, lower case
};
std::vector<Measure> measures_in(std::string_view text);

// Ports of one device: "48×40G端口" is {48, 40e9/8}, "双端口" {2, nothing}.
struct StatedPorts {
  double count = 0;
  std::optional<BytesPerSecond> rate;
};
std::optional<StatedPorts> ports_in(std::string_view text);

}  // namespace fathom::bill
