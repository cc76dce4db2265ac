#!/usr/bin/env bash
# The MPI backend on two hosts, as far as the network can tell: see across_namespaces.sh.
set -u
tests=$(dirname -- "$FATHOM_BINARY")/fathom_tests
across=$(dirname -- "${BASH_SOURCE[0]}")/across_namespaces.sh
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"  # Open MPI's

expect() {  # WHAT WANTED FOUND
  [[ $2 == "$3" ]] || { printf 'FAILED: %s\n  wanted: %s\n  found:  %s\n' "$1" "$2" "$3"; exit 1; }
}
run() { timeout 120 bash "$across" -x ASAN_OPTIONS "$@"; }

answer=$(run bash -c 'hostname' 2>&1)
status=$?
[[ $status != 77 ]] || { echo "$answer"; exit 0; }
expect "two ranks are near and two are far" "far far near near" "$(sort <<<"$answer" | xargs)"

answer=$(run "$tests" --gtest_filter='MpiWorld.*' 2>&1)
expect "the conformance tests pass, and this is what they said: $answer" 0 $?
[[ $answer != *waived* ]] || { echo "waived: built without MPI"; exit 0; }

fault() { FATHOM_TEST_FAULT=$1 run -x FATHOM_TEST_FAULT "$tests" --gtest_filter='MpiFault.*' 2>&1 >/dev/null; }

answer=$(fault hang)
expect "a rank that hangs ends the run" 3 $?
expect "its message" "error: rank 2 did not come to attention.all_reduce of layer 3 within 1 s; rank 0 waited" "$answer"

answer=$(fault kill)
expect "a killed rank is what mpirun reports" 137 $?
expect "its message" \
  "error: ended by the launcher while waiting in attention.all_reduce of layer 3 for rank 2 (killed?)" "$answer"

# mpirun 4.1 waits for ever for the host that it cannot reach, so nothing is said of an exit status here.
answer=$(FATHOM_TEST_FAULT=cable timeout 8 bash "$across" -x ASAN_OPTIONS -x FATHOM_TEST_FAULT "$tests" \
  --gtest_filter='MpiFault.*' 2>&1 >/dev/null | head -n 1)
expect "the message when the cable is pulled" \
  "error: rank FAR did not come to attention.all_reduce of layer 0 within 1 s; rank 0 waited" \
  "${answer/#error: rank [23]/error: rank FAR}"
echo passed
