# Sourced by services.sh and churn.sh: a cluster, its pods, and both sides of services_bench.
KUBELAN=$(realpath "$KUBELAN")
bench=$(dirname "$KUBELAN")/services_bench
cluster=bench-services
dir=$XDG_STATE_HOME/kubelan/$cluster

services_up() {
  begin=$(now_us)
  "$KUBELAN" up --name $cluster "$@" >/dev/null || die "up failed"
  echo $((($(now_us) - begin) / 1000))
}
services_server() { "$KUBELAN" status --name $cluster -o json | grep -o 'https://127.0.0.1:[0-9]*'; }

# beside PLACE MODE COMMAND...: runs `services_bench MODE` in a place of the cluster, and a command on the host that
# talks to it by the pipes $from and $to.
beside() {
  local place=$1 mode=$2 peer status
  shift 2
  from=$WORK/from to=$WORK/to
  rm -f "$from" "$to"
  mkfifo "$from" "$to"
  timeout 1200 "$KUBELAN" enter --name $cluster "$place" -- "$bench" "$mode" <"$to" >"$from" &
  peer=$!
  timeout 1200 "$@"
  status=$?
  kill "$peer" 2>/dev/null
  wait "$peer" 2>/dev/null
  return $status
}

make_pods() {
  local call=(curl -sf -o /dev/null --max-time 60 --cacert "$dir/pki/ca.crt" --cert "$dir/pki/admin.crt" --key "$dir/pki/admin.key")
  for i in 1 2; do
    "${call[@]}" -H 'Content-Type: application/json' -d "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"bench-$i\",\"labels\":{\"app\":\"bench-$i\"}},\"spec\":{\"nodeName\":\"node-$i\",\"containers\":[{\"name\":\"web\",\"image\":\"nginx\"}]}}" "$server/api/v1/namespaces/default/pods" || die "no pod"
  done
  "${call[@]}" -H 'Content-Type: application/json' -d '{"apiVersion":"v1","kind":"Service","metadata":{"name":"bench"},"spec":{"clusterIP":"10.98.0.9","selector":{"app":"bench-1"},"ports":[{"port":80,"targetPort":9999}]}}' "$server/api/v1/namespaces/default/services" || die "no service"
  pod_ip=
  for i in $(seq 200); do
    pod_ip=$("$KUBELAN" enter --name $cluster pod/bench-1 -- sh -c "ip -4 -o addr show eth0 | grep -o '10[.0-9]*' | head -1" 2>/dev/null) && "$KUBELAN" enter --name $cluster pod/bench-2 -- true 2>/dev/null && break
    sleep 0.05
  done
  [ -n "$pod_ip" ] || die "the pods did not start"
}

# start_answers / stop_answers: the endpoints of the services that are probed.
start_answers() {
  rm -f "$WORK/answer-in"
  mkfifo "$WORK/answer-in"
  "$KUBELAN" enter --name $cluster client -- "$bench" answer <"$WORK/answer-in" >"$WORK/answer-out" &
  answers=$!
  exec 7>"$WORK/answer-in"
  until_true 10 grep -q ready "$WORK/answer-out" || die "the endpoints did not start"
}
stop_answers() {
  exec 7>&-
  wait $answers
}
