#include "check/check_files.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "input/error.h"
#include "support/scratch_folder.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

class CheckFiles : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) {
    fs::create_directories((folder_.path() / name).parent_path());
    folder_.write(name, text);
  }
  std::vector<std::string> names(const std::vector<fs::path>& named) {
    std::vector<std::string> out;
    for (const fs::path& path : files_to_check(named)) out.push_back(path.lexically_relative(folder_.path()).string());
    return out;
  }
  fs::path operator/(const std::string& name) const { return folder_.path() / name; }

  ScratchFolder folder_;
};

using Names = std::vector<std::string>;

TEST_F(CheckFiles, OfAFolderAreItsDesignsByName) {
  write("b/cluster.yaml", "anything");
  write("b/two.yml", "# a comment\nformat: \"fathom-cluster/1\"\n");
  write("b/workflow.yaml", "on: push\n");
  write("b/other.yaml", "x: format: fathom-cluster/1\n");
  write("b/text.txt", "format: fathom-cluster/1\n");
  write("a one/deep/er.yaml", "format: fathom-cluster/1\n");
  write(".git/cluster.yaml", "");
  EXPECT_EQ(names({folder_.path()}), (Names{"a one/deep/er.yaml", "b/cluster.yaml", "b/two.yml"}));
}

TEST_F(CheckFiles, OfAFolderAreItsManifestsRulesAndScriptsThatSpeakOfServing) {
  write("cluster.yaml", "");
  write("k8s/vllm.yaml", "apiVersion: v1\nkind: Pod\nimage: vllm/vllm-openai\n");
  write("k8s/nginx.yaml", "apiVersion: v1\nkind: Pod\nimage: nginx\n");
  write("k8s/chart.yaml", "apiVersion: v1\nkind: Pod\nimage: {{ .Values.vllm }}\n");
  write("k8s/alerts.yml", "groups:\n- rules:\n  - expr: DCGM_FI_DEV_GPU_UTIL > 1\n");
  write("deploy.sh", "nvidia-smi\n");
  write("build.sh", "make\n");
  write("deploy", "#!/bin/sh\nnvidia-smi\n");
  EXPECT_EQ(names({folder_.path()}), (Names{"cluster.yaml", "deploy.sh", "k8s/alerts.yml", "k8s/vllm.yaml"}));
}

TEST_F(CheckFiles, OfAFolderAreItsBillsByNameOrHeader) {
  write("a/bom.csv", "anything");
  write("a/Project_BOM_v2.CSV", "anything");
  write("a/物料清单.tsv", "anything");
  write("a/order.csv", "Item,Qty,Unit price\nGPU,1,2\n");
  write("a/results.csv", "model,total\nx,1\n");
  write("a/bom.txt", "Item,Qty,Unit price\n");
  EXPECT_EQ(names({folder_.path()}), (Names{"a/Project_BOM_v2.CSV", "a/bom.csv", "a/order.csv", "a/物料清单.tsv"}));
}

TEST_F(CheckFiles, AreToldApartByWhatTheyAre) {
  EXPECT_EQ(kind_of_file("x.csv", ""), "bill");
  EXPECT_EQ(kind_of_file("x.yaml", "format: fathom-cluster/1\n"), "cluster");
  EXPECT_EQ(kind_of_file("x.json", "{\"format_version\": \"1.3\", \"verdict\": {}}"), "plan");
  EXPECT_EQ(kind_of_file("x.json", "{\"format\": \"fathom-cluster/1\"}"), "cluster");
  EXPECT_EQ(kind_of_file("-", "Item,Qty,Unit price\nGPU,1,2\n"), "bill");
  EXPECT_EQ(kind_of_file("-", "format: fathom-cluster/1\n"), "cluster");
}

TEST_F(CheckFiles, KeepTheOrderInWhichTheyAreNamedAndStandOnce) {
  write("z.yaml", "");
  write("[a*].yaml", "");
  write("d/cluster.yaml", "");
  EXPECT_EQ(
      names({*this / "z.yaml", *this / "d", *this / "[a*].yaml", *this / "d/../d/cluster.yaml", *this / "z.yaml"}),
      (Names{"z.yaml", "d/cluster.yaml", "[a*].yaml"}));
}

TEST_F(CheckFiles, ThatAreNotThereAreLeftToTheReader) { EXPECT_EQ(names({*this / "gone.yaml"}), Names{"gone.yaml"}); }

TEST_F(CheckFiles, AFolderWithoutADesignIsRefused) {
  write("empty/x.yaml", "a: 1\n");
  EXPECT_THROW(files_to_check({*this / "empty"}), InputError);
}

}  // namespace
}  // namespace fathom
