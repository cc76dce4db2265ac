// What docs/cluster-yaml.md shows and lists is what the reader takes.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "bom/cluster.h"
#include "support/scratch_folder.h"
#include "timing/engine_profile.h"

namespace fathom {
namespace {

const std::filesystem::path kRoot = FATHOM_SOURCE_DIR;

std::string document() { return content_of(kRoot / "docs/cluster-yaml.md"); }

std::string first_yaml_block(const std::string& text) {
  const std::string fence = "```yaml\n";
  const std::size_t begin = text.find(fence);
  if (begin == std::string::npos) return {};
  const std::size_t start = begin + fence.size();
  return text.substr(start, text.find("```", start) - start);
}

TEST(ClusterDocument, ShowsAFileThatCanBeRead) {
  const Catalog catalog(kRoot / "catalogs");
  const ScratchFolder folder;
  const Cluster cluster = read_cluster(folder.write("cluster.yaml", first_yaml_block(document())), catalog);
  ASSERT_EQ(cluster.groups.size(), 1u);
  EXPECT_EQ(cluster.groups[0].nodes, 2);
  EXPECT_EQ(cluster.groups[0].node.accelerators, 8);
  ASSERT_EQ(cluster.fabrics.size(), 2u);
  EXPECT_TRUE(cluster.fabrics[0].switches[0].price) << "one switch with a price";
  EXPECT_FALSE(cluster.fabrics[1].switches[0].price) << "and one without";
}

TEST(ClusterDocument, ListsEveryEngine) {
  const std::string text = document();
  for (const std::string& id : engine_ids(kRoot / "catalogs")) {
    EXPECT_TRUE(text.find(" " + id + ",") != std::string::npos || text.find(" " + id + ".") != std::string::npos) << id;
  }
}

}  // namespace
}  // namespace fathom
