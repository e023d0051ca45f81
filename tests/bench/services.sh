. tests/bench/lib.sh
SIZES=${SIZES:-10 10000}
CHANGES=${CHANGES:-100}
. tests/bench/services_lib.sh

# From a pod to one on another node, by its address and by its Service.
compare_flows() {
  rm -f "$WORK/serve-in"
  mkfifo "$WORK/serve-in"
  timeout 300 "$KUBELAN" enter --name $cluster pod/bench-1 -- "$bench" serve 9999 <"$WORK/serve-in" >"$WORK/serve-out" &
  serve=$!
  exec 8>"$WORK/serve-in"
  until_true 10 grep -q ready "$WORK/serve-out" || die "the server did not start"
  timeout 120 "$KUBELAN" enter --name $cluster pod/bench-2 -- "$bench" flows "$pod_ip" 9999 10.98.0.9 80
  exec 8>&-
  wait $serve
}

echo "== services: from a change of the API to the first connection that meets it; ClusterIP beside the pod's own address"
echo "up with nothing                  $(services_up) ms"
server=$(services_server)
echo "-- 1 service"
make_pods
compare_flows
start_answers
first=1
for size in $SIZES; do
  echo "-- $size services of 3 endpoints"
  "$bench" fill "$server" "$dir" "$first" "$size" || die "fill failed"
  first=$((size + 1))
  beside pod/bench-2 probe "$bench" latency "$server" "$dir" "$WORK/from" "$WORK/to" "$CHANGES" || echo "changes were lost"
done
compare_flows
echo "-- kernel operations on one node for one change, at $size services"
beside node/node-1 count "$bench" changes "$server" "$dir" "$WORK/from" "$WORK/to"
"$bench" verify "$server" "$dir"
echo "memory (PSS of all processes)    $(cluster_pss | awk '{printf "%.1f MiB", $1/1024}')"
stop_answers
for nodes in 3 1; do
  "$KUBELAN" down --name $cluster --keep-state >/dev/null
  echo "up with all of this, $nodes node(s)    $(services_up --nodes $nodes) ms"
done
"$KUBELAN" down --name $cluster >/dev/null
