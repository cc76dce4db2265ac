// Rule files of Prometheus: groups of alerts and recordings, alone or inside a PrometheusRule. docs/check.md#files-of-operations
#pragma once

#include "manifests/remark.h"
#include "manifests/vocabulary.h"

namespace fathom::manifests {

// `groups`: the list under that key. `text`: of the file, to point at a word inside an expression of several lines.
void check_alert_groups(const Value& groups, std::string_view text, const Vocabulary& vocabulary, Remarks& out);

}  // namespace fathom::manifests
