#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "verbs.h"

namespace fathom {

bool use_colour(const Session& session) {
  if (session.colour != "auto") return session.colour == "always";
  const auto set = [](const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr && *value != '\0';
  };
  if (set("NO_COLOR")) return false;
  if (set("CLICOLOR_FORCE")) return true;
  const char* colour = std::getenv("CLICOLOR");
  const char* terminal = std::getenv("TERM");
  if (colour != nullptr && std::string_view(colour) == "0") return false;
  return isatty(STDOUT_FILENO) != 0 && terminal != nullptr && std::string_view(terminal) != "dumb";
}

}  // namespace fathom
