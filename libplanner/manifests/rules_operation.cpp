// What happens to pods later: restarts while they load, evictions, scaling, placement.
#include <fmt/format.h>

#include <algorithm>

#include "manifests/engine_call.h"
#include "manifests/manifest_rules.h"
#include "units/number.h"
#include "units/text.h"

namespace fathom::manifests {

namespace {

// A probe gives up after initialDelaySeconds + failureThreshold x periodSeconds; left out they are 0, 3 and 10.
double patience_s(const Value& probe) {
  return number_or(find(&probe, {"initialDelaySeconds"}), 0) +
         number_or(find(&probe, {"failureThreshold"}), 3) * number_or(find(&probe, {"periodSeconds"}), 10);
}

std::string patience_term(const Value& probe) {
  return fmt::format("{:g} s + {:g} x {:g} s = {:g} s", number_or(find(&probe, {"initialDelaySeconds"}), 0),
                     number_or(find(&probe, {"failureThreshold"}), 3), number_or(find(&probe, {"periodSeconds"}), 10),
                     patience_s(probe));
}

// No engine has loaded its weights, compiled and captured its graphs in a minute when it needs an accelerator for them.
constexpr double kNoStartBelow = 60;

void check_startup(const Container& container, const EngineCall& call, const ManifestCase& c, Remarks& out) {
  const Entry* startup = entry(container.value, "startupProbe");
  const Entry* first = startup != nullptr ? startup : entry(container.value, "livenessProbe");
  if (first == nullptr || first->value.kind != Value::Kind::kMapping) return;
  const auto named = call.model();
  const ModelEntry* model = named ? known_model(named->text, c.catalog) : nullptr;
  const Seconds load = model != nullptr ? least_load_time(*model, c.catalog) : Seconds{};
  const double needed = std::max(kNoStartBelow, load.value), patience = patience_s(first->value);
  if (patience >= needed) return;
  std::vector<std::string> terms = {patience_term(first->value)};
  if (load.value >= kNoStartBelow) {
    terms.push_back(fmt::format("{} of weights from the fastest disk of the catalog: {}",
                                to_string(published_weights(*model)), to_string(load)));
  }
  out.push_back(
      {.rule = "manifest.startup",
       .mark = key_mark(*first),
       .message = fmt::format("{} kills the container after {:g} s: it never finishes loading", first->key, patience),
       .terms = terms,
       .help = "a startupProbe whose failureThreshold x periodSeconds covers the load twice over"});
}

// The number behind a probe's port: written, or that of the container's port of this name. 0 when it is not known.
int port_number(const Container& container, const Value& port) {
  if (const auto written = number(&port)) return static_cast<int>(std::clamp(*written, 0.0, 65535.0));
  for (const Value& p : items(find(container.value, {"ports"}))) {
    if (text(find(&p, {"name"})) == port.text) {
      return static_cast<int>(std::clamp(number_or(find(&p, {"containerPort"}), 0), 0.0, 65535.0));
    }
  }
  return 0;
}

// A probe that asks where the engine does not listen never succeeds.
void check_probe_ports(const Container& container, const EngineCall& call, Remarks& out) {
  const int listens = call.port();
  if (!call.engine->shared_memory || listens <= 0 || call.has({"--config", "--config-file"})) return;
  for (const char* probe : {"startupProbe", "livenessProbe", "readinessProbe"}) {
    for (const char* how : {"httpGet", "tcpSocket"}) {
      const Entry* port = entry(find(container.value, {probe, how}), "port");
      const int asked = port == nullptr ? 0 : port_number(container, port->value);
      if (asked == 0 || asked == listens) continue;
      out.push_back({.rule = "manifest.probe_port",
                     .mark = mark(*port),
                     .message = fmt::format("{} asks port {}, and {} listens on {}{}", probe, asked, call.engine->name,
                                            listens, call.option(call.engine->port) ? "" : " unless told otherwise")});
    }
  }
}

void check_budget(const Object& budget, const ManifestCase& c, Remarks& out) {
  const Entry* unavailable = entry(budget.spec, "maxUnavailable");
  const Entry* available = entry(budget.spec, "minAvailable");
  if (unavailable != nullptr && (text(&unavailable->value) == "0" || text(&unavailable->value) == "0%")) {
    out.push_back({.rule = "manifest.disruption",
                   .mark = mark(*unavailable),
                   .message = fmt::format("{} lets no pod go: a node can never be drained", budget.name)});
  }
  if (available == nullptr) return;
  int pods = 0;
  for (const Workload& w : c.file.workloads) {
    if (same_space(*w.object, budget) && selects(find(budget.spec, {"selector"}), w.pod_labels())) pods += w.replicas;
  }
  const std::string written = text(&available->value);
  const auto least = number(&available->value);
  if (written != "100%" && !(least && pods > 0 && *least >= pods)) return;
  out.push_back({.rule = "manifest.disruption",
                 .mark = mark(*available),
                 .message = written == "100%"
                                ? fmt::format("{} lets no pod go: a node can never be drained", budget.name)
                                : fmt::format("{} keeps {} of {} pods: a node can never be drained", budget.name,
                                              written, pods)});
}

// Names under which people export the share of time in which a kernel runs.
bool is_device_use(std::string name) {
  for (char& ch : name) ch = static_cast<char>(ch >= 'A' && ch <= 'Z' ? ch + 32 : ch == '-' ? '_' : ch);
  for (const char* word : {"gpu_util", "gpu_duty_cycle", "duty_cycle", "gpu_usage", "npu_util", "mlu_util"}) {
    if (name.find(word) != std::string::npos) return true;
  }
  return false;
}

void check_scaler(const Object& scaler, Remarks& out) {
  std::vector<std::string> seen;
  for (const Value& metric : items(find(scaler.spec, {"metrics"}))) {
    std::string type = text(find(&metric, {"type"}));
    if (type.empty()) continue;
    type[0] = static_cast<char>(type[0] >= 'A' && type[0] <= 'Z' ? type[0] + 32 : type[0]);
    const Entry* name = entry(find(&metric, {type, "metric"}), "name");
    if (name == nullptr) name = entry(find(&metric, {type}), "name");
    if (name == nullptr) continue;
    const std::string what = text(&name->value);
    if (std::find(seen.begin(), seen.end(), what) != seen.end()) {
      out.push_back({.rule = "manifest.scaling",
                     .mark = mark(*name),
                     .message = fmt::format("{} has a second target here, and the larger answer counts: there is no "
                                            "threshold to scale in by",
                                            what),
                     .help = "one target; behavior.scaleDown says how slowly to leave"});
      continue;
    }
    seen.push_back(what);
    if (!is_device_use(what)) continue;
    out.push_back({.rule = "manifest.scaling",
                   .mark = mark(*name),
                   .message = fmt::format("{} is the share of time in which some kernel runs, not the load", what),
                   .help = "requests that wait, such as vllm:num_requests_waiting per replica"});
  }
  const Entry* least = entry(scaler.spec, "minReplicas");
  const auto most = number(find(scaler.spec, {"maxReplicas"}));
  if (least != nullptr && most && number_or(&least->value, 0) > *most) {
    out.push_back({.rule = "manifest.value",
                   .mark = mark(*least),
                   .message = fmt::format("minReplicas {} is above maxReplicas {:g}", text(&least->value), *most)});
  }
}

void check_affinity(const Workload& w, Remarks& out) {
  const Value* rules = find(w.pod, {"affinity", "podAntiAffinity", "requiredDuringSchedulingIgnoredDuringExecution"});
  for (const Value& rule : items(rules)) {
    const Entry* selector = entry(&rule, "labelSelector");
    if (selector == nullptr || selects(&selector->value, w.pod_labels())) continue;
    out.push_back(
        {.rule = "manifest.affinity",
         .mark = key_mark(*selector),
         .message = "the pods are to keep apart from pods that they are not: none of their own labels is meant",
         .terms = {fmt::format("their labels: {}", w.pod_labels().empty() ? "none" : to_string(w.pod_labels()))},
         .help = "select a label of the pod template, or leave the rule away"});
  }
}

// A claim that one node may mount, under pods of several.
void check_claims(const Workload& w, const ManifestCase& c, Remarks& out) {
  if (w.replicas * w.group_size < 2) return;
  for (const Value& v : items(find(w.pod, {"volumes"}))) {
    const Entry* name = entry(find(&v, {"persistentVolumeClaim"}), "claimName");
    if (name == nullptr) continue;
    for (const Object& o : c.file.objects) {
      if (o.kind != "PersistentVolumeClaim" || o.name != text(&name->value) || !same_space(o, *w.object)) continue;
      const std::vector<Value>& modes = items(find(o.spec, {"accessModes"}));
      const bool one_node = !modes.empty() && std::all_of(modes.begin(), modes.end(), [](const Value& mode) {
        return mode.text == "ReadWriteOnce" || mode.text == "ReadWriteOncePod";
      });
      if (!one_node) continue;
      out.push_back({.rule = "manifest.claim",
                     .mark = mark(*name),
                     .message = fmt::format("{} pods mount {}, and it is {}: all of them have to run on one node",
                                            w.replicas * w.group_size, o.name, modes.front().text),
                     .help = "ReadOnlyMany for weights"});
    }
  }
}

}  // namespace

void check_operation(const ManifestCase& c, Remarks& out) {
  for (const Workload& w : c.file.workloads) {
    for (const Container& container : w.containers) {
      const auto call = engine_call(container, c.vocabulary);
      if (call && devices_of(container, c.vocabulary).count > 0) check_startup(container, *call, c, out);
      if (call) check_probe_ports(container, *call, out);
    }
    check_affinity(w, out);
    check_claims(w, c, out);
  }
  for (const Object& o : c.file.objects) {
    if (o.kind == "PodDisruptionBudget") check_budget(o, c, out);
    if (o.kind == "HorizontalPodAutoscaler") check_scaler(o, out);
  }
}

}  // namespace fathom::manifests
