#!/usr/bin/env bash
# The MPI backend as four processes of this host: what it does, and what mpirun's user sees when a rank fails.
set -u
tests=$(dirname -- "$FATHOM_BINARY")/fathom_tests
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"  # Open MPI's

expect() {  # WHAT WANTED FOUND
  [[ $2 == "$3" ]] || { printf 'FAILED: %s\n  wanted: %s\n  found:  %s\n' "$1" "$2" "$3"; exit 1; }
}
ranks() { timeout 120 mpirun --quiet -n 4 --oversubscribe --allow-run-as-root --bind-to none "$@"; }

command -v mpirun >/dev/null || { echo "waived: no mpirun (apt-get install openmpi-bin)"; exit 0; }
answer=$(ranks "$tests" --gtest_filter='MpiWorld.*' 2>&1)
expect "the conformance tests pass, and this is what they said: $answer" 0 $?
[[ $answer != *waived* ]] || { echo "waived: built without MPI"; exit 0; }

# One line says what happened, whoever noticed. A killed rank is what mpirun reports: 128 + SIGKILL.
while read -r fault status message; do
  FATHOM_TEST_FAULT=$fault ranks "$tests" --gtest_filter='MpiFault.*' >/dev/null 2>"$place/stderr"
  expect "the exit status of $fault" "$status" $?
  expect "the message of $fault" "$message" "$(grep -v '^  -->' "$place/stderr")"
done <<'END'
throw 3 error: rank 2 failed in attention.core of layer 3: a fault on purpose
length 3 error: rank 2 failed in stage.receive of layer 9: received 3 bytes from rank 0, expected 4
input 2 error: unknown key
hang 3 error: rank 2 did not come to attention.all_reduce of layer 3 within 1 s; rank 0 waited
kill 137 error: ended by the launcher while waiting in attention.all_reduce of layer 3 for rank 2 (killed?)
END

# Ranks 0 and 1 wait for rank 2, which waits for rank 3: that is the one to look at.
FATHOM_TEST_FAULT=row ranks "$tests" --gtest_filter='MpiFault.*' >/dev/null 2>"$place/stderr"
expect "the exit status of a row of waiting ranks" 3 $?
expect "its message" "error: rank 3 did not come to attention.all_reduce of layer 3 within # ms; rank 2 waited" \
  "$(sed 's/within [0-9]* ms/within # ms/' "$place/stderr")"
echo passed
