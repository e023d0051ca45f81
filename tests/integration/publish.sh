# Published ports and kube-proxy's URLs: from the host, over real sockets, while Services come and go.
. tests/integration/lib.sh

page() { curl -sS --max-time 5 "http://127.0.0.1:$1/"; }
shows_nginx() { page "$1" | grep -q 'Welcome to nginx'; }
refused() { page "$1" 2>&1 | grep -q "connect to\|refused"; }
host_port() { "$KUBELAN" publish list -o json | tr -d ' \n' | grep -o "{[^}]*\"target\":\"$1\"[^}]*}" | grep -o '"hostPort":[0-9]*' | cut -d: -f2; }
listed() { "$KUBELAN" publish list | grep -E "$1"; }
url() { "$KUBELAN" enter "$1" -- curl -sS --max-time 5 "$2"; }

check_error "a port without a target" "no target" "$KUBELAN" up --publish 8080
check_error "an address that is not the host's own" "not a loopback address" "$KUBELAN" up --publish 0.0.0.0:8080:svc/web:80
check_error "a failed up leaves no cluster" "not up" "$KUBELAN" publish list

check "up --publish" "$KUBELAN" up --nodes 2 --publish 0:svc/nginx-service:80 --publish 0:svc/kube-system/kube-dns:53/udp
web=$(host_port svc/default/nginx-service:80)
check "a Service that is not there yet is waited for" listed 'waiting: no service default/nginx-service'
check "and refuses" refused "$web"
k create -f examples/nginx >/dev/null
check "it opens when the Service and its pods are there" until_true 20 shows_nginx "$web"
check "status lists it" bash -c "'$KUBELAN' status | grep -q '127.0.0.1:$web -> svc/default/nginx-service:80'"
k delete service nginx-service >/dev/null
check "closes when it goes" until_true 10 refused "$web"
k apply -f examples/nginx >/dev/null 2>&1
check "and opens again when it is made anew" until_true 10 shows_nginx "$web"
check "200 connections side by side" bash -c "seq 200 | xargs -P 50 -I{} curl -sS --max-time 20 -o /dev/null -w '%{http_code}\n' http://127.0.0.1:$web/ | sort | uniq -c | grep -qx ' *200 200'"

if command -v dig >/dev/null; then
  dns=$(host_port svc/kube-system/kube-dns:53/udp)
  check_equal "UDP" "$(k get service nginx-service -o 'jsonpath={.spec.clusterIP}')" "$(dig +short +time=5 @127.0.0.1 -p "$dns" nginx-service.default.svc.cluster.local)"
fi

k apply -f - >/dev/null <<'Y'
apiVersion: v1
kind: Service
metadata: {name: outside}
spec: {type: NodePort, selector: {app: nginx}, ports: [{port: 80, nodePort: 30180}]}
---
apiVersion: v1
kind: Service
metadata: {name: other}
spec: {selector: {app: nobody}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: local}
spec: {type: LoadBalancer, externalTrafficPolicy: Local, selector: {app: nginx}, ports: [{port: 80}]}
Y
check "publish add of a node port" "$KUBELAN" publish add 0:node-2:30180
check "leads there" until_true 10 shows_nginx "$(host_port node-2:30180)"
check "publish add of a load balancer" "$KUBELAN" publish add 0:lb/local:80
check "leads there" until_true 10 shows_nginx "$(host_port lb/default/local:80)"
check_error "one host port, one target" "$web is published already, to svc/default/nginx-service:80" "$KUBELAN" publish add "$web:30180"
api=$(api_url | cut -d: -f3)
check_error "a port in use" "127.0.0.1:$api is in use" "$KUBELAN" publish add "$api:30180"
if [ "$(id -u)" != 0 ] && [ "$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" -gt 79 ]; then
  check_error "a port below 1024" "ip_unprivileged_port_start=79" "$KUBELAN" publish add 79:30180
fi
check "a Service without pods" "$KUBELAN" publish add 0:svc/other:80
empty=$(host_port svc/default/other:80)
page "$empty" >/dev/null 2>&1
check "says why" until_true 5 listed 'svc/default/other:80 .*active: .*refused'

check "down and up again" bash -c "'$KUBELAN' down --keep-state && '$KUBELAN' up --nodes 2 | grep '127.0.0.1:$web -> svc/default/nginx-service:80'"
check "published as before" until_true 20 shows_nginx "$web"
check "publish remove" "$KUBELAN" publish remove "$web"
check "is gone" refused "$web"
check_error "and not known any more" "nothing is published on 127.0.0.1:$web" "$KUBELAN" publish remove "$web"

for path in 10256/healthz 10256/livez 10249/healthz; do
  check "kube-proxy's :$path" until_true 5 bash -c "'$KUBELAN' enter node/node-1 -- curl -sSf --max-time 5 http://127.0.0.1:$path"
done
check_equal "kube-proxy's mode" nftables "$(url node/node-2 http://127.0.0.1:10249/proxyMode)"
check "and its figures" bash -c "'$KUBELAN' enter node/node-1 -- curl -sS http://127.0.0.1:10249/metrics | grep -E '^kubeproxy_sync_proxy_rules_duration_seconds_count.* [1-9]'"
check "healthz from outside" bash -c "'$KUBELAN' enter client -- curl -sS http://172.30.0.12:10256/healthz | grep '\"nodeEligible\": true'"
health=$(k get service local -o 'jsonpath={.spec.healthCheckNodePort}')
answers_health() { url client "http://172.30.0.11:$health/" | tr -d ' \t\n' | grep -E '"service":\{"namespace":"default","name":"local"\},"localEndpoints":[0-9]+,"serviceProxyHealthy":true'; }
check "healthCheckNodePort" until_true 10 answers_health
k patch service local -p '{"spec":{"externalTrafficPolicy":"Cluster"}}' >/dev/null
closed_health() { ! url client "http://172.30.0.11:$health/"; }
check "closes with the policy" until_true 10 closed_health
check "down" "$KUBELAN" down

exec 7>"$WORK/ready"
check "up --ready-fd tells the ports" bash -c "'$KUBELAN' up --name fd --nodes 1 --ephemeral --publish 0:30080 --ready-fd 7"
exec 7>&-
check "with their numbers" grep -qE '"published":\[.*"hostPort":[1-9]' "$WORK/ready"
"$KUBELAN" down --name fd >/dev/null
finish
