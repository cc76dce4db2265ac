// What designs name besides parts: software and accessories, methods of training and serving, makers. Words for the audit
// of claims; no plan reads them.
#pragma once

#include "catalog/field.h"

namespace fathom {

struct Release {
  std::string version;              // leading parts of it: "18.2"
  std::optional<std::string> name;  // "Reef"
  std::optional<int> year;
};
template <class Visit, Is<Release> R>
void fields(Visit& visit, R& release) {
  visit("version", release.version);
  visit("name", release.name);
  visit("year", release.year, between(1990, 2040));
}

// Software, or a thing that goes with a part. What a list leaves out is not known.
struct Product {
  std::string id;
  std::string name;
  std::string kind;                            // "inference engine", "operator library"
  std::vector<std::string> runs_on;            // words of which one occurs in the part it runs on or fits; empty: see
                                               // engines.yaml, else it does not matter
  std::optional<bool> uniform_cores;           // needs processors whose cores are alike
  std::vector<std::string> based_on;           // ids of products, or words
  std::vector<std::string> offers;             // what it does
  std::map<std::string, std::string> partly;   // what it does in a way, and in which
  std::map<std::string, std::string> lacks;    // what it does not do, and what is true instead
  std::map<std::string, std::string> options;  // of its command line, and what each does
  std::map<std::string, Fact<double>> limits;  // how many of something it copes with
  std::vector<Release> releases;
  std::optional<std::string> withdrawn;  // date
  Notes notes;
  SourceCodes source;
  Confidence confidence = Confidence::kAssumed;
};
template <class Visit, Is<Product> P>
void fields(Visit& visit, P& product) {
  visit("id", product.id);
  visit("name", product.name);
  visit("kind", product.kind);
  visit("runs_on", product.runs_on);
  visit("uniform_cores", product.uniform_cores);
  visit("based_on", product.based_on);
  visit("offers", product.offers);
  visit("partly", product.partly);
  visit("lacks", product.lacks);
  visit("options", product.options);
  visit("limits", product.limits, between(1.0, 1e9));
  visit("releases", product.releases);
  visit("withdrawn", product.withdrawn);
  visit("notes", product.notes);
  visit("source", product.source);
  visit("confidence", product.confidence);
}

// A technique, and which phases of a model's life it has to do with: training, inference, loading.
struct Method {
  std::string id;
  std::string name;
  std::vector<std::string> helps;
  std::map<std::string, std::string> partly;  // phase, and how far
  std::string why;
  std::optional<Fact<double>> gain;  // what it can multiply, at most
  SourceCodes source;
};
template <class Visit, Is<Method> M>
void fields(Visit& visit, M& method) {
  visit("id", method.id);
  visit("name", method.name);
  visit("helps", method.helps);
  visit("partly", method.partly);
  visit("why", method.why);
  visit("gain", method.gain, between(1.0, 1000.0));
  visit("source", method.source);
}

// A maker, as it spells itself and its brands in any language, and where it publishes.
struct Maker {
  std::string id;
  std::string name;
  std::vector<std::string> also;
  std::vector<std::string> sites;
  SourceCodes source;
};
template <class Visit, Is<Maker> M>
void fields(Visit& visit, M& maker) {
  visit("id", maker.id);
  visit("name", maker.name);
  visit("also", maker.also);
  visit("sites", maker.sites);
  visit("source", maker.source);
}

}  // namespace fathom
