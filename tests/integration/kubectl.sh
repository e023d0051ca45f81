# The everyday commands with every kubectl at hand: the one in KUBECTL, those beside it (kubectl.1.27 ...), and
# Debian's, unpacked for the test when the machine can fetch it.
. tests/integration/lib.sh

check "up" "$KUBELAN" up
for kubectl in $(kubectls | sort -u); do
  v=$("$kubectl" version --client 2>/dev/null | grep -oE 'v1\.[0-9]+' | head -1)
  k() { "$kubectl" "$@"; }
  has() { # has PATTERN COMMAND...: the output matches.
    local pattern=$1 out
    shift
    out=$("$@" 2>&1) && printf '%s\n' "$out" | grep -qE -- "$pattern" || { printf '%s\n' "$out"; return 1; }
  }
  check "$v apply" has 'deployment.apps/nginx-deployment created' k apply -f examples/nginx
  check "$v apply again changes nothing" has 'deployment.apps/nginx-deployment unchanged' k apply -f examples/nginx
  check "$v rollout status" has 'successfully rolled out' k rollout status deployment/nginx-deployment --timeout=60s
  check "$v wait" k wait --for=condition=Ready pod/box pod/pair --timeout=60s
  check "$v get" has '^nginx-deployment +3/3 +3 +3' k get deployments
  check "$v get -o wide" has 'app=nginx' k get deployment,service -o wide
  check "$v get all" has 'replicaset.apps/nginx-deployment-' k get all
  check "$v get -o yaml" has 'clusterIP: 10.96' k get service nginx-service -o yaml
  check "$v get -o jsonpath" has '^Running$' k get pod box -o 'jsonpath={.status.phase}'
  check "$v get -l" has '^3$' sh -c "'$kubectl' get pods -l app=nginx --no-headers | wc -l"
  check "$v get --field-selector" has 'box' k get pods --field-selector spec.nodeName="$(k get pod box -o 'jsonpath={.spec.nodeName}')"
  check "$v get nodes" has 'node-3 +Ready' k get nodes -o wide
  check "$v get events" has 'Scheduled' k get events
  check "$v describe pod" has 'Successfully assigned default/box to node-' k describe pod box
  check "$v describe deployment" has 'Scaled up replica set nginx-deployment-[a-z0-9]+ (from 0 )?to 3' k describe deployment nginx-deployment
  check "$v describe service" has 'Endpoints: .*:80' k describe service nginx-service
  check "$v describe node" has 'Non-terminated Pods' k describe node node-1
  check "$v logs" has 'GET /' sh -c "'$kubectl' exec pair -c shell -- curl -s -o /dev/null http://127.0.0.1 && '$kubectl' logs pair -c web"
  check "$v exec" has '^box$' k exec box -- hostname
  k exec box -- sh -c 'exit 42' >/dev/null 2>&1
  check_equal "$v exec passes the exit code on" 42 $?
  check "$v exec -i" has '^hello$' sh -c "echo hello | '$kubectl' exec -i box -- cat"
  check "$v exec -it has a terminal" has '/dev/pts/[0-9]' script -qec "'$kubectl' exec -it box -- tty" /dev/null
  check "$v devices are devices" k exec box -- sh -c 'test -c /dev/null && echo x >/dev/null && test -c /dev/ptmx && test "$(head -c 4 /dev/zero | wc -c)" = 4'
  check "$v run -i --rm passes input, output and the exit code on" sh -c "echo 'hostname; exit 3' | '$kubectl' run tmp --rm -i --image=busybox --restart=Never -- sh | grep -qx tmp"
  # An ordinary user's cluster maps one user id, so that tar cannot give a file to the one it had.
  preserve=$([ "$(id -u)" = 0 ] || echo --no-preserve)
  check "$v cp $preserve" sh -c "cd '$WORK' && echo content >cp.txt && '$kubectl' cp $preserve cp.txt box:/tmp/cp.txt && '$kubectl' exec box -- grep -q content /tmp/cp.txt"
  check "$v scale" has 'scaled' k scale deployment nginx-deployment --replicas=1
  check "$v wait for the scale" until_true 20 sh -c "[ \$('$kubectl' get deployment nginx-deployment -o 'jsonpath={.status.replicas}') = 1 ]"
  check "$v label" has 'tier=web' sh -c "'$kubectl' label pod box tier=web && '$kubectl' get pod box --show-labels"
  check "$v annotate" k annotate pod box note=hi
  # From 1.32 on these are sent as protobuf.
  check "$v create deployment" has 'created' k create deployment made --image=nginx --replicas=2
  check "$v rollout status of it" has 'successfully rolled out' k rollout status deployment/made --timeout=60s
  check "$v create configmap" has 'created' k create configmap made --from-literal=a=b --from-file=examples/nginx/nginx.yaml
  check "$v create ingress" has 'created' k create ingress made --class=nginx --rule="made.example/a*=nginx-service:80,tls=made"
  check "$v get ingress" has '^made +nginx +made.example +.*80, 443' k get ingress
  check "$v describe ingress" has 'made terminates made.example' k describe ingress made
  check "$v explain ingress" has 'ImplementationSpecific' k explain ingress.spec.rules.http.paths.pathType
  check "$v delete what was created" has 'ingress.networking.k8s.io "made" deleted' k delete deployment/made configmap/made ingress/made
  check "$v patch, strategic" has 'patched' k patch deployment nginx-deployment -p '{"spec":{"template":{"spec":{"containers":[{"name":"nginx","env":[{"name":"A","value":"b"}]}]}}}}'
  check "$v patch, merge" has 'patched' k patch service nginx-service --type=merge -p '{"metadata":{"labels":{"a":"b"}}}'
  check "$v patch, json" has 'patched' k patch service nginx-service --type=json -p '[{"op":"add","path":"/metadata/labels/c","value":"d"}]'
  check "$v rollout after the patch" has 'successfully rolled out' k rollout status deployment/nginx-deployment --timeout=60s
  check "$v rollout history" has '2' k rollout history deployment/nginx-deployment
  check "$v rollout undo" has 'rolled back' k rollout undo deployment/nginx-deployment
  check "$v rollout restart" has 'restarted' k rollout restart deployment/nginx-deployment
  check "$v edit" has 'edited' env KUBE_EDITOR='sed -i s/replicas:.*1$/replicas:\ 2/' "$kubectl" edit deployment nginx-deployment
  check "$v apply --server-side" has 'serverside-applied' k apply --server-side --force-conflicts -f examples/nginx/nginx.yaml
  check "$v explain" has 'containers' k explain pod.spec
  check "$v api-resources" has 'deployments +deploy' k api-resources
  printf 'apiVersion: v1\nkind: Pod\nmetadata: {name: bad}\nspec:\n  containers: [{name: c, image: nginx, bogus: 1}]\n' >"$WORK/bad.yaml"
  check_error "$v an unknown field is refused" 'bogus' sh -c "'$kubectl' apply -f '$WORK/bad.yaml' 2>&1 >/dev/null | tr '\n' ' ' >&2; false"
  k port-forward pod/pair :80 >"$WORK/forward" 2>&1 &
  forward=$!
  forwarded() { curl -s --max-time 5 "http://127.0.0.1:$(grep -oE '127.0.0.1:[0-9]+' "$WORK/forward" | cut -d: -f2)" | grep -q 'Welcome to nginx!'; }
  check "$v port-forward" until_true 10 forwarded
  kill $forward
  check "$v delete" has 'deployment.apps "nginx-deployment" deleted' k delete -f examples/nginx
  check_equal "$v nothing is left" "" "$(k get deployments,replicasets,pods -o name 2>/dev/null)"
  check "$v a namespace comes and goes" sh -c "printf 'apiVersion: v1\nkind: Namespace\nmetadata: {name: tmp}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: tmp}\n' | '$kubectl' apply -f - && '$kubectl' delete namespace tmp && ! '$kubectl' get namespace tmp 2>/dev/null"
done
check "down" "$KUBELAN" down
finish
