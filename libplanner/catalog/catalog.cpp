#include "catalog/catalog.h"

#include <fmt/format.h>

#include <mutex>
#include <set>

#include "catalog/entry_reader.h"
#include "units/number.h"

namespace fathom {

namespace {

using catalog_file::EntryReader;

constexpr const char* kFormat = "fathom-catalog/1";

// ---------------------------------------------------------------------------------------------------------------------
// One file

// Marks the keys that every catalog file has; the sections are the caller's.
MapReader open_file(const Document& document, const std::string& kind) {
  MapReader root(document.file, document.root, "a catalog file");
  const Value& format = root.need("format");
  if (format.text != kFormat)
    root.context(format).fail(fmt::format("expected the format {}, found {}", kFormat, in_quotes(format.text)));
  const Value& named = root.need("kind");
  if (named.text != kind)
    root.context(named).fail(fmt::format("expected the kind {}, found {}", kind, in_quotes(named.text)));
  return root;
}

CatalogSources read_sources(MapReader& root) {
  CatalogSources sources;
  for (const Entry& entry : root.need("sources").entries) {
    MapReader source(root.file(), entry.value, "a source");
    sources[entry.key] = {.title = source.required<std::string>("title"), .date = source.get<std::string>("date", "")};
    source.finish();
  }
  return sources;
}

// Other kinds may live in the same file; their sections are theirs to check.
template <class... T>
void know_sections(MapReader& root, const std::string& file, std::tuple<T...>*) {
  ((file == kKind<T>.file ? void(root.take(kKind<T>.section)) : void()), ...);
}

template <class T>
T read_entry(const Context& at, const CatalogSources& sources) {
  EntryReader reader(at, sources, fmt::format("this {}", kKind<T>.noun));
  T entry;
  fields(reader, entry);
  reader.finish();
  if constexpr (requires { complete(entry); }) complete(entry);
  if constexpr (requires { contradiction(entry); }) {
    const std::string wrong = contradiction(entry);
    if (!wrong.empty()) at.fail(wrong);
  }
  return entry;
}

template <class T>
void add_names(NameIndex& index, const T& entry) {
  index.add_id(entry.id);
  if constexpr (requires { entry.name; }) {
    index.add_name(entry.name, entry.id);
    index.add_name(entry.name.substr(0, entry.name.find(" (")), entry.id);
  }
  if constexpr (requires { entry.hf_repo; }) {
    const std::string repo = entry.hf_repo.value_or("");
    index.add_name(repo, entry.id);
    index.add_name(repo.substr(repo.find('/') + 1), entry.id);
  }
}

template <class T>
Table<T> read_table(const Document& document) {
  const Kind& kind = kKind<T>;
  MapReader root = open_file(document, kind.file);
  CatalogSources sources = read_sources(root);
  know_sections(root, kind.file, static_cast<AllKinds*>(nullptr));
  const Value& list = root.need(kind.section);
  root.finish();
  if (list.kind != Value::Kind::kSequence) fail_kind(root.context(list), "a list");

  Table<T> table;
  std::set<std::string> ids;
  for (const Value& item : list.items) {
    table.entries.push_back(read_entry<T>(Context{document.file, item}, sources));
    const std::string& id = table.entries.back().id;
    if (!ids.insert(id).second)
      Context{document.file, *item.find("id")}.fail("two entries have the id " + in_quotes(id));
    add_names(table.index, table.entries.back());
  }
  table.sources = std::move(sources);
  return table;
}

// ---------------------------------------------------------------------------------------------------------------------
// aliases.yaml

struct Alias {
  std::string alias;
  std::vector<std::string> ids;  // of catalog entries; for a vendor: what the spelling stands for
};
template <class Visit, Is<Alias> A>
void fields(Visit& visit, A& alias) {
  visit("alias", alias.alias);
  visit("ids", alias.ids);
}

using AliasSections = std::map<std::string, std::vector<Alias>>;

AliasSections read_aliases(const std::filesystem::path& data_dir) {
  const Document document = read_yaml(data_dir / "aliases.yaml");
  MapReader root = open_file(document, "aliases");
  const CatalogSources sources = read_sources(root);
  AliasSections sections;
  for (const Entry& entry : document.root.entries) {
    if (entry.value.kind != Value::Kind::kSequence) continue;
    root.take(entry.key);
    for (const Value& item : entry.value.items) {
      EntryReader reader(Context{document.file, item}, sources, "an alias");
      fields(reader, sections[entry.key].emplace_back());
      reader.finish();
    }
  }
  root.finish();
  return sections;
}

void add_aliases(NameIndex& index, const AliasSections& aliases, const std::string& kind) {
  if (const auto known = aliases.find(kind); known != aliases.end()) {
    for (const Alias& alias : known->second) index.add_alias(alias.alias, alias.ids);
  }
  if (const auto vendors = aliases.find("vendors"); vendors != aliases.end()) {
    for (const Alias& vendor : vendors->second) {
      for (const std::string& meaning : vendor.ids) {
        index.add_prefix(vendor.alias, meaning);
        index.add_prefix(meaning, meaning);
      }
    }
  }
}

template <class Kinds>
struct Slots;
template <class... T>
struct Slots<std::tuple<T...>> {
  std::tuple<std::unique_ptr<Table<T>>...> tables;
};

}  // namespace

// ---------------------------------------------------------------------------------------------------------------------
// Catalog

struct Catalog::State {
  std::mutex mutex;
  std::map<std::string, Document> files;  // parsed once, also when several kinds share one
  Slots<AllKinds> slots;
  std::optional<AliasSections> aliases;
};

Catalog::Catalog(std::filesystem::path data_dir) : data_dir_(std::move(data_dir)), state_(std::make_unique<State>()) {}
Catalog::Catalog(Catalog&&) noexcept = default;
Catalog& Catalog::operator=(Catalog&&) noexcept = default;
Catalog::~Catalog() = default;

template <class T>
const Table<T>& Catalog::table() const {
  const std::lock_guard lock(state_->mutex);
  auto& slot = std::get<std::unique_ptr<Table<T>>>(state_->slots.tables);
  if (slot == nullptr) {
    if (!state_->aliases) state_->aliases = read_aliases(data_dir_);
    const std::string file = std::string(kKind<T>.file) + ".yaml";
    auto known = state_->files.find(file);
    if (known == state_->files.end()) known = state_->files.emplace(file, read_yaml(data_dir_ / file)).first;
    auto table = std::make_unique<Table<T>>(read_table<T>(known->second));
    add_aliases(table->index, *state_->aliases, kKind<T>.name);
    slot = std::move(table);
  }
  return *slot;
}

template const Table<Accelerator>& Catalog::table() const;
template const Table<Cpu>& Catalog::table() const;
template const Table<ModelEntry>& Catalog::table() const;
template const Table<Server>& Catalog::table() const;
template const Table<NetworkCard>& Catalog::table() const;
template const Table<Switch>& Catalog::table() const;
template const Table<SwitchAsic>& Catalog::table() const;
template const Table<Optic>& Catalog::table() const;
template const Table<LinkGeneration>& Catalog::table() const;
template const Table<CollectiveCurve>& Catalog::table() const;
template const Table<HealthThreshold>& Catalog::table() const;
template const Table<CaseShare>& Catalog::table() const;
template const Table<NcclLatency>& Catalog::table() const;
template const Table<DiskPart>& Catalog::table() const;
template const Table<Redundancy>& Catalog::table() const;
template const Table<ModelLoad>& Catalog::table() const;
template const Table<PsuEfficiency>& Catalog::table() const;
template const Table<PueClass>& Catalog::table() const;
template const Table<Tariff>& Catalog::table() const;
template const Table<CarbonFactor>& Catalog::table() const;
template const Table<InletClass>& Catalog::table() const;
template const Table<MainsQuality>& Catalog::table() const;
template const Table<Licence>& Catalog::table() const;
template const Table<RentalPrice>& Catalog::table() const;
template const Table<ApiPrice>& Catalog::table() const;
template const Table<FailureRate>& Catalog::table() const;
template const Table<PowerMeasurement>& Catalog::table() const;
template const Table<Constant>& Catalog::table() const;
template const Table<Product>& Catalog::table() const;
template const Table<Method>& Catalog::table() const;
template const Table<Maker>& Catalog::table() const;

}  // namespace fathom
