// Rules on Kubernetes manifests, one family of questions per function and file. docs/check.md#files-of-operations
#pragma once

#include "catalog/catalog.h"
#include "manifests/objects.h"
#include "manifests/schema.h"
#include "manifests/vocabulary.h"

namespace fathom::manifests {

struct ManifestCase {
  const Manifests& file;
  const Vocabulary& vocabulary;
  const Schema& schema;
  const Catalog& catalog;
};

void check_shape(const ManifestCase& c, Remarks& out);       // keys and values that the API server refuses
void check_references(const ManifestCase& c, Remarks& out);  // selectors, labels, ports, volumes, names
void check_resources(const ManifestCase& c, Remarks& out);   // devices, memory, quantities
void check_engines(const ManifestCase& c, Remarks& out);     // options, images, models, shared memory
void check_operation(const ManifestCase& c, Remarks& out);   // probes, disruption, scaling, placement
void check_isolation(const ManifestCase& c, Remarks& out);   // network policies, privileges, secrets

}  // namespace fathom::manifests
