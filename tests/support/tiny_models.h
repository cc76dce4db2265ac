// Models of every family that the engine runs, small enough for exhaustive tests and divisible by 8 where sharding cuts.
#pragma once

#include <string>
#include <vector>

#include "model/architecture.h"

namespace fathom::testing {

// Every kind of attention, router and norm; 3 layers, 8 heads, vocabulary 203 (which no TP divides).
std::vector<Architecture> tiny_models();
Architecture tiny_model(const std::string& id);  // of that list

std::vector<int> some_tokens(int count, int vocabulary, int seed = 1);

// ‖a-b‖² / ‖b‖²
double nmse(const std::vector<float>& a, const std::vector<float>& b);

}  // namespace fathom::testing
