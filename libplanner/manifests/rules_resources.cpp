// Devices, memory and quantities of containers.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "manifests/manifest_rules.h"
#include "manifests/quantity.h"
#include "units/number.h"

namespace fathom::manifests {

namespace {

// The resources of one container, as far as they are devices of a vendor.
enum class Known { kDevice, kShare, kUnknown };
struct DeviceName {
  const DeviceResources* vendor = nullptr;
  Known known = Known::kUnknown;
};

// nullopt for what is no device of a vendor: cpu, memory, rdma/….
std::optional<DeviceName> device_name(const std::string& resource, const Vocabulary& words) {
  const std::size_t slash = resource.find('/');
  if (slash == std::string::npos) return std::nullopt;
  const std::string domain = resource.substr(0, slash), name = resource.substr(slash + 1);
  for (const DeviceResources& r : words.resources) {
    if (domain != r.domain && !domain.ends_with("." + r.domain)) continue;
    const auto among = [&](const std::vector<std::string>& patterns) {
      return domain == r.domain && std::any_of(patterns.begin(), patterns.end(),
                                               [&](const std::string& pattern) { return matches(pattern, name); });
    };
    return DeviceName{&r, among(r.devices) ? Known::kDevice : among(r.shares) ? Known::kShare : Known::kUnknown};
  }
  return std::nullopt;
}

bool is_count(const Value& value) {
  const auto q = parse_kubernetes_quantity(text(&value));
  return q && q->value >= 0 && std::floor(q->value) == q->value && (q->suffix.empty() || q->suffix == "k");
}

void check_device_entry(const Entry& e, const ManifestCase& c, Remarks& out) {
  const auto device = device_name(e.key, c.vocabulary);
  if (!device) return;
  if (device->known == Known::kUnknown) {
    std::vector<std::string> names;
    for (const std::string& name : device->vendor->devices) {
      if (name.find('*') == std::string::npos) names.push_back(device->vendor->domain + "/" + name);
    }
    out.push_back(
        {.rule = "manifest.device_name",
         .mark = key_mark(e),
         .message = fmt::format("no device plugin of {} that fathom knows offers {}", device->vendor->vendor, e.key),
         .help = names.empty() ? "" : "it offers " + listed(names, " or ")});
  }
  if (!is_count(e.value)) {
    out.push_back({.rule = "manifest.device_count",
                   .mark = mark(e),
                   .message = fmt::format("devices are counted in whole numbers, and {} says {}", e.key,
                                          in_quotes(text(&e.value)))});
  }
}

void check_quantity(const Entry& e, Remarks& out) {
  const std::string written = text(&e.value);
  if (e.value.kind != Value::Kind::kScalar || written.find("${") != std::string::npos ||
      written.find("{{") != std::string::npos)
    return;
  const auto quantity = parse_kubernetes_quantity(written);
  if (!quantity) {
    const std::string close = nearest_quantity(written);
    out.push_back({.rule = "manifest.quantity",
                   .mark = mark(e),
                   .message = fmt::format("{} is no quantity of Kubernetes", in_quotes(written)),
                   .help = close.empty() ? "write it as 64Gi, 64G or 500m" : fmt::format("write it as {}", close)});
  } else if (quantity->suffix == "m" && (e.key == "memory" || e.key == "ephemeral-storage" || e.key == "sizeLimit")) {
    out.push_back({.rule = "manifest.milli",
                   .mark = mark(e),
                   .message = fmt::format("{} is {} bytes: \"m\" is a thousandth", written, quantity->value),
                   .help = fmt::format("write it as {}Mi", written.substr(0, written.size() - 1))});
  }
}

// Is it a container that asks for a device? Most rules are about those.
bool asks_for_device(const Container& container, const ManifestCase& c) {
  for (const char* list : {"limits", "requests"}) {
    for (const Entry& e : entries(find(container.value, {"resources", list}))) {
      if (device_name(e.key, c.vocabulary)) return true;
    }
  }
  return false;
}

void check_requests(const Container& container, const ManifestCase& c, Remarks& out) {
  const Value* limits = find(container.value, {"resources", "limits"});
  for (const Entry& e : entries(find(container.value, {"resources", "requests"}))) {
    if (!device_name(e.key, c.vocabulary)) continue;
    const Value* limit = find(limits, {e.key});
    if (limit == nullptr) {
      out.push_back({.rule = "manifest.device_request",
                     .mark = mark(e),
                     .message = fmt::format("{} is requested and has no limit, which the API server refuses", e.key),
                     .help = "give the limit; the request follows it"});
    } else if (is_count(*limit) && is_count(e.value) && number(limit) != number(&e.value)) {
      out.push_back({.rule = "manifest.device_request",
                     .mark = mark(e),
                     .message = fmt::format("{} of {} are requested and {} are the limit: they have to be equal",
                                            text(&e.value), e.key, text(limit))});
    }
  }
}

void check_host_memory_request(const Container& container, const ManifestCase& c, Remarks& out) {
  if (!asks_for_device(container, c)) return;
  const Entry* request = entry(find(container.value, {"resources", "requests"}), "memory");
  const Value* limit = find(container.value, {"resources", "limits", "memory"});
  if (request == nullptr || limit == nullptr) return;
  const auto asked = parse_kubernetes_quantity(text(&request->value)), most = parse_kubernetes_quantity(text(limit));
  if (!asked || !most || asked->value >= most->value) return;
  out.push_back({.rule = "manifest.memory_request",
                 .mark = mark(*request),
                 .message = fmt::format(
                     "{} of memory are requested and {} may be used: a node that runs short evicts such pods first",
                     text(&request->value), text(limit)),
                 .help = "request what the engine needs when it is loaded: the limit"});
}

// Devices of two makers in one pod need a node that has both.
void check_vendors(const Workload& w, const ManifestCase& c, Remarks& out) {
  const DeviceResources* first = nullptr;
  std::string first_name;
  for (const Container& container : w.containers) {
    for (const Entry& e : entries(find(container.value, {"resources", "limits"}))) {
      const auto device = device_name(e.key, c.vocabulary);
      if (!device || text(&e.value) == "0") continue;
      if (first == nullptr) {
        first = device->vendor;
        first_name = e.key;
      } else if (device->vendor != first) {
        out.push_back(
            {.rule = "manifest.devices_mixed",
             .mark = key_mark(e),
             .message = fmt::format("one pod asks for {} and {}: it waits for a node that has both", first_name, e.key),
             .help = "a Deployment per kind of device"});
        return;
      }
    }
  }
}

void check_memory_volumes(const Workload& w, Remarks& out) {
  for (const Value& v : items(find(w.pod, {"volumes"}))) {
    if (const Entry* size = entry(find(&v, {"emptyDir"}), "sizeLimit")) check_quantity(*size, out);
  }
}

}  // namespace

void check_resources(const ManifestCase& c, Remarks& out) {
  for (const Workload& w : c.file.workloads) {
    for (const Container& container : w.containers) {
      std::set<int> seen;  // lines of what an alias repeats
      for (const char* list : {"limits", "requests"}) {
        for (const Entry& e : entries(find(container.value, {"resources", list}))) {
          if (!seen.insert(e.at.line * 1000 + e.at.column).second) continue;
          if (device_name(e.key, c.vocabulary)) {
            check_device_entry(e, c, out);
          } else {
            check_quantity(e, out);
          }
        }
      }
      check_requests(container, c, out);
      check_host_memory_request(container, c, out);
    }
    check_vendors(w, c, out);
    check_memory_volumes(w, out);
  }
  for (const Object& o : c.file.objects) {
    if (o.kind != "PersistentVolumeClaim") continue;
    if (const Entry* size = entry(find(o.spec, {"resources", "requests"}), "storage")) check_quantity(*size, out);
  }
}

}  // namespace fathom::manifests
