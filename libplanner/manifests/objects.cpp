#include "manifests/objects.h"

#include <algorithm>
#include <cmath>

namespace fathom::manifests {

namespace {

void add_object(const Value& root, std::vector<Object>& out, int depth) {
  Object o;
  o.root = &root;
  o.api_version = text(find(&root, {"apiVersion"}));
  o.kind = text(find(&root, {"kind"}));
  if (o.api_version.empty() || o.kind.empty()) return;
  if (o.kind.ends_with("List") && find(&root, {"items"}) != nullptr && depth < 2) {
    for (const Value& item : root.find("items")->items) add_object(item, out, depth + 1);
    return;
  }
  o.name = text(find(&root, {"metadata", "name"}));
  o.space = text(find(&root, {"metadata", "namespace"}));
  o.spec = find(&root, {"spec"});
  out.push_back(std::move(o));
}

int count_of(const Value* value, int fallback) {
  const double n = number_or(value, fallback);
  return n >= 0 && n <= 1e6 && n == std::floor(n) ? static_cast<int>(n) : fallback;
}

Workload workload(const Object& object, const Value* pod_template) {
  Workload w;
  w.object = &object;
  w.metadata = find(pod_template, {"metadata"});
  w.pod = find(pod_template, {"spec"});
  w.replicas = count_of(find(object.spec, {"replicas"}), 1);
  for (const char* list : {"initContainers", "containers"}) {
    for (const Value& c : items(find(w.pod, {list}))) {
      w.containers.push_back({&c, text(find(&c, {"name"})), list[0] == 'i'});
    }
  }
  return w;
}

void add_workloads(const Object& object, std::vector<Workload>& out) {
  if (object.kind == "LeaderWorkerSet") {
    const Value* group = find(object.spec, {"leaderWorkerTemplate"});
    const int size = count_of(find(group, {"size"}), 1);
    const bool has_leader = find(group, {"leaderTemplate"}) != nullptr;
    for (const char* role : {"leaderTemplate", "workerTemplate"}) {
      Workload w = workload(object, find(group, {role}));
      w.group_size = std::max(1, size);
      w.leader = role[0] == 'l' || !has_leader;
      w.worker = role[0] == 'w';
      if (w.pod != nullptr) out.push_back(std::move(w));
    }
    return;
  }
  const Value* pod_template = nullptr;
  if (object.kind == "Pod") {
    pod_template = object.root;
  } else if (object.kind == "CronJob") {
    pod_template = find(object.spec, {"jobTemplate", "spec", "template"});
  } else if (object.kind == "Deployment" || object.kind == "StatefulSet" || object.kind == "DaemonSet" ||
             object.kind == "ReplicaSet" || object.kind == "Job") {
    pod_template = find(object.spec, {"template"});
  }
  if (find(pod_template, {"spec"}) != nullptr) out.push_back(workload(object, pod_template));
}

}  // namespace

Mark Object::mark() const {
  const Entry* name_entry = entry(find(root, {"metadata"}), "name");
  return manifests::mark(name_entry != nullptr ? *name_entry : *entry(root, "kind"));
}

Labels Workload::pod_labels() const {
  Labels out = labels(find(metadata, {"labels"}));
  if (object->kind == "LeaderWorkerSet") {
    out["leaderworkerset.sigs.k8s.io/name"] = object->name;
    if (leader && !worker) out["leaderworkerset.sigs.k8s.io/worker-index"] = "0";
  }
  return out;
}

Manifests read_manifests(std::vector<Document> documents) {
  Manifests out;
  out.documents = std::move(documents);
  for (const Document& document : out.documents) add_object(document.root, out.objects, 0);
  for (const Object& object : out.objects) add_workloads(object, out.workloads);
  return out;
}

bool same_space(const Object& a, const Object& b) { return a.space == b.space || a.space.empty() || b.space.empty(); }

}  // namespace fathom::manifests
