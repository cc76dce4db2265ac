#!/usr/bin/env bash
# The newcomer trial: does a clean clone plan and pass its tests on a machine that has nothing but Debian 12?
#
#   sudo tests/cli/newcomer.sh FOLDER [SUITE]
#
# Makes a minimal system (debootstrap) in FOLDER, which must not exist, with the package sources of this machine; clones
# the repository's HEAD into it; runs `./fathom plan` on the first example and `./test` there as root; prints what each
# took. FOLDER stays for a look; remove it with rm -rf. SUITE is bookworm unless given (noble: on an Ubuntu machine).
# Not part of ./test: it downloads a system and takes minutes.
set -eu

main() {
  (($# >= 1)) || { sed -n '2,10s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
  system=$1 suite=${2:-bookworm}
  root=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../..
  ((EUID == 0)) || { echo "newcomer: run as root (chroot needs it)" >&2; exit 2; }
  [[ ! -e $system ]] || { echo "newcomer: $system exists; a newcomer starts from nothing" >&2; exit 2; }

  timed "minimal system" make_system
  timed "clone" git clone --quiet --no-hardlinks "$root" "$system/root/fathom"
  [[ -z $(git -C "$root" status --porcelain) ]] || echo "newcomer: note: uncommitted changes are not part of the clone"

  mount -t proc proc "$system/proc"
  trap 'umount "$system/proc"' EXIT
  timed "first answer" inside ./fathom plan examples/r1-appliance-h100/cluster.yaml
  timed "second answer" inside ./fathom plan examples/r1-appliance-h100/cluster.yaml
  timed "tests" inside ./test
  printf '\n%s' "$times"
}

make_system() {
  local mirror
  mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' "Codename: $suite" | head -n 1)
  [[ -n $mirror ]] || { echo "newcomer: this machine has no apt source for $suite" >&2; exit 2; }
  debootstrap --variant=minbase "$suite" "$system" "$mirror" >"$system.log" 2>&1 ||
    { tail -n 20 "$system.log" >&2; exit 3; }
  local part
  for part in sources.list sources.list.d apt.conf.d trusted.gpg.d keyrings; do
    rm -rf "$system/etc/apt/$part"
    [[ ! -e /etc/apt/$part ]] || cp -a "/etc/apt/$part" "$system/etc/apt/"
  done
  cp -a /usr/share/keyrings/. "$system/usr/share/keyrings/"
  cp -L /etc/resolv.conf /etc/hosts "$system/etc/"
}

# As a newcomer's shell would: nothing of this shell's environment goes along.
inside() {
  chroot "$system" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
    bash -c 'cd /root/fathom && "$@"' bash "$@"
}

# timed NAME COMMAND...: an exit code of 1 from the program is an answer ("does not fit"), so it is shown, not fatal.
times=""
timed() {
  local name=$1 start=$SECONDS status=0
  shift
  printf '\n== %s: %s\n' "$name" "$*"
  "$@" || status=$?
  times+=$(printf '%-16s %4d s, exit code %d' "$name" $((SECONDS - start)) "$status")$'\n'
  ((status <= 1)) || { printf '\n%s' "$times"; exit "$status"; }
}

main "$@"
