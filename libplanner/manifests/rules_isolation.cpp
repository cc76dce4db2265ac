// Who may talk to whom, who may do what, and what everybody can read.
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "manifests/engine_call.h"
#include "manifests/manifest_rules.h"
#include "units/number.h"

namespace fathom::manifests {

namespace {

bool has_word(const std::vector<Value>& words, std::string_view word) {
  return std::any_of(words.begin(), words.end(), [&](const Value& w) { return w.text == word; });
}

// ---------------------------------------------------------------------------------------------------------------------
// Network policies

// `name: x` on a namespace is nobody's label unless somebody sets it.
void check_namespace_selector(const Value& selector, const ManifestCase& c, Remarks& out) {
  const Entry* label = entry(find(&selector, {"matchLabels"}), "name");
  if (label == nullptr) return;
  for (const Object& o : c.file.objects) {
    if (o.kind == "Namespace" && labels(find(o.root, {"metadata", "labels"})).contains("name")) return;
  }
  out.push_back(
      {.rule = "manifest.namespace_label",
       .mark = key_mark(*label),
       .message = fmt::format("namespaces have no label \"name\" of their own, so this selects none called {}",
                              text(&label->value)),
       .help = "kubernetes.io/metadata.name is on every namespace"});
}

bool opens_port(const Value& rule, std::string_view port) {
  const std::vector<Value>& ports = items(find(&rule, {"ports"}));
  return std::any_of(ports.begin(), ports.end(),
                     [&](const Value& p) { return text(find(&p, {"port"})) == port || find(&p, {"port"}) == nullptr; });
}

// A rule that lets DNS pass, or reaches so far that it may.
bool may_reach_dns(const Value& rule) {
  if (find(&rule, {"ports"}) != nullptr) return opens_port(rule, "53") || opens_port(rule, "dns");
  const std::vector<Value>& to = items(find(&rule, {"to"}));
  return to.empty() || std::any_of(to.begin(), to.end(), [](const Value& peer) {
           const Value* space = find(&peer, {"namespaceSelector"});
           const Labels wanted = labels(find(space, {"matchLabels"}));
           const bool own = wanted.empty() || wanted.contains("kubernetes.io/metadata.name");
           return (space != nullptr && own) || find(&peer, {"ipBlock"}) != nullptr;
         });
}

bool dns_allowed_elsewhere(const Object& policy, const ManifestCase& c) {
  return std::any_of(c.file.objects.begin(), c.file.objects.end(), [&](const Object& o) {
    if (&o == &policy || !o.kind.ends_with("NetworkPolicy") || !same_space(o, policy)) return false;
    const std::vector<Value>& rules = items(find(o.spec, {"egress"}));
    return std::any_of(rules.begin(), rules.end(), may_reach_dns);
  });
}

void report_dns(const Object& policy, const Entry& egress, const ManifestCase& c, Remarks& out) {
  if (dns_allowed_elsewhere(policy, c)) return;
  out.push_back({.rule = "manifest.dns",
                 .mark = key_mark(egress),
                 .message = fmt::format("{} lets no pod ask for a name: DNS is cut off", policy.name),
                 .help = "allow UDP and TCP 53 to the pods k8s-app=kube-dns of kube-system"});
}

void check_egress(const Object& policy, const ManifestCase& c, Remarks& out) {
  const Entry* egress = entry(policy.spec, "egress");
  if (egress == nullptr || egress->value.items.empty()) return;  // deny all: the exceptions stand in other policies
  const std::vector<Value>& rules = egress->value.items;
  if (std::none_of(rules.begin(), rules.end(), may_reach_dns)) report_dns(policy, *egress, c, out);
}

// Calico: an Allow without a port to namespaces of a selector of its own.
void check_calico_egress(const Object& policy, const ManifestCase& c, Remarks& out) {
  const Entry* egress = entry(policy.spec, "egress");
  if (egress == nullptr || egress->value.items.empty()) return;
  const bool passes = std::any_of(egress->value.items.begin(), egress->value.items.end(), [](const Value& rule) {
    if (text(find(&rule, {"action"})) != "Allow") return false;
    const Value* to = find(&rule, {"destination"});
    const std::vector<Value>& ports = items(find(to, {"ports"}));
    if (!ports.empty()) return has_word(ports, "53") || has_word(ports, "dns");
    const std::string spaces = text(find(to, {"namespaceSelector"}));
    const bool narrow = !spaces.empty() && spaces.find("kube-system") == std::string::npos && spaces != "all()";
    return to == nullptr || !narrow;
  });
  if (!passes) report_dns(policy, *egress, c, out);
}

// Ranks of a group find each other on ports that they choose when they start.
void check_group_traffic(const Object& policy, const ManifestCase& c, Remarks& out) {
  const Entry* ingress = entry(policy.spec, "ingress");
  const std::vector<Value>& types = items(find(policy.spec, {"policyTypes"}));
  if (ingress == nullptr || (!types.empty() && !has_word(types, "Ingress"))) return;
  for (const Workload& w : c.file.workloads) {
    if (w.group_size < 2 || !w.worker || !same_space(*w.object, policy)) continue;
    if (!selects(find(policy.spec, {"podSelector"}), w.pod_labels())) continue;
    const std::vector<Value>& rules = items(&ingress->value);
    const bool open = std::any_of(rules.begin(), rules.end(), [&](const Value& rule) {
      if (find(&rule, {"ports"}) != nullptr) return false;
      const std::vector<Value>& from = items(find(&rule, {"from"}));
      return from.empty() || std::any_of(from.begin(), from.end(), [&](const Value& peer) {
               const Value* pods = find(&peer, {"podSelector"});
               return pods != nullptr ? selects(pods, w.pod_labels()) : find(&peer, {"namespaceSelector"}) != nullptr;
             });
    });
    if (open) continue;
    out.push_back({.rule = "manifest.group_traffic",
                   .mark = key_mark(*ingress),
                   .message = fmt::format("{} keeps the {} pods of a group of {} apart: no rule lets them reach each "
                                          "other on every port",
                                          policy.name, w.group_size, w.object->name),
                   .help = "a rule without ports, from a podSelector that takes the group's own labels"});
    return;
  }
}

void check_policy(const Object& policy, const ManifestCase& c, Remarks& out) {
  for (const char* direction : {"ingress", "egress"}) {
    for (const Value& rule : items(find(policy.spec, {direction}))) {
      for (const Value& peer : items(find(&rule, {direction[0] == 'i' ? "from" : "to"}))) {
        if (const Value* selector = find(&peer, {"namespaceSelector"})) check_namespace_selector(*selector, c, out);
      }
    }
  }
  check_egress(policy, c, out);
  check_group_traffic(policy, c, out);
}

// ---------------------------------------------------------------------------------------------------------------------
// What kubectl does not fill in

// Words of shells inside a container, and data that is no manifest, keep their ${…}.
bool keeps_variables(std::string_view key) {
  for (const char* own : {"args", "command", "data", "stringData", "annotations", "env", "expr", "message", "script"}) {
    if (key == own) return true;
  }
  return false;
}

void check_variables(const Value& value, Remarks& out) {
  if (value.kind == Value::Kind::kScalar) {
    const std::size_t at = value.text.find("${");
    if (at == std::string::npos) return;
    const std::string name = value.text.substr(at, value.text.find('}', at) - at + 1);
    out.push_back({.rule = "manifest.variable",
                   .mark = mark(value),
                   .message = fmt::format("kubectl leaves {} as it is", in_quotes(name)),
                   .help = "fill it in before, with kustomize or envsubst, or write the value"});
  }
  for (const Value& item : value.items) check_variables(item, out);
  for (const Entry& e : value.entries) {
    if (!keeps_variables(e.key)) check_variables(e.value, out);
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Privileges and secrets

void check_privileges(const Workload& w, const ManifestCase& c, Remarks& out) {
  bool serves = false;
  for (const Container& container : w.containers) {
    const bool engine = engine_call(container, c.vocabulary).has_value();
    serves = serves || engine;
    const Entry* privileged = entry(find(container.value, {"securityContext"}), "privileged");
    if (!engine || privileged == nullptr || !is_true(&privileged->value)) continue;
    out.push_back({.rule = "manifest.privileged",
                   .mark = mark(*privileged),
                   .message = fmt::format("{} may do everything on its node", container.name),
                   .help = "devices come from the device plugin; RDMA needs the capability IPC_LOCK and no more"});
  }
  const Entry* network = entry(w.pod, "hostNetwork");
  if (!serves || network == nullptr || !is_true(&network->value)) return;
  out.push_back({.rule = "manifest.host_network",
                 .mark = mark(*network),
                 .message = "pods on the network of their node are out of reach of every NetworkPolicy",
                 .help = "a second interface, where RDMA needs one"});
}

bool ends_with_any(const std::string& name, std::initializer_list<const char*> ends) {
  return std::any_of(ends.begin(), ends.end(), [&](const char* end) { return name.ends_with(end); });
}

bool names_a_secret(const std::string& name) {
  return name == "HF_TOKEN" || name == "HUGGING_FACE_HUB_TOKEN" ||
         ends_with_any(name, {"API_KEY", "_PASSWORD", "_PASSWD", "_SECRET", "SECRET_KEY", "ACCESS_KEY", "ACCESS_TOKEN",
                              "AUTH_TOKEN", "API_TOKEN"});
}

// Not a name of something else: "$(KEY)", "${KEY}", "<key>", "none".
bool looks_like_a_secret(const std::string& value) {
  if (value.size() < 8 || value.find_first_of("$<>{} /") != std::string::npos) return false;
  return value.find("CHANGE") == std::string::npos && value.find("change") == std::string::npos &&
         value.find("REPLACE") == std::string::npos && value.find("replace") == std::string::npos;
}

void report_secret(const Mark& place, const std::string& name, Remarks& out) {
  out.push_back({.rule = "manifest.secret",
                 .mark = place,
                 .message = fmt::format("{} stands here for everybody who reads the file or the pod", name),
                 .help = "valueFrom: {secretKeyRef: {name: …, key: …}}, and another key than this one"});
}

void check_secrets(const ManifestCase& c, Remarks& out) {
  for (const Workload& w : c.file.workloads) {
    for (const Container& container : w.containers) {
      for (const Value& variable : items(find(container.value, {"env"}))) {
        const Entry* value = entry(&variable, "value");
        const std::string name = text(find(&variable, {"name"}));
        if (value == nullptr || !names_a_secret(name) || !looks_like_a_secret(text(&value->value))) continue;
        report_secret(mark(*value), name, out);
      }
      const auto call = engine_call(container, c.vocabulary);
      const auto key = call ? call->option({"--api-key"}) : std::nullopt;
      if (key && looks_like_a_secret(key->text)) report_secret(key->mark, "--api-key", out);
    }
  }
  for (const Object& o : c.file.objects) {
    if (o.kind != "ConfigMap") continue;
    for (const Entry& e : entries(find(o.root, {"data"}))) {
      if (names_a_secret(e.key) && looks_like_a_secret(text(&e.value))) report_secret(mark(e), e.key, out);
    }
  }
}

}  // namespace

void check_isolation(const ManifestCase& c, Remarks& out) {
  for (const Object& o : c.file.objects) {
    if (o.kind == "NetworkPolicy" && o.api_version.starts_with("networking.k8s.io/")) check_policy(o, c, out);
    if (o.api_version.starts_with("projectcalico.org/")) check_calico_egress(o, c, out);
    check_variables(*o.root, out);
  }
  for (const Workload& w : c.file.workloads) check_privileges(w, c, out);
  check_secrets(c, out);
}

}  // namespace fathom::manifests
