#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "support/scratch_folder.h"
#include "system/system.h"

namespace fathom::probe {
namespace {

using End = CommandOutcome::End;

TEST(LocalSystem, TellsHowACommandEnded) {
  const auto system = local_system();
  const CommandOutcome said = system->run({"sh", "-c", "echo out; echo err >&2; exit 3"}, Seconds(10));
  EXPECT_EQ(said.end, End::kExited);
  EXPECT_EQ(said.code, 3);
  EXPECT_EQ(said.out, "out\n");
  EXPECT_EQ(said.err, "err\n");
  EXPECT_EQ(trouble_with("sh", said), "sh ended with 3: err");
  const CommandOutcome none = system->run({"no-such-tool-of-ours"}, Seconds(10));
  EXPECT_EQ(none.end, End::kNotFound);
  EXPECT_EQ(trouble_with("it", none), "it is not installed");
  const CommandOutcome broken = system->run({"sh", "-c", "echo cannot load libaio.so >&2; exit 127"}, Seconds(10));
  EXPECT_EQ(trouble_with("fio", broken), "fio ended with 127: cannot load libaio.so");
  EXPECT_EQ(system->run({"sh", "-c", "kill -9 $$"}, Seconds(10)).end, End::kKilled);
}

TEST(LocalSystem, EndsACommandAndItsChildrenWhenTheTimeIsUp) {
  const auto begin = std::chrono::steady_clock::now();
  const CommandOutcome said = local_system()->run({"sh", "-c", "echo begun; sleep 60 & wait"}, Seconds(0.3));
  EXPECT_EQ(said.end, End::kTimedOut);
  EXPECT_EQ(said.out, "begun\n");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
}

TEST(LocalSystem, EndsACommandThatClosedItsOutputs) {
  const auto begin = std::chrono::steady_clock::now();
  const CommandOutcome said =
      local_system()->run({"sh", "-c", "echo begun; exec >/dev/null 2>&1; sleep 60"}, Seconds(0.3));
  EXPECT_EQ(said.end, End::kTimedOut);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
}

// Killed, so that no handler of ours can help.
TEST(LocalSystem, ACommandEndsWithTheProgram) {
  const ScratchFolder folder;
  const std::string file = folder.path() / "pid";
  const pid_t program = ::fork();
  if (program == 0) {
    local_system()->run({"sh", "-c", "echo $$ > " + file + "; exec sleep 60"}, Seconds(60));
    ::_exit(0);
  }
  const auto waited_for = [](const auto& is_so) {
    for (int i = 0; i < 2000 && !is_so(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return is_so();
  };
  const auto system = local_system();
  const auto command_of = [&](const std::string& pid) {
    return system->file("/proc/" + pid + "/cmdline").value_or("");
  };
  std::string pid;
  ASSERT_TRUE(waited_for([&] {
    pid = line_of_file(*system, file).value_or("");
    return !pid.empty() && command_of(pid).starts_with("sleep");
  }));
  ::kill(program, SIGKILL);
  ::waitpid(program, nullptr, 0);
  EXPECT_TRUE(waited_for([&] { return command_of(pid).empty(); })) << "gone, or nobody's zombie";
}

TEST(LocalSystem, GivesNoInputAndReadsMuchOutput) {
  const CommandOutcome said =
      local_system()->run({"sh", "-c", "cat; head -c 1000000 /dev/zero | tr '\\0' x"}, Seconds(60));
  EXPECT_EQ(said.out.size(), 1000000u);
}

TEST(LocalSystem, ReadsFilesAndFolders) {
  const ScratchFolder folder;
  folder.write("b", "two\nlines\n");
  folder.write("a", "");
  const auto system = local_system();
  EXPECT_EQ(system->names_in(folder.path()), (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(system->names_in(folder.path() / "none").empty());
  EXPECT_EQ(line_of_file(*system, folder.path() / "b"), "two");
  EXPECT_FALSE(system->file(folder.path() / "none"));
}

}  // namespace
}  // namespace fathom::probe
