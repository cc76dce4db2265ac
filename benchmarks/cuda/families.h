// Lines of the operators, family by family. Each fills the memory that it reads.
#pragma once

#include "bench.h"

namespace fathom::cuda {

void decode_attentions(Bench& bench);   // few new rows over pages, GQA and MLA
void prefill_attentions(Bench& bench);  // prompts
void small_operators(Bench& bench);
void head_linears(Bench& bench);
void linears(Bench& bench, WeightFormat format);
void experts(Bench& bench, WeightFormat format);
void large_linears(Bench& bench, WeightFormat format);  // in bf16 also the best that cuBLASLt has

}  // namespace fathom::cuda
