#include "redfish/redfish.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>

#include "importers/tool_json.h"
#include "input/error.h"

namespace fathom::probe {

namespace {

constexpr std::size_t kMostMembers = 64;  // of a collection
constexpr const char* kLimitSeconds = "10";
constexpr const char* kMostBytes = "4000000";

// What a controller says ends up in records and on terminals.
std::string plain(const std::string& text) {
  std::string out = text.substr(0, 200);
  std::replace_if(
      out.begin(), out.end(), [](char c) { return static_cast<unsigned char>(c) < 32 || c == 127; }, ' ');
  return out;
}

class Controller {
 public:
  Controller(const System& system, const RedfishAccess& access) : system_(system), access_(access) {}

  // Throws InputError. A path of another host is not followed.
  Document get(const std::string& path) const {
    if (!path.starts_with("/redfish/v1")) throw InputError(access_.url, {}, "no path of Redfish: " + plain(path));
    std::vector<std::string> words = {"curl",
                                      "--silent",
                                      "--show-error",
                                      "--fail",
                                      "--globoff",
                                      "--max-time",
                                      kLimitSeconds,
                                      "--max-filesize",
                                      kMostBytes,
                                      "--proto",
                                      "=https,http",
                                      "--header",
                                      "Accept: application/json"};
    if (access_.login) words.insert(words.end(), {"--netrc-file", access_.login->string()});
    if (access_.any_certificate) words.push_back("--insecure");
    words.push_back(base() + path);
    const CommandOutcome said = system_.run(words, Seconds(15));
    if (!said.succeeded()) throw InputError(access_.url, {}, plain(trouble_with("curl", said)));
    return parse_tool_json(said.out, access_.url + plain(path));
  }

  // Where a link of the document leads; empty when there is none.
  static std::string link(const Node& from, const char* name) { return from.find({name, "@odata.id"}).text(); }

  std::vector<Document> members(const std::string& collection) const {
    std::vector<Document> all;
    const Document list = get(collection);
    const std::vector<Node> items = root_of(list).need({"Members"}).items();
    if (items.size() > kMostMembers) root_of(list).fail("the collection is absurdly long");
    for (const Node& item : items) all.push_back(get(item.find({"@odata.id"}).text()));
    return all;
  }

 private:
  std::string base() const {
    std::string url = access_.url;
    while (url.ends_with('/')) url.pop_back();
    return url;
  }

  const System& system_;
  const RedfishAccess& access_;
};

PowerSupply supply_of(const Node& from) {
  PowerSupply s;
  s.name = plain(from.find({"Name"}).text());
  s.state = plain(from.find({"Status", "State"}).text());
  s.health = plain(from.find({"Status", "Health"}).text());
  s.input = plain(from.find({"LineInputStatus"}).text());
  const auto watts = from.find({"PowerCapacityWatts"}).maybe_number();
  if (watts && *watts > 0) s.capacity = Watts(*watts);
  return s;
}

// PowerSubsystem says RedundancyType, MinNeededInGroup and RedundancyGroup; the older Power Mode, MinNumNeeded and RedundancySet.
SupplyGroup group_of(const Node& from) {
  const auto either = [&](const char* now, const char* before) {
    const Node found = from.find({now});
    return found ? found : from.find({before});
  };
  SupplyGroup g;
  g.kind = plain(either("RedundancyType", "Mode").text());
  g.health = plain(from.find({"Status", "Health"}).text());
  g.members = static_cast<int>(either("RedundancyGroup", "RedundancySet").items().size());
  const auto needed = either("MinNeededInGroup", "MinNumNeeded").maybe_number();
  if (needed && *needed >= 0 && *needed <= kMostMembers) g.needed = static_cast<int>(std::lround(*needed));
  return g;
}

void add(NodePower& power, const Node& groups) {
  for (const Node& group : groups.items()) power.groups.push_back(group_of(group));
}

// A chassis without supplies (a drawer, a fan tray) adds nothing.
void add_chassis(const Controller& controller, const Node& chassis, NodePower& power) {
  if (const std::string now = Controller::link(chassis, "PowerSubsystem"); !now.empty()) {
    const Document subsystem = controller.get(now);
    add(power, root_of(subsystem).find({"PowerSupplyRedundancy"}));
    const std::string supplies = Controller::link(root_of(subsystem), "PowerSupplies");
    if (supplies.empty()) return;
    for (const Document& one : controller.members(supplies)) power.supplies.push_back(supply_of(root_of(one)));
  } else if (const std::string before = Controller::link(chassis, "Power"); !before.empty()) {
    const Document document = controller.get(before);
    for (const Node& one : root_of(document).find({"PowerSupplies"}).items()) power.supplies.push_back(supply_of(one));
    add(power, root_of(document).find({"Redundancy"}));
  }
}

}  // namespace

std::string trouble_with_access(const RedfishAccess& access) {
  const bool safe = access.url.starts_with("https://"), plain_text = access.url.starts_with("http://");
  if (!safe && !plain_text) return access.url + " is no address: https://HOST";
  const std::string rest = access.url.substr(safe ? 8 : 7);
  const auto is_odd = [](char c) { return static_cast<unsigned char>(c) <= 32 || c == 127 || c == '@'; };
  if (rest.empty() || std::any_of(rest.begin(), rest.end(), is_odd)) {
    return "is no address: https://HOST, without a name and password in it";
  }
  if (access.login && plain_text) return "would send the login readable: https is needed";
  return {};
}

void find_power(const System& system, const RedfishAccess& access, MachineRecord& record) {
  try {
    const Controller controller(system, access);
    NodePower power;
    for (const Document& chassis : controller.members("/redfish/v1/Chassis")) {
      add_chassis(controller, root_of(chassis), power);
    }
    if (power.supplies.empty()) {
      record.no_power = access.url + " tells of no power supply";
    } else {
      record.power = std::move(power);
    }
  } catch (const InputError& error) {
    record.no_power = fmt::format("{}: {}", access.url, error.message());
  }
}

}  // namespace fathom::probe
