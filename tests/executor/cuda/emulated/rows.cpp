// What works row by row: norms, activation, embedding, routing, sampling.
#include <algorithm>
#include <cmath>

#include "cuda/embedding.h"
#include "cuda/rms_norm.h"
#include "cuda/router.h"
#include "cuda/sample.h"
#include "cuda/start_latch.h"
#include "cuda/swiglu.h"
#include "executor/cuda/emulated/launches.h"
#include "executor/sampler.h"
#include "host/router.h"

namespace fathom::cuda {

using emulated::demand;
using emulated::launch;
using emulated::narrow;
using emulated::wide;

void rms_norm(const Launch&, const RmsNorm& op) {
  demand(op.rows > 0 && op.weight != nullptr && op.x_stride % 4 == 0, "rms_norm: sizes");
  demand(op.add == nullptr && op.sum == nullptr, "rms_norm: the engine does not add here");
  launch([op] {
    for (std::int64_t row = 0; row < op.rows; ++row) {
      const std::int64_t from = (op.rows_of_x == nullptr ? row : op.rows_of_x[row]) * op.x_stride;
      std::vector<float> x;
      double squares = 0;
      for (int i = 0; i < op.width; ++i) {
        x.push_back(op.x_fp32 ? static_cast<const float*>(op.x)[from + i]
                              : wide(static_cast<const std::uint16_t*>(op.x)[from + i]));
        squares += static_cast<double>(x.back()) * x.back();
      }
      const auto factor = static_cast<float>(1 / std::sqrt(squares / op.width + static_cast<double>(op.epsilon)));
      for (int i = 0; i < op.width; ++i) {
        op.out[row * op.out_stride + i] = narrow(x[static_cast<std::size_t>(i)] * factor * op.weight[i]);
      }
    }
  });
}

void swiglu(const Launch&, const Swiglu& op) {
  launch([op] {
    for (std::int64_t i = 0; i < std::int64_t{op.rows} * op.width; ++i) {
      const std::int64_t from = i / op.width * 2 * op.width + i % op.width;
      const float gate = wide(op.gate_up[from]);
      op.out[i] = narrow(gate / (1 + std::exp(-gate)) * wide(op.gate_up[from + op.width]));
    }
  });
}

// Graphs and launches run when they are put into the queue, and until then the gate has to be shut.
void start_latch(const Launch&, const volatile std::uint32_t* gate, std::uint32_t number, std::uint64_t) {
  launch([=] { demand(*gate != number, "a timed step began before its launches were in the queue"); });
}

void embed(const Launch& how, const Embedding& op) {
  demand(!how.overlap, "the first kernel of a step must wait for the copy before it");
  launch([op] {
    for (std::int64_t i = 0; i < std::int64_t{op.rows} * op.width; ++i) {
      const std::int64_t token = op.tokens[i / op.width] - op.first;
      const bool here = token >= 0 && token < op.count;
      demand(here || op.partial != nullptr, "embedding: no such token");
      const float value = here ? wide(op.table[token * op.width + i % op.width]) : 0;
      op.partial != nullptr ? void(op.partial[i] = narrow(value)) : void(op.out[i] = value);
    }
  });
  if (op.rope.angles != nullptr) rope_angles(how, op.rope);
}

void route(const Launch&, const Router& op) {
  launch([op] {
    const host::RouterRule rule{.scoring = static_cast<host::RouterRule::Scoring>(op.scoring),
                                .experts = op.experts,
                                .chosen = op.chosen,
                                .groups = op.groups,
                                .groups_kept = op.groups_kept,
                                .group_by_top2 = op.group_by_top2,
                                .normalise = op.normalise,
                                .scaling = op.scaling};
    std::int32_t* expert = op.expert;
    float* weight = op.weight;
    for (std::int64_t row = 0; row < op.rows; ++row) {
      const bool padding = op.position != nullptr && op.position[row] < 0;
      for (const host::RoutedExpert& e : host::route(rule, op.logits + row * op.experts, op.bias)) {
        *expert++ = padding ? -1 : e.expert;
        *weight++ = e.weight;
      }
    }
  });
}

void list_experts(const Launch&, const ExpertLists& op) {
  launch([op] {
    int pairs = 0, used = 0;
    std::fill_n(op.used, op.experts, -1);
    std::fill_n(op.pair_of_choice, op.rows * op.chosen, -1);
    for (int e = 0; e < op.experts; ++e) {
      op.first_pair[e] = pairs;
      for (int i = 0; i < op.rows * op.chosen; ++i) {
        const int place = op.held == nullptr ? op.expert[i] - op.first : op.expert[i] < 0 ? -1 : op.held[op.expert[i]];
        if (place != e) continue;
        op.token_of_pair[pairs] = i / op.chosen;
        op.pair_of_choice[i] = pairs++;
      }
      if (pairs > op.first_pair[e]) op.used[used++] = e;
    }
    op.first_pair[op.experts] = pairs;
  });
}

void route_and_list(const Launch& how, const Router& router, const ExpertLists& lists) {
  route(how, router);
  list_experts(how, lists);
}

void combine(const Launch&, const Combine& op) {
  demand(!op.y_fp32, "combine: the engine keeps bf16 here");
  launch([op] {
    for (std::int64_t i = 0; i < std::int64_t{op.rows} * op.width; ++i) {
      const std::int64_t row = i / op.width, column = i % op.width;
      float sum = op.add == nullptr ? 0 : op.add[i];
      for (std::int64_t k = row * op.chosen; k < (row + 1) * op.chosen; ++k) {
        if (op.pair_of_choice[k] < 0) continue;
        sum += op.weight[k] *
               wide(static_cast<const std::uint16_t*>(op.y)[std::int64_t{op.pair_of_choice[k]} * op.width + column]);
      }
      op.partial != nullptr ? void(op.partial[i] = narrow(sum)) : void(op.out[i] = sum);
    }
  });
}

void sample(const Launch&, const Sample& op) {
  launch([op] {
    for (std::int64_t row = 0; row < op.rows; ++row) {
      op.token[row] = sample_token(op.logits + row * op.logit_stride, op.vocabulary,
                                   {.temperature = op.temperature, .seed = op.seed}, op.request[row], op.position[row]);
    }
  });
}

}  // namespace fathom::cuda
