#!/usr/bin/env bash
# What a user may expect of ./fathom, with a stand-in for cmake and ninja: the copy below builds in no time and counts.
set -u
source_root=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../..
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
repository="$place/a folder/fathom"

expect() {  # WHAT WANTED FOUND
  [[ $2 == "$3" ]] || { printf 'FAILED: %s\n  wanted: %s\n  found:  %s\n' "$1" "$2" "$3"; exit 1; }
}

mkdir -p "$repository"/{apps,libplanner,libprobe,libengine,kernels,cmake} "$place/bin" "$place/elsewhere"
cp "$source_root"/{fathom,CMakeLists.txt,CMakePresets.json} "$repository"
cp "$source_root/cmake/toolbox.sh" "$repository/cmake"
cat >"$place/bin/cmake" <<END
#!/bin/sh
mkdir -p "$repository/build/release"
: >"$repository/build/release/build.ninja"
echo "CMAKE_HOME_DIRECTORY:INTERNAL=$repository" >"$repository/build/release/CMakeCache.txt"
echo configured >>"$place/steps"
END
cat >"$place/bin/ninja" <<END
#!/bin/sh
echo built >>"$place/steps"
[ ! -e "$place/broken" ] || { echo "main.cpp:1: no such thing"; exit 1; }
sleep 0.3
printf '#!/bin/sh\npwd; for word; do echo "<\$word>"; done; exit 1\n' >"$repository/build/release/fathom"
chmod +x "$repository/build/release/fathom"
END
chmod +x "$place"/bin/*
export PATH="$place/bin:$PATH" FATHOM_NO_INSTALL=1
steps() { cat "$place/steps" 2>/dev/null; : >"$place/steps"; }

cd "$place/elsewhere"
ln -s "$repository/fathom" linked

# Two at once: one builds, the other waits for it.
./linked one >"$place/first" 2>/dev/null &
./linked two >"$place/second" 2>/dev/null
wait
expect "one build for two launches" "configured built" "$(steps | xargs)"
expect "each launch runs with its own words" "<one> <two>" "$(cat "$place/first" "$place/second" | grep '<' | xargs)"

answer=$(./linked plan 'a b' '' '*' 2>"$place/stderr")
expect "the exit code is the program's" 1 $?
expect "words and folder arrive unchanged" "$place/elsewhere"$'\n<plan>\n<a b>\n<>\n<*>' "$answer"
expect "nothing to do, nothing to say" "" "$(cat "$place/stderr")$(steps)"

sleep 0.02
touch "$repository/apps/new_verb.cpp"
./linked >/dev/null 2>&1
expect "a new file is a reason to build, not to configure" "built" "$(steps)"
./linked >/dev/null 2>&1
expect "once" "" "$(steps)"

sleep 0.02
touch "$repository/apps/new_verb.cpp" "$place/broken"
answer=$(./linked plan 2>"$place/stderr")
expect "a failed build is not the program's no" 3 $?
expect "stdout belongs to the program" "" "$answer"
expect "the reason is shown" 1 "$(grep -c 'main.cpp:1: no such thing' "$place/stderr")"
rm "$place/broken"
./linked >/dev/null 2>&1
expect "and the next launch tries again" 1 $?
echo passed
