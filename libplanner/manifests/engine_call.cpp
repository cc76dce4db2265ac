#include "manifests/engine_call.h"

#include <algorithm>
#include <cmath>

#include "manifests/quantity.h"
#include "model/tensors.h"

namespace fathom::manifests {

namespace {

std::string dashed(std::string_view option) {
  std::string out(option);
  std::replace(out.begin(), out.end(), '_', '-');
  return out;
}

void split(const Value& value, std::vector<Word>& out) {
  const std::string& line = value.text;
  std::size_t at = 0;
  while (at < line.size()) {
    at = line.find_first_not_of(" \t\n\r\\\"'", at);
    if (at == std::string::npos) break;
    const std::size_t end = std::min(line.find_first_of(" \t\n\r\\\"'", at), line.size());
    out.push_back({line.substr(at, end - at), mark(value)});
    at = end;
  }
}

bool starts_with_words(const std::vector<Word>& words, std::size_t at, const std::string& command) {
  const std::size_t blank = command.find(' ');
  const std::string first = command.substr(0, blank);
  const std::string& word = words[at].text;
  if (word != first && !word.ends_with("/" + first)) return false;
  return blank == std::string::npos || (at + 1 < words.size() && words[at + 1].text == command.substr(blank + 1));
}

bool starts(const std::vector<Word>& words, const Engine& engine) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    for (const std::string& command : engine.commands) {
      if (starts_with_words(words, i, command)) return true;
    }
  }
  return false;
}

}  // namespace

std::vector<Word> words_of(const Container& container) {
  std::vector<Word> out;
  for (const char* list : {"command", "args"}) {
    for (const Value& item : items(find(container.value, {list}))) {
      const bool line = item.text.find_first_of(" \n") != std::string::npos && !item.text.starts_with('{');
      if (line) {
        split(item, out);
      } else if (item.kind == Value::Kind::kScalar) {
        out.push_back({item.text, mark(item)});
      }
    }
  }
  return out;
}

std::optional<Word> EngineCall::option(const std::vector<std::string>& names) const {
  std::optional<Word> found;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i].text;
    const std::size_t equals = word.starts_with('-') ? word.find('=') : std::string::npos;
    const std::string key = dashed(word.substr(0, equals));
    if (std::none_of(names.begin(), names.end(), [&](const std::string& name) { return dashed(name) == key; }))
      continue;
    if (equals != std::string::npos) {
      found = Word{word.substr(equals + 1), words[i].mark};
    } else if (i + 1 < words.size()) {
      found = words[i + 1];
    }
  }
  return found;
}

bool EngineCall::has(const std::vector<std::string>& names) const {
  return std::any_of(words.begin(), words.end(), [&](const Word& word) {
    const std::string key = dashed(word.text.substr(0, word.text.find('=')));
    return std::any_of(names.begin(), names.end(), [&](const std::string& name) { return dashed(name) == key; });
  });
}

double EngineCall::degree(const std::vector<std::string>& names) const {
  const auto found = option(names);
  if (!found) return 1;
  const bool whole = !found->text.empty() && found->text.size() < 7 &&
                     found->text.find_first_not_of("0123456789") == std::string::npos;
  return whole ? std::stod(found->text) : 0;
}

std::optional<Word> EngineCall::model() const {
  if (auto named = option(engine->model)) return named;
  if (engine->model_follows.empty()) return std::nullopt;
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    if (words[i].text == engine->model_follows && !words[i + 1].text.starts_with('-')) return words[i + 1];
  }
  return std::nullopt;
}

int EngineCall::port() const {
  const double port_number = engine->port.empty() ? 1 : degree(engine->port);
  return option(engine->port) ? static_cast<int>(port_number) : engine->default_port;
}

std::optional<EngineCall> engine_call(const Container& container, const Vocabulary& vocabulary) {
  const ImageName image = parse_image(text(find(container.value, {"image"})));
  EngineCall call{.engine = nullptr, .words = words_of(container)};
  for (const Engine& engine : vocabulary.engines) {
    const bool own = std::any_of(engine.images.begin(), engine.images.end(), [&](const std::string& name) {
      return image.repository == name || image.repository.ends_with("/" + name);
    });
    // The image starts its engine unless a command says otherwise: ranks that join Ray wait for the leader's.
    const bool by_itself = own && find(container.value, {"command"}) == nullptr;
    if (!starts(call.words, engine) && !(by_itself && call.engine == nullptr)) continue;
    call.engine = &engine;
    call.own_image = own;
    if (starts(call.words, engine)) break;
  }
  if (call.engine == nullptr) return std::nullopt;
  return call;
}

ImageName parse_image(const std::string& image) {
  ImageName out;
  std::string rest = image;
  if (const std::size_t at = rest.find('@'); at != std::string::npos) {
    out.digest = rest.substr(at + 1);
    rest.resize(at);
  }
  const std::size_t colon = rest.rfind(':'), slash = rest.rfind('/');
  if (colon != std::string::npos && (slash == std::string::npos || colon > slash)) {
    out.tag = rest.substr(colon + 1);
    rest.resize(colon);
  }
  out.repository = rest;
  return out;
}

const ModelEntry* known_model(const std::string& name, const Catalog& catalog) {
  if (name.empty() || name.size() > 200) return nullptr;
  for (const ModelEntry& model : catalog.all<ModelEntry>()) {
    if (model.hf_repo == name) return &model;
  }
  // "/models/DeepSeek-R1" and "hf://deepseek-ai/DeepSeek-R1": the last part, when it is a name of its own.
  const std::string last = name.substr(name.rfind('/') == std::string::npos ? 0 : name.rfind('/') + 1);
  for (const ModelEntry& model : catalog.all<ModelEntry>()) {
    if (model.hf_repo && !last.empty() && model.hf_repo->ends_with("/" + last)) return &model;
  }
  // Tuned for chat, the weights have the same shapes; and what was Meta-Llama is Llama.
  if (last.ends_with("-Instruct")) return known_model(name.substr(0, name.size() - 9), catalog);
  if (last.starts_with("Meta-Llama-")) return known_model(last.substr(5), catalog);
  return nullptr;
}

Bytes published_weights(const ModelEntry& model) {
  const auto scheme = find_weight_scheme(model.native_weights);
  return scheme ? checkpoint_bytes(model, *scheme, false) : Bytes{};
}

Seconds least_load_time(const ModelEntry& model, const Catalog& catalog) {
  BytesPerSecond fastest{};
  for (const DiskPart& disk : catalog.all<DiskPart>()) {
    if (disk.read && fastest < disk.read->value) fastest = disk.read->value;
  }
  if (fastest == BytesPerSecond{}) return {};
  return published_weights(model) / fastest;
}

Devices devices_of(const Container& container, const Vocabulary& vocabulary) {
  Devices sum;
  for (const Entry& e : entries(find(container.value, {"resources", "limits"}))) {
    for (const DeviceResources& r : vocabulary.resources) {
      if (!e.key.starts_with(r.domain + "/")) continue;
      const std::string name = e.key.substr(r.domain.size() + 1);
      const bool device = std::any_of(r.devices.begin(), r.devices.end(),
                                      [&](const std::string& pattern) { return matches(pattern, name); });
      const auto count = parse_kubernetes_quantity(text(&e.value));
      const bool whole = count && count->value > 0 && count->value < 1e6 && std::floor(count->value) == count->value;
      if (device && whole) sum = {sum.count + count->value, r.vendor};
    }
  }
  return sum;
}

}  // namespace fathom::manifests
