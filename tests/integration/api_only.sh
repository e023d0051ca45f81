# `up --api-only`: what kube-apiserver and etcd alone do, and nothing that wants a controller, a node or a namespace of Linux.
. tests/integration/lib.sh

says() { local want=$1; shift; "$@" 2>&1 | grep -qF -- "$want"; }
lasting() { local want=$1; shift; sleep 1; [ "$("$@" 2>&1)" = "$want" ]; }  # Still so, after a controller would have acted.

check "up" "$KUBELAN" up --api-only
check "health" says ok k get --raw /readyz
check_equal "namespaces of a start" "default kube-node-lease kube-public kube-system" "$(k get namespaces -o 'jsonpath={.items[*].metadata.name}')"
check_equal "the only Service is default/kubernetes" "default/kubernetes" "$(k get services -A -o 'jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name}{end}')"
check_equal "nothing is behind it" "" "$(k get endpointslices -A -o name)"
check_equal "no nodes" "" "$(k get nodes -o name 2>/dev/null)"
check_equal "no ingress controller" "" "$(k get ingressclasses -o name 2>/dev/null)"
check "roles" k get clusterrole cluster-admin
check "definitions" k apply -f examples/crd/crontab-crd.yaml
check "established" k wait --for=condition=established --timeout=10s crd/crontabs.stable.example.com
check "custom objects" k apply -f examples/crd/crontab.yaml
check "definitions end with their objects" k delete crd crontabs.stable.example.com --timeout=20s
check "a deployment" k create deployment web --image=nginx
check "makes no replicas" lasting "" k get replicasets,pods -o name
check "a pod" k run alone --image=nginx
check "stays where it is" lasting Pending k get pod alone -o 'jsonpath={.status.phase}{.spec.nodeName}'
check_equal "and has an empty log, as a pod without node" "" "$(k logs alone 2>&1)"
check "nothing can be run in it" says "pod alone does not have a host assigned" k exec alone -- true
check "is deleted at once" k delete pod alone --timeout=10s
check "a namespace" k create namespace short
check "stays Terminating, as without controllers" bash -c "'$KUBECTL' delete namespace short --wait=false"
check "which nobody ends" lasting Terminating k get namespace short -o 'jsonpath={.status.phase}'
check "but a test may" bash -c "'$KUBECTL' get namespace short -o json | sed 's/\"finalizers\": \\[/&], \"x\": [/; s/\"kubernetes\"//' | '$KUBECTL' replace --validate=false --raw /api/v1/namespaces/short/finalize -f -"
check "and it is gone" k wait --for=delete namespace/short --timeout=10s
check "tokens" says "ey" k create token default
check_error "no places to enter" "this cluster is an API only" "$KUBELAN" enter client -- true
check_error "nothing to publish" "this cluster is an API only" "$KUBELAN" publish add 0:svc/web:80
check_equal "nothing is published" "[]" "$("$KUBELAN" publish list -o json | tr -d ' \n')"
check_equal "status says so" '"apiOnly":true' "$("$KUBELAN" status -o json | tr -d ' ' | grep -o '"apiOnly":[a-z]*')"
check_equal "status names no client" "" "$("$KUBELAN" status | grep -E '^(Client|DNS|Node)')"
check "down, state kept" "$KUBELAN" down --keep-state
check "up again" "$KUBELAN" up --api-only
check "objects are there again" k get deployment web
check "down" "$KUBELAN" down
check_error "published ports and --api-only exclude each other" "--publish" "$KUBELAN" up --api-only --publish 0:svc/web:80
check "run --api-only -f" "$KUBELAN" run --api-only -f examples/crd/crontab-crd.yaml -- "$KUBECTL" get crd crontabs.stable.example.com

# No user namespaces are needed: it runs where they are not allowed.
if can_forbid=$(unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_user_namespaces' 2>&1); then
  check "without user namespaces" unshare -Ur sh -c "echo 0 >/proc/sys/user/max_user_namespaces && '$KUBELAN' run --api-only -- '$KUBECTL' get namespaces"
else
  echo "SKIP: without user namespaces: the limit cannot be set here: $can_forbid"
fi

"$KUBELAN" run --api-only -- sleep 1000 &
runner=$!
running() { "$KUBELAN" list | grep -q Running; }
check "a run is seen" until_true 10 running
kill -9 $runner
ended() { ! pgrep -f "$KUBELAN run --api-only" >/dev/null; }
check "killing it ends its API" until_true 15 ended
finish
