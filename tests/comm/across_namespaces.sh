#!/usr/bin/env bash
# across_namespaces.sh COMMAND [WORD...]: runs COMMAND as four MPI ranks on two hosts, as far as the network can tell:
# two network namespaces that see nothing but the cable between them. Two ranks live in each, and the second one's are
# started through a launch agent, as ssh would. The exit status is mpirun's; 77 where namespaces or mpirun are not to be
# had. A namespace of processes, too, sees to it that nothing is left behind.
set -u
# orted 4.1.4 may crash while it writes the topology to shared memory (hwloc_shmem_topology_write): binding is not ours to test.
export OMPI_MCA_rtc=^hwloc
waive() { echo "waived: $1"; exit 77; }

if [[ ${1:-} != --inside ]]; then
  command -v mpirun >/dev/null || waive "no mpirun (apt-get install openmpi-bin)"
  command -v ip >/dev/null || waive "no ip (apt-get install iproute2)"
  as=(unshare --net --mount --uts --pid --fork --kill-child --mount-proc)
  "${as[@]}" mount -t tmpfs none /run 2>/dev/null || as+=(--user --map-root-user)
  "${as[@]}" mount -t tmpfs none /run 2>/dev/null || waive "not allowed to make network namespaces"
  exec "${as[@]}" -- bash "${BASH_SOURCE[0]}" --inside "$@"
fi
shift

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
# Open MPI names its session by host, user and process; here all three are the same for every test that runs beside this one.
export TMPDIR=$place
mount -t tmpfs none /run || waive "not allowed to mount"  # where ip keeps its names
hostname near
ip netns add far && ip link add cable type veth peer name cable netns far || waive "not allowed to make a network cable"
ip link set lo up
ip address add 10.77.0.1/24 dev cable
ip link set cable up
ip -n far link set lo up
ip -n far address add 10.77.0.2/24 dev cable
ip -n far link set cable up

cat >"$place/agent" <<'END'
#!/usr/bin/env bash
[[ $1 == 10.77.0.2 ]] || { echo "no host $1" >&2; exit 1; }
shift
exec ip netns exec far unshare --uts bash -c "hostname far; $*"
END
chmod +x "$place/agent"

# Without btl, ranks of one namespace would share memory.
mpirun --quiet --allow-run-as-root --oversubscribe --bind-to none -n 4 --host 10.77.0.1:2,10.77.0.2:2 \
  --mca plm_rsh_agent "$place/agent" --mca btl tcp,self --mca btl_tcp_if_include 10.77.0.0/24 \
  --mca oob_tcp_if_include 10.77.0.0/24 "$@"
