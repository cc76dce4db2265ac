#include "manifests/vocabulary.h"

#include "input/reader.h"

namespace fathom::manifests {

namespace {

using Words = std::vector<std::string>;

DeviceResources read_resources(MapReader reader) {
  DeviceResources r;
  r.vendor = reader.required<std::string>("vendor");
  r.domain = reader.required<std::string>("domain");
  r.devices = reader.required<Words>("devices");
  r.shares = reader.required<Words>("shares");
  reader.required<std::string>("source");
  reader.finish();
  return r;
}

Engine read_engine(MapReader reader) {
  Engine e;
  e.id = reader.required<std::string>("id");
  e.name = reader.required<std::string>("name");
  e.images = reader.required<Words>("images");
  e.commands = reader.required<Words>("commands");
  e.model = reader.required<Words>("model");
  e.folder = reader.get<Words>("folder", {});
  e.model_follows = reader.get<std::string>("model_follows", "");
  e.tensor = reader.required<Words>("tensor");
  e.pipeline = reader.required<Words>("pipeline");
  e.data = reader.required<Words>("data");
  e.several_nodes = reader.required<Words>("several_nodes");
  e.port = reader.required<Words>("port");
  e.default_port = reader.required<int>("default_port");
  e.shared_memory = reader.required<bool>("shared_memory");
  reader.required<std::string>("source");
  reader.finish();
  return e;
}

Exporter read_exporter(MapReader reader) {
  Exporter e;
  e.name = reader.required<std::string>("name");
  e.prefix = reader.required<std::string>("prefix");
  reader.required<std::string>("source");
  const auto add = [&](const std::string& name, const Metric& metric) { e.metrics[e.prefix + name] = metric; };
  const auto histogram = [&](const std::string& name, double lowest_s) {
    for (const char* end : {"_bucket", "_sum", "_count"}) add(name + end, {MetricKind::kHistogram, "", lowest_s});
  };
  for (const std::string& name : reader.required<Words>("gauges")) add(name, {MetricKind::kGauge});
  for (const std::string& name : reader.get<Words>("ratios", {})) add(name, {MetricKind::kRatio});
  for (const std::string& name : reader.get<Words>("percents", {})) add(name, {MetricKind::kPercent});
  for (const std::string& name : reader.required<Words>("counters")) add(name, {MetricKind::kCounter});
  for (const std::string& name : reader.get<Words>("totals", {})) add(name, {MetricKind::kTotal});
  for (const std::string& name : reader.required<Words>("histograms")) histogram(name, 0);
  for (const Entry& time : reader.need("times").entries) {
    double lowest = 0;
    read(reader.context(time.value), lowest);
    histogram(time.key, lowest);
  }
  for (const Entry& gone : reader.need("gone").entries) {
    const bool renamed = gone.value.text.find(' ') == std::string::npos;
    const Metric metric{MetricKind::kGone, (renamed ? e.prefix : "") + gone.value.text};
    for (const char* end : {"", "_bucket", "_sum", "_count"}) add(gone.key + end, metric);
  }
  reader.finish();
  return e;
}

}  // namespace

Vocabulary read_vocabulary(const std::filesystem::path& data_dir) {
  const Document document = read_yaml(data_dir / "operations.yaml");
  MapReader file(document.file, document.root, "the words of operations");
  file.choice("format", {"fathom-operations/1"});
  file.take("sources");
  const auto section = [&](const char* key) { return MapReader(document.file, file.need(key), key); };
  Vocabulary v;
  for (const Value& item : file.need("resources").items) {
    v.resources.push_back(read_resources({document.file, item, "the resources of a vendor"}));
  }
  for (const Value& item : file.need("engines").items) {
    v.engines.push_back(read_engine({document.file, item, "an engine"}));
  }
  for (const Entry& e : section("variables").need("unread").entries) v.unread_variables[e.key] = e.value.text;
  for (const Value& item : file.need("exporters").items) {
    v.exporters.push_back(read_exporter({document.file, item, "an exporter"}));
  }
  MapReader temperatures = section("temperatures");
  v.hot_device = temperatures.required<std::string>("device");
  v.slowdown_c = temperatures.required<double>("slowdown_c");
  v.shutdown_c = temperatures.required<double>("shutdown_c");
  MapReader smi = section("nvidia_smi");
  v.smi_commands = smi.required<Words>("commands");
  v.smi_options = smi.required<Words>("options");
  v.charts = section("charts").required<Words>("names");
  file.finish();
  return v;
}

const Exporter* Vocabulary::exporter_of(std::string_view metric) const {
  for (const Exporter& e : exporters) {
    if (metric.starts_with(e.prefix)) return &e;
  }
  return nullptr;
}

bool matches(std::string_view pattern, std::string_view name) {
  if (pattern.starts_with('*')) return name.ends_with(pattern.substr(1));
  if (pattern.ends_with('*')) return name.starts_with(pattern.substr(0, pattern.size() - 1));
  return pattern == name;
}

}  // namespace fathom::manifests
