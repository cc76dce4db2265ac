// What a file is, by what it says: a design, or something of its operation.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fathom::manifests {

enum class FileKind { kManifest, kAlertRules, kScript };

std::string to_string(FileKind kind);  // as CheckedFile::kind has it: "manifest", "rules", "script"

// apiVersion and kind at the beginning of lines: a manifest, as is an access policy of a cloud in JSON; groups of rules:
// alert rules; a first line for sh or bash, or a name that ends with .sh: a script. nullopt for anything else, a file that
// names its fathom format among it.
std::optional<FileKind> kind_of_file(std::string_view file_name, std::string_view text);

// Does it speak of accelerators, engines or models? Of a folder, only such files are taken: a repository has many others.
bool speaks_of_serving(std::string_view text);

}  // namespace fathom::manifests
