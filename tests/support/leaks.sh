# What kubelan could leave behind on the host, as text: compare a snapshot from before with one from after.
# Only what this user can see and kubelan could have made: namespaces, links, addresses, routes, rules, mounts and
# processes of the binary under test.

leak_snapshot() {
  # Namespaces that differ from ours: one per distinct id among all processes we may look at.
  for kind in user net mnt pid ipc uts; do
    for ns in /proc/[0-9]*/ns/$kind; do readlink "$ns" 2>/dev/null; done | sort -u
  done
  ip -o link 2>/dev/null | sed 's/ qlen.*//; s/mtu.*link/link/' | cut -d: -f1,2
  ip -o address 2>/dev/null | awk '{print $2, $3, $4}'
  ip route 2>/dev/null
  ip rule 2>/dev/null
  cut -d' ' -f5 /proc/self/mountinfo | sort
  for exe in /proc/[0-9]*/exe; do
    [ "$(readlink "$exe" 2>/dev/null)" = "${KUBELAN:-}" ] && echo "process $exe"
  done
  sysctl -n net.ipv4.ip_forward 2>/dev/null
  true
}

# The kernel takes namespaces down in the background: give it up to ten seconds to look as before.
leak_snapshot_settled() {
  local before=$1 now i
  for i in $(seq 100); do
    now=$(leak_snapshot)
    [ "$now" = "$before" ] && break
    sleep 0.1
  done
  if [ "$now" = "$before" ]; then printf '%s\n' "$now"; else diff <(printf '%s\n' "$before") <(printf '%s\n' "$now"); fi
}
