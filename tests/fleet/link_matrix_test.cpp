// Median polish: a slow sender, a slow receiver and a slow link are told apart, and one does not blame another.
#include "fleet/link_matrix.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace fathom::probe {
namespace {

LinkMatrix matrix(std::size_t n, double scatter = 0) {
  std::mt19937 random(7);
  std::normal_distribution<double> normal(0, 1);
  LinkMatrix links(n, std::vector<std::optional<double>>(n));
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      if (i != j) links[i][j] = 5e9 * std::exp(scatter * normal(random));
    }
  }
  return links;
}

TEST(LinkMatrix, AllAlikeIsTypical) {
  const LinkParts parts = parts_of(matrix(6));
  EXPECT_NEAR(parts.typical, 5e9, 1);
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_NEAR(parts.send[i], 1, 1e-9);
    EXPECT_NEAR(parts.receive[i], 1, 1e-9);
  }
  EXPECT_NEAR(*parts.own[1][2], 1, 1e-9);
  EXPECT_FALSE(parts.own[1][1]);
}

TEST(LinkMatrix, TellsASlowSenderFromASlowLink) {
  LinkMatrix links = matrix(8, 0.02);
  for (std::size_t j = 0; j < 8; ++j) {
    if (links[3][j]) *links[3][j] *= 0.6;
  }
  *links[5][6] *= 0.5;
  const LinkParts parts = parts_of(links);
  EXPECT_NEAR(parts.send[3], 0.6, 0.03);
  EXPECT_NEAR(parts.receive[3], 1, 0.03);
  EXPECT_NEAR(parts.send[5], 1, 0.03);
  EXPECT_NEAR(parts.receive[6], 1, 0.03);
  EXPECT_NEAR(*parts.own[5][6], 0.5, 0.03);
  EXPECT_NEAR(*parts.own[6][5], 1, 0.05);  // the other way is another link
  EXPECT_NEAR(*parts.own[3][4], 1, 0.05);
}

TEST(LinkMatrix, MissingLinksAreNoEvidence) {
  LinkMatrix links = matrix(8);
  for (std::size_t j = 0; j < 5; ++j) links[2][j].reset();
  links[0][1].reset();
  for (std::size_t i = 0; i < 8; ++i) {
    if (links[i][7]) *links[i][7] *= 0.7;
  }
  const LinkParts parts = parts_of(links);
  EXPECT_NEAR(parts.receive[7], 0.7, 1e-6);
  EXPECT_NEAR(parts.send[2], 1, 1e-6);
}

TEST(LinkMatrix, AFewNodesAreTheirLinks) {
  LinkMatrix links = matrix(3);
  *links[0][1] *= 0.5;
  const LinkParts parts = parts_of(links);
  EXPECT_EQ(parts.send[0], 1);
  EXPECT_NEAR(*parts.own[0][1], 0.5, 1e-9);
  EXPECT_EQ(parts_of(LinkMatrix(2, std::vector<std::optional<double>>(2))).typical, 0);
}

}  // namespace
}  // namespace fathom::probe
