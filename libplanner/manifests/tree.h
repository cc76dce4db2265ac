// Short ways through a parsed file: a manifest has half of its keys missing, and none of the rules wants to say so each time.
#pragma once

#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "manifests/remark.h"

namespace fathom::manifests {

// The value at the end of the path; nullptr when a step is missing, null, or not a mapping. `from` may be nullptr.
const Value* find(const Value* from, std::initializer_list<std::string_view> path);
const Entry* entry(const Value* from, std::string_view key);

const std::vector<Value>& items(const Value* list);       // empty when it is none
const std::vector<Entry>& entries(const Value* mapping);  // empty when it is none

std::string text(const Value* scalar);                   // empty when it is none
std::optional<double> number(const Value* scalar);       // a plain or quoted one
double number_or(const Value* scalar, double fallback);  // as Kubernetes fills in what is left out
bool is_true(const Value* scalar);

using Labels = std::map<std::string, std::string>;
Labels labels(const Value* mapping);

// Does a label selector ({matchLabels, matchExpressions}, nothing else) take these labels? Nothing at all takes all.
bool selects(const Value* selector, const Labels& labels);
bool contains(const Labels& labels, const Labels& wanted);
std::string to_string(const Labels& labels);  // "app=deepseek, tier=web"

Mark mark(const Value& value);
Mark mark(const Entry& entry);  // its scalar, else its key
Mark key_mark(const Entry& entry);

}  // namespace fathom::manifests
