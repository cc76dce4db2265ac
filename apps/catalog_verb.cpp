// fathom catalog: what the program knows about parts, models, places and prices.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>

#include "catalog/print.h"
#include "output.h"
#include "report/text_table.h"
#include "units/text.h"
#include "verbs.h"

namespace fathom {

namespace {

struct CatalogOptions {
  std::string kind;
  std::string id;
  std::vector<std::string> formats;
  std::string vendor, architecture, min_memory;
  int year = 0;
};

// ---------------------------------------------------------------------------------------------------------------------
// Text

// Columns of a list, in this order, as far as the kind has them.
const std::vector<std::string>& list_columns() {
  static const std::vector<std::string> columns = {"id",
                                                   "name",
                                                   "year",
                                                   "memory",
                                                   "cores",
                                                   "memory_bandwidth",
                                                   "peak.bf16",
                                                   "peak.fp16",
                                                   "tdp",
                                                   "family",
                                                   "parameters",
                                                   "active_parameters",
                                                   "kv_bytes_per_token",
                                                   "ports",
                                                   "asic",
                                                   "operation",
                                                   "scope",
                                                   "algorithm",
                                                   "ranks",
                                                   "model",
                                                   "provider",
                                                   "accelerator",
                                                   "accelerators",
                                                   "rate",
                                                   "simple",
                                                   "read",
                                                   "power_max",
                                                   "usable",
                                                   "value",
                                                   "what",
                                                   "price",
                                                   "input",
                                                   "output",
                                                   "availability",
                                                   "grams_per_kwh",
                                                   "plateau",
                                                   "all_reduce",
                                                   "host_to_device",
                                                   "low",
                                                   "high"};
  return columns;
}

std::vector<std::string> cells(const AnyEntry& entry) {
  const std::vector<CatalogRow> known = rows(entry);
  std::vector<std::string> line;
  for (const std::string& column : list_columns()) {
    const auto row = std::find_if(known.begin(), known.end(), [&](const CatalogRow& r) { return r.key == column; });
    std::string text = row == known.end() ? "" : row->value;
    if (row != known.end() && !row->origin.empty()) text = text.substr(0, text.find(" ("));  // the band is for `show`
    line.push_back(std::move(text));
  }
  return line;
}

std::string padded(const std::string& text, int to) {
  return text + std::string(static_cast<std::size_t>(std::max(0, to - display_width(text))), ' ');
}

// Columns that no entry fills are left out.
std::string list_text(const std::vector<AnyEntry>& entries) {
  if (entries.empty()) return {};
  std::vector<std::vector<std::string>> lines;
  for (const AnyEntry& entry : entries) lines.push_back(cells(entry));
  std::vector<std::size_t> filled;
  std::vector<TextTable::Column> columns;
  for (std::size_t i = 0; i < list_columns().size(); ++i) {
    if (std::all_of(lines.begin(), lines.end(), [&](const auto& line) { return line[i].empty(); })) continue;
    filled.push_back(i);
    columns.push_back({list_columns()[i]});
  }
  TextTable table(columns);
  for (const std::vector<std::string>& line : lines) {
    std::vector<std::string> row;
    for (std::size_t i : filled) row.push_back(line[i]);
    table.row(std::move(row));
  }
  return table.render(TextStyle::kTerminal);
}

std::string entry_text(const Catalog& catalog, const Kind& kind, const AnyEntry& entry) {
  int key_width = 0, value_width = 0;
  const std::vector<CatalogRow> lines = rows(entry);
  for (const CatalogRow& row : lines) {
    key_width = std::max(key_width, display_width(row.key));
    if (!row.origin.empty()) value_width = std::max(value_width, display_width(row.value));
  }
  std::string out;
  for (const CatalogRow& row : lines) {
    out += padded(row.key, key_width + 2) +
           (row.origin.empty() ? row.value : padded(row.value, value_width + 2) + row.origin) + "\n";
  }
  out += "\n";
  for (const auto& [code, source] : used_sources(catalog, kind, entry)) {
    out += padded(code, key_width + 2) + source.title + (source.date.empty() ? "" : ", " + source.date) + "\n";
  }
  return out;
}

// ---------------------------------------------------------------------------------------------------------------------
// Runs

std::vector<OutputRequest> outputs(const CatalogOptions& options) {
  return parse_outputs(options.formats, {"text", "json"});
}

int list_kinds(const Catalog& catalog, const CatalogOptions& options) {
  std::string text;
  for (const Kind& kind : catalog_kinds())
    text += fmt::format("{:<14}{:>5}\n", kind.name, entries_of(catalog, kind).size());
  for (const OutputRequest& request : outputs(options)) {
    write_output(request, request.format == "json" ? kinds_json(catalog) : text);
  }
  return kYes;
}

CatalogFilter filter_of(const CatalogOptions& options) {
  CatalogFilter filter;
  if (!options.vendor.empty()) filter.vendor = options.vendor;
  if (!options.architecture.empty()) filter.architecture = options.architecture;
  if (options.year != 0) filter.year = options.year;
  if (!options.min_memory.empty()) filter.min_memory = parse_bytes(options.min_memory);
  return filter;
}

int list(const Catalog& catalog, const CatalogOptions& options) {
  if (options.kind.empty()) return list_kinds(catalog, options);
  const Kind& kind = find_kind(options.kind);
  const CatalogFilter filter = filter_of(options);
  std::vector<AnyEntry> entries = entries_of(catalog, kind);
  std::erase_if(entries, [&filter](const AnyEntry& entry) { return !passes(entry, filter); });
  for (const OutputRequest& request : outputs(options)) {
    write_output(request, request.format == "json" ? list_json(kind, entries) : list_text(entries));
  }
  if (!entries.empty()) return kYes;
  std::cerr << fmt::format("note: none of the {} {} passes the filters\n", entries_of(catalog, kind).size(), kind.name);
  return kNo;
}

int show(const Catalog& catalog, const CatalogOptions& options) {
  const Kind& kind = find_kind(options.kind);
  const AnyEntry entry = find_entry(catalog, kind, options.id);
  for (const OutputRequest& request : outputs(options)) {
    write_output(request,
                 request.format == "json" ? entry_json(catalog, kind, entry) : entry_text(catalog, kind, entry));
  }
  return kYes;
}

// Names and quantities of the command line have no file to point at.
template <class Run>
int with_catalog(const Session& session, Run run) {
  try {
    return run(Catalog(find_data_dir(session.executable, session.data_dir)));
  } catch (const LookupError& error) {
    std::cerr << "error: " << error.what() << '\n';
    const bool listed_already = std::string_view(error.what()).find(" may be ") != std::string_view::npos;
    if (!error.candidates.empty() && !listed_already) {
      std::cerr << fmt::format("   = help: did you mean {}?\n", fmt::join(error.candidates, " or "));
    }
  } catch (const UnitError& error) {
    std::cerr << "error: " << error.what() << '\n';
  }
  return kWrongInput;
}

void add_format(CLI::App& verb, CatalogOptions& options) {
  verb.add_option("-f,--format", options.formats, "text or json, optionally =FILE; repeatable")->take_all();
}

}  // namespace

void add_catalog_verb(CLI::App& program, Session& session) {
  const auto options = std::make_shared<CatalogOptions>();
  CLI::App* verb = program.add_subcommand("catalog", "look up parts, models and prices, with sources");
  verb->require_subcommand(1);
  const auto runs = [options, &session](int (*run)(const Catalog&, const CatalogOptions&)) {
    return [options, &session, run] {
      session.run = [options, &session, run] {
        return with_catalog(session, [&](const Catalog& catalog) { return run(catalog, *options); });
      };
    };
  };

  CLI::App* lister = verb->add_subcommand("list", "the kinds, or the entries of one kind");
  lister->add_option("KIND", options->kind, "accelerators, cpus, models, switches …; without it, the kinds are listed");
  lister->add_option("--vendor", options->vendor, "only entries whose vendor contains this");
  lister->add_option("--arch", options->architecture,
                     "only entries whose architecture contains this; of models, the family");
  lister->add_option("--year", options->year, "only entries of this year");
  lister->add_option("--min-memory", options->min_memory, "only entries with at least this memory, such as 80GiB");
  add_format(*lister, *options);
  lister->footer("Exit code 1 when nothing passes the filters.");
  lister->callback(runs(list));

  CLI::App* shower = verb->add_subcommand("show", "everything about one entry");
  shower->add_option("KIND", options->kind, "the kind: accelerator, cpu, model, switch …")->required();
  shower->add_option("ID", options->id, "id, name or alias")->required();
  add_format(*shower, *options);
  shower->callback(runs(show));
}

}  // namespace fathom
