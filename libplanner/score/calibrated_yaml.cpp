// What a calibration found, as text for catalogs/engines.yaml.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <sstream>
#include <string_view>

#include "score/calibrate.h"

namespace fathom {

namespace {

// Between double quotes, whatever is in it.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + "\"";
}

constexpr std::size_t kLineWidth = 120;

// Without quotes where a list or a map in one line needs none; "Broadcom BCM2711, 4x Cortex-A72" would be two words.
std::string word(const std::string& text) {
  const auto is_plain = [](unsigned char c) {
    return std::isalnum(c) != 0 || std::string_view("-+._ ()/").find(static_cast<char>(c)) != std::string_view::npos;
  };
  const bool plain = !text.empty() && std::isalnum(static_cast<unsigned char>(text.front())) != 0 &&
                     text.back() != ' ' && std::all_of(text.begin(), text.end(), is_plain);
  return plain ? text : quoted(text);
}

// "- {source: FIT, date: 2026-11, memory_share: 0.95, …}"; empty when nothing moved.
std::string factors_item(const std::string& device, const std::vector<FittedFactor>& moved, const std::string& source,
                         const std::string& date) {
  if (moved.empty()) return {};
  std::string out = "      - {", line = out;
  const auto add = [&](const std::string& text, bool last) {
    const std::string piece = text + (last ? "}" : ", ");
    if (line.size() + piece.size() > kLineWidth) {
      out.erase(out.find_last_not_of(' ') + 1);
      out += "\n         ";
      line = "         ";
    }
    out += piece;
    line += piece;
  };
  if (!device.empty()) add(fmt::format("devices: [{}]", word(device)), false);
  add("source: " + word(source), false);
  add("date: " + word(date), false);
  for (const auto& [p, factor] : moved) add(fmt::format("{}: {:.3g}", p->name, factor), p == moved.back().first);
  return out + "\n";
}

// What was found of one engine from one version on.
std::string factors_of(const FittedFactors& factors, const std::string& engine, const std::string& since,
                       const std::string& source, const std::string& date) {
  std::string out;
  for (const auto& [level, moved] : factors) {
    if (level.engine == engine && level.since == since) out += factors_item(level.device, moved, source, date);
  }
  return out.empty() ? out : "    factors:\n" + out;
}

// The text behind a key of an entry, without quotes; empty when the line is another.
std::string word_of(const std::string& line, const std::string& key) {
  if (line.rfind(key, 0) != 0) return {};
  std::string word = line.substr(key.size());
  std::erase(word, '"');
  return word;
}

}  // namespace

std::string as_yaml(const Calibration& c, const EntryOrigin& origin) {
  std::string out = fmt::format("  - id: {}\n    name: {}\n", c.engine.id, quoted(c.engine.name));
  if (!origin.span.since.empty()) out += fmt::format("    since: {}\n", quoted(origin.span.since));
  if (!origin.span.released.empty()) out += fmt::format("    released: {}\n", quoted(origin.span.released));
  if (c.engine.unfitted) out += "    unfitted: true\n";                    // each entry says it anew
  return out + factors_of(c.factors, {}, {}, origin.source, origin.date);  // a fit of one engine names none
}

std::string as_yaml(const EnginesCalibration& c, const std::string& priors, const std::string& source,
                    const std::string& date) {
  std::string out, behind, id, since;  // behind: empty lines and comments, which belong to what follows
  bool is_reference = true;
  const auto close = [&] {
    if (id.empty()) return;
    out += factors_of(c.factors, is_reference ? "" : id, since, source, date);  // first what was found of all engines
    is_reference = false;
    since.clear();
  };
  std::istringstream lines(priors);
  for (std::string line; std::getline(lines, line);) {
    const std::string next = word_of(line, "  - id: ");
    if (!next.empty()) {
      close();
      id = next;
    }
    const std::string version = word_of(line, "    since: ");
    if (!version.empty()) since = version;
    // Comments between entries are indented like them.
    if (line.empty() || line.rfind("  #", 0) == 0) {
      behind += line + "\n";
      continue;
    }
    out += behind + line + "\n";
    behind.clear();
  }
  close();
  return out + behind;
}

}  // namespace fathom
