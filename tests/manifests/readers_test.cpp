// The readers below the rules: what a file is, quantities, shell, PromQL.
#include <gtest/gtest.h>

#include "manifests/engine_call.h"
#include "manifests/file_kind.h"
#include "manifests/indentation.h"
#include "manifests/promql.h"
#include "manifests/quantity.h"
#include "manifests/schema.h"
#include "manifests/shell.h"
#include "support/planning.h"

namespace fathom::manifests {
namespace {

std::string kind(const std::string& name, const std::string& text) {
  const auto found = kind_of_file(name, text);
  return found ? to_string(*found) : "cluster";
}

TEST(FileKind, IsToldByWhatAFileSays) {
  EXPECT_EQ(kind("a.yaml", "# x\napiVersion: v1\nkind: Pod\n"), "manifest");
  EXPECT_EQ(kind("a.yaml",
                 "\xEF\xBB\xBF"
                 "apiVersion: v1\r\nkind: Pod\r\n"),
            "manifest");
  EXPECT_EQ(kind("a.json", "{\"apiVersion\": \"v1\", \"kind\": \"Pod\"}"), "manifest");
  EXPECT_EQ(kind("a.json", "{\"Statement\": [{\"Effect\": \"Allow\", \"Action\": []}]}"), "manifest");
  EXPECT_EQ(kind("a.yaml", "groups:\n- name: a\n  rules:\n  - expr: up\n"), "rules");
  EXPECT_EQ(kind("deploy", "#!/usr/bin/env bash\n"), "script");
  EXPECT_EQ(kind("deploy", "#!/bin/bash -e\n"), "script");
  EXPECT_EQ(kind("deploy", "#!/bin/sh\r\n"), "script");
  EXPECT_EQ(kind("deploy.sh", "echo\n"), "script");
}

TEST(FileKind, AnythingElseStaysACluster) {
  EXPECT_EQ(kind("a.yaml", "format: fathom-cluster/1\ngroups:\n- rules: expr:\n"), "cluster");
  EXPECT_EQ(kind("a.yaml", "groups:\n- id: a\n"), "cluster");
  EXPECT_EQ(kind("a.yaml", "x:\n  apiVersion: v1\n  kind: Pod\n"), "cluster");
  EXPECT_EQ(kind("a.py", "#!/usr/bin/env python3\n"), "cluster");
  EXPECT_EQ(kind("a.json", "{\"version\": 1}"), "cluster");
  EXPECT_EQ(kind("", ""), "cluster");
}

TEST(FileKind, ServingIsAWordOfItsOwn) {
  EXPECT_TRUE(speaks_of_serving("nvidia.com/gpu: 1"));
  EXPECT_TRUE(speaks_of_serving("image: VLLM/x"));
  EXPECT_FALSE(speaks_of_serving("input: output"));
  EXPECT_FALSE(speaks_of_serving("kind: Deployment\nimage: nginx\n"));
}

TEST(Quantity, IsReadAsKubernetesReadsIt) {
  EXPECT_DOUBLE_EQ(parse_kubernetes_quantity("64Gi")->value, 64 * 0x1p30);
  EXPECT_DOUBLE_EQ(parse_kubernetes_quantity("500m")->value, 0.5);
  EXPECT_DOUBLE_EQ(parse_kubernetes_quantity("1.5")->value, 1.5);
  EXPECT_DOUBLE_EQ(parse_kubernetes_quantity("1e3")->value, 1000);
  EXPECT_DOUBLE_EQ(parse_kubernetes_quantity("2E")->value, 2e18);
  for (const char* wrong :
       {"", "32GiB", "64GB", "64 Gi", "64gi", "Gi", "1e", "1e99", "0x10", "nan", "inf", "1..5", "--1"}) {
    EXPECT_FALSE(parse_kubernetes_quantity(wrong)) << wrong;
  }
}

TEST(Quantity, TheNearestOneIsOffered) {
  EXPECT_EQ(nearest_quantity("32GiB"), "32Gi");
  EXPECT_EQ(nearest_quantity("64GB"), "64G");
  EXPECT_EQ(nearest_quantity("64 gb"), "64G");
  EXPECT_EQ(nearest_quantity("8kb"), "8k");
  EXPECT_EQ(nearest_quantity("much"), "");
  EXPECT_EQ(nearest_quantity("5 apples"), "");
}

std::string commands(const std::string& text) {
  std::string out;
  for (const ShellCommand& c : read_shell(text).commands) {
    for (const ShellWord& w : c.words) out += "<" + w.text + ">";
    out += c.piped ? "|" : ";";
  }
  return out;
}

TEST(Shell, CommandsAreReadAsWords) {
  EXPECT_EQ(commands("a 'b c' \"d $e\" f\\ g # h\n"), "<a><b c><d $e><f g>;");
  EXPECT_EQ(commands("a | b && c || d; e & f"), "<a>|<b>;<c>;<d>;<e>;<f>;");
  EXPECT_EQ(commands("if ! a &>/dev/null 2>&1; then\n  b \\\n    c\nfi"), "<a>;<b><c>;");
  EXPECT_EQ(commands("a 2>/dev/null b <in 2"), "<a><b><2>;");
  EXPECT_EQ(commands("X=1 sudo a b=c > file"), "<a><b=c>;");
  EXPECT_EQ(commands("x=$(curl a | bash)"), "<curl><a>|<bash>;");
  EXPECT_EQ(commands("a \"unclosed\nb"), "<a><unclosed\nb>;");
}

TEST(Shell, HereDocumentsBelongToTheirCommand) {
  const ShellScript script =
      read_shell("#!/bin/bash\ncat <<'A' | tee x\none\nA\nkubectl apply -f - <<-B\n\ttwo\n\tB\nlast\n");
  ASSERT_EQ(script.commands.size(), 4u);
  EXPECT_EQ(script.shell, "bash");
  EXPECT_EQ(script.commands[0].input, "one\n");
  EXPECT_EQ(script.commands[1].input, "");
  EXPECT_EQ(script.commands[2].input, "\ttwo\n");
  EXPECT_EQ(script.commands[2].input_line, 6);
  EXPECT_EQ(script.commands[3].words[0].mark.at.line, 8);
}

TEST(Shell, VerbsStandBehindOptionsOfTheProgram) {
  const ShellCommand command = read_shell("kubectl -n serving --context=x apply -f a.yaml").commands.at(0);
  EXPECT_TRUE(command.runs("kubectl", {"apply"}));
  EXPECT_FALSE(command.runs("kubectl", {"create"}));
  EXPECT_EQ(command.value("-f")->text, "a.yaml");
  EXPECT_EQ(command.text_of("--context"), "x");
  EXPECT_EQ(command.value("--none"), nullptr);
}

std::string read_back(const std::string& expression) {
  const auto node = parse_promql(expression);
  return node ? to_string(*node) : "?";
}

TEST(PromQl, BindsAsPrometheusDoes) {
  EXPECT_EQ(read_back("a + b * c ^ d ^ e > 1 and f or g"), "((((a+(b*(c^(d^e))))>1)andf)org)");
  EXPECT_EQ(read_back("-a / 2"), "(-(a)/2)");
  EXPECT_EQ(read_back("sum by (le, x) (rate(m{a=\"}\",b=~'c'}[5m] offset 1d)) # end"), "sum(rate(m))");
  EXPECT_EQ(read_back("a / on (x) group_left (y) b"), "(a/b)");
  EXPECT_EQ(read_back("topk(3, m) > bool 0"), "(topk(3,m)>0)");
  EXPECT_EQ(read_back("{__name__=\"x\"} == 1e3"), "(==1000)");
  EXPECT_EQ(read_back("sum(m) without (x)"), "sum(m)");
}

TEST(PromQl, WhatItDoesNotUnderstandIsNoTree) {
  for (const char* wrong : {"", "a b", "(a", "a[5m", "1 +", "sum(", "'x", "a{"})
    EXPECT_EQ(read_back(wrong), "?") << wrong;
  EXPECT_EQ(read_back(std::string(5000, '(')), "?");
  EXPECT_EQ(read_back(std::string(5000, '-') + "1"), "?");
  std::string powers = "1";
  for (int i = 0; i < 5000; ++i) powers += "^1";
  EXPECT_EQ(read_back(powers), "?");
}

TEST(PromQl, OpenBracketsAndQuotesAreTold) {
  EXPECT_EQ(unbalanced("sum(rate(a{b=\"(\"}[5m]))"), "");
  EXPECT_EQ(unbalanced("sum(a"), "a \"(\" never closes");
  EXPECT_EQ(unbalanced("a)"), "a \")\" closes nothing");
  EXPECT_EQ(unbalanced("a{b=\"c}"), "the quote \" behind 4 characters never closes");
}

TEST(Indentation, FlattenedDocumentsAreEmptiedAndOthersKeepTheirLines) {
  Remarks out;
  const std::string text = "kind: A\nmetadata:\nname: x\n---\nkind: B\nmetadata:\n  name: y\nspec:\n# a\n- x\n";
  EXPECT_EQ(without_flattened(text, out), "\n\n\n---\nkind: B\nmetadata:\n  name: y\nspec:\n# a\n- x\n");
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0].mark.at.line, 2);
}

TEST(EngineCall, ImagesComeApart) {
  EXPECT_EQ(parse_image("reg:5000/vllm/vllm-openai:v1@sha256:ab").repository, "reg:5000/vllm/vllm-openai");
  EXPECT_EQ(parse_image("reg:5000/x").tag, "");
  EXPECT_EQ(parse_image("x:1").tag, "1");
  EXPECT_EQ(parse_image("x@sha256:ab").digest, "sha256:ab");
}

TEST(EngineCall, ModelsAreKnownByTheirRepository) {
  EXPECT_NE(known_model("deepseek-ai/DeepSeek-R1", shipped()), nullptr);
  EXPECT_EQ(known_model("/models/DeepSeek-R1", shipped()), known_model("deepseek-ai/DeepSeek-R1", shipped()));
  EXPECT_EQ(known_model("meta-llama/Meta-Llama-3.1-8B-Instruct", shipped()),
            known_model("meta-llama/Llama-3.1-8B", shipped()));
  EXPECT_EQ(known_model("deepseek-ai/DeepSeek-R1-AWQ", shipped()), nullptr);
  EXPECT_EQ(known_model("", shipped()), nullptr);
}

TEST(Vocabulary, EveryFileOfWordsCanBeRead) {
  EXPECT_GT(read_schema(shipped().data_dir()).types.size(), 100u);
  const Vocabulary words = read_vocabulary(shipped().data_dir());
  EXPECT_EQ(words.engines.size(), 5u);
  EXPECT_EQ(words.exporter_of("vllm:x")->name, "vLLM");
  EXPECT_EQ(words.exporter_of("node_load1"), nullptr);
  EXPECT_TRUE(matches("mig-*", "mig-1g.10gb"));
  EXPECT_TRUE(matches("*-vgpu", "BI-V150-vgpu"));
  EXPECT_FALSE(matches("gpu", "gpus"));
}

}  // namespace
}  // namespace fathom::manifests
