// hosts.yaml: what is read, and that whatever could become another word of a command is refused with its place.
#include "fleet/hosts.h"

#include <gtest/gtest.h>

#include "input/error.h"

namespace fathom::probe {
namespace {

Fleet parse(const std::string& lines) { return parse_hosts("format: fathom-hosts/1\n" + lines, "hosts.yaml"); }

InputError refused(const std::string& lines) {
  try {
    parse(lines);
  } catch (const InputError& error) {
    return error;
  }
  ADD_FAILURE() << "not refused: " << lines;
  return InputError("", {}, "");
}

TEST(Hosts, ANameIsEnough) {
  const Fleet fleet = parse("hosts: [node1, {name: node2, address: ops@10.0.0.2}]\n");
  EXPECT_EQ(fleet.launcher, Launcher::kSsh);
  ASSERT_EQ(fleet.hosts.size(), 2u);
  EXPECT_EQ(fleet.hosts[0].address, "node1");
  EXPECT_EQ(fleet.hosts[1].name, "node2");
  EXPECT_EQ(fleet.hosts[1].address, "ops@10.0.0.2");
}

TEST(Hosts, EveryKeyIsRead) {
  const Fleet fleet = parse(
      "launcher: kubernetes\noptions: [--context, lab]\nprogram: /opt/fathom/fathom\narguments: [--storage, /srv]\n"
      "limit: 10 min\nport: 5301\nkubernetes: {image: registry/fathom:0.1, namespace: ai}\nhosts: [a]\n");
  EXPECT_EQ(fleet.launcher, Launcher::kKubernetes);
  EXPECT_EQ(fleet.options, (std::vector<std::string>{"--context", "lab"}));
  EXPECT_EQ(fleet.program, "/opt/fathom/fathom");
  EXPECT_EQ(fleet.arguments.size(), 2u);
  EXPECT_EQ(fleet.limit, 600_s);
  EXPECT_EQ(fleet.port, 5301);
  EXPECT_EQ(fleet.image, "registry/fathom:0.1");
  EXPECT_EQ(fleet.name_space, "ai");
}

TEST(Hosts, SayHowManyGpusTheyHave) {
  const Fleet fleet = parse("gpus: 8\nhosts: [a, {name: b, gpus: 4}, {name: c, gpus: 0}]\n");
  EXPECT_EQ(fleet.gpus, 8);
  EXPECT_FALSE(fleet.hosts[0].gpus);
  EXPECT_EQ(fleet.hosts[1].gpus, 4);
  EXPECT_EQ(fleet.hosts[2].gpus, 0);
  EXPECT_FALSE(parse("hosts: [a]\n").gpus);
  for (const char* wrong : {"-1", "1025", "2.5", "eight"})
    EXPECT_EQ(refused("gpus: " + std::string(wrong) + "\nhosts: [a]\n").at().line, 2) << wrong;
}

TEST(Hosts, WhatCouldBeAnotherWordIsRefusedAtItsPlace) {
  for (const char* name : {"-oProxyCommand=x", "a b", "a;b", "../a", ".hidden", "a/b", "$(x)", "a'b", "\"\""}) {
    const InputError error = refused("hosts:\n  - good\n  - " + std::string(name) + "\n");
    EXPECT_EQ(error.at().line, 4) << name;
    EXPECT_EQ(error.at().column, 5) << name;
  }
  EXPECT_EQ(refused("program: fathom; rm\nhosts: [a]\n").at().line, 2);
  EXPECT_EQ(refused("hosts: [{name: a, address: -x}]\n").at().column, 28);
  EXPECT_EQ(refused("launcher: mpirun\nhosts: [{name: a, address: ops@10.0.0.2}]\n").at().column, 28);
  EXPECT_EQ(refused("arguments: [\"a\\eb\"]\nhosts: [a]\n").at().line, 2);
}

// It would be measured twice at one time, and each name would be its own peer.
TEST(Hosts, OneAddressIsOneHost) {
  for (const char* second : {"{name: b, address: 10.0.0.2}", "{name: b, address: root@10.0.0.2}", "10.0.0.2"}) {
    const InputError error =
        refused("hosts:\n  - {name: a, address: ops@10.0.0.2}\n  - c\n  - " + std::string(second) + "\n");
    EXPECT_EQ(error.at().line, 5) << second;
    EXPECT_NE(error.message().find("on line 3"), std::string::npos) << error.message();
  }
  EXPECT_NE(refused("hosts:\n  - a\n  - a\n").message().find("on line 3"), std::string::npos);
  EXPECT_EQ(parse("hosts: [{name: a, address: b}, {name: b, address: a}]\n").hosts.size(), 2u);
}

TEST(Hosts, MistakesAreNamedWithWhatWasMeant) {
  EXPECT_EQ(refused("launcher: shh\nhosts: [a]\n").suggestion(), "ssh");
  EXPECT_EQ(refused("luancher: ssh\nhosts: [a]\n").suggestion(), "launcher");
  EXPECT_NE(refused("hosts: [a, b, a]\n").message().find("named twice"), std::string::npos);
  EXPECT_NE(refused("hosts: []\n").message().find("a host at least"), std::string::npos);
  EXPECT_NE(refused("limit: 0 s\nhosts: [a]\n").message().find("1 s to 24 h"), std::string::npos);
  EXPECT_NE(refused("port: 70000\nhosts: [a]\n").message().find("65535"), std::string::npos);
  EXPECT_NE(refused("launcher: kubernetes\nhosts: [a]\n").message().find("kubernetes"), std::string::npos);
  EXPECT_NE(refused("kubernetes: {image: x}\nhosts: [a]\n").message().find("alone"), std::string::npos);
}

}  // namespace
}  // namespace fathom::probe
