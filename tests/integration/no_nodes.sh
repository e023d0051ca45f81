# `up --nodes 0`: every controller works, and nothing runs: what a suite for controllers has upstream with kube-controller-manager and no kubelet.
. tests/integration/lib.sh

lasting() { local want=$1; shift; sleep 1; [ "$("$@" 2>&1)" = "$want" ]; }  # Still so, after somebody would have acted.
replicas() { k get replicasets -l app=web -o 'jsonpath={.items[*].status.replicas}'; }
is() { local want=$1; shift; [ "$("$@" 2>&1)" = "$want" ]; }

check "up" "$KUBELAN" up --nodes 0
check_equal "no nodes" "" "$(k get nodes -o name 2>/dev/null)"
check "a deployment" k create deployment web --image=nginx --replicas=2
check "has its replicas" until_true 20 is 2 replicas
check "which stay Pending" lasting "Pending Pending" k get pods -l app=web -o 'jsonpath={.items[*].status.phase}'
check "since there is no node" until_true 20 bash -c "'$KUBECTL' get events -o 'jsonpath={.items[*].message}' | grep -q 'no nodes available to schedule pods'"
check "a service" k expose deployment web --port=80
check "has an empty slice" until_true 20 bash -c "'$KUBECTL' get endpointslices -l kubernetes.io/service-name=web -o name | grep -q endpointslice"
check "namespaces get an account" k create namespace short
check "as every namespace" until_true 20 k get serviceaccount default -n short
check "and end" k delete namespace short --timeout=20s
check "dependents go with their owner" k delete deployment web --timeout=20s
check "all of them" until_true 20 bash -c "[ -z \"\$('$KUBECTL' get replicasets,pods -o name)\" ]"
check "metrics" bash -c "'$KUBECTL' get --raw /metrics | grep -q '^apiserver_request_total{code=\"201\",component=\"apiserver\",dry_run=\"\",group=\"apps\",resource=\"deployments\"'"
check "status" "$KUBELAN" status
check "the outside is there" "$KUBELAN" enter client -- true
check "down" "$KUBELAN" down
finish
