#include "support/program.h"

#include <sys/wait.h>

#include <cstdlib>

#include "support/scratch_folder.h"

namespace fathom {

Answer run_program(const std::string& arguments, const std::string& environment) {
  const ScratchFolder folder;
  const std::string out = (folder.path() / "out").string(), err = (folder.path() / "err").string();
  const std::string command = "env -u NO_COLOR -u CLICOLOR -u CLICOLOR_FORCE FATHOM_DATA_DIR='" FATHOM_SOURCE_DIR
                              "/catalogs' " +
                              environment + " '" FATHOM_BINARY "' " + arguments + " >'" + out + "' 2>'" + err + "'";
  const int status = std::system(command.c_str());
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return {.code = code, .out = content_of(out), .err = content_of(err)};
}

}  // namespace fathom
