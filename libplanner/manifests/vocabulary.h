// What files of operations may name: resources, engines, metrics, options. Data of catalogs/operations.yaml.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::manifests {

struct DeviceResources {
  std::string vendor, domain;
  std::vector<std::string> devices, shares;  // names behind the domain; "*" at an end stands for anything
};

struct Engine {
  std::string id, name;
  std::vector<std::string> images, commands;
  std::vector<std::string> model, folder;  // options that name the model; that name a folder in the container
  std::string model_follows;               // a word behind which the model stands without an option
  std::vector<std::string> tensor, pipeline, data, several_nodes, port;
  int default_port = 0;
  bool shared_memory = false;  // its ranks talk through /dev/shm
};

enum class MetricKind { kGauge, kRatio, kPercent, kCounter, kTotal, kHistogram, kGone };

struct Metric {
  MetricKind kind = MetricKind::kGauge;
  std::string instead = {};  // kGone
  double lowest_s = 0;       // first bucket of a histogram of times, 0: none
};

struct Exporter {
  std::string name, prefix;
  std::map<std::string, Metric> metrics;  // by whole name
};

struct Vocabulary {
  std::vector<DeviceResources> resources;
  std::vector<Engine> engines;
  std::map<std::string, std::string> unread_variables;  // name to what does it instead
  std::vector<Exporter> exporters;
  std::string hot_device;  // of which the next two are
  double slowdown_c = 0, shutdown_c = 0;
  std::vector<std::string> smi_commands, smi_options;
  std::vector<std::string> charts;

  const Exporter* exporter_of(std::string_view metric) const;  // by its prefix; nullptr
};

// Throws InputError for a file that is not as it should be.
Vocabulary read_vocabulary(const std::filesystem::path& data_dir);

// "mig-*" and "mig-1g.10gb".
bool matches(std::string_view pattern, std::string_view name);

}  // namespace fathom::manifests
