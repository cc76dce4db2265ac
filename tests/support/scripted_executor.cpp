#include "support/scripted_executor.h"

namespace fathom::testing {

namespace {

class ScriptedExecutor : public Executor {
 public:
  ScriptedExecutor(const ExecutorParts& parts, std::shared_ptr<VirtualClock> clock, StepTimes times)
      : clock_(std::move(clock)),
        times_of_steps_(std::move(times)),
        program_(lower(parts.program, {true, true})),
        account_(parts.account) {}

  std::vector<PieceOutput> step(const StepInput& input) override {
    StepWork work;
    double pairs = 0;
    std::vector<PieceOutput> outputs;
    for (const Piece& p : input.pieces) {
      if (p.decode) {
        ++work.sequences;
        work.context += static_cast<double>(p.position) + 1;
      } else {
        work.prompt_tokens += p.tokens;
        pairs += p.tokens * (static_cast<double>(p.position) + 0.5 * p.tokens);
      }
      PieceOutput& output = outputs.emplace_back();
      if (p.decode || p.last_chunk) output.tokens = {0};
    }
    if (work.sequences > 0) work.context /= work.sequences;
    if (work.prompt_tokens > 0) work.prompt_context = pairs / work.prompt_tokens - 0.5 * work.prompt_tokens;
    work.prompt_context = std::max(0.0, work.prompt_context);
    clock_->pass(times_of_steps_.seconds(work));
    return outputs;
  }
  const float* logits() const override { return nullptr; }
  const std::vector<int>& logit_rows() const override { return none_; }
  const float* draft_logits() const override { return nullptr; }
  int draft_rows() const override { return 0; }
  void reserve(int, std::int64_t) override {}
  void release(int) override {}
  void fill_cache(int, std::int64_t) override {}
  const std::vector<RowTime>& times() const override { return rows_; }
  const Program& program() const override { return program_; }
  const Account& account() const override { return account_; }

 private:
  std::shared_ptr<VirtualClock> clock_;
  StepTimes times_of_steps_;
  Program program_;
  const Account& account_;
  std::vector<int> none_;
  std::vector<RowTime> rows_;
};

}  // namespace

MakeExecutor make_scripted_executor(std::shared_ptr<VirtualClock> clock, const StepTimes& times) {
  return [clock = std::move(clock), times](const ExecutorParts& parts) {
    return std::make_unique<ScriptedExecutor>(parts, clock, times);
  };
}

}  // namespace fathom::testing
