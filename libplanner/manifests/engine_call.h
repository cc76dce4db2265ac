// How a container starts its engine: which one, with which options, for which model.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "manifests/objects.h"
#include "manifests/vocabulary.h"

namespace fathom::manifests {

struct Word {
  std::string text;
  Mark mark;
};

// The words of command and args, those of a shell line one by one.
std::vector<Word> words_of(const Container& container);

struct EngineCall {
  const Engine* engine = nullptr;
  std::vector<Word> words;
  bool own_image = false;  // the engine's makers built the image, so it holds no model

  // The value of the last of these options, "--x 8" or "--x=8"; - and _ are alike.
  std::optional<Word> option(const std::vector<std::string>& names) const;
  bool has(const std::vector<std::string>& names) const;
  double degree(const std::vector<std::string>& names) const;  // 1 when it is not there, 0 when it is no number
  std::optional<Word> model() const;                           // as it is named: "deepseek-ai/DeepSeek-R1"
  int port() const;
};

// nullopt when no engine that the vocabulary knows is started.
std::optional<EngineCall> engine_call(const Container& container, const Vocabulary& vocabulary);

// "vllm/vllm-openai:v0.9.1" in its parts; no tag and no digest are empty.
struct ImageName {
  std::string repository, tag, digest;
};
ImageName parse_image(const std::string& image);

// The catalog's entry of a model that options name; nullptr when it has none.
const ModelEntry* known_model(const std::string& name, const Catalog& catalog);

// The weights of one copy as the developer publishes them.
Bytes published_weights(const ModelEntry& model);

// The time that the fastest disk of the catalog takes to read them: no load is faster from one disk. 0 where it is not known.
Seconds least_load_time(const ModelEntry& model, const Catalog& catalog);

// The accelerators that a container may use, and who makes them; of several makers, the last.
struct Devices {
  double count = 0;
  std::string vendor = {};
};
Devices devices_of(const Container& container, const Vocabulary& vocabulary);

}  // namespace fathom::manifests
