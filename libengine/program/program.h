// The planner's operator list as a sequence of instructions for one rank: each operator once for every layer that has it.
//
// Order and names come from decoder_step() alone; this room adds the layer numbers. An operator that the engine has no
// code for is refused here, before anything is loaded.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "layout/layout.h"
#include "operators/operator.h"

namespace fathom {

struct Instruction {
  std::string_view name;  // of the planner's operator, a string literal
  OperatorKind kind = OperatorKind::kLinear;
  bool draft = false;  // of the multi-token-prediction module
  int layer = -1;      // of the model, MTP modules after the last; -1 outside the layers
  int slot = 0;        // row of the trace: operators with the same name and draft flag share one
};

struct TraceRow {  // names as in plan.json: "mtp." before those of the draft module
  std::string name;
  OperatorKind kind = OperatorKind::kLinear;
};

struct Program {
  std::vector<Instruction> body;
  std::vector<TraceRow> rows;
};

// Which of a batch's two halves are there: operators of latent attention depend on it.
struct BatchKind {
  bool decode = true;
  bool prefill = false;
};

Program lower(const StageProgram& stage_program, BatchKind kind);

// Why the engine cannot run this model with this layout; empty when it can.
std::string unsupported(const Architecture& architecture, const Layout& layout);

}  // namespace fathom
