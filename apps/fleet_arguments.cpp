#include "fleet_arguments.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>

#include "input/error.h"
#include "input/value.h"

namespace fathom {

namespace {

struct Refused {
  const char *option, *why, *instead;
};

constexpr const char* kSetsItself = "the fleet sets it itself for each host";
constexpr const char* kOfTheFleet = "it is of the fleet, and not of one host";
constexpr const char* kGivesNoRecord = "a host of a fleet measures, and the fleet judges";
constexpr Refused kRefused[] = {
    {"--profile", kSetsItself, "--profile beside --fleet"},
    {"--format", kSetsItself, "-f beside --fleet"},
    {"--output", kSetsItself, "--records FOLDER beside --fleet"},
    {"--name", kSetsItself, "name: of the host"},
    {"--require-gpus", kOfTheFleet, "gpus: of the file or of a host"},
    {"--fleet", kOfTheFleet, ""},
    {"--run", kOfTheFleet, "--run beside --fleet"},
    {"--judge", kOfTheFleet, "--judge beside --fleet"},
    {"--pairs", kOfTheFleet, "--pairs beside --fleet"},
    {"--records", kOfTheFleet, "--records beside --fleet"},
    {"--peers", kOfTheFleet, "each node is held against the others"},
    {"--replay", kGivesNoRecord, ""},
    {"--import", kGivesNoRecord, ""},
    {"--fits", kGivesNoRecord, ""},
    {"--checklist", kGivesNoRecord, "fathom probe --checklist on the host"},
    {"--requirements", kGivesNoRecord, "fathom probe --checklist on the host"},
    {"--help", kGivesNoRecord, "fathom probe --help"},
};

// "--only=x" and "-fjson" as option and value.
std::pair<std::string, std::string> parts_of(const std::string& word) {
  if (!word.starts_with("--")) return {word.substr(0, 2), word.substr(std::min<std::size_t>(2, word.size()))};
  const std::size_t at = word.find('=');
  return {word.substr(0, at), at == std::string::npos ? "" : word.substr(at + 1)};
}

std::string meant_by(const std::string& name, const CLI::App& verb) {
  std::vector<std::string> names;
  for (const CLI::Option* option : verb.get_options()) {
    for (const std::string& known : option->get_lnames()) names.push_back("--" + known);
  }
  const std::string meant = did_you_mean(name, names);
  return meant.empty() ? "fathom probe --help" : "did you mean \"" + meant + "\"?";
}

class Words {
 public:
  Words(const probe::Fleet& fleet, const CLI::App& verb) : fleet_(fleet), verb_(verb) {}

  void check() {
    while (at_ < fleet_.arguments.size()) option();
  }

 private:
  void option() {
    const std::size_t here = at_++;
    const std::string& word = fleet_.arguments[here];
    if (word.front() != '-') fail(here, "'" + word + "' belongs to no option", "options of fathom probe alone");
    const auto [name, value] = parts_of(word);
    const CLI::Option* option = name.size() < 2 ? nullptr : verb_.get_option_no_throw(name);
    if (option == nullptr) fail(here, "fathom probe has no option '" + name + "'", meant_by(name, verb_));
    for (const Refused& refused : kRefused) {
      if (option->check_name(refused.option)) fail(here, name + ": " + refused.why, refused.instead);
    }
    const bool takes_value = option->get_items_expected_max() > 0;
    if (!takes_value && !value.empty()) fail(here, name + " takes no value");
    if (takes_value && value.empty()) values(here, *option);
  }

  // As many as it takes, up to the next option.
  void values(std::size_t of, const CLI::Option& option) {
    int count = 0;
    while (at_ < fleet_.arguments.size() && fleet_.arguments[at_].front() != '-' &&
           count < option.get_items_expected_max())
      ++count, ++at_;
    if (count < option.get_items_expected_min()) fail(of, fleet_.arguments[of] + " has no value");
  }

  [[noreturn]] void fail(std::size_t word, const std::string& why, const std::string& hint = {}) const {
    throw InputError(fleet_.file, fleet_.arguments_at[word], why, hint);
  }

  const probe::Fleet& fleet_;
  const CLI::App& verb_;
  std::size_t at_ = 0;  // the next word
};

}  // namespace

void check_arguments(const probe::Fleet& fleet, const CLI::App& verb) { Words(fleet, verb).check(); }

}  // namespace fathom
