#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "system/system.h"
#include "units/number.h"

extern char** environ;

namespace fathom::probe {

namespace {

constexpr std::size_t kMostOutput = 64u << 20;
constexpr int kCannotExecute = 127;

class Pipe {
 public:
  Pipe() {
    if (::pipe2(ends_.data(), O_CLOEXEC) != 0) throw std::runtime_error(std::strerror(errno));
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    close_write();
    ::close(ends_[0]);
  }
  int read_end() const { return ends_[0]; }
  int write_end() const { return ends_[1]; }
  void close_write() {
    if (ends_[1] >= 0) ::close(ends_[1]);
    ends_[1] = -1;
  }

 private:
  std::array<int, 2> ends_{};
};

// What the child needs, made before the fork: afterwards only calls that are safe beside other threads.
struct Arguments {
  std::vector<std::string> words, variables;
  std::vector<char*> argv, envp;

  explicit Arguments(const std::vector<std::string>& command) : words(command) {
    for (char** variable = environ; *variable != nullptr; ++variable) {
      if (std::strncmp(*variable, "LC_ALL=", 7) != 0) variables.emplace_back(*variable);
    }
    variables.emplace_back("LC_ALL=C");
    for (std::string& word : words) argv.push_back(word.data());
    for (std::string& variable : variables) envp.push_back(variable.data());
    argv.push_back(nullptr);
    envp.push_back(nullptr);
  }
};

[[noreturn]] void become(Arguments& arguments, const Pipe& out, const Pipe& err) {
  ::setpgid(0, 0);                     // so that its own children end with it
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);  // and it ends with us, whatever ends us; fio removes its file then
  const int nothing = ::open("/dev/null", O_RDONLY);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(out.write_end(), STDOUT_FILENO);
  ::dup2(err.write_end(), STDERR_FILENO);
  ::execvpe(arguments.argv[0], arguments.argv.data(), arguments.envp.data());
  ::_exit(kCannotExecute);
}

// Reads both pipes until they end; false when the time was up first.
bool drain(const Pipe& out, const Pipe& err, CommandOutcome& outcome, std::chrono::steady_clock::time_point deadline) {
  std::array<pollfd, 2> waits{{{out.read_end(), POLLIN, 0}, {err.read_end(), POLLIN, 0}}};
  std::array<std::string*, 2> texts{&outcome.out, &outcome.err};
  std::array<char, 65536> buffer{};
  while (waits[0].fd >= 0 || waits[1].fd >= 0) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    if (::poll(waits.data(), waits.size(), static_cast<int>(std::min<std::int64_t>(left.count(), 1000))) <= 0) continue;
    for (std::size_t i = 0; i < waits.size(); ++i) {
      if (waits[i].fd < 0 || waits[i].revents == 0) continue;
      const ssize_t n = ::read(waits[i].fd, buffer.data(), buffer.size());
      if (n > 0 && texts[i]->size() < kMostOutput) texts[i]->append(buffer.data(), static_cast<std::size_t>(n));
      if (n == 0 || (n < 0 && errno != EINTR)) waits[i].fd = -1;
    }
  }
  return true;
}

// Closed outputs are no end: false when the time was up first.
bool has_ended(pid_t child, int& status, std::chrono::steady_clock::time_point deadline) {
  for (;;) {
    const pid_t ended = ::waitpid(child, &status, WNOHANG);
    if (ended == child || (ended < 0 && errno != EINTR)) return true;
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

class LocalSystem : public System {
 public:
  std::optional<std::string> file(const std::string& path) const override {
    std::ifstream in(path, std::ios::binary);
    if (!in) return std::nullopt;
    std::ostringstream text;
    text << in.rdbuf();
    return in.bad() ? std::nullopt : std::optional(text.str());
  }

  std::vector<std::string> names_in(const std::string& folder) const override {
    std::vector<std::string> names;
    std::error_code trouble;
    for (std::filesystem::directory_iterator it(folder, trouble), end; !trouble && it != end; it.increment(trouble)) {
      names.push_back(it->path().filename());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  CommandOutcome run(const std::vector<std::string>& words, Seconds limit) const override {
    Arguments arguments(words);
    Pipe out, err;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::duration<double>(limit.value);
    const pid_t child = ::fork();
    if (child < 0) throw std::runtime_error(fmt::format("cannot start {}: {}", words[0], std::strerror(errno)));
    if (child == 0) become(arguments, out, err);
    out.close_write();
    err.close_write();
    CommandOutcome outcome;
    const auto until = std::chrono::time_point_cast<std::chrono::steady_clock::duration>(deadline);
    int status = 0;
    const bool ended = drain(out, err, outcome, until) && has_ended(child, status, until);
    if (!ended) {
      ::kill(-child, SIGKILL);
      while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
      }
    }
    using End = CommandOutcome::End;
    if (!ended) {
      outcome.end = End::kTimedOut;
    } else if (!WIFEXITED(status)) {
      outcome.end = End::kKilled;
    } else {
      outcome.code = WEXITSTATUS(status);
      outcome.end =
          outcome.code == kCannotExecute && outcome.out.empty() && outcome.err.empty() ? End::kNotFound : End::kExited;
    }
    return outcome;
  }
};

}  // namespace

std::unique_ptr<System> local_system() { return std::make_unique<LocalSystem>(); }

std::string trouble_with(const std::string& tool, const CommandOutcome& outcome) {
  using End = CommandOutcome::End;
  switch (outcome.end) {
    case End::kNotFound:
      return tool + " is not installed";
    case End::kTimedOut:
      return tool + " did not end in time";
    case End::kKilled:
      return tool + " was ended by a signal";
    case End::kExited:
      break;
  }
  const std::string said(trimmed(outcome.err.empty() ? outcome.out : outcome.err));
  const std::string first = said.substr(0, std::min<std::size_t>(said.find('\n'), 200));
  return fmt::format("{} ended with {}{}", tool, outcome.code, first.empty() ? "" : ": " + first);
}

std::optional<std::string> line_of_file(const System& system, const std::string& path) {
  const std::optional<std::string> text = system.file(path);
  if (!text) return std::nullopt;
  return std::string(trimmed(std::string_view(*text).substr(0, text->find('\n'))));
}

}  // namespace fathom::probe
