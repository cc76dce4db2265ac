// Predicted beside measured, joined by operator name, and whether the plan holds: docs/formulas/profile.md#comparison.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compare/trace.h"
#include "plan/read_plan.h"
#include "units/fact.h"

namespace fathom {

// One operator, or all operators of one kind. What was only planned or only measured has one of the two times.
struct ComparedOperator {
  std::string name = {};  // empty in a sum by kind
  std::string kind = {};
  double count = 0;                       // executions in a step of all layers
  std::optional<Seconds> predicted = {};  // all executions of one step
  std::optional<Seconds> measured = {};   // the same, of all layers
  std::optional<double> error = {};       // measured / predicted - 1
  double share = 0;                       // of the measured step
};

struct ComparedMemory {
  std::string name;
  std::optional<Bytes> predicted = {}, allocated = {};
};

struct Comparison {
  std::string title, layout, accelerator;  // of the plan
  bool decodes = true;                     // else the step is a chunk of a prompt
  Estimate<Seconds> predicted_step;
  Seconds measured_step{};  // of all layers
  double step_error = 0;
  std::vector<ComparedOperator> operators;  // in the order of the plan, then what it does not name
  std::vector<ComparedOperator> kinds;      // longest first
  ComparedOperator between;                 // the step without its operators
  std::vector<ComparedMemory> memory;
  Bytes predicted_memory{}, allocated_memory{};
  double memory_error = 0;
  double tokens_per_s = 0;
  std::string logits_hash;
  bool passed = false;
  bool comparable = true;            // false: run on another device than planned; times say nothing about the plan
  std::vector<std::string> reasons;  // why not
  std::vector<std::string> notes;    // what a reader must know either way
  Trace run;                         // how it was measured
};

Comparison compare(const SavedPlan& plan, const SavedPool& pool, const Trace& trace);

}  // namespace fathom
