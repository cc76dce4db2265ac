// Names that have to meet: selectors and labels, probes and ports, mounts and volumes, services and pods.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "manifests/manifest_rules.h"
#include "units/number.h"

namespace fathom::manifests {

namespace {

void check_selector(const Workload& w, Remarks& out) {
  const Object& o = *w.object;
  if (o.kind != "Deployment" && o.kind != "StatefulSet" && o.kind != "DaemonSet" && o.kind != "ReplicaSet") return;
  const Entry* selector = entry(o.spec, "selector");
  if (selector == nullptr || selector->value.kind != Value::Kind::kMapping) return;  // manifest.required
  const Labels pods = w.pod_labels();
  if (selects(&selector->value, pods)) return;
  const Entry* labels_entry = entry(w.metadata, "labels");
  const Entry* place = labels_entry != nullptr ? labels_entry : entry(o.spec, "template");
  const Labels wanted = labels(find(&selector->value, {"matchLabels"}));
  out.push_back({.rule = "manifest.selector",
                 .mark = key_mark(place != nullptr ? *place : *selector),
                 .message = pods.empty() ? "the pods have no labels, and the selector looks for " + to_string(wanted)
                                         : fmt::format("the pods are {}, and the selector looks for {}",
                                                       to_string(pods), to_string(wanted)),
                 .help = "give template.metadata.labels all labels of the selector"});
}

void check_names(const Workload& w, Remarks& out) {
  std::set<std::string> seen;
  for (const Container& c : w.containers) {
    if (c.name.empty() || seen.insert(c.name).second) continue;
    out.push_back({.rule = "manifest.duplicate",
                   .mark = mark(*entry(c.value, "name")),
                   .message = fmt::format("a second container of the pod is called {}", in_quotes(c.name))});
  }
}

struct Port {
  std::string name, number;
};

std::vector<Port> ports_of(const Container& c) {
  std::vector<Port> out;
  for (const Value& p : items(find(c.value, {"ports"}))) {
    out.push_back({text(find(&p, {"name"})), text(find(&p, {"containerPort"}))});
  }
  return out;
}

bool is_number(const std::string& word) {
  return !word.empty() && word.find_first_not_of("0123456789") == std::string::npos;
}

void check_container_ports(const Container& c, Remarks& out) {
  std::set<std::string> names;
  for (const Value& p : items(find(c.value, {"ports"}))) {
    const std::string name = text(find(&p, {"name"}));
    if (name.empty() || names.insert(name).second) continue;
    out.push_back({.rule = "manifest.port",
                   .mark = mark(*entry(&p, "name")),
                   .message = fmt::format("a second port of the container is called {}", in_quotes(name))});
  }
}

void check_probe_ports(const Container& c, Remarks& out) {
  const std::vector<Port> ports = ports_of(c);
  for (const char* probe : {"startupProbe", "livenessProbe", "readinessProbe"}) {
    for (const char* how : {"httpGet", "tcpSocket"}) {
      const Entry* port = entry(find(c.value, {probe, how}), "port");
      if (port == nullptr || port->value.kind != Value::Kind::kScalar || is_number(port->value.text)) continue;
      const bool known =
          std::any_of(ports.begin(), ports.end(), [&](const Port& p) { return p.name == port->value.text; });
      if (known) continue;
      out.push_back({.rule = "manifest.port",
                     .mark = mark(*port),
                     .message = fmt::format("{} asks port {}, and no port of the container has this name", probe,
                                            in_quotes(port->value.text))});
    }
  }
}

void check_service_ports(const Object& service, const ManifestCase& c, Remarks& out) {
  const std::vector<Value>& ports = items(find(service.spec, {"ports"}));
  for (const Value& p : ports) {
    if (ports.size() > 1 && find(&p, {"name"}) == nullptr) {
      out.push_back(
          {.rule = "manifest.port",
           .mark = mark(p),
           .message = fmt::format("Service {} has {} ports, and this one has no name", service.name, ports.size()),
           .help = "a Service with several ports names each of them"});
    }
  }
  const Labels wanted = labels(find(service.spec, {"selector"}));
  if (wanted.empty()) return;
  for (const Value& p : ports) {
    const Entry* target = entry(&p, "targetPort");
    if (target == nullptr || target->value.kind != Value::Kind::kScalar || is_number(target->value.text)) continue;
    bool selected = false, known = false;
    for (const Workload& w : c.file.workloads) {
      if (!same_space(*w.object, service) || !contains(w.pod_labels(), wanted)) continue;
      selected = true;
      for (const Container& container : w.containers) {
        for (const Port& port : ports_of(container)) known = known || port.name == target->value.text;
      }
    }
    if (!selected || known) continue;
    out.push_back(
        {.rule = "manifest.port",
         .mark = mark(*target),
         .message = fmt::format("Service {} sends to port {}, and no container of its pods has one of this name",
                                service.name, in_quotes(target->value.text))});
  }
}

void check_volumes(const Workload& w, Remarks& out) {
  std::vector<std::string> names;
  for (const Value& v : items(find(w.pod, {"volumes"}))) names.push_back(text(find(&v, {"name"})));
  for (const char* group : {"", "leaderWorkerTemplate"}) {
    const Value* from = group[0] == 0 ? w.object->spec : find(w.object->spec, {group});
    for (const Value& claim : items(find(from, {"volumeClaimTemplates"}))) {
      names.push_back(text(find(&claim, {"metadata", "name"})));
    }
  }
  for (const Container& c : w.containers) {
    std::set<std::string> paths;
    for (const Value& m : items(find(c.value, {"volumeMounts"}))) {
      const Entry* name = entry(&m, "name");
      const Entry* path = entry(&m, "mountPath");
      if (name != nullptr && std::find(names.begin(), names.end(), text(&name->value)) == names.end()) {
        const std::string close = did_you_mean(text(&name->value), names);
        out.push_back({.rule = "manifest.volume",
                       .mark = mark(*name),
                       .message = fmt::format("the pod has no volume {}", in_quotes(text(&name->value))),
                       .help = close.empty() ? "" : fmt::format("did you mean \"{}\"?", close)});
      }
      if (path != nullptr && !paths.insert(text(&path->value)).second) {
        out.push_back({.rule = "manifest.volume",
                       .mark = mark(*path),
                       .message = fmt::format("something is mounted at {} already", text(&path->value))});
      }
    }
  }
}

void check_twice(const ManifestCase& c, Remarks& out) {
  std::map<std::string, int> lines;
  for (const Object& o : c.file.objects) {
    if (o.name.empty()) continue;
    const auto [first, is_new] =
        lines.emplace(o.api_version + "/" + o.kind + "/" + o.space + "/" + o.name, o.mark().at.line);
    if (is_new) continue;
    out.push_back({.rule = "manifest.duplicate",
                   .mark = o.mark(),
                   .message = fmt::format("{} {} stands on line {} already: the later one replaces it", o.kind, o.name,
                                          first->second)});
  }
}

// Labels that controllers add when pods start.
Labels written_by_people(Labels all) {
  std::erase_if(all, [](const auto& label) {
    for (const char* prefix : {"leaderworkerset.sigs.k8s.io/", "apps.kubernetes.io/", "statefulset.kubernetes.io/",
                               "batch.kubernetes.io/", "app.kubernetes.io/managed-by", "pod-template-hash"}) {
      if (label.first.starts_with(prefix)) return true;
    }
    return false;
  });
  return all;
}

bool has_workload_near(const ManifestCase& c, const Object& o) {
  return std::any_of(c.file.workloads.begin(), c.file.workloads.end(),
                     [&](const Workload& w) { return same_space(*w.object, o); });
}

void check_service_target(const Object& service, const ManifestCase& c, Remarks& out) {
  const Entry* selector = entry(service.spec, "selector");
  if (selector == nullptr || !has_workload_near(c, service)) return;
  const Labels all = labels(&selector->value), wanted = written_by_people(all);
  bool found = false;
  for (const Workload& w : c.file.workloads) {
    if (!same_space(*w.object, service) || !contains(w.pod_labels(), wanted)) continue;
    found = true;
    const bool headless = text(find(service.spec, {"clusterIP"})) == "None";
    if (headless || !w.worker || w.group_size < 2 || all.contains("leaderworkerset.sigs.k8s.io/worker-index")) continue;
    out.push_back({.rule = "manifest.leader",
                   .mark = key_mark(*selector),
                   .message = fmt::format("Service {} sends requests to every pod of {}: {} of {} are no leaders",
                                          service.name, w.object->name, w.group_size - 1, w.group_size),
                   .help = "add leaderworkerset.sigs.k8s.io/worker-index: \"0\" to the selector"});
  }
  if (found || wanted.empty()) return;
  out.push_back({.rule = "manifest.target",
                 .mark = key_mark(*selector),
                 .message = fmt::format("Service {} selects {}, and no pod of this file has that", service.name,
                                        to_string(all))});
}

void check_budget_target(const Object& budget, const ManifestCase& c, Remarks& out) {
  const Entry* selector = entry(budget.spec, "selector");
  if (selector == nullptr || !has_workload_near(c, budget)) return;
  const bool found = std::any_of(c.file.workloads.begin(), c.file.workloads.end(), [&](const Workload& w) {
    return same_space(*w.object, budget) && selects(&selector->value, w.pod_labels());
  });
  if (found || find(&selector->value, {"matchLabels"}) == nullptr) return;
  const Labels wanted = labels(find(&selector->value, {"matchLabels"}));
  if (written_by_people(wanted) != wanted) return;
  out.push_back({.rule = "manifest.target",
                 .mark = key_mark(*selector),
                 .message = fmt::format("PodDisruptionBudget {} selects {}, and no pod of this file has that",
                                        budget.name, to_string(wanted))});
}

void check_scale_target(const Object& scaler, const ManifestCase& c, Remarks& out) {
  const Value* target = find(scaler.spec, {"scaleTargetRef"});
  const std::string kind = text(find(target, {"kind"})), name = text(find(target, {"name"}));
  std::vector<std::string> names;
  for (const Object& o : c.file.objects) {
    if (o.kind == kind && same_space(o, scaler)) names.push_back(o.name);
  }
  if (name.empty() || names.empty() || std::find(names.begin(), names.end(), name) != names.end()) return;
  out.push_back({.rule = "manifest.target",
                 .mark = mark(*entry(target, "name")),
                 .message = fmt::format("{} {} scales {} {}, and this file has {}", scaler.kind, scaler.name, kind,
                                        in_quotes(name), listed(names, " and "))});
}

}  // namespace

void check_references(const ManifestCase& c, Remarks& out) {
  for (const Workload& w : c.file.workloads) {
    check_selector(w, out);
    check_names(w, out);
    check_volumes(w, out);
    for (const Container& container : w.containers) {
      check_container_ports(container, out);
      check_probe_ports(container, out);
    }
  }
  check_twice(c, out);
  for (const Object& o : c.file.objects) {
    if (o.kind == "Service") check_service_ports(o, c, out);
    if (o.kind == "Service") check_service_target(o, c, out);
    if (o.kind == "PodDisruptionBudget") check_budget_target(o, c, out);
    if (o.kind == "HorizontalPodAutoscaler" || o.kind == "ScaledObject") check_scale_target(o, c, out);
  }
}

}  // namespace fathom::manifests
