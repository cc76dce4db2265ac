// What starts in a container: image, options, variables, model, shared memory.
#include <fmt/format.h>

#include <algorithm>

#include "manifests/engine_call.h"
#include "manifests/manifest_rules.h"
#include "manifests/quantity.h"
#include "units/number.h"
#include "units/text.h"

namespace fathom::manifests {

namespace {

struct Started {
  const Workload& workload;
  const Container& container;
  const EngineCall& call;
  double devices = 0;  // of this container
  std::string vendor;

  Mark mark() const { return manifests::mark(*entry(container.value, "name")); }
};

bool is_version(std::string_view word) {
  if (word.starts_with('v')) word.remove_prefix(1);
  return word.find('.') != std::string_view::npos && word.find_first_not_of("0123456789.") == std::string_view::npos;
}

void check_image(const Container& container, Remarks& out) {
  const Entry* image = entry(container.value, "image");
  if (image == nullptr || image->value.text.empty() || image->value.text.find_first_of("${") != std::string::npos)
    return;
  const ImageName name = parse_image(image->value.text);
  const std::string last = name.repository.substr(name.repository.rfind('/') + 1);
  if (!name.digest.empty() || (!name.tag.empty() && name.tag != "latest")) return;
  const bool version = name.tag.empty() && is_version(last);
  out.push_back(
      {.rule = "manifest.image",
       .mark = mark(*image),
       .message = version ? fmt::format("{} names no image: {} stands where the name stands", image->value.text, last)
                          : fmt::format("{} is another image each time it is built", image->value.text),
       .help = version ? "a version follows the name behind a colon" : "give the version, or better the digest"});
}

void check_variables(const Container& container, const ManifestCase& c, Remarks& out) {
  for (const Value& variable : items(find(container.value, {"env"}))) {
    const Entry* name = entry(&variable, "name");
    if (name == nullptr) continue;
    const auto unread = c.vocabulary.unread_variables.find(text(&name->value));
    if (unread == c.vocabulary.unread_variables.end()) continue;
    out.push_back({.rule = "manifest.variable_unread",
                   .mark = mark(*name),
                   .message = fmt::format("no engine that fathom knows reads {}", unread->first),
                   .help = unread->second});
  }
}

// Degrees that are written down, and devices that are there.
void check_degrees(const Started& s, Remarks& out) {
  const EngineCall& call = s.call;
  if (call.engine->tensor.empty() || call.has({"--config", "--config-file"})) return;
  const double tensor = call.degree(call.engine->tensor), pipeline = call.degree(call.engine->pipeline);
  const double ranks = tensor * pipeline, there = s.devices * s.workload.group_size;
  if (ranks < 1) return;  // a variable
  const auto place = call.option(call.engine->tensor);
  const Mark mark = place ? place->mark : s.mark();
  const std::string product = fmt::format("tensor {:g} x pipeline {:g} = {:g} devices", tensor, pipeline, ranks);
  if (s.devices == 0) {
    const std::vector<Entry>& limits = entries(find(s.container.value, {"resources", "limits"}));
    const bool named =
        std::any_of(limits.begin(), limits.end(), [](const Entry& e) { return e.key.find('/') != std::string::npos; });
    if (ranks == 1 || named || find(s.workload.pod, {"resourceClaims"}) != nullptr) return;
    out.push_back(
        {.rule = "manifest.parallel",
         .mark = mark,
         .message = fmt::format("{} runs on {:g} devices, and the container asks for none", call.engine->name, ranks),
         .terms = {product},
         .help = "resources.limits of the container, such as nvidia.com/gpu"});
    return;
  }
  const bool group = s.workload.group_size > 1;
  const bool elsewhere = call.has(call.engine->several_nodes) || call.has({"ray"});
  std::string devices = fmt::format("the container has {:g}", s.devices);
  if (group) devices = fmt::format("a group has {} x {:g} = {:g}", s.workload.group_size, s.devices, there);
  if (ranks > there && (group || !elsewhere)) {
    out.push_back({.rule = "manifest.parallel",
                   .mark = mark,
                   .message = fmt::format("{} wants {:g} devices, and {}", call.engine->name, ranks, devices),
                   .terms = {product}});
  } else if (ranks < there && !call.has(call.engine->data) && (!group || !elsewhere)) {
    out.push_back({.rule = "manifest.idle_devices",
                   .mark = mark,
                   .message = fmt::format("{} uses {:g} of the devices, and {}: the others stay idle",
                                          call.engine->name, ranks, devices),
                   .terms = {product},
                   .help = place ? "" : fmt::format("{} is 1 unless it is given", call.engine->tensor.front())});
  }
}

// The name of the volume that is mounted there; empty when none is.
std::string volume_at(const Container& container, const std::string& path) {
  for (const Value& m : items(find(container.value, {"volumeMounts"}))) {
    if (text(find(&m, {"mountPath"})) == path) return text(find(&m, {"name"}));
  }
  return {};
}

void check_shared_memory(const Started& s, Remarks& out) {
  const double ranks = std::max(s.devices, s.call.degree(s.call.engine->tensor));
  if (!s.call.engine->shared_memory || ranks < 2 || s.call.degree(s.call.engine->tensor) < 2) return;
  if (is_true(find(s.workload.pod, {"hostIPC"}))) return;
  const std::string name = volume_at(s.container, "/dev/shm");
  for (const Value& v : items(find(s.workload.pod, {"volumes"}))) {
    if (name.empty() || text(find(&v, {"name"})) != name) continue;
    const Value* empty_dir = find(&v, {"emptyDir"});
    if (empty_dir == nullptr || text(find(empty_dir, {"medium"})) == "Memory") return;
    const Entry* volume = entry(&v, "emptyDir");
    out.push_back({.rule = "manifest.shared_memory",
                   .mark = key_mark(*volume),
                   .message = "/dev/shm is a folder on the disk: the emptyDir is not in memory",
                   .help = "emptyDir: {medium: Memory}"});
    return;
  }
  if (!name.empty()) return;  // manifest.volume, or a claim
  const auto place = s.call.option(s.call.engine->tensor);
  out.push_back({.rule = "manifest.shared_memory",
                 .mark = place ? place->mark : s.mark(),
                 .message = fmt::format("{:g} ranks of {} talk through /dev/shm, and a container has 64 MiB of it",
                                        ranks, s.call.engine->name),
                 .help = "mount an emptyDir {medium: Memory} at /dev/shm; it counts against the memory limit"});
}

std::string all_names(const Started& s) {
  std::string names = s.workload.object->name + " " + s.container.name + " " + to_string(s.workload.pod_labels());
  for (const Word& word : s.call.words) names += " " + word.text;
  for (char& ch : names) ch = static_cast<char>(ch >= 'A' && ch <= 'Z' ? ch + 32 : ch);
  return names;
}

// The plain image of Triton has neither vLLM nor TensorRT-LLM.
void check_triton(const Started& s, Remarks& out) {
  const Entry* image = entry(s.container.value, "image");
  if (s.call.engine->id != "triton" || !s.call.own_image || image == nullptr) return;
  const std::string tag = parse_image(image->value.text).tag, names = all_names(s);
  const bool plain = tag.ends_with("-py3") && tag.find("-python-py3") == std::string::npos;
  const char* const kFamilies[] = {"deepseek", "llama", "qwen", "mistral", "mixtral", "gpt-oss", "kimi", "llm"};
  const auto family = std::find_if(std::begin(kFamilies), std::end(kFamilies),
                                   [&](const char* word) { return names.find(word) != std::string::npos; });
  if (!plain || family == std::end(kFamilies)) return;
  const std::string version = tag.substr(0, tag.size() - 4);
  out.push_back({.rule = "manifest.triton_image",
                 .mark = mark(*image),
                 .message = fmt::format("{} has no engine for language models, and this serves {}", tag, *family),
                 .help = fmt::format("{0}-vllm-python-py3 has vLLM, {0}-trtllm-python-py3 has TensorRT-LLM", version)});
}

bool below_a_mount(const Container& container, const std::string& path) {
  for (const Value& m : items(find(container.value, {"volumeMounts"}))) {
    const std::string mount = text(find(&m, {"mountPath"}));
    if (!mount.empty() && (path == mount || path.starts_with(mount.ends_with('/') ? mount : mount + "/") ||
                           mount.starts_with(path + "/"))) {
      return true;
    }
  }
  return false;
}

// A folder that nothing is mounted at is empty in an image of the engine's makers.
void check_model_folder(const Started& s, Remarks& out) {
  std::optional<Word> path = s.call.option(s.call.engine->folder);
  if (!path) path = s.call.model();
  if (!path || !path->text.starts_with('/') || !s.call.own_image) return;
  if (below_a_mount(s.container, path->text)) return;
  out.push_back({.rule = "manifest.model_folder",
                 .mark = path->mark,
                 .message = fmt::format("nothing is mounted at {}, and the image of {} holds no model", path->text,
                                        s.call.engine->name),
                 .help = "a volume with the model, mounted there and read only"});
}

void check_host_memory(const Started& s, Bytes weights, Remarks& out) {
  const Entry* limit = entry(find(s.container.value, {"resources", "limits"}), "memory");
  if (limit == nullptr) return;
  const auto bytes = parse_kubernetes_quantity(text(&limit->value));
  const Bytes share = weights / static_cast<double>(s.workload.group_size);
  if (!bytes || bytes->suffix == "m" || bytes->value > 0.25 * share.value) return;
  out.push_back(
      {.rule = "manifest.host_memory",
       .mark = mark(*limit),
       .message = fmt::format("{} of memory, and the pod reads {} of weights through it", text(&limit->value),
                              to_string(share)),
       .help = "what is read counts against the limit until it is thrown away; loading slows down or is killed"});
}

void check_model(const Started& s, const ManifestCase& c, Remarks& out) {
  const auto named = s.call.model();
  if (!named || named->text.find('/') == std::string::npos || named->text.find('$') != std::string::npos) return;
  const ModelEntry* model = known_model(named->text, c.catalog);
  if (model == nullptr) {
    if (named->text.starts_with('/') || named->text.find(':') != std::string::npos) return;
    std::vector<std::string> names;
    for (const ModelEntry& m : c.catalog.all<ModelEntry>()) {
      if (m.hf_repo) names.push_back(*m.hf_repo);
    }
    const std::string close = did_you_mean(named->text, names);
    out.push_back(
        {.rule = "manifest.model",
         .mark = named->mark,
         .message = fmt::format("fathom knows no model {}, so its size is not checked", in_quotes(named->text)),
         .help = close.empty() ? "" : fmt::format("did you mean \"{}\"?", close)});
    return;
  }
  if (s.call.has({"--quantization", "-q", "--hf-overrides", "--cpu-offload-gb", "--load-format"})) return;
  const Bytes weights = published_weights(*model);
  if (weights == Bytes{} || s.devices == 0) return;
  check_host_memory(s, weights, out);
  const Accelerator* largest = nullptr;
  for (const Accelerator& a : c.catalog.all<Accelerator>()) {
    if (a.status == PartStatus::kOk && a.vendor == s.vendor &&
        (largest == nullptr || largest->memory.value < a.memory.value))
      largest = &a;
  }
  if (s.call.has(s.call.engine->several_nodes) && s.workload.group_size == 1) return;  // other pods help
  const double devices = s.devices * s.workload.group_size;
  if (largest == nullptr || largest->memory.value * devices >= weights) return;
  out.push_back({.rule = "manifest.weights",
                 .mark = named->mark,
                 .message = fmt::format("{} of weights do not fit on {:g} device{} of {}, whichever it is",
                                        to_string(weights), devices, devices == 1 ? "" : "s", s.vendor),
                 .terms = {fmt::format("{:g} x {} of the largest in the catalog ({}) = {}", devices,
                                       to_string(largest->memory.value), largest->name,
                                       to_string(largest->memory.value * devices))},
                 .help = "more devices, or a smaller format of the weights"});
}

}  // namespace

void check_engines(const ManifestCase& c, Remarks& out) {
  for (const Workload& w : c.file.workloads) {
    for (const Container& container : w.containers) {
      const auto call = engine_call(container, c.vocabulary);
      const Devices devices = devices_of(container, c.vocabulary);
      if (call || devices.count > 0) check_image(container, out);
      if (devices.count > 0) check_variables(container, c, out);
      if (!call || entry(container.value, "name") == nullptr) continue;
      const Started started{w, container, *call, devices.count, devices.vendor};
      check_degrees(started, out);
      check_shared_memory(started, out);
      check_triton(started, out);
      check_model_folder(started, out);
      check_model(started, c, out);
    }
  }
}

}  // namespace fathom::manifests
