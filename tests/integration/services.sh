# Every kind of Service with real kubectl and real packets; which pods a Service sends to (probes).
. tests/integration/lib.sh

check "up" "$KUBELAN" up
from_client() { "$KUBELAN" enter client -- curl -sS --max-time 5 "$1"; }
in_pod() { k exec "$1" -- curl -sS --max-time 5 "$2"; }
says() { local url=$2 what=$3; $1 "$url" 2>&1 | grep -q "$what"; }
hosts() { for _ in 1 2 3 4 5 6; do "$@"; echo; done | sort -u | grep -c .; }

k apply -f - >/dev/null <<'Y'
apiVersion: apps/v1
kind: Deployment
metadata: {name: net}
spec:
  replicas: 3
  selector: {matchLabels: {app: net}}
  template:
    metadata: {labels: {app: net}}
    spec:
      containers:
      - name: net
        image: e2e-test-images/agnhost:2.53
        args: [netexec]
        readinessProbe: {httpGet: {path: /healthz, port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Pod
metadata: {name: box}
spec: {containers: [{name: box, image: curlimages/curl, command: [sleep, infinity]}]}
---
apiVersion: v1
kind: Service
metadata: {name: net}
spec: {selector: {app: net}, ports: [{name: http, port: 80, targetPort: 8080}, {name: udp, port: 80, targetPort: 8081, protocol: UDP}]}
---
apiVersion: v1
kind: Service
metadata: {name: port}
spec: {type: NodePort, selector: {app: net}, ports: [{port: 80, targetPort: 8080, nodePort: 30080}]}
---
apiVersion: v1
kind: Service
metadata: {name: local}
spec: {type: LoadBalancer, externalTrafficPolicy: Local, selector: {app: net}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: sticky}
spec: {sessionAffinity: ClientIP, selector: {app: net}, ports: [{port: 80, targetPort: 8080}]}
Y
check "pods pass their readiness probes" k rollout status deployment/net --timeout=60s
check "the client pod is Ready" k wait --for=condition=Ready pod/box --timeout=60s

check_equal "a cluster IP takes turns" 3 "$(hosts in_pod box http://net/hostname)"
check_equal "UDP" 3 "$(for _ in 1 2 3 4 5 6; do k exec box -- sh -c 'echo hostname | nc -u -w 1 net 80'; echo; done | sort -u | grep -c net)"
check_equal "session affinity" 1 "$(hosts in_pod box http://sticky/hostname)"
check "a node port, and the pod sees the node" says from_client http://172.30.0.12:30080/clientip '^172.30.0.12:'
lb=$(k get service local -o 'jsonpath={.status.loadBalancer.ingress[0].ip}')
check_equal "a load balancer has its address" 172.30.255.1 "$lb"
check "policy Local: the pod sees the client" until_true 5 says from_client "http://$lb/clientip" '^172.30.0.2:'
health=$(k get service local -o 'jsonpath={.spec.healthCheckNodePort}')
check "healthCheckNodePort" says from_client "http://172.30.0.11:$health/" '"localEndpoints": *1'
check "source ranges" k patch service local -p '{"spec":{"loadBalancerSourceRanges":["192.0.2.0/24"]}}'
dropped() { "$KUBELAN" enter client -- curl -sS --max-time 1 "$1" 2>&1 | grep -q 'timed out'; }
check "others are dropped" until_true 5 dropped "http://$lb/clientip"
k patch service local -p '{"spec":{"type":"ClusterIP","loadBalancerSourceRanges":null}}' >/dev/null
no_address() { [ -z "$(k get service local -o 'jsonpath={.status.loadBalancer.ingress}')" ]; }
check "a change of type takes the address back" until_true 5 no_address

with_port() { printf 'apiVersion: v1\nkind: Service\nmetadata: {name: other}\nspec: {type: NodePort, ports: [{port: 80, nodePort: %s}]}\n' "$1" | k create -f -; }
check_error "node port taken" "spec.ports\[0\].nodePort: Invalid value: 30080: provided port is already allocated" with_port 30080
check_error "node port out of range" "Invalid value: 1234: provided port is not in the valid range. The range of valid ports is 30000-32767" with_port 1234
k delete service port >/dev/null
check "a deleted Service's node port is free again" k create -f - <<'Y'
apiVersion: v1
kind: Service
metadata: {name: again}
spec: {type: NodePort, selector: {app: net}, ports: [{port: 80, targetPort: 8080, nodePort: 30080}]}
Y

ip=$(k get pods -l app=net -o 'jsonpath={.items[0].status.podIP}')
k apply -f - >/dev/null 2>&1 <<Y
apiVersion: v1
kind: Service
metadata: {name: hand}
spec: {externalIPs: [203.0.113.7], ports: [{port: 80}]}
---
apiVersion: v1
kind: Endpoints
metadata: {name: hand}
subsets: [{addresses: [{ip: $ip}], ports: [{port: 8080}]}]
Y
check "Endpoints made by hand" until_true 5 says "in_pod box" http://hand/hostname net-
check "hand-made Endpoints are mirrored" bash -c "[ -n \"\$('$KUBECTL' get endpointslices -l kubernetes.io/service-name=hand -o name)\" ]"
check "an external IP" until_true 5 bash -c "'$KUBELAN' enter client -- curl -sS --max-time 5 http://203.0.113.7/hostname | grep -q net-"

# Probes.
k apply -f - >/dev/null <<'Y'
apiVersion: v1
kind: Pod
metadata: {name: page, labels: {app: page}}
spec:
  containers:
  - name: nginx
    image: nginx
    readinessProbe: {httpGet: {path: /ready.html, port: 80}, periodSeconds: 1, failureThreshold: 1}
    livenessProbe: {tcpSocket: {port: 80}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: page}
spec: {selector: {app: page}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: ill}
spec:
  containers:
  - name: shell
    image: busybox
    command: [sleep, infinity]
    livenessProbe: {exec: {command: ["false"]}, periodSeconds: 1, failureThreshold: 1}
  terminationGracePeriodSeconds: 0
Y
running() { [ "$(k get pod "$1" -o 'jsonpath={.status.phase} {.status.containerStatuses[0].ready}')" = "$2" ]; }
check "a pod whose probe fails runs, and is not ready" until_true 20 running page "Running false"
check "the event says why" until_true 10 bash -c "'$KUBECTL' describe pod page | grep -q 'Readiness probe failed: HTTP probe failed with statuscode: 404'"
refused() { k exec box -- curl -sS --max-time 5 http://page/ >/dev/null 2>&1; [ $? = 7 ]; }  # curl's code for it
check "its Service refuses" until_true 5 refused
k exec page -- sh -c 'echo yes >/usr/share/nginx/html/ready.html'
check "the probe passes" k wait --for=condition=Ready pod/page --timeout=20s
check "its Service answers" until_true 5 says "in_pod box" http://page/ready.html yes
restarted() { [ "$(k get pod ill -o 'jsonpath={.status.containerStatuses[0].restartCount}')" -gt 0 ]; }
check "a failed liveness probe restarts the container" until_true 30 restarted
check "and says so" bash -c "'$KUBECTL' describe pod ill | grep -q 'Container shell failed liveness probe, will be restarted'"
finish
