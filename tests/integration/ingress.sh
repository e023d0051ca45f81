# Ingress with real kubectl and real packets: the controller that is there out of the box, rules and TLS from the client and from
# this machine, status, events, explain.
. tests/integration/lib.sh

check "up" "$KUBELAN" up --nodes 2
check "the controller is Ready, as ingress-nginx's own instructions wait for it" k wait -n ingress-nginx --for=condition=ready pod --selector=app.kubernetes.io/component=controller --timeout=30s
check_equal "classes, and which is the default" "kubelan nginx:true" "$(k get ingressclasses -o 'jsonpath={range .items[*]}{.metadata.name}:{.metadata.annotations.ingressclass\.kubernetes\.io/is-default-class} {end}' | sed 's/: / /; s/ $//')"
lb=$(k get service -n ingress-nginx ingress-nginx-controller -o 'jsonpath={.status.loadBalancer.ingress[0].ip}')
check_equal "its address is the pool's last" 172.30.255.254 "$lb"

from_client() { "$KUBELAN" enter client -- curl -sSk --max-time 5 --resolve "devopsexample.com:80:$lb" --resolve "devopsexample.com:443:$lb" "$@"; }
says() { local what=$1; shift; "$@" 2>&1 | grep -q -- "$what"; }
code() { "$@" -o /dev/null -w '%{http_code}'; }

check_equal "without rules: 404" 404 "$(code from_client http://devopsexample.com/)"
check "apply" k apply -f examples/ingress
"$KUBELAN" cert devopsexample.com --secret devopsexample-tls | k apply -f - >/dev/null
check "applications are up" k wait --for=condition=Available deployment/app deployment/api --timeout=60s
check "/app" until_true 10 says "this is the app" from_client http://devopsexample.com/app
check "/api, and the path is rewritten" says '^GET / HTTP/1.1' from_client http://devopsexample.com/api
check "the backend sees the client" says '^X-Real-Ip: 172.30.0.2' from_client http://devopsexample.com/api
check "HTTPS" says "this is the app" from_client https://devopsexample.com/app
"$KUBELAN" cert --ca >"$WORK/ca.pem"
check "with a certificate of the cluster's CA" "$KUBELAN" enter client -- curl -sS --max-time 5 --cacert "$WORK/ca.pem" --resolve "devopsexample.com:443:$lb" https://devopsexample.com/app
check_equal "another path: 404" 404 "$(code from_client http://devopsexample.com/other)"
check_equal "both pods in turn" 2 "$(for _ in 1 2 3 4; do from_client http://devopsexample.com/api | grep Hostname; done | sort -u | wc -l)"

address_of() { k get ingress "$1" -o 'jsonpath={.status.loadBalancer.ingress[0].ip}'; }
has_address() { [ "$(address_of "$1")" = "$2" ]; }
check "the status has the address" until_true 5 has_address devops-ingress "$lb"
check "the event Sync" until_true 10 says 'Sync .*Scheduled for sync' k describe ingress devops-ingress
k annotate ingress devops-ingress nginx.ingress.kubernetes.io/no-such=1 >/dev/null
check "an unknown annotation is told" until_true 10 says 'no-such' k get events --field-selector type=Warning
check "requests are logged" until_true 5 says 'GET /app' k logs -n ingress-nginx deploy/ingress-nginx-controller

url() { "$KUBELAN" status -o json | tr -d ' \n' | grep -o "\"$1\":\"$1://[^\"]*\"" | cut -d'"' -f4; }
http=$(url http) https=$(url https)
check "published on this machine" says "this is the app" curl -sS --max-time 5 -H 'Host: devopsexample.com' "$http/app"
check "and HTTPS" says "this is the app" curl -sSk --max-time 5 --resolve "devopsexample.com:${https##*:}:127.0.0.1" "https://devopsexample.com:${https##*:}/app"
check "status names them" says "Ingress: *$http $https" "$KUBELAN" status

check "explain" says 'rule  *Ingress default/devops-ingress, ' "$KUBELAN" explain ingress devopsexample.com/app/x
check "explain: annotations" says '^ *[a-z]* *rewrite-target: /$' "$KUBELAN" explain ingress devopsexample.com/app/x
check "explain: pods" says 'app-[^ ]* at 10.244' "$KUBELAN" explain ingress devopsexample.com/app
check "explain: JSON" says '"service": "default/app-service:80"' "$KUBELAN" explain ingress https://devopsexample.com/app -o json
check_error "explain: no request" "say which request" "$KUBELAN" explain ingress

k apply -f - >/dev/null <<'Y'
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: other}
spec: {controller: example.com/other}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: no-class}
spec: {rules: [{host: plain.test, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: app-service, port: {number: 80}}}}]}}]}
Y
check_equal "an Ingress without a class gets the default" nginx "$(k get ingress no-class -o 'jsonpath={.spec.ingressClassName}')"
check "and is served" until_true 5 says "this is the app" "$KUBELAN" enter client -- curl -sS --max-time 5 -H 'Host: plain.test' "http://$lb/"
k patch ingress no-class --type merge -p '{"spec":{"ingressClassName":"other"}}' >/dev/null
check "another class takes it away" until_true 5 has_address no-class ""
check_equal "404 then" 404 "$(code "$KUBELAN" enter client -- curl -sS --max-time 5 -H 'Host: plain.test' "http://$lb/")"

# A name that kubelan knows by its Services, one that only DNS finds, one that nobody knows.
k apply -f - >/dev/null <<'Y'
apiVersion: v1
kind: Service
metadata: {name: by-domain}
spec: {type: ExternalName, externalName: app-service.default.svc.cluster.local}
---
apiVersion: v1
kind: Service
metadata: {name: by-search}
spec: {type: ExternalName, externalName: app-service.default.svc}
---
apiVersion: v1
kind: Service
metadata: {name: by-nobody}
spec: {type: ExternalName, externalName: nowhere.example}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: names}
spec:
  rules:
  - {host: domain.test, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: by-domain, port: {number: 80}}}}]}}
  - {host: search.test, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: by-search, port: {number: 80}}}}]}}
  - {host: nobody.test, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: by-nobody, port: {number: 80}}}}]}}
Y
of_host() { "$KUBELAN" enter client -- curl -sS --max-time 5 -H "Host: $1" "http://$lb/" "${@:2}"; }
check "ExternalName of a Service" until_true 5 says "this is the app" of_host domain.test
check "ExternalName that DNS finds" until_true 10 says "this is the app" of_host search.test
check_equal "ExternalName that nobody knows: 503" 503 "$(code of_host nobody.test)"
check "and an Event" until_true 10 says 'NameNotResolved.*nowhere.example' k get events --field-selector type=Warning

k patch -n ingress-nginx configmap ingress-nginx-controller --type merge -p '{"data":{"use-forwarded-headers":"true"}}' >/dev/null
check "use-forwarded-headers" until_true 5 says '^X-Real-Ip: 192.0.2.7' from_client -H 'X-Forwarded-For: 192.0.2.7' http://devopsexample.com/api
check "and TLS that a proxy had ends no more in a redirect" says "this is the app" from_client -H 'X-Forwarded-Proto: https' http://devopsexample.com/app

# Ports of the controller for what is not HTTP, reached by the load balancer's address once its Service has them, too.
k apply -f - >/dev/null <<'Y'
apiVersion: v1
kind: Pod
metadata: {name: datagrams, labels: {app: datagrams}}
spec:
  containers:
  - {name: c, image: registry.k8s.io/e2e-test-images/agnhost:2.53, args: [netexec, --http-port=8080, --udp-port=8081]}
---
apiVersion: v1
kind: Service
metadata: {name: datagrams}
spec: {selector: {app: datagrams}, ports: [{port: 53, protocol: UDP, targetPort: 8081}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: udp-services, namespace: ingress-nginx}
data: {"5353": "default/datagrams:53"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: tcp-services, namespace: ingress-nginx}
data: {"9000": "default/app-service:80"}
Y
k patch service -n ingress-nginx ingress-nginx-controller --type json \
  -p '[{"op":"add","path":"/spec/ports/-","value":{"name":"udp","port":5353,"protocol":"UDP"}},{"op":"add","path":"/spec/ports/-","value":{"name":"tcp","port":9000}}]' >/dev/null
datagram() { "$KUBELAN" enter client -- bash -c "exec 3<>/dev/udp/$lb/5353; printf hostname >&3; timeout 1 head -c 9 <&3"; }
check "udp-services: datagrams pass, both ways" until_true 10 says '^datagrams$' datagram
check "tcp-services: connections pass" until_true 10 says "this is the app" "$KUBELAN" enter client -- curl -sS --max-time 5 "http://$lb:9000/"

check "the controller restarts" k rollout restart -n ingress-nginx deployment/ingress-nginx-controller
check "and is there again" k rollout status -n ingress-nginx deployment/ingress-nginx-controller --timeout=60s
check "and serves" until_true 5 says "this is the app" from_client http://devopsexample.com/app

check "a second cluster has ports of its own" bash -c "'$KUBELAN' up --name second --nodes 1 --ephemeral && '$KUBELAN' status --name second | grep -E '^Ingress: *http://127.0.0.1:[0-9]+ https://127.0.0.1:[0-9]+$' | grep -vF '$http '"
check "down" "$KUBELAN" down --name second
check "down and up again" bash -c "'$KUBELAN' down --keep-state && '$KUBELAN' up --nodes 2 | grep -F '$http $https'"
check "the same port leads there again" until_true 20 says "this is the app" curl -sS --max-time 5 -H 'Host: devopsexample.com' "$http/app"
check "down" "$KUBELAN" down
check "up --no-ingress" "$KUBELAN" up --nodes 1 --ephemeral --no-ingress
check_equal "has none" "" "$(k get ingressclasses -o name; "$KUBELAN" status | grep Ingress)"
check_error "explain says so" "no ingress controller runs" "$KUBELAN" explain ingress a.test/
"$KUBELAN" down >/dev/null
finish
