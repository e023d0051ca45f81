. tests/bench/lib.sh
PODS=${PODS:-200}
echo "== pods: $PODS pods over three nodes, created to Ready"
cat >"$WORK/pods.yaml" <<YAML
apiVersion: apps/v1
kind: Deployment
metadata: {name: many}
spec:
  replicas: 0
  selector: {matchLabels: {app: many}}
  template:
    metadata: {labels: {app: many}}
    spec:
      containers: [{name: web, image: nginx}]
YAML
pod_runs=$((RUNS < 5 ? RUNS : 5))
for i in $(seq $pod_runs); do
  "$KUBELAN" up --name bench-pods -f "$WORK/pods.yaml" >/dev/null || die "up failed"
  dir=$XDG_STATE_HOME/kubelan/bench-pods
  server=$("$KUBELAN" status --name bench-pods -o json | grep -o 'https://127.0.0.1:[0-9]*')
  call() { curl -sf --max-time 120 --cacert "$dir/pki/ca.crt" --cert "$dir/pki/admin.crt" --key "$dir/pki/admin.key" "$@"; }
  deployment=$server/apis/apps/v1/namespaces/default/deployments
  begin=$(now_us)
  call -o /dev/null -X PATCH -H 'Content-Type: application/merge-patch+json' -d "{\"spec\":{\"replicas\":$PODS}}" "$deployment/many" || die "scale failed"
  # Ends with the first event that says all are ready; the watch itself would go on.
  exec 9< <(exec curl -sf --max-time 60 --cacert "$dir/pki/ca.crt" --cert "$dir/pki/admin.crt" --key "$dir/pki/admin.key" -N "$deployment?watch=true")
  watcher=$!
  grep -m1 -q "\"readyReplicas\":$PODS[,}]" <&9 || die "the pods did not get ready"
  echo $(($(now_us) - begin)) >>"$WORK/pods_us"
  kill "$watcher" 2>/dev/null
  exec 9<&-
  "$KUBELAN" down --name bench-pods >/dev/null
  "$BUILD_DIR/kernel_cost" "$PODS" | sed 's/.*pods_ms=\([0-9.]*\).*/\1/' >>"$WORK/kernel_ms"
done
awk '{print $1/1000}' "$WORK/pods_us" >"$WORK/pods_ms"
echo "kubelan, created to Ready (ms)   $(stats <"$WORK/pods_ms")"
echo "kernel alone, same pods (ms)     $(stats <"$WORK/kernel_ms")"
echo "pods/s                           $(median <"$WORK/pods_ms" | awk -v n="$PODS" '{printf "%.0f", n/$1*1000}')  (kernel alone: $(median <"$WORK/kernel_ms" | awk -v n="$PODS" '{printf "%.0f", n/$1*1000}'))"
