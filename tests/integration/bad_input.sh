# Bad input gets one clear line that names what is wrong, and an exit code that is not 0.
. tests/integration/lib.sh

check_error "unknown verb" "bogus" "$KUBELAN" bogus
check_error "unknown flag" "--bogus" "$KUBELAN" up --bogus
check_error "flag without a value" "--nodes" "$KUBELAN" up --nodes
check_error "a number is wanted" "--nodes" "$KUBELAN" up --nodes many
check_error "too many nodes" "--nodes 65: use 0 to 64" "$KUBELAN" up --nodes 65
check_error "bad name" '--name "A_b"' "$KUBELAN" up --name A_b
check_error "bad port" "--api-port 70000" "$KUBELAN" up --api-port 70000
check_error "enter without a command" "put it after --" "$KUBELAN" enter client
check_error "status of a cluster that is not up" "not up: run 'kubelan up'" "$KUBELAN" status
check_error "down of a cluster that never was" 'no cluster "ghost"' "$KUBELAN" down --name ghost
check_error "missing manifest" "nosuch.yaml" "$KUBELAN" up -f nosuch.yaml
check_error "broken kubeconfig" "kubeconfig .*not" bash -c "printf 'a: [' >$WORK/broken; '$KUBELAN' up --kubeconfig $WORK/broken"
check_equal "the broken kubeconfig is untouched" "a: [" "$(cat "$WORK/broken")"
check_error "a failed up leaves no cluster" "not up" "$KUBELAN" status

mkdir -p "$WORK/newer" && echo 99 >"$WORK/newer/version"
check_error "state of a newer version" "has format 99.*newer kubelan" "$KUBELAN" up --state-dir "$WORK/newer"

check "up on a port" "$KUBELAN" up --name first
port=$("$KUBELAN" status --name first -o json | grep -o '127.0.0.1:[0-9]*' | cut -d: -f2)
check_error "port in use" "--api-port $port on 127.0.0.1.*in use" "$KUBELAN" up --name second --api-port "$port"
check_error "already up" 'cluster "first" is already up' "$KUBELAN" up --name first
check_error "no such place" "is not a place: use client, node/NAME or pod/" "$KUBELAN" enter --name first nowhere -- true
check_error "no such node" 'no node "node-9"' "$KUBELAN" enter --name first node/node-9 -- true
check_error "no such pod" 'pods "ghost" not found' "$KUBELAN" enter --name first pod/ghost -- true
"$KUBELAN" down --name first >/dev/null

printf 'kind: [\n' >"$WORK/broken.yaml"
printf 'apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers: [{name: c, image: nginx, bogus: 1}]\n' >"$WORK/unknown.yaml"
printf 'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {replicas: many}\n' >"$WORK/type.yaml"
printf 'apiVersion: v1\nkind: Bogus\nmetadata: {name: a}\n' >"$WORK/kind.yaml"
check_error "broken YAML" "broken.yaml.*line" "$KUBELAN" run -f "$WORK/broken.yaml" -- true
check_error "unknown field" "unknown.yaml.*bogus" "$KUBELAN" run -f "$WORK/unknown.yaml" -- true
check_error "wrong type" "type.yaml.*replicas" "$KUBELAN" run -f "$WORK/type.yaml" -- true
check_error "unknown kind" "kind.yaml.*Bogus" "$KUBELAN" run -f "$WORK/kind.yaml" -- true

if [ -w /proc/sys/user/max_user_namespaces ] && [ -n "${KUBELAN_TEST_SYSCTL:-}" ]; then
  old=$(cat /proc/sys/user/max_user_namespaces)
  echo 0 >/proc/sys/user/max_user_namespaces
  check_error "missing user namespaces" "user.max_user_namespaces" "$KUBELAN" up
  echo "$old" >/proc/sys/user/max_user_namespaces
elif unshare -Ur true 2>/dev/null; then
  # Inside a user namespace of our own the limit may be set to none, and the host stays as it is.
  check_error "missing user namespaces" "user.max_user_namespaces" unshare -Ur sh -c "echo 0 >/proc/sys/user/max_user_namespaces && exec '$KUBELAN' up"
else
  echo "SKIP: missing user namespaces: none can be made here at all"
fi
finish
