# The API server alone: writes, reads, lists of 10,000 pods, watches; etcd beside it where Debian's package can be had.
. tests/bench/lib.sh
KUBELAN=$(realpath "$KUBELAN")
load_bin=$(dirname "$KUBELAN")/api_load
cluster=bench-api
dir=$XDG_STATE_HOME/kubelan/$cluster
PODS=${PODS:-10000}
table='application/json;as=Table;v=v1;g=meta.k8s.io,application/json'
metadata='application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io'

api_up() {
  "$KUBELAN" up --name $cluster --nodes 1 --no-ingress "$@" >/dev/null || die "up failed"
  api_port=$(grep -o 'https://127.0.0.1:[0-9]*' "$KUBECONFIG" | grep -o '[0-9]*$' | head -1)
}
# measure NAME MODE...: the client's line, and what the server's processes used of a CPU meanwhile.
measure() {
  local name=$1 ticks begin line
  shift
  ticks=$(cluster_ticks) begin=$(now_us)
  line=$(timeout 300 "$load_bin" "$api_port" "$dir/pki/admin.crt" "$dir/pki/admin.key" "$@" 2>&1) || line="failed: $line"
  printf '%-34s %s  [server: %d%% of a CPU]\n' "$name" "$line" $((($(cluster_ticks) - ticks) * 1000000 / ($(now_us) - begin)))
}
show_memory() { printf '%-34s %s\n' "$1" "$(cluster_pss | awk '{printf "%.1f MiB", $1/1024}')"; }

measure_etcd() {
  local etcd=$WORK/etcd port=32379 pid
  mkdir -p "$etcd"
  if command -v etcd >/dev/null; then
    ln -sf "$(command -v etcd)" "$etcd/etcd"
  elif (cd "$etcd" && apt-get download etcd-server >/dev/null 2>&1 && dpkg -x etcd-server_*.deb . && mv usr/bin/etcd .); then
    :
  else
    echo "etcd: skipped, no etcd here and Debian's etcd-server cannot be downloaded"
    return
  fi
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=etcd -addext subjectAltName=IP:127.0.0.1 \
    -keyout "$etcd/key" -out "$etcd/crt" 2>/dev/null || { echo "etcd: skipped, no certificate"; return; }
  "$etcd/etcd" --data-dir "$etcd/data" --cert-file "$etcd/crt" --key-file "$etcd/key" --listen-client-urls https://127.0.0.1:$port \
    --advertise-client-urls https://127.0.0.1:$port --listen-peer-urls http://127.0.0.1:32380 --log-level error >"$etcd/log" 2>&1 &
  pid=$!
  if until_true 20 curl -sfk -o /dev/null "https://127.0.0.1:$port/health"; then
    for connections in 1 16; do
      printf '%-34s %s\n' "etcd puts of 1 kB, synced" "$(timeout 300 "$load_bin" $port - - put 3000 $connections 2>&1)"
    done
  else
    echo "etcd: skipped, it did not start: $(tail -1 "$etcd/log")"
  fi
  kill "$pid" 2>/dev/null
  wait "$pid" 2>/dev/null
}

for mode in durable ephemeral; do
  echo "== api, $mode"
  if [ $mode = durable ]; then api_up; else api_up --ephemeral; fi
  show_memory "memory, idle"
  measure "create ConfigMaps of 1 kB" create configmaps 3000 1 0
  measure "create ConfigMaps of 1 kB" create configmaps 10000 16 10000
  measure "create pods" create pods "$PODS" 16 0
  show_memory "memory, $PODS pods, 13000 maps"
  measure "get a pod" get pods 5000 1
  measure "get a pod" get pods 20000 16
  measure "list $PODS pods" list /api/v1/namespaces/default/pods application/json 10 0
  measure "list, gzip" list /api/v1/namespaces/default/pods application/json 10 0 gzip
  measure "list as Table" list /api/v1/namespaces/default/pods "$table" 10 0
  measure "list of metadata" list /api/v1/namespaces/default/pods "$metadata" 10 0
  measure "list by pages of 500" list /api/v1/namespaces/default/pods application/json 10 500
  measure "list as Table by pages of 500" list /api/v1/namespaces/default/pods "$table" 10 500
  measure "list a quarter by label" list "/api/v1/namespaces/default/pods?labelSelector=tier%3Dt1" application/json 10 0
  measure "watch: 10 watchers" fanout 10 100 5
  measure "watch: 500 watchers" fanout 500 50 20
  before=$(cluster_pss)
  mkfifo "$WORK/idle-$mode"
  "$load_bin" "$api_port" "$dir/pki/admin.crt" "$dir/pki/admin.key" idle 1000 <"$WORK/idle-$mode" >"$WORK/idle.out" &
  idle=$!
  exec 6>"$WORK/idle-$mode"
  if until_true 60 grep -q ready "$WORK/idle.out"; then
    ticks=$(cluster_ticks)
    sleep 5
    printf '%-34s %s\n' "1000 idle watches" "$(($(cluster_pss) - before)) KiB more, $((($(cluster_ticks) - ticks) / 5))% of a CPU"
  else
    echo "1000 idle watches: they did not begin"
  fi
  exec 6>&-
  wait $idle
  "$KUBELAN" down --name $cluster >/dev/null
done
measure_etcd
echo "kube-apiserver: skipped, Debian has no package of it"
