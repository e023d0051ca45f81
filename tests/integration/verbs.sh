# What is done to pods that run, by every kubectl: guests (kubectl debug), attach, the proxy subresources, and the pages of
# health.
. tests/integration/lib.sh

check "up" "$KUBELAN" up --nodes 2
cat >"$WORK/pods.yaml" <<'YAML'
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  containers: [{name: web, image: nginx, ports: [{name: http, containerPort: 80}]}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 8080, targetPort: http}]}
---
apiVersion: v1
kind: Pod
metadata: {name: reader}
spec:
  containers: [{name: c, image: busybox, stdin: true, command: [sh, -c, 'while read line; do echo "got $line"; done; sleep 1000']}]
YAML
check "apply" k apply -f "$WORK/pods.yaml"
check "ready" k wait --for=condition=Ready pod/web pod/reader --timeout=60s
check "the service has an endpoint" until_true 20 sh -c "'$KUBECTL' get endpointslices -l kubernetes.io/service-name=web -o 'jsonpath={.items[*].endpoints[*].conditions.ready}' | grep -q true"

says() { # says PATTERN COMMAND...: its output or its error.
  local pattern=$1 out
  shift
  out=$("$@" 2>&1)
  printf '%s\n' "$out" | grep -qE -- "$pattern" || { printf '%s\n' "$out"; return 1; }
}
ns=/api/v1/namespaces/default

for kubectl in $(kubectls | sort -u); do
  v=$("$kubectl" version --client 2>/dev/null | grep -oE 'v1\.[0-9]+' | head -1)
  k() { "$kubectl" "$@"; }
  check "$v proxy of a pod" says 'Welcome to nginx' k get --raw $ns/pods/web/proxy/
  check "$v proxy of a pod's port" says 'Welcome to nginx' k get --raw $ns/pods/http:web:80/proxy/
  check "$v proxy of a service, by name" says 'Welcome to nginx' k get --raw $ns/services/web:http/proxy/
  check "$v proxy of a service, by number" says 'Welcome to nginx' k get --raw $ns/services/web:8080/proxy/
  check "$v proxy of a service without that port" says 'no service port 1 found for service "web"' k get --raw $ns/services/web:1/proxy/
  check "$v proxy to a closed port" says 'error trying to reach service: dial tcp [0-9.]+:1: connect: connection refused' k get --raw $ns/pods/web:1/proxy/
  check "$v readyz?verbose" says 'readyz check passed' k get --raw '/readyz?verbose'
  check "$v livez?verbose" says '\[\+\]ping ok' k get --raw '/livez?verbose'
  check "$v field selectors" says '"spec.x" is not a known field selector: only "metadata.name", "metadata.namespace"' k get configmaps --field-selector spec.x=y
  # Attaching half-closes the input when it ends; the output goes on.
  check "$v attach -i" says 'got to-reader' sh -c "(echo to-reader; sleep 1) | timeout 10 '$kubectl' attach -i reader"
  [ "$v" = v1.20 ] && continue  # Its debug command is alpha, and of another API.
  guest=guest-${v#v1.}
  check "$v debug" says 'seen web' sh -c "echo 'echo seen \$(hostname); exit' | timeout 30 '$kubectl' debug -i web --image=busybox -c $guest -- sh"
  check "$v the guest has ended" until_true 20 sh -c "[ -n \"\$('$kubectl' get pod web -o 'jsonpath={.status.ephemeralContainerStatuses[?(@.name==\"$guest\")].state.terminated.reason}')\" ]"
  check "$v logs of the guest" says 'seen web' k logs web -c "$guest"
  check "$v describe shows it" says "^  $guest:" k describe pod web
  check "$v debug --copy-to" says 'web-copy' sh -c "'$kubectl' debug web --copy-to=web-copy --image=busybox --attach=false -- sleep 100 && '$kubectl' get pod web-copy"
  check "$v the copy runs" k wait --for=condition=Ready pod/web-copy --timeout=30s
  check "$v the copy goes" k delete pod web-copy --now
done
k() { "$KUBECTL" "$@"; }
check "the pod has not restarted" says '^0$' k get pod web -o 'jsonpath={.status.containerStatuses[0].restartCount}{"\n"}'
check "down" "$KUBELAN" down
finish
