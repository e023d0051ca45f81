# Dual stack and IPv6 alone: nodes, pods, DNS, every way into a Service, in each family.
. tests/integration/lib.sh

url() { case $1 in *:*:*) echo "http://[${1%%@*}]${2:-}" ;; *) echo "http://$1${2:-}" ;; esac; }
nginx_from() { local place=$1; "$KUBELAN" enter "$place" -- curl -gsS --max-time 5 "$2" | grep -q 'Welcome to nginx'; }

check_error "an unknown family" 'ip-family "ipv5": use ipv4, ipv6 or dual' "$KUBELAN" up --ip-family ipv5
if [ ! -e /proc/sys/net/ipv6 ]; then
  echo "skip  this kernel has no IPv6"
  finish
  exit 0
fi

for family in dual ipv6; do
  check "up --ip-family $family" "$KUBELAN" up --ip-family $family
  k apply -f examples/nginx >/dev/null
  k apply -f - >/dev/null <<'Y'
apiVersion: v1
kind: Service
metadata: {name: both}
spec: {type: LoadBalancer, ipFamilyPolicy: PreferDualStack, selector: {app: nginx}, ports: [{port: 80, nodePort: 30090}]}
---
apiVersion: v1
kind: Service
metadata: {name: pods}
spec: {clusterIP: None, ipFamilyPolicy: PreferDualStack, selector: {app: nginx}, ports: [{port: 80}]}
Y
  k rollout status deployment/nginx-deployment --timeout=60s >/dev/null
  check "$family: pods are Ready" k wait --for=condition=Ready pod/box --timeout=60s
  want=2
  [ $family = ipv6 ] && want=1
  check_equal "$family: addresses of a pod" $want "$(k get pod box -o 'jsonpath={.status.podIPs[*].ip}' | wc -w)"
  check_equal "$family: addresses of a node" $want "$(k get node node-2 -o 'jsonpath={.status.addresses[?(@.type=="InternalIP")].address}' | wc -w)"
  check_equal "$family: pod ranges of a node" $want "$(k get node node-2 -o 'jsonpath={.spec.podCIDRs[*]}' | wc -w)"
  check_equal "$family: cluster IPs" $want "$(k get service both -o 'jsonpath={.spec.clusterIPs[*]}' | wc -w)"
  check_equal "$family: slices" $want "$(k get endpointslices -l kubernetes.io/service-name=both -o name | wc -l)"
  for ip in $(k get service both -o 'jsonpath={.spec.clusterIPs[*]}'); do
    check "$family: a pod reaches $ip" until_true 5 nginx_from pod/box "$(url $ip)"
    check "$family: a node reaches $ip" until_true 5 nginx_from node/node-1 "$(url $ip)"
  done
  for ip in $(k get service both -o 'jsonpath={.status.loadBalancer.ingress[*].ip}'); do
    check "$family: the client reaches the load balancer at $ip" until_true 5 nginx_from client "$(url $ip)"
  done
  for ip in $(k get nodes -o 'jsonpath={.items[*].status.addresses[?(@.type=="InternalIP")].address}'); do
    check "$family: the client reaches the node port at $ip" until_true 5 nginx_from client "$(url $ip :30090)"
  done
  for ip in $(k get pods -l app=nginx -o 'jsonpath={.items[*].status.podIPs[*].ip}'); do check "$family: a pod reaches pod $ip" nginx_from pod/box "$(url $ip)"; done
  check "$family: by name over IPv6" nginx_from pod/box http://both
  check_equal "$family: AAAA of a headless Service" 3 "$("$KUBELAN" enter pod/box -- getent ahostsv6 pods | grep -c STREAM)"
  check "$family: a published port" "$KUBELAN" publish add 0:svc/both:80
  published() { curl -sS --max-time 5 "http://$("$KUBELAN" publish list | awk '$2 ~ /both/ {print $1}')/" | grep -q 'Welcome to nginx'; }
  check "$family: leads there" until_true 5 published
  check "$family: stops, its state is kept" "$KUBELAN" down --keep-state
  check_error "$family: the family stays as it was" "this cluster was made with $family" "$KUBELAN" up --ip-family ipv4
  check "$family: and needs not be named again" "$KUBELAN" up
  check_equal "$family: as before" $want "$(k get service both -o 'jsonpath={.spec.clusterIPs[*]}' | wc -w)"
  check "$family: down" "$KUBELAN" down
done
finish
