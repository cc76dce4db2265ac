// Choice of experts, lists of pairs and weighted sums against the host's.
#include "cuda/router.h"

#include "host/router.h"
#include "on_device.h"

namespace fathom::cuda {
namespace {

struct RouterCase {
  const char* name;
  RouterScoring scoring;
  int experts, chosen, groups = 1, kept = 1;
  bool top2 = false, normalise = false, biased = false;
  float scaling = 1;
};

TEST(CudaRouter, ChoosesAndListsAsTheHost) {
  for (const RouterCase& c : {RouterCase{"mixtral", RouterScoring::kSoftmaxOfSelected, 8, 2},
                              RouterCase{"qwen", RouterScoring::kSoftmax, 128, 8, 1, 1, false, true},
                              RouterCase{"v2-lite", RouterScoring::kSoftmax, 64, 6},
                              RouterCase{"v2", RouterScoring::kSoftmax, 160, 6, 8, 3, false, false, false, 16},
                              RouterCase{"v3", RouterScoring::kSigmoid, 256, 8, 8, 4, true, true, true, 2.5f},
                              RouterCase{"odd", RouterScoring::kSigmoid, 45, 5, 3, 2, false, true, true}}) {
    Random random;
    SCOPED_TRACE(std::string(c.name) + " seed " + std::to_string(random.seed()));
    const int rows = 67, width = 260;
    const std::vector<float> logits = normals(random, rows * c.experts), bias = normals(random, c.experts);
    const host::RouterRule rule{.scoring = static_cast<host::RouterRule::Scoring>(c.scoring),
                                .experts = c.experts,
                                .chosen = c.chosen,
                                .groups = c.groups,
                                .groups_kept = c.kept,
                                .group_by_top2 = c.top2,
                                .normalise = c.normalise,
                                .scaling = c.scaling};
    std::vector<std::int32_t> experts;
    std::vector<float> weights;
    for (int r = 0; r < rows; ++r) {
      for (const host::RoutedExpert& e :
           host::route(rule, logits.data() + r * c.experts, c.biased ? bias.data() : nullptr)) {
        experts.push_back(e.expert);
        weights.push_back(e.weight);
      }
    }
    const OnDevice<float> logits_device(logits), bias_device(bias), weight(rows * c.chosen);
    const OnDevice<std::int32_t> expert(rows * c.chosen);
    route({}, {.rows = rows,
               .scoring = c.scoring,
               .experts = c.experts,
               .chosen = c.chosen,
               .groups = c.groups,
               .groups_kept = c.kept,
               .group_by_top2 = c.top2,
               .normalise = c.normalise,
               .scaling = c.scaling,
               .logits = logits_device.data(),
               .bias = c.biased ? bias_device.data() : nullptr,
               .expert = expert.data(),
               .weight = weight.data()});
    EXPECT_EQ(expert.values(), experts);
    EXPECT_LT(distance(weight.values(), weights), 1e-5);

    // Lists of a part of the experts, from the host's choices.
    const int first = c.experts / 4, held = c.experts / 2;
    std::vector<std::int32_t> first_pair(1, 0), used, tokens, pairs(experts.size(), -1);
    for (int e = 0; e < held; ++e) {
      for (std::size_t i = 0; i < experts.size(); ++i) {
        if (experts[i] != first + e) continue;
        pairs[i] = static_cast<std::int32_t>(tokens.size());
        tokens.push_back(static_cast<std::int32_t>(i) / c.chosen);
      }
      first_pair.push_back(static_cast<std::int32_t>(tokens.size()));
      if (first_pair[e + 1] > first_pair[e]) used.push_back(e);
    }
    used.resize(held, -1);
    const OnDevice<std::int32_t> chosen(experts), first_out(held + 1), used_out(held), tokens_out(experts.size()),
        pairs_out(experts.size());
    list_experts({}, {.rows = rows,
                      .chosen = c.chosen,
                      .first = first,
                      .experts = held,
                      .expert = chosen.data(),
                      .first_pair = first_out.data(),
                      .used = used_out.data(),
                      .token_of_pair = tokens_out.data(),
                      .pair_of_choice = pairs_out.data()});
    EXPECT_EQ(first_out.values(), first_pair);
    EXPECT_EQ(used_out.values(), used);
    EXPECT_EQ(pairs_out.values(), pairs);
    std::vector<std::int32_t> listed = tokens_out.values();
    listed.resize(tokens.size());
    EXPECT_EQ(listed, tokens);

    const std::vector<std::uint16_t> y = bf16_normals(random, (tokens.size() + 1) * width);
    const std::vector<float> add = normals(random, rows * width);
    std::vector<float> expected = add;
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      if (pairs[i] < 0) continue;
      for (int d = 0; d < width; ++d)
        expected[i / c.chosen * width + d] += weights[i] * host::from_bf16(y[pairs[i] * width + d]);
    }
    const OnDevice<std::uint16_t> y_device(y);
    const OnDevice<float> add_device(add), host_weights(weights), out(rows * width);
    combine({}, {.rows = rows,
                 .chosen = c.chosen,
                 .width = width,
                 .y = y_device.data(),
                 .pair_of_choice = pairs_out.data(),
                 .weight = host_weights.data(),
                 .add = add_device.data(),
                 .out = out.data()});
    EXPECT_LT(distance(out.values(), expected), 1e-6);
  }
}

// Of few rows in one launch, of more in two; experts held here and there.
TEST(CudaRouter, ChoosesAndListsAtOnceAsOneByOne) {
  for (int rows : {1, 2, 7, 8, 9, 40}) {
    for (int every : {1, 3}) {
      Random random;
      const int experts = 255, chosen = 8, held = (experts + every - 1) / every;
      std::vector<std::int32_t> place(experts, -1), position(rows, 5);
      for (int n = 0; n < held; ++n) place[n * every] = n;
      if (rows > 2) position[1] = -1;  // padding
      const OnDevice<float> logits(normals(random, rows * experts)), bias(normals(random, experts));
      const OnDevice<std::int32_t> places(place), positions(position);
      const auto run = [&](bool at_once) {
        const OnDevice<std::int32_t> expert(rows * chosen), first(held + 1), used(held), tokens(rows * chosen),
            pairs(rows * chosen);
        const OnDevice<float> weight(rows * chosen);
        tokens.clear();  // of the pairs there are
        const Router router{.rows = rows,
                            .scoring = RouterScoring::kSigmoid,
                            .experts = experts,
                            .chosen = chosen,
                            .groups = 5,
                            .groups_kept = 3,
                            .group_by_top2 = true,
                            .normalise = true,
                            .logits = logits.data(),
                            .bias = bias.data(),
                            .position = positions.data(),
                            .expert = expert.data(),
                            .weight = weight.data()};
        const ExpertLists lists{.rows = rows,
                                .chosen = chosen,
                                .experts = held,
                                .held = places.data(),
                                .expert = expert.data(),
                                .first_pair = first.data(),
                                .used = used.data(),
                                .token_of_pair = tokens.data(),
                                .pair_of_choice = pairs.data()};
        if (at_once) {
          route_and_list({}, router, lists);
        } else {
          route({}, router);
          list_experts({}, lists);
        }
        return std::vector{expert.values(), first.values(), used.values(), tokens.values(), pairs.values()};
      };
      EXPECT_EQ(run(true), run(false)) << rows << " rows, every " << every << ", seed " << random.seed();
    }
  }
}

}  // namespace
}  // namespace fathom::cuda
