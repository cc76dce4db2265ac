// The Kubernetes objects of one file, with the pods that they start.
#pragma once

#include <string>
#include <vector>

#include "manifests/tree.h"

namespace fathom::manifests {

struct Object {
  const Value* root = nullptr;
  std::string api_version, kind, name, space;  // space: its namespace, empty when the file does not say
  const Value* spec = nullptr;                 // nullptr when there is none

  Mark mark() const;  // of its name, else of its kind
};

struct Container {
  const Value* value = nullptr;
  std::string name;
  bool init = false;
};

// A pod template of an object. A LeaderWorkerSet may have two.
struct Workload {
  const Object* object = nullptr;
  const Value* metadata = nullptr;  // of the template
  const Value* pod = nullptr;       // its spec; never nullptr
  std::vector<Container> containers;
  int replicas = 1;    // pods, or groups of them
  int group_size = 1;  // pods that serve one copy together: LeaderWorkerSet
  bool leader = false, worker = false;

  Labels pod_labels() const;
};

struct Manifests {
  std::vector<Document> documents;
  std::vector<Object> objects;
  std::vector<Workload> workloads;
};

// Objects with apiVersion and kind; those of a List one by one. What else stands in the documents is left out. The result
// points into the documents that it takes.
Manifests read_manifests(std::vector<Document> documents);

// In one namespace, as far as the file says.
bool same_space(const Object& a, const Object& b);

}  // namespace fathom::manifests
