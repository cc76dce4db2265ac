#include "fleet/link_matrix.h"

#include <algorithm>
#include <cmath>

#include "harness/statistics.h"

namespace fathom::probe {

namespace {

constexpr int kRounds = 20;             // it settles in three or four
constexpr std::size_t kLeastLinks = 3;  // a median of fewer is one of them

// The median of the links that `pick` numbers, taken from them and added to `effect`.
template <class Cell>
void sweep(std::size_t nodes, Cell cell, double& effect) {
  std::vector<double> values;
  for (std::size_t k = 0; k < nodes; ++k) {
    if (const std::optional<double>* value = cell(k); *value) values.push_back(**value);
  }
  if (values.size() < kLeastLinks) return;
  const double median = median_of(values);
  effect += median;
  for (std::size_t k = 0; k < nodes; ++k) {
    if (std::optional<double>* value = cell(k); *value) **value -= median;
  }
}

// Effects around a median of 0; what is taken out goes to the typical value.
void centre(std::vector<double>& effects, double& typical) {
  const double median = median_of(effects);
  for (double& effect : effects) effect -= median;
  typical += median;
}

}  // namespace

LinkParts parts_of(const LinkMatrix& bandwidths) {
  const std::size_t n = bandwidths.size();
  LinkMatrix left = bandwidths;
  std::vector<double> all;
  for (auto& row : left) {
    for (auto& value : row) {
      if (value) all.push_back(*(value = std::log(*value)));
    }
  }
  LinkParts parts{.typical = 0, .send = std::vector<double>(n, 0), .receive = std::vector<double>(n, 0), .own = {}};
  if (all.empty())
    return {.typical = 0, .send = std::vector<double>(n, 1), .receive = std::vector<double>(n, 1), .own = bandwidths};
  double typical = median_of(all);
  for (auto& row : left) {
    for (auto& value : row) {
      if (value) *value -= typical;
    }
  }
  for (int round = 0; round < kRounds && n >= kLeastForNodes; ++round) {
    for (std::size_t i = 0; i < n; ++i)
      sweep(
          n, [&](std::size_t k) { return &left[i][k]; }, parts.send[i]);
    centre(parts.send, typical);
    for (std::size_t j = 0; j < n; ++j)
      sweep(
          n, [&](std::size_t k) { return &left[k][j]; }, parts.receive[j]);
    centre(parts.receive, typical);
  }
  for (std::vector<double>* effects : {&parts.send, &parts.receive}) {
    for (double& effect : *effects) effect = std::exp(effect);
  }
  for (auto& row : left) {
    for (auto& value : row) {
      if (value) value = std::exp(*value);
    }
  }
  parts.typical = std::exp(typical);
  parts.own = std::move(left);
  return parts;
}

}  // namespace fathom::probe
