// What a calibration found, as text for catalogs/engines.yaml.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "score/calibrate.h"

namespace fathom {

namespace {

std::string fact_text(const EngineParameter& p, double value) {
  return p.share != nullptr ? fmt::format("{:.3g}", value) : fmt::format("{:.3g} us", value * 1e6);
}

// Between double quotes, whatever is in it.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + "\"";
}

}  // namespace

std::string as_yaml(const Calibration& c, const EntryOrigin& origin) {
  std::string out = fmt::format("  - id: {}\n    name: {}\n", c.profile.id, quoted(c.profile.name));
  if (!origin.span.since.empty()) out += fmt::format("    since: {}\n", quoted(origin.span.since));
  out += "    whole_values: true\n";
  if (!origin.span.released.empty()) out += fmt::format("    released: {}\n", quoted(origin.span.released));
  const auto fact = [&](const CalibratedParameter& p) {
    EngineProfile engine = c.profile;
    p.parameter->set(engine, p.after);
    const double a = p.parameter->value(at_corner(engine, Corner::kFast)),
                 b = p.parameter->value(at_corner(engine, Corner::kSlow));
    return fmt::format("{}: {{value: {}, low: {}, high: {}, source: {}, date: {}, confidence: derived}}\n",
                       p.parameter->name, fact_text(*p.parameter, p.after),
                       fact_text(*p.parameter, std::min({a, b, p.after})),
                       fact_text(*p.parameter, std::max({a, b, p.after})), quoted(origin.source), origin.date);
  };
  std::string last;
  for (const CalibratedParameter& p : c.parameters) {
    if (p.device.empty()) {
      out += "    " + fact(p);
      continue;
    }
    if (last.empty()) out += "    variants:\n";
    if (p.device != last) out += fmt::format("      - devices: [{}]\n", p.device);
    last = p.device;
    out += "        " + fact(p);
  }
  return out;
}

namespace {

constexpr std::size_t kLineWidth = 120;

// Codes and dates need no quotes.
bool plain(const std::string& text) {
  return !text.empty() && text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-+") == std::string::npos;
}

// "- {source: FIT, date: 2026-11, memory_share: 0.95, …}"; empty when nothing moved by a hundredth.
std::string factors_item(const std::string& device, const std::vector<double>& ln, const std::string& source,
                         const std::string& date) {
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
  std::vector<std::string> moved;
  for (std::size_t i = 0; i < ln.size(); ++i) {
    const EngineParameter& p = engine_parameters()[i];
    const double x = ln[i];
    if (std::abs(x) >= 0.01) moved.push_back(fmt::format("{}: {:.3g}", p.name, std::exp(x)));
  }
  if (moved.empty()) return {};
  if (!device.empty()) add(fmt::format("devices: [{}]", device), false);
  add("source: " + (plain(source) ? source : quoted(source)), false);
  add("date: " + (plain(date) ? date : quoted(date)), false);
  for (std::size_t m = 0; m < moved.size(); ++m) add(moved[m], m + 1 == moved.size());
  return out + "\n";
}

// What was found of every engine stands behind the first entry.
std::string factors_of(const EnginesCalibration& c, bool is_reference, const std::string& id, const std::string& since,
                       const std::string& source, const std::string& date) {
  std::string out;
  for (const auto& [level, ln] : c.factors) {
    if (level.engine == (is_reference ? "" : id) && level.since == since)
      out += factors_item(level.device, ln, source, date);
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

std::string as_yaml(const EnginesCalibration& c, const std::string& priors, const std::string& source,
                    const std::string& date) {
  std::string out, behind, id, since;  // behind: empty lines and comments, which belong to what follows
  bool is_reference = true;
  const auto close = [&] {
    if (id.empty()) return;
    out += factors_of(c, is_reference, id, since, source, date);
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
