// Amounts as Kubernetes writes them: "500m", "64Gi", "1e3".
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fathom::manifests {

struct KubernetesQuantity {
  double value = 0;
  std::string suffix = {};  // "m", "Gi", …
};

// nullopt for what the API server refuses. kubernetes.io, reference of Quantity.
std::optional<KubernetesQuantity> parse_kubernetes_quantity(std::string_view text);

// What may have been meant by one that is refused: "32GiB" is "32Gi", "64GB" is "64G". Empty when nothing comes near.
std::string nearest_quantity(std::string_view text);

}  // namespace fathom::manifests
