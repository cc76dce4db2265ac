#include "host/router.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace fathom::host {

namespace {

std::vector<float> softmax(const float* x, int n) {
  const float highest = *std::max_element(x, x + n);
  std::vector<float> p(n);
  float sum = 0;
  for (int i = 0; i < n; ++i) sum += p[i] = std::exp(x[i] - highest);
  for (float& v : p) v /= sum;
  return p;
}

std::vector<float> scores_of(const RouterRule& rule, const float* logits) {
  if (rule.scoring == RouterRule::Scoring::kSoftmax) return softmax(logits, rule.experts);
  std::vector<float> s(logits, logits + rule.experts);
  if (rule.scoring == RouterRule::Scoring::kSigmoid) {
    for (float& v : s) v = 1.0f / (1.0f + std::exp(-v));
  }
  return s;
}

// The numbers of the `count` largest, best first, ties to the lower number.
std::vector<int> largest(const std::vector<float>& x, int count) {
  std::vector<int> order(x.size());
  std::iota(order.begin(), order.end(), 0);
  std::partial_sort(order.begin(), order.begin() + count, order.end(),
                    [&](int a, int b) { return x[a] != x[b] ? x[a] > x[b] : a < b; });
  order.resize(count);
  return order;
}

void close_groups(const RouterRule& rule, std::vector<float>& choice) {
  const int size = rule.experts / rule.groups;
  std::vector<float> group(rule.groups);
  for (int g = 0; g < rule.groups; ++g) {
    std::vector<float> members(choice.begin() + g * size, choice.begin() + (g + 1) * size);
    const int counted = rule.group_by_top2 ? std::min(2, size) : 1;
    std::partial_sort(members.begin(), members.begin() + counted, members.end(), std::greater<>());
    group[g] = std::accumulate(members.begin(), members.begin() + counted, 0.0f);
  }
  std::vector<bool> open(rule.groups, false);
  for (int g : largest(group, rule.groups_kept)) open[g] = true;
  for (int e = 0; e < rule.experts; ++e) {
    if (!open[e / size]) choice[e] = -std::numeric_limits<float>::infinity();
  }
}

}  // namespace

std::vector<RoutedExpert> route(const RouterRule& rule, const float* logits, const float* bias) {
  const std::vector<float> scores = scores_of(rule, logits);
  std::vector<float> choice = scores;
  if (bias != nullptr) {
    for (int e = 0; e < rule.experts; ++e) choice[e] += bias[e];
  }
  if (rule.groups_kept < rule.groups) close_groups(rule, choice);

  std::vector<RoutedExpert> chosen;
  for (int e : largest(choice, rule.chosen)) chosen.push_back({.expert = e, .weight = scores[e]});
  if (rule.scoring == RouterRule::Scoring::kSoftmaxOfSelected) {
    std::vector<float> selected;
    for (const RoutedExpert& r : chosen) selected.push_back(r.weight);
    const std::vector<float> p = softmax(selected.data(), rule.chosen);
    for (int i = 0; i < rule.chosen; ++i) chosen[i].weight = p[i];
  }
  float factor = rule.scaling;
  if (rule.normalise) {
    float sum = 1e-20f;  // DeepSeek's guard
    for (const RoutedExpert& r : chosen) sum += r.weight;
    factor /= sum;
  }
  for (RoutedExpert& r : chosen) r.weight *= factor;
  return chosen;
}

}  // namespace fathom::host
