#!/usr/bin/env bash
# examples/ci/pre-commit: what is staged decides, not what is in the folder.
set -eu
command -v git >/dev/null || { echo "waived: no git"; exit 0; }
root=$PWD
folder=$(mktemp -d)
trap 'rm -rf -- "$folder"' EXIT
export FATHOM=$FATHOM_BINARY FATHOM_DATA_DIR=$root/catalogs GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
fail() { echo "failed: $*"; exit 1; }

cd "$folder"
git init -q .
git config user.name test
git config user.email test@example.org
cp "$root/examples/ci/pre-commit" .git/hooks/pre-commit
chmod +x .git/hooks/pre-commit

echo "on: push" >workflow.yaml
git add .
git commit -qm "nothing to check" || fail "a commit without a design"

mkdir "a b"
design="a b/cluster.yaml"
cp "$root/examples/laptop-qwen2-0.5b/cluster.yaml" "$design"
echo "format: fathom-settings/1" >.fathom.yaml
git add .
git commit -qm "a good design" || fail "a good design"

echo "oops: 1" >>"$design"
git add .
cp "$root/examples/laptop-qwen2-0.5b/cluster.yaml" "$design"  # mended, but not staged
if git commit -qm "a broken design" 2>said; then fail "a broken design was committed"; fi
grep -q 'a b/cluster.yaml:[0-9]*:1: error\[schema.input\]: unknown key "oops"' said || { cat said; fail "it does not say why"; }

git add "$design"
git commit -qm "mended" --allow-empty || fail "the mended design"

printf 'format: fathom-settings/1\nfail_if: [layout.tp >= 1]\n' >.fathom.yaml
echo "# changed" >>"$design"
git add .
if git commit -qm "against the settings" 2>said; then fail "settings are not read"; fi
grep -q 'policy.fail-if' said || { cat said; fail "the settings say nothing"; }
echo "passed"
