// What the cases of GPUs share: how long a figure may take, and who is measured when.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gpu/time_on_card.h"
#include "harness/result.h"

namespace fathom::probe {

using Cards = std::vector<std::unique_ptr<Card>>;

enum class Detail { kFew, kMany, kAll };  // of shapes

struct GpuRules {
  Detail detail = Detail::kFew;
  Seconds figure{0.15};        // that one may take
  Seconds point{0.02};         // the same of one among many, of a grid of shapes
  Seconds settle{0.4};         // at least, before the first of a case
  Seconds settle_products{1};  // before each large product: the power limit is found by and by
  Seconds most_settle{3};      // at most
  Seconds sustained{};         // load of one long product; 0: none
  RepeatRules repeat() const {
    return {.least = 9, .most = 400, .budget = figure, .warm_up = Seconds(0.02), .least_sample = Seconds(1e-3)};
  }
  RepeatRules repeat_point() const {
    return {.least = 7, .most = 400, .budget = point, .warm_up = Seconds(0.015), .least_sample = Seconds(5e-4)};
  }
  // The first of a grid: the one before may have ended at the power limit, and a tenth of a second later clocks were still 1.3 GHz of 1.98.
  RepeatRules repeat_first() const {
    RepeatRules rules = repeat_point();
    rules.warm_up = Seconds(0.2);
    return rules;
  }
  // Of arithmetic that may run into the power limit: clocks have found it when the first such point begins, and the next ones follow at once.
  RepeatRules repeat_heavy(bool first) const {
    RepeatRules rules = repeat_point();
    rules.warm_up = Seconds(first ? 0.2 : 0.05);
    return rules;
  }
};

// `case` of every card, all of them at once as a model runs on them, each on a thread of its own: a card that fails has a result
// that says so, and the others go on.
std::vector<Result> on_every_card(const Cards& cards, const std::string& name,
                                  const std::function<std::vector<Result>(Card&)>& measure);
// The same one after another: what they share (a slot, a link, the host) is theirs alone.
std::vector<Result> in_turn(const Cards& cards, const std::string& name,
                            const std::function<std::vector<Result>(Card&)>& measure);

// Runs `measure`, which adds results; where it fails, a result says so and the next may go on.
void attempt(std::vector<Result>& results, const std::string& name, const Card& card,
             const std::function<void()>& measure);

// "fathom kernels" and the version of their sources: figures of other kernels are of another protocol.
std::string our_kernels();

Result card_result(std::string name, const Card& card, Unit unit, std::map<std::string, std::string> shape);
std::vector<Card*> all_of(const Cards& cards);
std::string devices_text(const std::vector<Card*>& cards);  // "gpu0,gpu1"
// Of a message of so many bytes between all of these, in bf16: a time.
Result collective_result(const char* name, const std::vector<Card*>& cards, std::size_t bytes);
// Lets a kernel of one reach the memory of the other; false where that cannot be.
bool let_reach(const Card& from, const Card& to);
// `worst` of something that must be below `most`.
void check(Result& result, const std::string& method, double worst, double most);

}  // namespace fathom::probe
