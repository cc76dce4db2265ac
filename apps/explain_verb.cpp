// fathom explain RULE: what a rule of `fathom check` or `fathom probe` compares, and why it matters.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "catalog/catalog.h"
#include "check/rule_book.h"
#include "input/value.h"
#include "output.h"
#include "report/check_rules.h"
#include "verbs.h"

namespace fathom {

namespace {

struct ExplainOptions {
  std::string rule;
  std::string format = "text";
};

// The rule of that name, or those of the family.
std::vector<Rule> rules_named(const std::string& name, const std::vector<Rule>& rules) {
  std::vector<Rule> family;
  std::vector<std::string> known;
  for (const Rule& rule : rules) {
    if (rule.id == name) return {rule};
    if (rule.family() == name) family.push_back(rule);
    known.push_back(rule.id);
    known.push_back(rule.family());
  }
  if (!family.empty()) return family;
  const std::string close = did_you_mean(name, known);
  InputError error("RULE", {1, 1}, fmt::format("there is no rule \"{}\"", name),
                   close.empty() ? "fathom explain lists the rules" : fmt::format("did you mean \"{}\"?", close));
  error.quoting(name);
  throw error;
}

int run_explain(const ExplainOptions& options, const Session& session) {
  const std::filesystem::path data = find_data_dir(session.executable, session.data_dir);
  const RuleBook of_check(data), of_probe(data, "probe_rules.yaml");
  std::vector<Rule> all = of_check.rules();
  all.insert(all.end(), of_probe.rules().begin(), of_probe.rules().end());
  // Whoever names none wants those that --rule takes.
  const std::vector<Rule> rules = options.rule.empty() ? of_check.rules() : rules_named(options.rule, all);
  const bool one = rules.size() == 1 && rules.front().id == options.rule;
  const std::string text = options.format == "json" ? rules_json(rules)
                           : one                    ? rule_text(rules.front(), use_colour(session))
                                                    : rule_list(rules);
  write_output({.format = options.format, .file = {}}, text);
  return kYes;
}

}  // namespace

void add_explain_verb(CLI::App& program, Session& session) {
  auto options = std::make_shared<ExplainOptions>();
  CLI::App* verb = program.add_subcommand("explain", "what a rule of check or probe is about, and why it matters");
  verb->add_option("RULE", options->rule,
                   "power.supply, or a family: power, probe; without it, the rules of check are listed");
  verb->add_option("-f,--format", options->format, "text or json")->check(CLI::IsMember({"text", "json"}));
  verb->callback([options, &session] { session.run = [options, &session] { return run_explain(*options, session); }; });
}

}  // namespace fathom
