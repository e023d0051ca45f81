# What kubelan could leave behind on the host, as text: compare a snapshot from before with one from after.
# Only what this user can see and kubelan could have made: links, addresses, routes, rules, mounts, sysctls and
# processes. Namespaces live by processes and mounts here, so processes_in() finds those that outlive a cluster.

# The user namespaces of running clusters: everything a cluster has is owned by its one.
cluster_namespaces() {
  local exe ns own
  own=$(readlink /proc/self/ns/user)
  for exe in /proc/[0-9]*/exe; do
    [ "$(readlink "$exe" 2>/dev/null)" = "${KUBELAN:-}" ] || continue
    ns=$(readlink "${exe%/exe}/ns/user" 2>/dev/null)
    [ -n "$ns" ] && [ "$ns" != "$own" ] && echo "$ns"
  done | sort -u
}

# processes_in NAMESPACE...: those that still live in one of them.
processes_in() {
  local ns link
  for link in /proc/[0-9]*/ns/user; do
    ns=$(readlink "$link" 2>/dev/null) || continue
    case " $* " in *" $ns "*) echo "${link%/ns/user} $(tr '\0' ' ' <"${link%/ns/user}/cmdline" 2>/dev/null)" ;; esac
  done
}

leak_snapshot() {
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
