// `arguments:` of hosts.yaml are words of `fathom probe` on every host: what it would refuse there is refused here, once, and at its place.
#pragma once

#include "fleet/hosts.h"

namespace CLI {
class App;
}

namespace fathom {

// By the names and numbers of words of the verb's own options; what values may be is the host's to say, for folders and files are there.
// Throws InputError.
void check_arguments(const probe::Fleet& fleet, const CLI::App& verb);

}  // namespace fathom
