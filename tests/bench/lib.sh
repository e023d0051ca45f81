# Sourced by the benchmarks: time and statistics.
now_us() { echo "${EPOCHREALTIME/[.,]/}"; }
# Median, minimum and maximum of numbers on standard input, one a line.
stats() { sort -n | awk '{v[NR]=$1} END {m=(NR%2)?v[(NR+1)/2]:(v[NR/2]+v[NR/2+1])/2; printf "median %.1f  min %.1f  max %.1f  (%d runs)", m, v[1], v[NR], NR}'; }
median() { sort -n | awk '{v[NR]=$1} END {print (NR%2)?v[(NR+1)/2]:(v[NR/2]+v[NR/2+1])/2}'; }

cluster_pids() {
  local exe
  for exe in /proc/[0-9]*/exe; do
    [ "$(readlink "$exe" 2>/dev/null)" = "$KUBELAN" ] && echo "${exe//[^0-9]/}"
  done
}
# Proportional set size of all the cluster's processes, in KiB: shared pages are counted once.
cluster_pss() { for pid in $(cluster_pids); do awk '/^Pss:/ {print $2}' "/proc/$pid/smaps_rollup"; done | awk '{s+=$1} END {print s}'; }
cluster_ticks() { for pid in $(cluster_pids); do awk '{print $14+$15}' "/proc/$pid/stat"; done | awk '{s+=$1} END {print s}'; }
