// What the tests of hostile input share: the shipped examples as raw material, and what reading one text came to.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "bom/cluster.h"
#include "input/error.h"

namespace fathom {

#if defined(__SANITIZE_ADDRESS__)
inline constexpr int kThinning = 12;      // reading takes about that much longer, so every twelfth must do
inline constexpr int kPlanThinning = 40;  // and a plan that much
#else
inline constexpr int kThinning = 1;
inline constexpr int kPlanThinning = 1;
#endif

const std::vector<std::filesystem::path>& example_files();  // in the order of their names
const std::vector<std::string>& example_texts();            // the same files

// `text` as the file cluster.yaml in a folder of its own. Throws what read_cluster throws.
Cluster read_cluster_text(const std::string& text);

// Runs `read` and returns the InputError. Anything else that is thrown fails the test, as does an InputError that says
// nothing or points nowhere; only an empty file has no place to point at.
std::optional<InputError> refusal(const std::string& what, const std::function<void()>& read);

// One random edit: a bit, a byte, a range removed or doubled, a piece of YAML or of a number put in, the end cut off.
std::string mutated(std::string text, std::mt19937& random);

}  // namespace fathom
