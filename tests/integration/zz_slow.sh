# While things change behind the gateway nobody in front of it notices: applications roll under load without a failed request, and
# WebSockets and streams live through a hundred changes of Ingresses.
. tests/integration/lib.sh

load=$PWD/$BUILD_DIR/ingress_load
[ -x "$load" ] || { echo "SKIP: $load is not built"; finish; exit; }
check "up" env LD_PRELOAD=/tmp/slow/s.so SLOW_MS=150 "$KUBELAN" up --nodes 2
# As a volume: pods see this machine's files, but /tmp is their own, and that is where the build may be.
strip -o "$WORK/ingress_load" "$load" 2>/dev/null || cp "$load" "$WORK/ingress_load"
k create configmap load --from-file=ingress_load="$WORK/ingress_load" >/dev/null
k wait -n ingress-nginx --for=condition=ready pod --selector=app.kubernetes.io/component=controller --timeout=30s >/dev/null
lb=172.30.255.254

# application NAME IMAGE-AND-COMMAND [SPEC]: Deployment, Service and Ingress for NAME.test.
application() {
  k apply -f - >/dev/null <<Y
apiVersion: apps/v1
kind: Deployment
metadata: {name: $1}
spec:
  replicas: 4
  selector: {matchLabels: {app: $1}}
  template:
    metadata: {labels: {app: $1}}
    spec:
      terminationGracePeriodSeconds: 20
      volumes: [{name: load, configMap: {name: load, defaultMode: 0755}}]
      containers:
      - {name: c, volumeMounts: [{name: load, mountPath: /mnt}], $2}
---
apiVersion: v1
kind: Service
metadata: {name: $1}
spec: {selector: {app: $1}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: $1}
spec: {rules: [{host: $1.test, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: $1, port: {number: 80}}}}]}}]}
Y
}
serve="image: host, command: [/mnt/ingress_load, serve, \"8080\"], readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}"
# As the documentation of Kubernetes tells those to do who must not lose a request: the endpoint leaves before the server ends.
application careful "$serve, lifecycle: {preStop: {sleep: {seconds: 1}}}"
# And as most people leave it: the server is told to end at the moment that its endpoint leaves.
application plain "$serve"
# Or worse: killed at once, its requests left lying, which only another try at another endpoint can save.
application rude "${serve/\"8080\"/\"8080\", rude}"
application long "$serve"
for name in careful plain rude long; do check "$name is there" k rollout status deployment/$name --timeout=60s; done
[ "$FAILED" = 0 ] || { finish; exit; }
for name in careful plain rude long; do check "$name answers" until_true 10 "$KUBELAN" enter client -- curl -sSf -o /dev/null --max-time 5 -H "Host: $name.test" "http://$lb/"; done

# under_load NAME VERB ARGUMENT... -- COMMAND...: runs the command while ingress_load VERB runs; its counts are in $WORK/NAME.
under_load() {
  local name=$1 stop
  shift
  local arguments=()
  while [ "$1" != -- ]; do arguments+=("$1"); shift; done
  shift
  mkfifo "$WORK/$name.stop"
  "$KUBELAN" enter client -- "$load" "${arguments[@]}" <"$WORK/$name.stop" >"$WORK/$name" 2>&1 &
  local client=$!
  exec {stop}>"$WORK/$name.stop"
  "$@"
  exec {stop}>&-
  wait "$client"
}
roll() {
  for _ in 1 2 3; do
    k rollout restart deployment/"$1" >/dev/null
    k rollout status deployment/"$1" --timeout=120s >/dev/null || return 1
  done
  until_true 30 only_new "$1"
}
# Each container ends by itself once, and its endpoint is still there while it does.
crash() {
  local pod
  for pod in $(k get pods -l "app=$1" -o name); do
    k exec "$pod" -- /bin/sh -c 'kill -TERM 1; sleep 5' >/dev/null 2>&1
    until_true 30 restarted "$pod" || return 1
  done
}
restarted() { [ "$(k get "$1" -o 'jsonpath={.status.containerStatuses[0].restartCount} {.status.containerStatuses[0].ready}')" = "1 true" ]; }
only_new() { [ "$(k get pods -l "app=$1" -o name | wc -l)" = 4 ]; }
served() { tail -1 "$WORK/$1" | sed -n 's/^done \([0-9]*\) failed.*/\1/p'; }
no_failure() { grep -qE '^done [1-9][0-9]* failed 0$' "$WORK/$1" || { cat "$WORK/$1"; return 1; }; }

k get pods -l app=plain -w --output-watch-events -o 'custom-columns=E:.type,N:.object.metadata.name,D:.object.metadata.deletionTimestamp,R:.object.status.conditions[?(@.type=="Ready")].status,IP:.object.status.podIP' 2>&1 | while read -r l; do echo "$(date +%s.%N) POD $l"; done > /tmp/pods.log &
k get endpointslices -l kubernetes.io/service-name=plain -w -o 'custom-columns=A:.endpoints[*].addresses[0],R:.endpoints[*].conditions.ready' 2>&1 | while read -r l; do echo "$(date +%s.%N) SLICE $l"; done > /tmp/slices.log &
under_load plain ask plain.test $lb 80 16 0 -- check "the same without a preStop hook" roll plain
check "GET: not one of $(served plain) failed" no_failure plain
under_load rude ask rude.test $lb 80 16 0 -- check "each of its servers ends at once, without a word" crash rude
check "GET: not one of $(served rude) failed" no_failure rude

k logs -n ingress-nginx -l app.kubernetes.io/component=controller --tail=-1 >/tmp/roll.log
"$KUBELAN" down >/dev/null
finish
