#include "fleet/gather.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <chrono>
#include <filesystem>
#include <mutex>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "input/content.h"
#include "input/error.h"
#include "input/excerpt.h"
#include "units/number.h"

namespace fathom::probe {

namespace {

using Json = nlohmann::ordered_json;

// What a shell or a launcher says before and after is not ours; the report is one object that begins a line.
Json object_in(const std::string& text) {
  const std::size_t at = text.starts_with('{') ? 0 : text.find("\n{");
  Json json;
  if (at == std::string::npos) return json;
  std::istringstream from(text.substr(at));
  try {
    from >> json;
  } catch (const Json::parse_error&) {
    return Json();  // a part of one
  }
  return json;
}

// 1 is a verdict: the node was probed, and has findings.
bool ended_well(const Step& step, const CommandOutcome& outcome) {
  return outcome.end == CommandOutcome::End::kExited && (outcome.code == 0 || (step.answers && outcome.code == 1));
}

Answer answer_of(const Launch& launch) {
  Answer answer;
  answer.host = launch.host, answer.from = launch.from, answer.to = launch.to;
  return answer;
}

// A file of an earlier run, or the answer of a host under another's name, stands for none.
MachineRecord record_of(const Launch& launch, const std::string& text, const std::string& file_name) {
  MachineRecord record = record_of_answer(text, file_name);
  if (record.node != launch.node)
    throw InputError(file_name, {},
                     fmt::format("it is the record of {}, and not of {}", in_quotes(record.node), launch.node));
  return record;
}

// By the status of timeout(1): 124, or 137 where it had to kill (-k), which is also what the kernel's killer leaves behind.
std::string ended_there(int code) {
  constexpr int kTimedOut = 124, kKilled = 128 + 9;
  if (code == kTimedOut) return "it was ended there, for its time was up";
  if (code == kKilled) return "it was killed there: its time was up and it did not end, or memory ran out";
  return {};
}

class Runner {
 public:
  Runner(const System& system, Seconds limit, const SaveFile& save) : system_(system), limit_(limit), save_(save) {}

  Answer run(const Launch& launch) {
    Answer answer = answer_of(launch);
    try {
      if (!launch.manifest.empty()) save(launch.manifest_file, launch.manifest);
      for (const Step& step : launch.steps) {
        if (answer.trouble.empty() || step.always) run(launch, step, answer);
      }
    } catch (const std::exception& error) {
      answer.trouble = error.what();
    }
    answer.trouble = printable(answer.trouble);  // what comes from another machine must not drive this one's terminal
    return answer;
  }

  bool no_launcher() const { return no_launcher_; }

 private:
  void run(const Launch& launch, const Step& step, Answer& answer) {
    const CommandOutcome outcome = system_.run(step.words, launch_limit(limit_));
    if (!outcome.err.empty() && !launch.file.empty()) save(errors_file(launch), outcome.err);
    if (outcome.end == CommandOutcome::End::kNotFound) no_launcher_ = true;
    if (!ended_well(step, outcome)) {
      if (!answer.trouble.empty()) return;
      if (outcome.end == CommandOutcome::End::kExited) answer.trouble = ended_there(outcome.code);
      if (answer.trouble.empty()) answer.trouble = trouble_with(step.words.front(), outcome);
      return;
    }
    if (!step.answers) return;
    try {
      answer.record = record_of(launch, outcome.out, launch.host);
      save(launch.file, record_json(*answer.record));
    } catch (const InputError& error) {
      answer.trouble = "its answer is no record: " + error.message();
    }
  }

  void save(const std::string& file, const std::string& text) {
    const std::lock_guard<std::mutex> one_at_a_time(mutex_);
    save_(file, text);
  }

  const System& system_;
  Seconds limit_;
  const SaveFile& save_;
  std::mutex mutex_;
  std::atomic<bool> no_launcher_ = false;
};

}  // namespace

MachineRecord record_of_answer(const std::string& text, const std::string& file_name) {
  const Json json = object_in(text);
  if (!json.is_object()) {
    throw InputError(file_name, {}, text.empty() ? "it is empty" : "it is no JSON, or a part of it",
                     "fathom probe -f json prints it");
  }
  const bool report = json.contains("machine");
  return parse_record((report ? json["machine"] : json).dump(1), file_name);
}

namespace {

[[noreturn]] void no_launcher(const Launch& launch) {
  throw std::runtime_error(launch.steps.front().words.front() + " is not installed on this machine");
}

std::vector<Answer> run_all(const std::vector<Launch>& launches, Runner& runner) {
  std::vector<Answer> answers(launches.size());
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t i = next++; i < launches.size(); i = next++) answers[i] = runner.run(launches[i]);
  };
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < std::min(kMostAtOnce, launches.size()); ++i) threads.emplace_back(work);
  threads.clear();  // waits for all
  return answers;
}

}  // namespace

std::vector<Answer> run_launches(const std::vector<Launch>& launches, Seconds limit, const System& system,
                                 const SaveFile& save) {
  Runner runner(system, limit, save);
  std::vector<Answer> answers = run_all(launches, runner);
  if (runner.no_launcher()) no_launcher(launches.front());
  return answers;
}

// Whatever it makes of the word, a program that is not there makes nothing of it.
void need_launcher(const FleetPlan& plan, const System& system) {
  const Launch& first = plan.nodes.front();
  const CommandOutcome outcome = system.run({first.steps.front().words.front(), "--version"}, 10_s);
  if (outcome.end == CommandOutcome::End::kNotFound) no_launcher(first);
}

FleetAnswers run_fleet(const FleetPlan& plan, const System& system, const SaveFile& save,
                       const std::function<void(const std::string&)>& tell) {
  FleetAnswers answers;
  tell(fmt::format("{} node{}", plan.nodes.size(), plan.nodes.size() == 1 ? "" : "s"));
  answers.nodes = run_launches(plan.nodes, plan.node_limit, system, save);
  if (plan.rounds.empty()) return answers;
  // Servers end with their time; what they say is of no interest, and a node without one is told by its pairs.
  Runner of_servers(system, plan.server_limit + 30_s, save);
  const std::jthread servers([&] { run_all(plan.servers, of_servers); });
  std::this_thread::sleep_for(std::chrono::duration<double>(plan.settle.value));
  for (const auto& round : plan.rounds) {
    tell(fmt::format("pairs, round {} of {}", &round - plan.rounds.data() + 1, plan.rounds.size()));
    for (Answer& answer : run_launches(round, plan.pair_limit, system, save))
      answers.pairs.push_back(std::move(answer));
  }
  return answers;
}

namespace {

// A run takes a day at most. What is older than the newest record by more was left behind by another: the host gave none in this one.
void drop_other_runs(FleetAnswers& answers) {
  std::optional<std::chrono::sys_days> newest;
  const auto each = [&](const auto& visit) {
    for (std::vector<Answer>* list : {&answers.nodes, &answers.pairs}) {
      for (Answer& answer : *list) {
        const auto day = answer.record ? day_of(answer.record->date) : std::nullopt;
        if (day) visit(answer, *day);
      }
    }
  };
  std::string date;
  each([&](const Answer& answer, std::chrono::sys_days day) {
    if (!newest || day > *newest) newest = day, date = answer.record->date;
  });
  each([&](Answer& answer, std::chrono::sys_days day) {
    if (*newest - day <= std::chrono::days(1)) return;
    answer.trouble = fmt::format("its record is of {}, and the newest of {}: of another run; probe it again",
                                 answer.record->date, date);
    answer.record.reset();
  });
}

}  // namespace

namespace {

// The last line that has a word in it, for mpirun ends with a line of dashes; empty when there is none.
std::string last_word_of(const std::string& text) {
  constexpr std::size_t kMostQuoted = 200;
  std::string last;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto is_word = [](unsigned char c) { return std::isalnum(c) != 0 || c > 127; };
    if (std::any_of(line.begin(), line.end(), is_word)) last = trimmed(line);
  }
  return printable(std::string_view(last).substr(0, kMostQuoted));
}

// Why a launch left no answer; a file of errors that is not there, or says nothing, adds nothing.
std::string said_instead(const Launch& launch, const std::string& folder) {
  const std::string file = folder + "/" + errors_file(launch);
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file, ignored)) return {};
  std::string last;
  try {
    last = last_word_of(text_of_file(file));
  } catch (const InputError& error) {
    return fmt::format("; {}: {}", file, error.message());
  }
  return last.empty() ? std::string() : fmt::format("; {} ends with: {}", file, last);
}

}  // namespace

FleetAnswers read_answers(const FleetPlan& plan, const std::string& folder) {
  const auto read = [&](const Launch& launch) {
    Answer answer = answer_of(launch);
    const std::string file = folder + "/" + launch.file;
    std::string text;
    try {
      text = text_of_file(file);
      answer.record = record_of(launch, text, file);
    } catch (const InputError& error) {
      answer.trouble = "no record in " + file + ": " + error.message();
      if (trimmed(text).empty()) answer.trouble += said_instead(launch, folder);
    }
    return answer;
  };
  FleetAnswers answers;
  for (const Launch& launch : plan.nodes) answers.nodes.push_back(read(launch));
  for (const auto& round : plan.rounds) {
    for (const Launch& launch : round) answers.pairs.push_back(read(launch));
  }
  drop_other_runs(answers);
  return answers;
}

}  // namespace fathom::probe
