# Shared by ./fathom, ./test and .ci/run (bash): finds and installs what is missing, configures and builds a preset.
#
# Sourced with $root set to the repository. Prints only on stderr, and only when there is something to wait for.

say() { printf 'fathom: %s\n' "$*" >&2; }

fail() {
  say "error: $*"
  exit 3
}

# A package is missing when what the build wants from it is: the program, or the header where compilers search.
have_header() {
  local folder folders
  IFS=: read -ra folders <<<"/usr/include:/usr/local/include:${CPLUS_INCLUDE_PATH:-}"
  for folder in "${folders[@]}"; do
    [[ -e $folder/$1 ]] && return
  done
  return 1
}

have_package() {
  case $1 in
    g++) command -v "${CXX:-c++}" ;;
    cmake) command -v cmake ;;
    ninja-build) command -v ninja ;;
    libfmt-dev) have_header fmt/core.h ;;
    libyaml-cpp-dev) have_header yaml-cpp/yaml.h ;;
    nlohmann-json3-dev) have_header nlohmann/json.hpp ;;
    libcli11-dev) have_header CLI/CLI.hpp ;;
    libeigen3-dev) have_header eigen3/Eigen/Core ;;
    libgtest-dev) have_header gtest/gtest.h ;;
    *) dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q '^install ok installed' ;;
  esac >/dev/null
}

build_packages=(g++ cmake ninja-build libfmt-dev libyaml-cpp-dev nlohmann-json3-dev libcli11-dev libeigen3-dev)
test_packages=("${build_packages[@]}" libgtest-dev)

# install_missing LOG PACKAGE...: by apt-get, as root or through sudo; otherwise says which command to run.
install_missing() {
  local log=$1 package missing=() as_root=()
  shift
  for package; do have_package "$package" || missing+=("$package"); done
  ((${#missing[@]})) || return 0

  local by_hand="apt-get install ${missing[*]}"
  ((EUID == 0)) || by_hand="sudo $by_hand"
  if [[ -n ${FATHOM_NO_INSTALL:-} ]]; then
    fail "these packages are missing and FATHOM_NO_INSTALL is set; run: $by_hand"
  fi
  if ! command -v apt-get >/dev/null; then
    say "warning: not found, and there is no apt-get to install them: ${missing[*]} (these are Debian's names)"
    return 0  # CMake may find them elsewhere, and names what it does not
  fi
  if ((EUID != 0)); then
    command -v sudo >/dev/null ||
      fail "these packages are missing, and without sudo only root can: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  say "installing ${missing[*]} (log: $log)"
  local install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300
                 install -y --no-install-recommends "${missing[@]}")
  # Package lists may be absent (a fresh container) or too old: fetch them only then. 9 is the lock: no daemon keeps it.
  "${install[@]}" >>"$log" 2>&1 </dev/null 9>&- && return
  { "${as_root[@]}" apt-get update && "${install[@]}"; } >>"$log" 2>&1 </dev/null 9>&- && return
  tail -n 15 "$log" >&2
  fail "installing packages failed; run by hand: $by_hand"
}

# A build folder that was copied along with a moved repository is configured again from nothing.
needs_configure() {
  local build=$1
  [[ -e $build/build.ninja ]] && grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$build/CMakeCache.txt" && return 1
  return 0
}

# configure PRESET CMAKE-OPTION...
configure() {
  local preset=$1
  shift
  cmake --fresh -S "$root" --preset "$preset" "$@"
}
